"""Floating coupons: known where their fixing is, projected from the index's curve where it is not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskpipe.errors import Reason
from riskpipe.market.daycounts import year_fraction
from riskpipe.market.factors import date_of
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.schedules import Schedule
from riskpipe.products.base import RowFaults
from riskpipe.products.flows import Amounts, Days, Floats, Integers
from riskpipe.products.overnight import NONE_MISSING, fixing_dates, realised

_SEPARATOR = "\0"


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
    notional: Floats
    spread: Floats


@dataclass(frozen=True)
class Growth:
    """Amounts times the growth of a projection curve: coefficient P(start) / P(end), paid at `end`.

    :param trade: int64[k], ascending.
    :param coefficient: float64[k], in currency.
    """

    trade: Integers
    start: Days
    end: Days
    coefficient: Floats

    def where(self, mask: NDArray[np.bool_]) -> Growth:
        return Growth(self.trade[mask], self.start[mask], self.end[mask], self.coefficient[mask])

    def of(self, rows: Integers) -> Growth:
        """The same of trades that were counted among `rows`, ascending."""
        return Growth(rows[self.trade], self.start, self.end, self.coefficient)

    def requests(self, projection: Labels, discount_curve: Labels) -> tuple[tuple[Labels, Days], ...]:
        """Curves and dates of P(start), P(end) and D(end), as `MarketModel.discount` takes them.

        :param projection, discount_curve: of each trade.
        """
        curve = projection.take(self.trade)
        return (curve, self.start), (curve, self.end), (discount_curve.take(self.trade), self.end)

    def telescoped(self, projection: Labels, discount_curve: Labels) -> tuple[Amounts, Growth]:
        """Where one curve does both, P(start) / P(end) D(end) is P(start): known amounts, and what is left."""
        one_curve = projection.combine(discount_curve, lambda a, b: "one" if a == b else "two")
        same = np.array([*(name == "one" for name in one_curve.names), False], np.bool_)[one_curve.codes][self.trade]
        known = self.where(same)
        return Amounts(known.trade, known.start, known.coefficient), self.where(~same)


@dataclass(frozen=True)
class FloatingFlows:
    """A coupon N (P(start) / P(end) - 1) is a growth N and a known amount -N.

    :param missing: fixings that coupons need and the market lacks: (index, date in days, trades int64).
    """

    known: Amounts
    growth: Growth
    missing: tuple[tuple[str, int, Integers], ...]


def floating_flows(leg: FloatingLeg, model: MarketModel) -> FloatingFlows:
    """All coupons of the legs.

    A term rate that fixes before today is a fixing; one that fixes today is, if there is one; else, and
    later, it is the forward rate over the period, (P(start) / P(end) - 1) / tau by the index's day count,
    where dates before today (and the horizon) have factor one. Overnight rates grow by the fixings so far,
    then by P(today) / P(end).
    """
    coupons = Coupons(leg, model)
    trade = coupons.trade
    scale = leg.notional[trade]
    amount = scale * (coupons.known + leg.spread[trade] * coupons.tau)
    growing = coupons.weight != 0.0
    growth = Growth(trade, coupons.until, leg.periods.end, scale * coupons.weight).where(growing)
    return FloatingFlows(Amounts(trade, leg.periods.end, amount), growth, tuple(coupons.missing))


def last_fixed_start(index: Labels, model: MarketModel) -> int:
    """A day so late that no period that starts after it can have a fixing by now: needed to look for missing ones."""
    lag = max((model.conventions.index(name).fixing_lag for name in index.names), default=0)
    return model.as_of + 14 + 2 * lag


def missing_fixings(
    missing: Iterable[tuple[str, int, Integers]], column: str = "index", kind: str = "fixing"
) -> list[RowFaults]:
    """A fault for every index and date.

    :param missing: as in `FloatingFlows`.
    :param kind: of the factors.
    """
    return [
        RowFaults(
            column,
            "fixing",
            np.unique(trades),
            Reason.MISSING_MARKET_DATA,
            f"the market has no {kind}:{index}:{date_of(day).isoformat()}",
        )
        for index, day, trades in missing
    ]


class Coupons:
    """Floating coupons per unit of notional, without the spread: known + weight P(until) / P(end), paid at `end`.

    :ivar trade: int64[k]; `tau` float64[k], length of the period by the coupon's day count.
    :ivar known, weight: float64[k]; the weight is zero where the rate is known.
    :ivar until: int32[k], where projection begins; `day` int32[k], when a term rate fixes and an overnight one begins.
    :ivar overnight: bool[k].
    :ivar missing: fixings that coupons need and the market lacks: (index, date in days, trades int64).
    """

    def __init__(self, leg: FloatingLeg, model: MarketModel) -> None:
        self.trade = leg.periods.trades
        self.periods = leg.periods
        self.tau = year_fraction(leg.periods.start, leg.periods.end, leg.day_count.take(self.trade))
        size = len(self.trade)
        self.known, self.weight = np.zeros(size), np.zeros(size)
        self.until, self.day = leg.periods.start.copy(), leg.periods.start.copy()
        self.overnight = np.zeros(size, np.bool_)
        self.missing: list[tuple[str, int, Integers]] = []
        for rows, index, day_count, calendar in index_groups(leg.index, leg.day_count, leg.calendar, self.trade, model):
            self._fill(rows, index, day_count, calendar, model)

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
        self.day[rows] = fixed.day

    def _overnight(self, rows: Integers, index: str, day_count: str, calendar: str, model: MarketModel) -> None:
        start, end = self.periods.start[rows], self.periods.end[rows]
        lag = model.conventions.index(index).fixing_lag
        past = realised(model, index, lag, calendar, day_count, start, end)
        self._note_missing(index, rows, past.missing)
        over = past.until >= end
        scale = self._scale(rows, day_count)
        self.weight[rows] = np.where(over, 0.0, scale * past.growth)
        self.known[rows] = scale * np.where(over, past.growth - 1.0, -1.0)
        self.until[rows] = past.until
        self.overnight[rows] = True

    def _scale(self, rows: Integers, day_count: str) -> Floats:
        """Length by the coupon's day count over length by the index's, in which its rate is quoted."""
        tau, index_tau = (
            self.tau[rows],
            year_fraction(self.periods.start[rows], self.periods.end[rows], day_count),
        )
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
    rate: Floats
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


def lacking(index: str, trade: Integers, days: Days) -> list[tuple[str, int, Integers]]:
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
    for k in np.unique(code).tolist():
        name, count, days = names.names[k].split(_SEPARATOR)
        convention = model.conventions.index(name)
        rows = np.flatnonzero(code == k)
        groups.append((rows, name, convention.day_count or count, convention.calendar or days))
    return groups


def _joined(first: str, second: str) -> str:
    return f"{first}{_SEPARATOR}{second}"
