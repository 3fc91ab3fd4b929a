"""Floating coupons: known where their fixing is, projected from the index's curve where it is not."""

from __future__ import annotations

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
    trade = leg.periods.trades
    tau = year_fraction(leg.periods.start, leg.periods.end, leg.day_count.take(trade))
    coupons = _Coupons(trade, leg.periods, tau)
    for rows, index, day_count, calendar in _groups(leg, trade, model):
        coupons.fill(rows, index, day_count, calendar, model)
    scale = leg.notional[trade]
    amount = scale * (coupons.known + leg.spread[trade] * tau)
    growing = coupons.weight != 0.0
    growth = Growth(trade, coupons.until, leg.periods.end, scale * coupons.weight).where(growing)
    return FloatingFlows(Amounts(trade, leg.periods.end, amount), growth, tuple(coupons.missing))


def missing_fixings(flows: FloatingFlows, column: str = "index") -> list[RowFaults]:
    """A fault for every index and date."""
    return [
        RowFaults(
            column,
            "fixing",
            np.unique(trades),
            Reason.MISSING_MARKET_DATA,
            f"the market has no fixing:{index}:{date_of(day).isoformat()}",
        )
        for index, day, trades in flows.missing
    ]


class _Coupons:
    """Per period and unit of notional: known + weight P(until) / P(end)."""

    def __init__(self, trade: Integers, periods: Schedule, tau: Floats) -> None:
        self.trade = trade
        self.periods = periods
        self.tau = tau
        self.known = np.zeros(len(trade))
        self.weight = np.zeros(len(trade))
        self.until = periods.start.copy()
        self.missing: list[tuple[str, int, Integers]] = []

    def fill(self, rows: Integers, index: str, day_count: str, calendar: str, model: MarketModel) -> None:
        """The coupons of one index."""
        if model.conventions.index(index).overnight:
            self._overnight(rows, index, day_count, calendar, model)
        else:
            self._term(rows, index, day_count, calendar, model)

    def _term(self, rows: Integers, index: str, day_count: str, calendar: str, model: MarketModel) -> None:
        start = self.periods.start[rows]
        lag = model.conventions.index(index).fixing_lag
        fixed_on = fixing_dates(start, lag, calendar)
        fixing = np.full(len(rows), np.nan)
        due = np.flatnonzero(fixed_on <= model.as_of)
        fixing[due] = model.fixings(Labels.constant(index, len(due)), fixed_on[due])
        past, present = fixed_on < model.as_of, ~np.isnan(fixing)
        self._note_missing(index, rows, np.where(past & ~present, fixed_on, NONE_MISSING))
        known = past | present
        scale = self._scale(rows, day_count)
        self.weight[rows] = np.where(known, 0.0, scale)
        self.known[rows] = np.where(known, fixing * self.tau[rows], -scale)

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

    def _scale(self, rows: Integers, day_count: str) -> Floats:
        """Length by the coupon's day count over length by the index's, in which its rate is quoted."""
        tau, index_tau = (
            self.tau[rows],
            year_fraction(self.periods.start[rows], self.periods.end[rows], day_count),
        )
        with np.errstate(divide="ignore"):  # a period without length by the index's count has no rate
            return np.divide(tau, index_tau, out=np.ones(len(rows)), where=tau != index_tau)

    def _note_missing(self, index: str, rows: Integers, days: Days) -> None:
        for day in np.unique(days[days != NONE_MISSING]).tolist():
            self.missing.append((index, day, self.trade[rows[days == day]]))


def _joined(first: str, second: str) -> str:
    return f"{first}{_SEPARATOR}{second}"


def _groups(leg: FloatingLeg, trade: Integers, model: MarketModel) -> list[tuple[Integers, str, str, str]]:
    """Periods that share an index, its day count and its calendar: positions and these three names."""
    names = leg.index.combine(leg.day_count, _joined).combine(leg.calendar, _joined)
    code = names.codes[trade]
    groups = []
    for k in np.unique(code).tolist():
        index, day_count, calendar = names.names[k].split(_SEPARATOR)
        convention = model.conventions.index(index)
        rows = np.flatnonzero(code == k)
        groups.append((rows, index, convention.day_count or day_count, convention.calendar or calendar))
    return groups
