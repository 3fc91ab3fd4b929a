"""Floating coupons: known where their fixing is, projected from the index's curve where it is not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import Level, Reason
from riskpipe.market.conventions import Conventions, IndexConvention
from riskpipe.market.daycounts import year_fraction
from riskpipe.market.factors import date_of
from riskpipe.market.growths import DailyGrowths, Grown, Request, joined
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.schedules import Schedule
from riskpipe.products.base import Need, RowFaults
from riskpipe.products.flows import Amounts, Days, Integers
from riskpipe.products.index_groups import index_groups
from riskpipe.products.observations import PLAIN, Observation, Observations, observed
from riskpipe.products.overnight import NONE_MISSING, fixing_dates, projected, realised
from riskpipe.products.term_rates import index_maturities, projected_periods, term_fixings
from riskpipe.products.trades import Trades

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


class FloatingLeg(Struct, frozen=True):
    """Floating legs of n trades.

    :param periods: those that are paid after today.
    :param index: of each trade; overnight or term as the conventions say.
    :param day_count: of the coupons.
    :param calendar: of the fixings, where the index has none of its own.
    :param notional: float64[periods], signed: above zero is received.
    :param spread: float64[periods], added to the rate of each coupon (not compounded).
    :param gearing: float64[periods], that multiplies the rate, not the spread; None: one.
    :param observed: how overnight rates are; None: compounded, as the index has it.
    :param as_given: term rates are projected over the periods, be their dates days of fixings or not.
    :param fixing_calendar: of the fixings, whatever the index has; where it has no name, or None: as the index has it.
    """

    periods: Schedule
    index: Labels
    day_count: Labels
    calendar: Labels
    notional: FloatArray
    spread: FloatArray
    gearing: FloatArray | None = None
    observed: Observations | None = None
    fixing_calendar: Labels | None = None
    as_given: bool = False

    def where(self, mask: NDArray[np.bool_]) -> FloatingLeg:
        """Some of the periods."""
        gearing = None if self.gearing is None else self.gearing[mask]
        notional, spread = self.notional[mask], self.spread[mask]
        return replace(self, periods=self.periods.where(mask), notional=notional, spread=spread, gearing=gearing)


class Growth(Struct, frozen=True):
    """Amounts times the growth of a projection curve: coefficient P(start) / P(end), paid on `payment`.

    :param trade: int64[k], ascending.
    :param payment: int32[k]; `end` itself where all are paid at their ends.
    :param coefficient: float64[k], in currency.
    :param period: int32[k], where the growth is one of `daily`, which of these; else -1.
    """

    trade: Integers
    start: Days
    end: Days
    payment: Days
    coefficient: FloatArray
    period: NDArray[np.int32]
    daily: DailyGrowths

    def where(self, mask: NDArray[np.bool_]) -> Growth:
        return self if mask.all() else self.take(np.flatnonzero(mask))

    def take(self, rows: Integers) -> Growth:
        end = self.end.take(rows)
        payment = end if self.payment is self.end else self.payment.take(rows)
        coefficient, period = self.coefficient.take(rows), self.period.take(rows)
        return Growth(self.trade.take(rows), self.start.take(rows), end, payment, coefficient, period, self.daily)

    def of(self, rows: Integers) -> Growth:
        """The same of trades that were counted among `rows`, ascending."""
        return replace(self, trade=rows[self.trade])

    def requests(self, projection: Labels, discount_curve: Labels) -> tuple[Request, Request]:
        """Growths, and curves and dates of D(payment), as `MarketModel.projected` takes them.

        :param projection, discount_curve: of each trade.
        """
        growth = Grown(projection.take(self.trade), self.start, self.end, self.period, self.daily)
        return growth, (discount_curve.take(self.trade), self.payment)

    def telescoped(self, projection: Labels, discount_curve: Labels, model: MarketModel) -> tuple[Amounts, Growth]:
        """Where one curve does both, P(start) / P(end) D(end) is P(start): known amounts, and what is left.

        What is paid on another day than `end` is left, too; and all of it in a model that goes by flow: P(start) is no
        payment.
        """
        one_curve = projection.combine(discount_curve, lambda a, b: "one" if a == b else "two")
        same = one_curve.is_one("one").take(self.trade) & (self.period < 0)
        if self.payment is not self.end:
            same &= self.payment == self.end
        if model.by_flow:
            same[:] = False
        known = self.where(same)
        return Amounts(known.trade, known.start, known.coefficient), self.where(~same)


class FloatingFlows(Struct, frozen=True):
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
    known, weight = coupons.geared(leg.gearing)
    amount = leg.notional * (known + leg.spread * coupons.tau)
    growth = coupons.growth(leg.notional * weight).where(weight != 0.0)
    paid = Amounts(coupons.trade, leg.periods.payment, amount)
    return FloatingFlows(paid, growth, tuple(coupons.missing), tuple(coupons.skipped))


def last_fixed_start(index: Labels, model: MarketModel) -> int:
    """A day so late that no period that starts after it can have a fixing by now: needed to look for missing ones."""
    lag = max((model.conventions.index(name).fixing_lag for name in index.names), default=0)
    return model.as_of + 14 + 2 * lag


_FIXING_CALENDAR = "; if the index is not fixed that day, name its fixing calendar in market.indices.{}.calendar"


def missing_fixings(
    missing: Iterable[Lacking], column: str = "index", kind: str = "fixing", hint: str = _FIXING_CALENDAR
) -> list[RowFaults]:
    """A fault for every index and date.

    :param missing: as in `FloatingFlows`.
    :param kind: of the factors.
    :param hint: of fixings: what else it may be.
    """
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
    """Floating coupons per unit of notional, without the spread: known + weight growth, paid when their periods are.

    The growth is P(until) / P(end), or with a lookback one of `daily`.

    :ivar trade: int64[k]; `tau` float64[k], length of the period by the coupon's day count.
    :ivar known, weight: float64[k]; the weight is zero where the rate is known.
    :ivar until, end: int32[k], where projection begins and ends.
    :ivar day, last: int32[k], when the rate begins to be known, and when it is: of a term rate the fixing; of an
        overnight one the period's start and end, `fixing_lag` business days earlier.
    :ivar period: int32[k], among `daily`; -1: none.
    :ivar overnight: bool[k].
    :ivar missing, skipped: as `FloatingFlows` has them.
    """

    def __init__(self, leg: FloatingLeg, model: MarketModel) -> None:
        self.trade = leg.periods.trades
        self.periods = leg.periods
        self._day_count, self._fixing_calendar, self._as_given = leg.day_count, leg.fixing_calendar, leg.as_given
        self.tau = year_fraction(leg.periods.start, leg.periods.end, leg.periods.labels(leg.day_count))
        size = len(self.trade)
        self.known, self.weight = np.zeros(size), np.zeros(size)
        self.until, self.day, self.last = leg.periods.start.copy(), leg.periods.start.copy(), leg.periods.end.copy()
        self.overnight = np.zeros(size, np.bool_)
        self.missing: list[Lacking] = []
        self.skipped: list[Lacking] = []
        self.period = np.full(size, -1, np.int32)
        self.end = leg.periods.end
        self._growths: list[DailyGrowths] = []
        terms = (leg.index, leg.day_count, leg.calendar, self.trade, model, leg.fixing_calendar)
        for rows, index, day_count, calendar in index_groups(*terms):
            fill = self._overnight if model.conventions.index(index).overnight else self._term
            for how, some in _by_observation(leg.observed, self.trade, rows):
                fill(some, index, how, (day_count, calendar), model)
        self.daily = joined(self._growths)

    def geared(self, gearing: FloatArray | None) -> tuple[FloatArray, FloatArray]:
        """`known` and `weight` of rates that are multiplied by `gearing` float64[k]."""
        return (self.known, self.weight) if gearing is None else (gearing * self.known, gearing * self.weight)

    def growth(self, coefficient: FloatArray) -> Growth:
        """Amounts float64[k] times the growths."""
        end, payment = self.end, self.periods.payment
        return Growth(self.trade, self.until, end, payment, coefficient, self.period, self.daily)

    def _term(self, rows: Integers, index: str, how: Observation, rules: tuple[str, str], model: MarketModel) -> None:
        """:param rules: day count and calendar."""
        day_count, calendar = rules
        at: Integers | slice = slice(None) if len(rows) == len(self.trade) else rows
        end = self.periods.end[at]
        start = end if how.in_arrears else self.periods.start[at]
        fixed = term_fixings(model, index, calendar, start)
        over = start, end
        if not self._as_given and self._has_calendar(rows[0], model.conventions.index(index)):
            over = projected_periods(over, fixed.day, model.conventions.index(index).fixing_lag, calendar)
        if how.in_arrears or how.own_period:
            over = over[0], index_maturities(over[0], index, calendar, model.conventions)
        moved = over[0] is not start or over[1] is not end
        if moved:
            self.end = self.end.copy()
            self.until[at], self.end[at] = over
        scale = self._scale(rows, day_count, over if moved else None)
        self.weight[at], self.known[at] = scale, -scale
        self.day[at] = self.last[at] = fixed.day
        due = rows[fixed.due]
        self._note_missing(index, due, fixed.missing)
        self.weight[due], self.known[due] = 0.0, fixed.rate * self.tau[due]

    def _overnight(
        self, rows: Integers, index: str, how: Observation, rules: tuple[str, str], model: MarketModel
    ) -> None:
        """:param rules: day count and calendar."""
        day_count, calendar = rules
        convention = model.conventions.index(index)
        lag = convention.fixing_lag if how.lookback is None else how.lookback
        start, end = self.periods.start[rows], self.periods.end[rows]
        self.overnight[rows] = True
        if lag:
            self.day[rows], self.last[rows] = fixing_dates(start, lag, calendar), fixing_dates(end, lag, calendar)
        if how.shifted:
            start, end = self.day[rows], self.last[rows]
        scale = self._scale(rows, day_count, (start, end) if how.shifted else None)
        if how.daily:
            self._by_day(rows, index, how, (lag, day_count, calendar), scale, model)
            return
        if how.shifted:
            # The rates of the days looked back to count as they would there: a period of its own.
            self.end = self.end.copy()
            self.end[rows], lag = end, 0
        past = realised(model, index, lag, calendar, day_count, start, end)
        self._note_missing(index, rows, past.missing)
        self.skipped += [(index, day, self.trade[rows[among]]) for day, among in past.skipped]
        over = past.until >= end
        self.weight[rows] = np.where(over, 0.0, scale * past.growth)
        self.known[rows] = scale * np.where(over, past.growth - 1.0, -1.0)
        self.until[rows] = past.until
        open_ = np.flatnonzero(~over)
        if lag and open_.size:
            growths = projected(model, index, lag, calendar, day_count, past.until[open_], end[open_])
            self._add_growths(rows[open_], growths)

    def _by_day(
        self,
        rows: Integers,
        index: str,
        how: Observation,
        rules: tuple[int, str, str],
        scale: FloatArray,
        model: MarketModel,
    ) -> None:
        """:param rules: lookback, day count and calendar."""
        lookback, day_count, calendar = rules
        periods = self.periods.start[rows], self.periods.end[rows]
        found = observed(model, index, how, lookback, (calendar, day_count), periods)
        self._note_missing(index, rows, found.missing)
        self.skipped += [(index, day, self.trade[rows[among]]) for day, among in found.skipped]
        open_, growth = found.is_open, found.growth
        if how.averaged:  # what is known and what is to come are added
            self.weight[rows] = np.where(open_, scale, 0.0)
            self.known[rows] = scale * np.where(open_, growth - 2.0, growth - 1.0)
        else:
            self.weight[rows] = np.where(open_, scale * growth, 0.0)
            self.known[rows] = scale * np.where(open_, -1.0, growth - 1.0)
        self._add_growths(rows[open_], found.daily)

    def _has_calendar(self, row: np.int64, convention: IndexConvention) -> bool:
        """Whether the calendar of a coupon's fixings is said, be it by the trade or for the index."""
        of_trade = self._fixing_calendar is not None and self._fixing_calendar.codes[self.trade[row]] >= 0
        return bool(of_trade or convention.calendar)

    def _add_growths(self, rows: Integers, growths: DailyGrowths) -> None:
        """:param rows: the coupon of each."""
        first = sum(len(part) for part in self._growths)
        self.period[rows] = first + np.arange(len(growths))
        self._growths.append(growths)

    def _scale(self, rows: Integers, day_count: str, over: tuple[Days, Days] | None = None) -> FloatArray:
        """Length by the coupon's day count over length by the index's, in which its rate is quoted.

        :param over: the dates that the rate is of; None: those of the periods.
        """
        own = self._day_count.names[self._day_count.codes[self.trade[rows[0]]]]  # of all of them
        if own == day_count and over is None:
            return np.ones(len(rows))
        start, end = (self.periods.start[rows], self.periods.end[rows]) if over is None else over
        tau, index_tau = self.tau[rows], year_fraction(start, end, day_count)
        with np.errstate(divide="ignore"):  # a period without length by the index's count has no rate
            return np.divide(tau, index_tau, out=np.ones(len(rows)), where=tau != index_tau)

    def _note_missing(self, index: str, rows: Integers, days: Days) -> None:
        self.missing += lacking(index, self.trade[rows], days)


def lacking(index: str, trade: Integers, days: Days) -> list[Lacking]:
    """What `FloatingFlows.missing` says of an index.

    :param days: int32[k], of the fixing that the trade needs and the market lacks, or `NONE_MISSING`.
    """
    return [(index, day, trade[days == day]) for day in np.unique(days[days != NONE_MISSING]).tolist()]


def _by_observation(
    observed_: Observations | None, trade: Integers, rows: Integers
) -> Iterator[tuple[Observation, Integers]]:
    """The rows that are observed alike."""
    if observed_ is None:
        yield PLAIN, rows
        return
    code = observed_.codes[trade[rows]]
    for kind in np.flatnonzero(np.bincount(code)).tolist():
        yield observed_.kinds[kind], rows[code == kind]
