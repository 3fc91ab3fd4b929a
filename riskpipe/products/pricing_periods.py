"""Calculation periods of commodity trades: their first and last days, their pricing days and when they are paid."""

from __future__ import annotations

from typing import Final

import numpy as np
from msgspec import Struct

from riskpipe.market.calendar_names import A_CALENDAR, is_calendar
from riskpipe.market.calendars import add_business_days, business_days
from riskpipe.market.date_rules import FREQUENCIES
from riskpipe.market.labels import Labels
from riskpipe.market.schedule_terms import Adjustment
from riskpipe.market.schedules import schedule
from riskpipe.products.base import Column, RowFaults
from riskpipe.products.flows import Days, Integers, offsets_of
from riskpipe.products.trades import Trades
from riskpipe.products.validation import label_mask, out_of_order, rows_fault

BUSINESS_DAYS, LAST, MONTH_ENDS = PRICING_DAYS = ("business_days", "last_business_day", "month_ends")

PERIOD_COLUMNS: Final = (
    Column("start_date", "date", "first day of the first calculation period"),
    Column("maturity_date", "date", "last day of the last calculation period"),
    Column("calendar", "string", "whose business days are priced: [calendars](#calendars) such as XNYS, or joint ones"),
    Column(
        "frequency",
        "string",
        "of the periods, counted back from the day after maturity_date; null: 1M",
        required=False,
        choices=FREQUENCIES,
    ),
    Column(
        "period_starts",
        "date",
        "first days of the periods, each of which ends before the next, where frequency does not tell",
        required=False,
        many=True,
    ),
    Column(
        "pricing_days",
        "string",
        "of a period: all business days, the last one, or the last one of each month; null: business_days",
        required=False,
        choices=PRICING_DAYS,
    ),
    Column("nearby", "number", "of contracts: 1 the prompt one of a day, 2 the next, ...; null: 1", required=False),
    Column("payment_lag", "number", "business days from the end of a period to its payment; null: 0", required=False),
    Column("payment_calendar", "string", "of payments; null: calendar", required=False),
)


class Periods(Struct, frozen=True):
    """Calculation periods of n trades in compressed rows, in time order.

    :param offsets: int64[n + 1].
    :param trade: int64[k].
    :param first, last: int32[k], both days belong to the period.
    :param payment: int32[k].
    """

    offsets: Integers
    trade: Integers
    first: Days
    last: Days
    payment: Days

    def __len__(self) -> int:
        return len(self.trade)


def periods_of(trades: Trades) -> Periods:
    """All periods of trades with `PERIOD_COLUMNS`; by `period_starts` where a trade has them."""
    start, maturity = trades.days("start_date"), trades.days("maturity_date")
    listed = trades.nested("period_starts")
    by_list = np.diff(listed.offsets) > 0
    rows = np.flatnonzero(~by_list)
    n = len(rows)
    adjustment = Adjustment(Labels.constant("weekends", n), Labels.constant("unadjusted", n))
    regular = schedule(start[rows], maturity[rows] + np.int32(1), _frequency(trades).take(rows), adjustment)
    trade = np.concatenate((rows[regular.trades], listed.trades))
    first = np.concatenate((regular.start, listed.rows.days("period_starts")))
    order = np.argsort(trade, kind="stable")
    trade, first = trade[order], first[order]
    ends = np.append(trade[1:] != trade[:-1], np.ones(min(len(trade), 1), np.bool_))
    last = np.where(ends, maturity[trade], np.append(first[1:], np.int32(0)) - np.int32(1)).astype(np.int32)
    return Periods(offsets_of(trade, len(trades)), trade, first, last, _payments(trades, trade, last))


def _payments(trades: Trades, trade: Integers, last: Days) -> Days:
    lag = trades.numbers("payment_lag", 0.0).astype(np.int64)
    return add_business_days(last, lag[trade], payment_calendar(trades).take(trade))


def _frequency(trades: Trades) -> Labels:
    return trades.labels("frequency").otherwise(Labels.constant("1M", len(trades)))


def pricing_rule(trades: Trades) -> Labels:
    """One of `PRICING_DAYS` for each trade."""
    return trades.labels("pricing_days").otherwise(Labels.constant(BUSINESS_DAYS, len(trades)))


def payment_calendar(trades: Trades) -> Labels:
    return trades.labels("payment_calendar").otherwise(trades.labels("calendar"))


def pricing_days(first: Days, last: Days, rule: Labels, calendar: Labels) -> tuple[Integers, Days]:
    """The days whose prices k periods refer to, in compressed rows: offsets int64[k + 1], days int32.

    :param rule: of `PRICING_DAYS`, one a period, as calendars are.
    """
    begin, end = np.zeros(len(first), np.int64), np.zeros(len(first), np.int64)
    open_days = [np.empty(0, np.int32)]
    size, group = 0, rule.combine(calendar, lambda name, days: f"{name} {days}")
    for code, name in enumerate(group.names):
        rows = np.flatnonzero(group.codes == code)
        kind, days = name.split(" ", 1)
        among = _open_days(int(first[rows].min()), int(last[rows].max()), kind, days)
        begin[rows] = size + np.searchsorted(among, first[rows])
        end[rows] = size + np.searchsorted(among, last[rows], side="right")
        if kind == LAST:
            begin[rows] = np.maximum(begin[rows], end[rows] - 1)
        open_days.append(among)
        size += len(among)
    counts = end - begin
    offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)))
    return offsets, np.concatenate(open_days)[np.repeat(begin - offsets[:-1], counts) + np.arange(offsets[-1])]


def _open_days(first: int, last: int, rule: str, calendar: str) -> Days:
    """The business days from the first to the last day; by the rule month_ends the last of each month."""
    if rule != MONTH_ENDS:
        return business_days(first, last + 1, calendar)
    days = business_days(first, last + 62, calendar)  # the last of a month is one that the next month follows
    month = days.astype("datetime64[D]").astype("datetime64[M]")
    is_end = (month[1:] != month[:-1]) & (days[:-1] <= last)
    return np.asarray(days[:-1][is_end], np.int32)


def period_faults(trades: Trades, as_of: int) -> list[RowFaults]:
    """Rules of `PERIOD_COLUMNS`."""
    calendars = []
    for column in ("calendar", "payment_calendar"):
        unknown = label_mask(trades.labels(column), lambda name: not is_calendar(name))
        calendars += rows_fault(column, "calendar", unknown, f"unknown {column}: {A_CALENDAR} is wanted")
    faults = [
        *calendars,
        *out_of_order(trades, "start_date", "maturity_date"),
        *_whole(trades, "nearby", 1),
        *_whole(trades, "payment_lag", 0),
        *_listed_faults(trades),
    ]
    broken = np.zeros(len(trades), np.bool_)
    for fault in faults:
        broken[fault.rows] = True
    broken |= (trades.days("start_date") == Trades.NO_DATE) | (trades.days("maturity_date") == Trades.NO_DATE)
    broken |= trades.labels("calendar").codes < 0
    return [*faults, *_dated_faults(trades, np.flatnonzero(~broken), as_of)]


def _dated_faults(trades: Trades, rows: Integers, as_of: int) -> list[RowFaults]:
    """Of trades whose periods there are: the last payment is past; nothing is priced in a period."""
    some = trades.take(rows)
    periods = periods_of(some)
    over, empty = np.zeros(len(trades), np.bool_), np.zeros(len(trades), np.bool_)
    if len(rows):
        over[rows] = periods.payment[periods.offsets[1:] - 1] < as_of
    rule, calendar = pricing_rule(some).take(periods.trade), some.labels("calendar").take(periods.trade)
    offsets, _ = pricing_days(periods.first, periods.last, rule, calendar)
    empty[rows[periods.trade[np.diff(offsets) == 0]]] = True
    message = "a calculation period has no pricing day: none of its days is one of the calendar by pricing_days"
    return [
        *rows_fault("maturity_date", "not_past", over, "maturity in the past"),
        *rows_fault("pricing_days", "pricing_day", empty, message),
    ]


def _whole(trades: Trades, column: str, least: int) -> list[RowFaults]:
    values = trades.numbers(column)
    wrong = (values != np.floor(values)) | (values < least) | (values > 1000)
    return rows_fault(column, "whole", wrong & ~np.isnan(values), f"{column} must be a whole number from {least} up")


def _listed_faults(trades: Trades) -> list[RowFaults]:
    listed = trades.nested("period_starts")
    day, trade = listed.rows.days("period_starts"), listed.trades
    start, maturity = trades.days("start_date"), trades.days("maturity_date")
    first = listed.numbers == 0
    wrong = np.where(first, day != start[trade], day > maturity[trade])
    wrong[1:] |= ~first[1:] & (day[1:] <= day[:-1])
    both = (np.diff(listed.offsets) > 0) & (trades.labels("frequency").codes >= 0)
    broken = np.zeros(len(trades), np.bool_)
    broken[trade[wrong]] = True
    order = "period_starts are start_date, then later days, ascending, none after maturity_date"
    twice = "period_starts and frequency are both given: leave one of them null"
    return [
        *rows_fault("period_starts", "date_order", broken, order),
        *rows_fault("period_starts", "given_twice", both, twice),
    ]
