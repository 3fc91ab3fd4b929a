"""Columns and contracts of credit default swaps, on a single name or on an index."""

from __future__ import annotations

from typing import Final

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.market.calendars import adjust
from riskpipe.market.daycounts import year_fraction
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.schedule_terms import Adjustment
from riskpipe.market.schedules import LONGEST_ADJUSTMENT, Schedule, schedule
from riskpipe.products.base import Column, RowFaults
from riskpipe.products.credit_models import Contracts, Coupons, isda_legs, midpoint_legs
from riskpipe.products.flows import Amounts, Days
from riskpipe.products.leg_dates import roll_columns, rolls_of
from riskpipe.products.legs import PreparedLegs
from riskpipe.products.schedule_columns import calendar_column, day_count_column, frequency_column, schedule_faults
from riskpipe.products.steps import Stepped
from riskpipe.products.trades import Trades
from riskpipe.products.validation import rows_fault, unknown_currencies

NOTIONAL: Final = Stepped("notional", "notionals", "notional_dates")
CURVE_COLUMNS: Final = (
    Column("currency", "string", "of the notional and the present value"),
    Column("discount_curve", "string", "zero_rate curve that discounts all flows"),
)
_ROLLS: Final = roll_columns()
_START_CONVENTIONS: Final = ("following", "unadjusted")
TERM_COLUMNS: Final = (
    Column("protection", "string", "bought or sold", choices=("buy", "sell")),
    Column("spread", "number", "running premium, decimal a year"),
    Column("upfront", "number", "fraction of the notional that the buyer pays on the start date, or on upfront_date"),
    Column("recovery", "number", "fraction of the notional", rule="nonnegative"),
    Column("start_date", "date", "protection and premium begin"),
    Column("maturity_date", "date", "last day of protection"),
    frequency_column("frequency", "of the premium"),
    day_count_column("day_count", "of the premium"),
    calendar_column(),
    Column(
        "accrual_includes_maturity",
        "boolean",
        "the last period is a day longer, as in the standard contract; unless given, it is not",
        required=False,
    ),
    Column(
        "start_convention",
        "string",
        "what moves the start date, from which protection and premium run; unless given, following",
        required=False,
        choices=_START_CONVENTIONS,
    ),
    Column("protection_start", "date", "first day of protection, taken as given; null: the start date", required=False),
    Column(
        "upfront_date",
        "date",
        "when upfront and rebate are paid, or the next business day; null: start_date",
        required=False,
    ),
    Column(
        "rebates_accrual", "boolean", "the seller pays back the premium of the days up to trade_date", required=False
    ),
    Column("trade_date", "date", "of the trade, for the rebate; else carried", required=False),
    *_ROLLS,
)
_MODELS: Final = {"midpoint": midpoint_legs, "isda": isda_legs}


def contract_faults(trades: Trades, as_of: int) -> list[RowFaults]:
    """Broken rules of these columns."""
    none = Trades.NO_DATE
    start, maturity = trades.days("start_date"), trades.days("maturity_date")
    first, paid, traded = (trades.days(name) for name in ("protection_start", "upfront_date", "trade_date"))
    unpaid = (paid != none) & (maturity != none) & (paid > maturity)
    early, late = (first != none) & (first < start), (first != none) & (maturity != none) & (first > maturity)
    rebates = trades.flags("rebates_accrual")
    over = rebates & (traded != none) & (maturity != none) & (traded >= maturity)
    return [
        *unknown_currencies(trades, "currency"),
        *certain_recovery(trades, "recovery"),
        *schedule_faults(trades, "start_date", as_of, Labels.constant("following", len(trades)), ("",)),
        *rows_fault("protection_start", "date_order", early, "protection_start is before start_date"),
        *rows_fault("protection_start", "date_order", late, "protection_start is after maturity_date"),
        *rows_fault("upfront_date", "date_order", unpaid, "upfront_date is after maturity_date"),
        *rows_fault("trade_date", "not_null", rebates & (traded == none), "trade_date is null, but rebates_accrual"),
        *rows_fault("trade_date", "date_order", over, "trade_date is not before maturity_date"),
    ]


def certain_recovery(trades: Trades, column: str) -> list[RowFaults]:
    return rows_fault(column, "below_one", trades.numbers(column) >= 1.0, f"{column} must be below one")


def valued(contracts: Contracts, model: MarketModel) -> PreparedLegs:
    """By the model that `conventions.credit_model` names.

    :raises ValueError: there is no such model.
    """
    name = model.conventions.credit_model
    if name not in _MODELS:
        raise ValueError(f"unknown credit model {name!r}: one of {', '.join(_MODELS)}")
    return _MODELS[name](contracts, model)


def contracts_of(trades: Trades, model: MarketModel, credit: Labels, loss: FloatArray, scale: FloatArray) -> Contracts:
    """The contracts of n trades.

    :param credit: hazard_rate curve of each.
    :param loss: float64[n], fraction of the notional that is lost on default.
    :param scale: float64[n], what the notionals are multiplied with: 1 for bought protection, -1 for sold.
    """
    as_of, n = model.as_of, len(trades)
    start, calendar = trades.days("start_date"), trades.labels("calendar")
    # one period more than needed: its payment may move beyond today
    periods = _periods(trades, as_of - LONGEST_ADJUSTMENT)
    trade, day_count = periods.trades, periods.labels(trades.labels("day_count"))
    paid = adjust(periods.end, calendar, "following", periods.offsets)
    due = np.flatnonzero(paid > as_of)
    extra = _extra_days(trades, periods)
    tau = year_fraction(periods.start, periods.end + extra, day_count)
    premium, lost = _amounts(trades, periods, scale, loss)
    if model.conventions.credit_step_in == "next_day":
        premium = np.where(periods.end + extra > as_of + 1, premium, 0.0)
    begins = adjust(start, calendar, Labels.constant("following", n))
    protected = np.where(trades.is_one("start_convention", "unadjusted"), start, begins).astype(np.int32)
    return Contracts(
        curve=trades.labels("discount_curve"),
        credit=credit,
        start=_given(trades, "protection_start", protected),
        maturity=trades.days("maturity_date"),
        coupons=Coupons(trade, periods.start, periods.end, paid, day_count, tau, extra, premium, lost).take(due),
        upfront=_upfronts(trades, as_of, begins, scale),
        delayed=trades.has("protection_start"),
    )


def _amounts(trades: Trades, periods: Schedule, scale: FloatArray, loss: FloatArray) -> tuple[FloatArray, FloatArray]:
    """float64[periods] each: premium a year, and what is received on default."""
    spread = trades.numbers("spread")
    if trades.has(NOTIONAL.values):
        bought = periods.spread(scale) * NOTIONAL.by_period(trades, periods)
        return -bought * periods.spread(spread), bought * periods.spread(loss)
    bought = scale * trades.numbers("notional")
    return periods.spread(-bought * spread), periods.spread(bought * loss)


def _periods(trades: Trades, after: int | None) -> Schedule:
    n = len(trades)
    start_convention = Labels(trades.is_one("start_convention", "unadjusted").astype(np.int32), _START_CONVENTIONS)
    following, as_given = (Labels.constant(name, n) for name in _START_CONVENTIONS)
    adjustment = Adjustment(trades.labels("calendar"), following, start_convention, as_given)
    dates = (trades.days("start_date"), trades.days("maturity_date"))
    rolls = rolls_of(trades) if any(trades.has(column.name) for column in _ROLLS) else None
    return schedule(*dates, trades.labels("frequency"), adjustment, rolls, after=after)


def _extra_days(trades: Trades, periods: Schedule) -> Days:
    """int32[periods]: days beyond their ends that earn premium."""
    last = periods.end == periods.spread(trades.days("maturity_date"))
    return np.asarray(periods.spread(trades.flags("accrual_includes_maturity")) & last, np.int32)


def _given(trades: Trades, column: str, otherwise: Days) -> Days:
    if not trades.has(column):
        return otherwise
    days = trades.days(column)
    return np.asarray(np.where(days == Trades.NO_DATE, otherwise, days), np.int32)


def _upfronts(trades: Trades, as_of: int, begins: Days, scale: FloatArray) -> Amounts:
    """Upfront and rebate, those that are still to come. :param begins: the business days of the start dates."""
    paid = begins
    if trades.has("upfront_date"):
        given = _given(trades, "upfront_date", begins)
        paid = adjust(given, trades.labels("calendar"), "following")
    amount = -(scale * trades.numbers("notional")) * trades.numbers("upfront")
    rebates = np.flatnonzero(trades.flags("rebates_accrual") & (paid > as_of))
    if rebates.size:
        amount[rebates] += scale[rebates] * _accrued(trades.take(rebates))
    return Amounts(np.arange(len(trades)), paid, amount).where((paid > as_of) & (amount != 0.0))


def _accrued(trades: Trades) -> FloatArray:
    """float64[n]: premium of the period that runs on the trade date, up to that day and including it.

    Zero where the day after begins another period: the premium of the one before is not the buyer's.
    """
    periods = _periods(trades, None)
    trade = periods.trades
    traded = trades.days("trade_date")[trade]
    runs = (periods.start <= traded) & (traded + 1 < periods.end + _extra_days(trades, periods))
    tau = year_fraction(periods.start, traded + np.int32(1), trades.labels("day_count").take(trade))
    earned = NOTIONAL.by_period(trades, periods) * trades.numbers("spread")[trade] * tau
    return np.bincount(trade[runs], earned[runs], len(trades)).astype(np.float64)
