"""Legs whose notional follows an exchange rate: those of resetting cross-currency swaps.

The notional of each period is `reset_notional` at the rate that is fixed for exchange at the period's start. A period's
notional is paid at its start and back at its end, as far as the leg exchanges notionals, which leaves the difference
from period to period; interest may be paid later. Rates to come are those of FX forwards, one for a pair whatever the
collateral of the trade: by the discount curves of the two currencies, not by those of the legs.

Source: Fujii, Shimada and Takahashi, A note on construction of multiple swap curves with and without collateral (2010),
section 4.2 (mark-to-market cross-currency swaps).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import Reason
from riskpipe.kernels import legs as kernels
from riskpipe.market.factors import date_of
from riskpipe.market.fx_dates import fixing_dates
from riskpipe.market.growths import Request
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.schedules import Schedule
from riskpipe.products.base import RowFaults
from riskpipe.products.floating import Growth
from riskpipe.products.flows import Amounts, Days, Integers, offsets_of
from riskpipe.products.leg_columns import has_coupons, resets
from riskpipe.products.leg_dates import leg_dates
from riskpipe.products.leg_flows import leg_periods, signs, unit_coupons
from riskpipe.products.legs import Leg, LegTerms, Positions, Rows, Tile
from riskpipe.products.shared_nodes import Nodes, take
from riskpipe.products.trades import Trades

Lacking = tuple[str, int, Integers]


@dataclass(frozen=True)
class ResetLeg(Leg):
    """Amounts, or amounts times growths, at the exchange rates or prices of other days.

    :param rates: of n_rates nodes, and `rate` int32[terms] which of them a term has.
    :param growth: int32[terms], -1: none. :param payment: int32[terms].
    """

    rates: Nodes
    rate: Positions
    growth: Positions
    payment: Positions

    def nodes(self) -> tuple[Positions, ...]:
        return np.where(self.growth < 0, self.payment, self.growth), self.payment

    def add(self, rows: Rows, tile: Tile, first: int, value: FloatArray) -> None:
        terms = (self.offsets, self.rate, self.growth, self.payment, self.coefficient)
        kernels.add_reset(rows, tile.discount, self._exchange(rows, tile), terms, first, value)

    def by_term(self) -> LegTerms:
        return self._alone(self.payment)

    def _exchange(self, rows: Rows, tile: Tile) -> tuple[FloatArray, Positions]:
        used = np.zeros(len(self.rates), np.bool_)
        kernels.mark_nodes(rows, self.offsets, self.rate, used)
        values: FloatArray = take(self.rates, np.flatnonzero(used)).evaluate(tile.levels)
        return values, np.cumsum(used, dtype=np.int32) - np.int32(1)


class ResetFlows(Struct, frozen=True):
    """Flows of legs that reset, above zero where they are received.

    :param known, growth: of periods whose rate is fixed, in the leg's currency.
    :param open_known, open_growth: of the others, a unit of the leg's currency for one of `reset_currency`.
    :param known_start, growth_start: int32[k], the day for whose exchange the rate of each of the open ones is fixed.
    :param missing: fixings that are over and that the market lacks: pair, date and legs.
    """

    known: Amounts
    growth: Growth
    open_known: Amounts
    known_start: Days
    open_growth: Growth
    growth_start: Days
    missing: tuple[Lacking, ...]

    def of(self, rows: Integers) -> ResetFlows:
        """The same of legs that were counted among `rows`, ascending."""
        parts = {name: getattr(self, name).of(rows) for name in ("known", "growth", "open_known", "open_growth")}
        return replace(self, **parts, missing=tuple((pair, day, rows[legs]) for pair, day, legs in self.missing))

    def requests(self, projection: Labels, discount_curve: Labels) -> tuple[Request, ...]:
        """What `leg` takes the positions of."""
        known = self.open_known
        return (discount_curve.take(known.trade), known.day), *self.open_growth.requests(projection, discount_curve)

    def leg(self, pair: tuple[Labels, Labels], model: MarketModel, positions: list[Positions]) -> ResetLeg:
        """Terms of the open periods.

        :param pair: of each leg reset_currency and the leg's own. :param positions: of `requests`.
        """
        paid, growth, grown = positions
        trade = np.concatenate((self.open_known.trade, self.open_growth.trade))
        start = np.concatenate((self.known_start, self.growth_start))
        rates, rate = model.fx_forwards(pair[0].take(trade), pair[1].take(trade), start)
        order = np.argsort(trade, kind="stable")
        coefficient = np.concatenate((self.open_known.amount, self.open_growth.coefficient))
        growths = np.concatenate((np.full(len(paid), -1, np.int32), growth))
        payment = np.concatenate((paid, grown))
        return ResetLeg(
            offsets_of(trade, len(pair[0])), coefficient[order], rates, rate[order], growths[order], payment[order]
        )


def pairs(legs: Trades) -> Labels:
    """The exchange rate that each leg's notional follows; none where it does not."""
    return legs.labels("reset_currency").combine(legs.labels("currency"), str.__add__)


def reset_flows(legs: Trades, model: MarketModel, before: int | None = None) -> ResetFlows:
    """Of the legs that reset, by position among all legs.

    A rate that is fixed before today is the fixing of its day, `fixing:<pair>` (or of the pair turned round); one that
    is fixed today is, if there is one; others are forward rates, by covered parity.

    :param before: as `schedule` has it.
    """
    rows = np.flatnonzero(resets(legs) & has_coupons(legs))
    some, periods = legs.take(rows), leg_periods(legs, rows, model.as_of, before)
    amount, weight, coupons = unit_coupons(some, periods, model)
    rate, missing = _fixed_rates(some, periods, model)
    notional = periods.spread(signs(some) * some.numbers("reset_notional"))
    fixed = ~np.isnan(rate)
    grows = weight != 0.0
    at = np.where(fixed, rate, 1.0) * notional
    coupon = Amounts(rows[periods.trades], periods.payment, at * amount)
    growth = coupons.growth(at * weight).of(rows)
    begin, end = _exchanged(some, periods)
    first, last = (leg_dates(some).exchanges(days, periods.offsets) for days in (periods.start, periods.end))
    start = Amounts(coupon.trade, first, np.where(begin, -at, 0.0))
    back = Amounts(coupon.trade, last, np.where(end, at, 0.0))
    every = [coupon, start, back]
    known = Amounts(*(np.concatenate([getattr(part, name) for part in every]) for name in ("trade", "day", "amount")))
    open_, due = np.tile(~fixed, 3), (known.day > model.as_of) & (known.amount != 0.0)
    return ResetFlows(
        known.where(due & ~open_).ordered(),
        growth.where(grows & fixed),
        known.where(due & open_),
        np.tile(periods.start, 3)[due & open_],
        growth.where(grows & ~fixed),
        periods.start[grows & ~fixed],
        tuple((name, day, rows[periods.trades[at_]]) for name, day, at_ in missing),
    )


def _exchanged(legs: Trades, periods: Schedule) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """bool[periods]: the notional is paid at the period's start; and back at its end."""
    trade = periods.trades
    first, last = _is_first(legs, periods), periods.end == leg_dates(legs).ends()[trade]
    initial, interim, final = (legs.flags(f"exchange_{name}")[trade] for name in ("initial", "interim", "final"))
    return np.where(first, initial, interim), np.where(last, final, interim)


def _fixed_rates(
    legs: Trades, periods: Schedule, model: MarketModel
) -> tuple[FloatArray, list[tuple[str, int, Integers]]]:
    """The exchange rate of each period that is fixed, float64[periods], NaN: still to come; and those that are missing:
    pair, date and periods. Where the leg has a notional, that of the first period is agreed."""
    agreed = legs.numbers("notional") / legs.numbers("reset_notional")
    rate, missing = np.where(_is_first(legs, periods), periods.spread(agreed), np.nan), []
    pair = periods.labels(pairs(legs))
    for code, name in enumerate(pair.names):
        rows = np.flatnonzero((pair.codes == code) & np.isnan(rate))
        day = fixing_dates(name, periods.start[rows], model.conventions.fx_pair(name))
        due = np.flatnonzero(day <= model.as_of)
        found = _fixings(name, day[due], model)
        rate[rows[due]] = found
        lacks = due[np.isnan(found) & (day[due] < model.as_of)]
        rate[rows[lacks]] = 0.0  # fails the trade before it is priced
        missing += [(name, int(date), rows[lacks[day[lacks] == date]]) for date in np.unique(day[lacks])]
    return rate, missing


def _is_first(legs: Trades, periods: Schedule) -> NDArray[np.bool_]:
    """bool[periods]. A stub that business days leave no day of is none: the next period is the first."""
    return np.asarray(periods.start == periods.spread(leg_dates(legs).starts()))


def _fixings(pair: str, days: Days, model: MarketModel) -> FloatArray:
    found = model.fixings(Labels.constant(pair, len(days)), days)
    turned = model.fixings(Labels.constant(pair[3:] + pair[:3], len(days)), days)
    return np.where(np.isnan(found), 1.0 / turned, found)


def reset_faults(flows: ResetFlows) -> list[RowFaults]:
    """Missing fixings of exchange rates, by leg."""
    faults = []
    for pair, day, legs in flows.missing:
        message = f"the market has no fixing:{pair}:{date_of(day).isoformat()}, at which the notional was set"
        rows = np.unique(legs)
        faults.append(RowFaults("reset_currency", "fixing", rows, Reason.MISSING_MARKET_DATA, message))
    return faults
