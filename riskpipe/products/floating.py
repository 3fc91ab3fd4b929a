"""Floating coupons: known where their fixing is, projected from the index's curve where it is not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import Level, Reason
from riskpipe.market.conventions import Conventions
from riskpipe.market.daycounts import year_fraction
from riskpipe.market.factors import date_of
from riskpipe.market.growths import DailyGrowths, Grown, Request, joined
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.schedules import Schedule
from riskpipe.products.base import Need, RowFaults
from riskpipe.products.flows import Amounts, Days, Integers
from riskpipe.products.overnight import NONE_MISSING, fixing_dates, projected, realised
from riskpipe.products.trades import Trades

_SEPARATOR = "\0"

Lacking = tuple[str, int, Integers]
"""An index, a date in days, and the trades, int64."""


def projection_curve(trades: Trades, conventions: Conventions, column: str = "index") -> Labels:
    """The curve that each trade's index is projected from."""
    return trades.labels(column).map(lambda name: conventions.index(name).curve)


def rate_needs(trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
    """What a trade with the columns discount_curve and index depends on."""
    return (
        Need("discount", ("zero_rate",), trades.labels("discount_curve")),
        Need("projection", ("zero_rate",), projection_curve(trades, conventions)),
    )


@dataclass(frozen=True)
class FloatingLeg:
    """Floating legs of n trades.

    :param periods: those whose end is after today.
    :param index: of each trade; overnight or term as the conventions say.
    :param day_count: of the coupons.
    :param calendar: of the fixings, where the index has none of its own.
    :param notional: float64[n], signed: above zero is received.
    :param spread: float64[n], added to the rate of each coupon (not compounded).
    """

    periods: Schedule
    index: Labels
    day_count: Labels
    calendar: Labels
    notional: FloatArray
    spread: FloatArray


@dataclass(frozen=True)
class Growth:
    """Amounts times the growth of a projection curve: coefficient P(start) / P(end), paid at `end`.

    :param trade: int64[k], ascending.
    :param coefficient: float64[k], in currency.
    :param period: int32[k], where the growth is one of `daily`, which of these; else -1.
    """

    trade: Integers
    start: Days
    end: Days
    coefficient: FloatArray
    period: NDArray[np.int32]
    daily: DailyGrowths

    def where(self, mask: NDArray[np.bool_] | Integers) -> Growth:
        kept = (self.trade[mask], self.start[mask], self.end[mask], self.coefficient[mask], self.period[mask])
        return Growth(*kept, self.daily)

    def of(self, rows: Integers) -> Growth:
        """The same of trades that were counted among `rows`, ascending."""
        return replace(self, trade=rows[self.trade])

    def requests(self, projection: Labels, discount_curve: Labels) -> tuple[Request, Request]:
        """Growths, and curves and dates of D(end), as `MarketModel.projected` takes them.

        :param projection, discount_curve: of each trade.
        """
        growth = Grown(projection.take(self.trade), self.start, self.end, self.period, self.daily)
        return growth, (discount_curve.take(self.trade), self.end)

    def telescoped(self, projection: Labels, discount_curve: Labels) -> tuple[Amounts, Growth]:
        """Where one curve does both, P(start) / P(end) D(end) is P(start): known amounts, and what is left."""
        one_curve = projection.combine(discount_curve, lambda a, b: "one" if a == b else "two")
        same = np.array([*(name == "one" for name in one_curve.names), False], np.bool_)[one_curve.codes][self.trade]
        same &= self.period < 0
        known = self.where(same)
        return Amounts(known.trade, known.start, known.coefficient), self.where(~same)


@dataclass(frozen=True)
class FloatingFlows:
    """A coupon N (P(start) / P(end) - 1) is a growth N and a known amount -N.

    :param missing: fixings that coupons need and the market lacks: (index, date in days, trades int64).
    :param skipped: likewise days on which an index was not fixed though its calendar has it.
    """

    known: Amounts
    growth: Growth
    missing: tuple[Lacking, ...]
    skipped: tuple[Lacking, ...]


def floating_flows(leg: FloatingLeg, model: MarketModel) -> FloatingFlows:
    """All coupons of the legs.

    A term rate that fixes before today is a fixing; one that fixes today is, if there is one; else, and
    later, it is the forward rate over the period, (P(start) / P(end) - 1) / tau by the index's day count,
    where dates before today (and the horizon) have factor one. Overnight rates grow by the fixings so far,
    then by P(today) / P(end), or with a lookback by the forward rate of each day (`overnight.projected`).
    """
    coupons = Coupons(leg, model)
    trade = coupons.trade
    scale = leg.notional[trade]
    amount = scale * (coupons.known + leg.spread[trade] * coupons.tau)
    growing = coupons.weight != 0.0
    growth = coupons.growth(scale * coupons.weight).where(growing)
    known = Amounts(trade, leg.periods.end, amount)
    return FloatingFlows(known, growth, tuple(coupons.missing), tuple(coupons.skipped))


def last_fixed_start(index: Labels, model: MarketModel) -> int:
    """A day so late that no period that starts after it can have a fixing by now: needed to look for missing ones."""
    lag = max((model.conventions.index(name).fixing_lag for name in index.names), default=0)
    return model.as_of + 14 + 2 * lag


def missing_fixings(missing: Iterable[Lacking], column: str = "index", kind: str = "fixing") -> list[RowFaults]:
    """A fault for every index and date.

    :param missing: as in `FloatingFlows`.
    :param kind: of the factors.
    """
    hint = "; if the index is not fixed that day, name its fixing calendar in market.indices.{}.calendar"
    faults = []
    for index, day, trades in missing:
        message = f"the market has no {kind}:{index}:{date_of(day).isoformat()}"
        message += hint.format(index) if kind == "fixing" else ""
        faults.append(RowFaults(column, "fixing", np.unique(trades), Reason.MISSING_MARKET_DATA, message))
    return faults


def fixing_faults(flows: FloatingFlows | Coupons, column: str = "index") -> list[RowFaults]:
    """Errors of fixings that are missing, and warnings of days on which an index was not fixed.

    :param column: that names the index.
    """
    skipped = []
    for index, day, trades in flows.skipped:
        message = (
            f"fixing:{index}:{date_of(day).isoformat()} is missing between two others: taken as no fixing day, the "
            f"rate before counts on; market.indices.{index}.calendar can name the index's fixing calendar"
        )
        rows = np.unique(trades)
        skipped.append(RowFaults(column, "fixing_day", rows, Reason.MISSING_MARKET_DATA, message, Level.WARNING))
    return [*missing_fixings(flows.missing, column), *skipped]


class Coupons:
    """Floating coupons per unit of notional, without the spread: known + weight growth, paid at `end`.

    The growth is P(until) / P(end), or with a lookback one of `daily`.

    :ivar trade: int64[k]; `tau` float64[k], length of the period by the coupon's day count.
    :ivar known, weight: float64[k]; the weight is zero where the rate is known.
    :ivar until: int32[k], where projection begins.
    :ivar day, last: int32[k], when the rate begins to be known, and when it is: of a term rate the fixing; of an
        overnight one the period's start and end, `fixing_lag` business days earlier.
    :ivar period: int32[k], among `daily`; -1: none.
    :ivar overnight: bool[k].
    :ivar missing, skipped: as `FloatingFlows` has them.
    """

    def __init__(self, leg: FloatingLeg, model: MarketModel) -> None:
        self.trade = leg.periods.trades
        self.periods = leg.periods
        self._day_count = leg.day_count
        self.tau = year_fraction(leg.periods.start, leg.periods.end, leg.day_count.take(self.trade))
        size = len(self.trade)
        self.known, self.weight = np.zeros(size), np.zeros(size)
        self.until, self.day, self.last = leg.periods.start.copy(), leg.periods.start.copy(), leg.periods.end.copy()
        self.overnight = np.zeros(size, np.bool_)
        self.missing: list[Lacking] = []
        self.skipped: list[Lacking] = []
        self.period = np.full(size, -1, np.int32)
        self._growths: list[DailyGrowths] = []
        for rows, index, day_count, calendar in index_groups(leg.index, leg.day_count, leg.calendar, self.trade, model):
            self._fill(rows, index, day_count, calendar, model)
        self.daily = joined(self._growths)

    def growth(self, coefficient: FloatArray) -> Growth:
        """Amounts float64[k] times the growths."""
        return Growth(self.trade, self.until, self.periods.end, coefficient, self.period, self.daily)

    def _fill(self, rows: Integers, index: str, day_count: str, calendar: str, model: MarketModel) -> None:
        """The coupons of one index."""
        if model.conventions.index(index).overnight:
            self._overnight(rows, index, day_count, calendar, model)
        else:
            self._term(rows, index, day_count, calendar, model)

    def _term(self, rows: Integers, index: str, day_count: str, calendar: str, model: MarketModel) -> None:
        fixed = term_fixings(model, index, calendar, self.periods.start[rows])
        self._note_missing(index, rows, fixed.missing)
        scale = self._scale(rows, day_count)
        self.weight[rows] = np.where(fixed.known, 0.0, scale)
        self.known[rows] = np.where(fixed.known, fixed.rate * self.tau[rows], -scale)
        self.day[rows] = self.last[rows] = fixed.day

    def _overnight(self, rows: Integers, index: str, day_count: str, calendar: str, model: MarketModel) -> None:
        start, end = self.periods.start[rows], self.periods.end[rows]
        lag = model.conventions.index(index).fixing_lag
        past = realised(model, index, lag, calendar, day_count, start, end)
        self._note_missing(index, rows, past.missing)
        self.skipped += [(index, day, self.trade[rows[among]]) for day, among in past.skipped]
        over = past.until >= end
        scale = self._scale(rows, day_count)
        self.weight[rows] = np.where(over, 0.0, scale * past.growth)
        self.known[rows] = scale * np.where(over, past.growth - 1.0, -1.0)
        self.until[rows] = past.until
        self.overnight[rows] = True
        if lag:
            self.day[rows], self.last[rows] = fixing_dates(start, lag, calendar), fixing_dates(end, lag, calendar)
            open_ = np.flatnonzero(~over)
            if open_.size:
                growths = projected(model, index, lag, calendar, day_count, past.until[open_], end[open_])
                first = sum(len(part) for part in self._growths)
                self.period[rows[open_]] = first + np.arange(len(growths))
                self._growths.append(growths)

    def _scale(self, rows: Integers, day_count: str) -> FloatArray:
        """Length by the coupon's day count over length by the index's, in which its rate is quoted."""
        own = self._day_count.names[self._day_count.codes[self.trade[rows[0]]]]  # of all of them
        if own == day_count:
            return np.ones(len(rows))
        tau, index_tau = self.tau[rows], year_fraction(self.periods.start[rows], self.periods.end[rows], day_count)
        with np.errstate(divide="ignore"):  # a period without length by the index's count has no rate
            return np.divide(tau, index_tau, out=np.ones(len(rows)), where=tau != index_tau)

    def _note_missing(self, index: str, rows: Integers, days: Days) -> None:
        self.missing += lacking(index, self.trade[rows], days)


@dataclass(frozen=True)
class TermFixings:
    """What is known of term rates, k of them.

    :param day: int32[k], of the fixing.
    :param rate: float64[k], NaN where there is no fixing.
    :param known: bool[k]; the others are still to be projected. Those that lack a fixing of the past count as known.
    :param missing: int32[k], the day of a fixing that should be there and is not, or `NONE_MISSING`.
    """

    day: Days
    rate: FloatArray
    known: NDArray[np.bool_]
    missing: Days


def term_fixings(model: MarketModel, index: str, calendar: str, start: Days) -> TermFixings:
    """Fixings of the periods of a term rate that begin on `start`, by the index's lag."""
    day = fixing_dates(start, model.conventions.index(index).fixing_lag, calendar)
    rate = np.full(len(start), np.nan)
    due = np.flatnonzero(day <= model.as_of)
    rate[due] = model.fixings(Labels.constant(index, len(due)), day[due])
    past, present = day < model.as_of, ~np.isnan(rate)
    return TermFixings(day, rate, past | present, np.where(past & ~present, day, NONE_MISSING))


def lacking(index: str, trade: Integers, days: Days) -> list[Lacking]:
    """What `FloatingFlows.missing` says of an index.

    :param days: int32[k], of the fixing that the trade needs and the market lacks, or `NONE_MISSING`.
    """
    return [(index, day, trade[days == day]) for day in np.unique(days[days != NONE_MISSING]).tolist()]


def index_groups(
    index: Labels, day_count: Labels, calendar: Labels, trade: Integers, model: MarketModel
) -> list[tuple[Integers, str, str, str]]:
    """Periods that share an index, its day count and its calendar: positions in `trade` and these three names.

    :param index, day_count, calendar: of the trades; the last two where the index has none of its own.
    :param trade: int64[k], the trade of each period.
    """
    names = index.combine(day_count, _joined).combine(calendar, _joined)
    code = names.codes[trade]
    groups = []
    for k in np.flatnonzero(np.bincount(code)).tolist():
        name, count, days = names.names[k].split(_SEPARATOR)
        convention = model.conventions.index(name)
        rows = np.flatnonzero(code == k)
        groups.append((rows, name, convention.day_count or count, convention.calendar or days))
    return groups


def _joined(first: str, second: str) -> str:
    return f"{first}{_SEPARATOR}{second}"
