"""How floating rates are observed: overnight ones shifted, locked out, averaged; term rates late, or over their tenor.

Sources: 2021 ISDA Interest Rate Derivatives Definitions, sections 7.3 and 7.4; Alternative Reference Rates Committee, A
user's guide to SOFR (2021), sections on payment structures.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.compounding import observed_growth
from riskpipe.market.calendars import BusinessDays, add_business_days, business_days
from riskpipe.market.conventions import Conventions
from riskpipe.market.daycounts import year_fraction
from riskpipe.market.growths import DailyGrowths
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.products.base import Column, RowFaults
from riskpipe.products.overnight import NONE_MISSING, fixing_dates, fixing_days
from riskpipe.products.trades import Trades
from riskpipe.products.validation import label_mask, rows_fault

Days = NDArray[np.int32]
Integers = NDArray[np.int64]

AVERAGINGS: Final = ("compounded", "averaged")
FIXED_IN: Final = ("advance", "arrears")
RATE_PERIODS: Final = ("coupon", "index")
_OF_TERM_RATES: Final = ("fixed_in", "rate_period")


class Observation(Struct, frozen=True):
    """Of a coupon's rate.

    :param lookback: business days between a day and the fixing that counts for it; None: the index's.
    :param shifted: a rate counts for as long as on the day that it is of, not as on the day that looks back to it.
    :param lockout: for the last so many business days of a period the rate of the day before them counts.
    :param averaged: rates are averaged, not compounded.
    :param in_arrears: a term rate is fixed for the end of its coupon's period, not for the start.
    :param own_period: a term rate is projected over the tenor of its index, not over the coupon's period.
    """

    lookback: int | None = None
    shifted: bool = False
    lockout: int = 0
    averaged: bool = False
    in_arrears: bool = False
    own_period: bool = False

    @property
    def daily(self) -> bool:
        """Whether the rate of every day is needed, and ratios of discount factors do not do."""
        return self.averaged or self.lockout > 0


PLAIN: Final = Observation()


class Observations(Struct, frozen=True):
    """:param codes: int32[n], of each trade among `kinds`."""

    codes: NDArray[np.int32]
    kinds: tuple[Observation, ...]

    def take(self, rows: Integers) -> Observations:
        return Observations(self.codes[rows], self.kinds)


def observation_columns(prefix: str = "") -> tuple[Column, ...]:
    """:param prefix: of the leg's columns, such as float_."""
    return (
        Column(
            f"{prefix}averaging",
            "string",
            "of daily rates of an overnight index; null: compounded",
            required=False,
            choices=AVERAGINGS,
        ),
        Column(
            f"{prefix}lookback",
            "number",
            "business days between a day and the overnight fixing that counts for it; null: the index's fixing_lag",
            required=False,
            rule="nonnegative",
        ),
        Column(
            f"{prefix}observation_shift",
            "boolean",
            "lengths of days are those of the days looked back to; null: no",
            required=False,
        ),
        Column(
            f"{prefix}lockout",
            "number",
            "business days at a period's end for which the rate of the day before them counts; null: 0",
            required=False,
            rule="nonnegative",
        ),
        Column(
            f"{prefix}fixed_in",
            "string",
            "a term rate is fixed for its period's start, or in arrears for its end; null: advance",
            required=False,
            choices=FIXED_IN,
        ),
        Column(
            f"{prefix}rate_period",
            "string",
            "a term rate is projected over the coupon's period, or over its index's tenor; null: coupon",
            required=False,
            choices=RATE_PERIODS,
        ),
    )


def observations(trades: Trades, prefix: str = "") -> Observations | None:
    """As these columns say; None where all are as the index has it."""
    if not any(trades.has(column.name) for column in observation_columns(prefix)):
        return None
    terms = (
        trades.numbers(f"{prefix}lookback", -1.0),
        trades.flags(f"{prefix}observation_shift"),
        trades.numbers(f"{prefix}lockout", 0.0),
        trades.is_one(f"{prefix}averaging", "averaged"),
        trades.is_one(f"{prefix}fixed_in", "arrears"),
        trades.is_one(f"{prefix}rate_period", "index"),
    )
    distinct, codes = np.unique(np.column_stack(terms).astype(np.int64), axis=0, return_inverse=True)
    kinds = tuple(
        Observation(None if back < 0 else back, bool(shifted), lock, *map(bool, others))
        for back, shifted, lock, *others in distinct.tolist()
    )
    return None if kinds in ((), (PLAIN,)) else Observations(codes.ravel().astype(np.int32), kinds)


def observation_faults(trades: Trades, index: Labels, conventions: Conventions, prefix: str = "") -> list[RowFaults]:
    """Terms that are no whole numbers, or of a rate of the other kind.

    :param index: of the leg, none where it has fixed coupons.
    """
    overnight = label_mask(index, lambda name: conventions.index(name).overnight)
    faults = []
    for column in observation_columns(prefix):
        given = _given(trades, column)
        of_terms = column.name.removeprefix(prefix) in _OF_TERM_RATES
        wrong = given & (overnight | (index.codes < 0) if of_terms else ~overnight)
        if column.kind == "number":
            days = trades.numbers(column.name, 0.0)
            message = f"{column.name} is not a whole number of days"
            faults += rows_fault(column.name, "whole_number", (days != np.floor(days)) & ~wrong, message)
        kind = "term" if of_terms else "overnight"
        message = f"{column.name} is of {kind} rates, and the index is none (market.indices)"
        faults += rows_fault(column.name, "kind_of_index", wrong, message)
    return faults


def _given(trades: Trades, column: Column) -> NDArray[np.bool_]:
    if column.kind == "number":
        return np.isfinite(trades.numbers(column.name))
    if column.kind == "boolean":
        return trades.flags(column.name)
    return np.asarray(trades.labels(column.name).codes >= 0)


class Observed(Struct, frozen=True):
    """Growth of one unit by the rates of every day of k periods.

    :param growth: float64[k], of the days that are known; NaN where a fixing is missing.
    :param is_open: bool[k], days are still to be projected: one of `daily` for each of these periods, in order.
    :param missing: int32[k], the first day without the fixing it needs, or `NONE_MISSING`.
    :param skipped: as `Realised` has them.
    """

    growth: FloatArray
    is_open: NDArray[np.bool_]
    daily: DailyGrowths
    missing: Days
    skipped: tuple[tuple[int, Integers], ...]


def observed(
    model: MarketModel, index: str, how: Observation, lookback: int, rules: tuple[str, str], periods: tuple[Days, Days]
) -> Observed:
    """Every day's rate, past or projected, for as long as it counts.

    :param lookback: of `how`, or the index's. :param rules: calendar and day count of the index.
    :param periods: start and end, int32[k] each.
    """
    (calendar, day_count), (start, end) = rules, periods
    dates = fixing_days(model, index, calendar)
    days = _observed_days(start, end, how, lookback, dates.calendar, day_count)
    rate = np.full(len(days.fixed), np.nan)
    due = np.flatnonzero(days.fixed <= model.as_of)
    rate[due] = model.fixings(Labels.constant(index, len(due)), days.fixed[due])
    known = (days.fixed < model.as_of) | ~np.isnan(rate)
    period = np.repeat(np.arange(len(start)), np.diff(days.offsets))
    counts = np.bincount(period[known], minlength=len(start))
    bounds = np.concatenate(([0], np.cumsum(counts)))
    averaged = np.full(len(start), how.averaged)
    growth = observed_growth(bounds, (rate * days.length)[known], averaged)
    lacks = np.flatnonzero(known & np.isnan(rate))
    missing = np.full(len(start), NONE_MISSING, np.int32)
    missing[period[lacks[::-1]]] = days.fixed[lacks[::-1]]
    skipped = _skipped(dates.skipped, days, period, known)
    return Observed(
        growth, counts < np.diff(days.offsets), _projected(model, index, days, ~known, averaged), missing, skipped
    )


class _ObservedDays(Struct, frozen=True):
    """Days of k periods.

    :param offsets: int64[k + 1]. :param fixed, following: int32[days], of the fixing and the business day after it.
    :param length: float64[days], years for which it counts.
    :param weight: float64[days], the same in lengths from `fixed` to `following`.
    """

    offsets: Integers
    fixed: Days
    following: Days
    length: FloatArray
    weight: FloatArray


def _observed_days(
    start: Days, end: Days, how: Observation, lookback: int, calendar: BusinessDays, day_count: str
) -> _ObservedDays:
    grid = business_days(int(start.min(initial=0)), int(end.max(initial=1)), calendar)
    low, high = np.searchsorted(grid, start, side="right"), np.searchsorted(grid, end)
    offsets = np.concatenate(([0], np.cumsum(1 + np.maximum(high - low, 0))))
    period = np.repeat(np.arange(len(start)), np.diff(offsets))
    number = np.arange(len(period)) - offsets[period]
    inside = number > 0
    value = start[period]
    value[inside] = grid[(low[period] + number - 1)[inside]]
    until = np.append(value[1:], np.int32(0))
    last = offsets[1:] - 1
    until[last] = end
    seen, seen_until = fixing_dates(value, lookback, calendar), fixing_dates(until, lookback, calendar)
    length = year_fraction(seen, seen_until, day_count) if how.shifted else year_fraction(value, until, day_count)
    locked = np.maximum(last[period] - how.lockout, offsets[:-1][period])
    fixed = seen[np.minimum(np.arange(len(period)), locked)]
    following = add_business_days(fixed, 1, calendar)
    # 30/360 leaves days out: the rate of such a one counts by calendar days
    weight = (until - value) / (following - fixed)
    quoted = year_fraction(fixed, following, day_count)
    np.divide(length, quoted, out=weight, where=quoted > 0.0)
    return _ObservedDays(offsets, fixed, following, length, weight)


def _projected(
    model: MarketModel, index: str, days: _ObservedDays, open_: NDArray[np.bool_], averaged: NDArray[np.bool_]
) -> DailyGrowths:
    period = np.repeat(np.arange(len(averaged)), np.diff(days.offsets))[open_]
    counts = np.bincount(period, minlength=len(averaged))
    ends, kept = np.cumsum(counts), counts > 0
    begin, stop = (ends - counts)[kept].astype(np.int32), ends[kept].astype(np.int32)
    none: Days = np.full(len(begin), -1, np.int32)
    fixed, following, weight = days.fixed[open_], days.following[open_], days.weight[open_]
    curve = Labels.constant(model.conventions.index(index).curve, len(fixed))
    return DailyGrowths(curve, fixed, following, weight, none, begin, stop, none, averaged[kept])


def _skipped(
    days: Days, observed_: _ObservedDays, period: Integers, known: NDArray[np.bool_]
) -> tuple[tuple[int, Integers], ...]:
    """Business days without a fixing, each with the periods that look at days on both sides of it."""
    found = []
    for day in days.tolist():
        before, after = period[known & (observed_.fixed < day)], period[known & (observed_.fixed > day)]
        rows = np.intersect1d(before, after)
        if rows.size:
            found.append((day, rows))
    return tuple(found)
