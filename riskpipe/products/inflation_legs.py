"""Legs linked to a price index: year-on-year rates, and amounts that grow with the index.

Projections are of the index's forwards: year-on-year rates, ratios of two of them, have no convexity adjustment.

Sources: Brigo and Mercurio, Interest Rate Models (2nd edition, 2006), sections 16.1 to 16.3; QuantLib's
YoYInflationCoupon and CPICoupon.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels import inflation as kernels
from riskpipe.kernels.arguments import IndexLevels
from riskpipe.kernels.legs import mark_nodes
from riskpipe.kernels.periods import later_by_months
from riskpipe.market.conventions import Conventions
from riskpipe.market.growths import Request
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.nodes import distinct
from riskpipe.market.schedules import Schedule
from riskpipe.products.base import Need, RowFaults
from riskpipe.products.floating import Lacking, missing_fixings
from riskpipe.products.flows import Amounts, Days, Integers, merged, offsets_of
from riskpipe.products.leg_columns import NOTIONAL, RATE, SPREAD, is_inflation
from riskpipe.products.leg_dates import leg_dates
from riskpipe.products.leg_flows import leg_periods, repayments, signs
from riskpipe.products.legs import Leg, LegTerms, Positions, Rows, Tile
from riskpipe.products.price_indices import IndexTerms, ObservedIndices, index_terms, inflation_curve, observed_indices
from riskpipe.products.trades import Trades

_YEAR: Final = 12
_NONE: Final = -1


@dataclass(frozen=True)
class InflationLeg(Leg):
    """Amounts times an index over another one, or over none.

    :param levels: of n_levels indices.
    :param above, below: int32[terms], which of them; `below` -1: one.
    :param payment: int32[terms].
    """

    levels: IndexLevels
    above: Positions
    below: Positions
    payment: Positions

    def nodes(self) -> tuple[Positions, ...]:
        return (self.payment,)

    def add(self, rows: Rows, tile: Tile, first: int, value: FloatArray) -> None:
        terms = (self.offsets, self.above, self.below, self.payment, self.coefficient)
        kernels.add_indexed(rows, tile.discount, self.used_levels(rows, tile), terms, first, value)

    def by_term(self) -> LegTerms:
        """Of indices that are published amounts are known."""
        grows = np.append((self.levels[1] != 0.0).any(axis=1), False)
        return replace(self._alone(self.payment), projected=grows[self.above] | grows[self.below])

    def used_levels(self, rows: Rows, tile: Tile) -> tuple[FloatArray, Positions]:
        """Those that trades look at, and where each of all is among them."""
        used = np.zeros(len(self.levels[0]), np.bool_)
        for column in (self.above, np.where(self.below < 0, self.above, self.below)):
            mark_nodes(rows, self.offsets, column, used)
        values = np.empty((int(used.sum()), tile.levels.shape[1]))
        kernels.index_levels(np.flatnonzero(used).astype(np.int32), self.levels, tile.levels, values)
        return values, np.cumsum(used, dtype=np.int32) - np.int32(1)


@dataclass(frozen=True)
class FlooredLeg(InflationLeg):
    """Amounts times an index that is at least a floor.

    :param floor: float64[terms].
    """

    floor: FloatArray

    def add(self, rows: Rows, tile: Tile, first: int, value: FloatArray) -> None:
        terms = (self.offsets, self.above, self.payment, self.coefficient)
        kernels.add_floored(rows, tile.discount, self.used_levels(rows, tile), terms, self.floor, first, value)


class InflationFlows(Struct, frozen=True):
    """Flows of legs, above zero where they are received, k of them on indices.

    :param known: amounts that no index moves.
    :param leg: int64[k], ascending; `payment` int32[k]; `coefficient` float64[k].
    :param above, below: int32[k], indices among `seen`; `below` -1: none.
    :param missing: fixings of indices that are over and that the market lacks: index, date and legs.
    """

    known: Amounts
    leg: Integers
    payment: Days
    coefficient: FloatArray
    above: Positions
    below: Positions
    seen: ObservedIndices
    missing: list[Lacking]

    def request(self, discount_curve: Labels) -> Request:
        """What `terms` takes the positions of."""
        return discount_curve.take(self.leg), self.payment

    def terms(self, legs: int, payment: Positions, model: MarketModel) -> InflationLeg:
        """:param legs: their number. :param payment: of `request`."""
        levels = index_levels(self.seen, model)
        return InflationLeg(offsets_of(self.leg, legs), self.coefficient, levels, self.above, self.below, payment)


def inflation_flows(legs: Trades, model: MarketModel) -> InflationFlows:
    """Of the legs on price indices, by position among all legs."""
    rows = np.flatnonzero(is_inflation(legs))
    some, periods = legs.take(rows), leg_periods(legs, rows, model.as_of)
    kind = some.labels("inflation_kind")
    at, payment, amount, yearly, known = _coupons(some, periods, kind, model)
    trade, end = periods.trades[at], periods.end[at]
    terms, base = _leg_terms(some, model), some.numbers("base_index")
    given = ~np.isnan(base)[trade] & ~yearly
    amount = amount / np.where(given, base[trade], 1.0)
    below_day = np.where(yearly, _year_before(end), some.days("start_date")[trade])
    has_below = ~given  # the others begin with the index that the leg says
    both = np.concatenate((trade, trade[has_below]))
    days = np.concatenate((end, below_day[has_below])).astype(np.int32)
    seen, position = distinct_indices(terms, both, days, model)
    below = np.full(len(trade), _NONE, np.int32)
    below[has_below] = position[len(trade) :]
    missing = seen.missing(rows[both], position)
    order = np.lexsort((payment, trade))
    return InflationFlows(
        known.of(rows),
        rows[trade[order]],
        payment[order],
        amount[order],
        position[: len(trade)][order],
        below[order],
        seen,
        missing,
    )


def _coupons(
    some: Trades, periods: Schedule, kind: Labels, model: MarketModel
) -> tuple[Integers, Days, FloatArray, NDArray[np.bool_], Amounts]:
    """Amounts that an index multiplies, the period and the payment of each and whether it is of a year before; and the
    known ones."""
    trade, dates = periods.trades, leg_dates(some)
    notional = signs(some)[trade] * NOTIONAL.by_period(some, periods)
    years = dates.accrual(some.labels("day_count")).years(periods)
    yearly, indexed = kind.is_one("year_on_year")[trade], kind.is_one("indexed")[trade]
    gearing = some.numbers("gearing", 1.0)[trade]
    rate = RATE.by_period(some, periods)
    amount = np.where(yearly, gearing * years, np.where(indexed, rate * years, 1.0)) * notional
    fixed = np.where(yearly, (SPREAD.by_period(some, periods, 0.0) - gearing) * years, np.where(indexed, 0.0, -1.0))
    parts = [(np.arange(len(trade)), periods.payment, amount, yearly)]
    back = dates.exchanges(periods.end, periods.offsets)
    for at, repaid in repayments(some, periods):
        own = kind.is_one("indexed")[trade[at]]
        parts.append((at[own], back[at[own]], repaid[own], np.zeros(int(own.sum()), np.bool_)))
    at, paid, every, of_year = (np.concatenate(column) for column in zip(*parts, strict=True))
    kept = (every != 0.0) & (paid > model.as_of)
    known = merged([Amounts(trade, periods.payment, fixed * notional)])
    return at[kept], paid[kept], every[kept], of_year[kept], known


def _year_before(days: Days) -> Days:
    before = np.empty_like(days)
    later_by_months(days, -_YEAR, before)
    return before


def _leg_terms(legs: Trades, model: MarketModel) -> IndexTerms:
    """As the legs say, else as the indices have them."""
    terms = index_terms(legs.labels("index"), model.conventions)
    own, said = legs.labels("observation"), legs.numbers("observation_lag")
    lag = np.where(np.isnan(said), terms.lag, np.nan_to_num(said)).astype(np.int64)
    return IndexTerms(terms.index, lag, np.where(own.codes < 0, terms.linear, own.is_one("linear")))


def distinct_indices(
    terms: IndexTerms, leg: Integers, days: Days, model: MarketModel
) -> tuple[ObservedIndices, NDArray[np.int32]]:
    """What payments of legs observe, each once, and where each of the payments is among these."""
    # Legs are of few terms: told apart first, so that payments, of which there are many, need no sorting.
    keys = np.column_stack((terms.index.codes.astype(np.int64), terms.lag, terms.linear))
    _, first, term = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    which, day, position = distinct(term.ravel().astype(np.int32)[leg], days)
    return observed_indices(terms.take(first[which]), day, model), position


def index_levels(seen: ObservedIndices, model: MarketModel) -> IndexLevels:
    """Of each of the indices: what is known of it and what grows."""
    growth, fixed = seen.growth(model), ~np.isnan(seen.fixing)
    return (
        np.where(fixed, seen.share * np.where(fixed, seen.fixing, 0.0), 0.0).sum(axis=1),
        np.where(fixed | (seen.share == 0.0), 0.0, seen.share * seen.base),
        np.stack([nodes.index for nodes in growth], axis=1),
        np.stack([nodes.weight for nodes in growth], axis=1),
        np.stack([nodes.years for nodes in growth], axis=1),
    )


def inflation_needs(legs: Trades, conventions: Conventions) -> tuple[Need, Need]:
    """Of the legs on price indices: what they are projected from, and what was published."""
    index = legs.labels("index").where(is_inflation(legs))
    return (
        Need("projection", ("inflation_zero",), inflation_curve(index, conventions)),
        Need("projection", ("index_fixing",), index),
    )


def inflation_faults(legs: Trades, model: MarketModel) -> list[RowFaults]:
    """Published indices that are missing, by leg."""
    return missing_fixings(inflation_flows(legs, model).missing, kind="index_fixing")
