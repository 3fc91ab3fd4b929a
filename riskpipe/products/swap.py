"""Swaps as lists of legs of any kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.forwards import add_converted
from riskpipe.kernels.legs import sum_legs
from riskpipe.market.conventions import Conventions
from riskpipe.market.growths import CurveNodes, Request
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.schedules import period_count
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.cash_flows import CashFlows, joined
from riskpipe.products.coupon_options import has_options
from riskpipe.products.floating import fixing_faults, last_fixed_start, projection_curve
from riskpipe.products.flows import merged, offsets_of
from riskpipe.products.inflation_legs import inflation_faults, inflation_flows, inflation_needs
from riskpipe.products.leg_columns import (
    LEG_COLUMNS,
    discount_curve,
    has_coupons,
    is_fixed,
    is_floating,
    is_inflation,
    leg_faults,
    legs_over,
    resets,
)
from riskpipe.products.leg_dates import leg_dates
from riskpipe.products.leg_flows import floating_leg_flows, leg_flows, leg_options
from riskpipe.products.legs import NO_NODES, KnownLeg, Leg, ProjectedLeg, leg_cash_flows, leg_values
from riskpipe.products.observations import observation_faults
from riskpipe.products.resets import pairs, reset_faults, reset_flows
from riskpipe.products.shared_nodes import TradeNodes
from riskpipe.products.stub_rates import stub_faults, stub_needs
from riskpipe.products.trades import Nested, Trades
from riskpipe.products.validation import of_trades, rows_fault, unknown_currencies
from riskpipe.products.volatility_columns import volatility_needs

LEGS = Column("legs", "table", "what is paid and received, in any number", fields=LEG_COLUMNS)


class Swap(Product):
    """Legs received less legs paid, each discounted on its own curve and converted at today's exchange rate.

    Legs are fixed, floating, linked to a price index, or known amounts; notionals, rates and spreads step on dates,
    notionals are exchanged as the leg says, or follow an exchange rate. Coupons are those of `interest_rate_swap`.
    """

    name = "swap"
    version = 2
    columns: ClassVar[tuple[Column, ...]] = (
        *COMMON_COLUMNS,
        Column("currency", "string", "of the present value"),
        LEGS,
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        legs = self.legs(trades)
        alive = np.bincount(legs.trades[~legs_over(legs.rows, as_of)], minlength=len(trades)) > 0
        return [
            *unknown_currencies(trades, "currency"),
            *self.told(leg_faults(legs.rows, as_of), legs),
            *rows_fault("legs", "not_past", ~alive, "all legs are in the past"),
        ]

    def legs(self, trades: Trades) -> Nested:
        """Of each trade, with the columns `LEG_COLUMNS`."""
        return trades.nested("legs")

    def told(self, faults: Iterable[RowFaults], legs: Nested) -> Iterator[RowFaults]:
        """Faults of legs as faults of their trades."""
        return of_trades(faults, legs, LEGS)

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        legs = self.legs(trades)
        return tuple(need for k in range(_most(legs)) for need in _leg_needs(trades, legs, k, conventions))

    def missing_points(self, trades: Trades, model: MarketModel) -> list[RowFaults]:
        legs = self.legs(trades)
        before = last_fixed_start(legs.rows.labels("index"), model)
        rows = np.flatnonzero(is_floating(legs.rows))
        rows, flows, stubs = floating_leg_flows(legs.rows, rows, model, before)
        index = legs.rows.labels("index").where(is_floating(legs.rows))
        terms = observation_faults(legs.rows, index, model.conventions)
        found = [replace(fault, rows=rows[fault.rows]) for fault in fixing_faults(flows)]
        some = legs.rows.take(rows)
        odd = stub_faults(some, leg_dates(some), some.labels("index"), model.conventions)
        found += [*(replace(fault, rows=rows[fault.rows]) for fault in odd), *(stubs.faults if stubs else ())]
        lacking = inflation_faults(legs.rows, model) if is_inflation(legs.rows).any() else []
        return [*self.told([*terms, *found, *lacking, *reset_faults(reset_flows(legs.rows, model, before))], legs)]

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        nested = self.legs(trades)
        legs, each = nested.rows, np.full(len(nested.rows), 0.1)
        scheduled = np.flatnonzero(has_coupons(legs))
        some = legs.take(scheduled)
        begin = np.maximum(some.days("start_date"), np.int32(as_of))
        periods = period_count(begin, some.days("maturity_date"), some.labels("frequency"))
        each[scheduled] += np.where(is_fixed(some), 0.03, 0.1) * np.where(resets(some), 3.0, 1.0) * periods
        return np.asarray(0.3 + np.bincount(nested.trades, each, len(trades)), np.float64)

    def pricing_order(self, trades: Trades) -> NDArray[np.int32]:
        legs = self.legs(trades)
        first = legs.rows.days("maturity_date")[legs.offsets[:-1]].astype(np.int64)
        return np.argsort(first * 4 % 1461, kind="stable").astype(np.int32)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        nested = self.legs(trades)
        legs, n = nested.rows, len(nested.rows)
        curve, projection = discount_curve(legs, model.conventions), projection_curve(legs, model.conventions)
        flows, reset = leg_flows(legs, model), reset_flows(legs, model)
        started, growth = flows.growth.telescoped(projection, curve, model)
        options = leg_options(legs, model)
        linked = [inflation_flows(legs, model)] if is_inflation(legs).any() else []
        others = [*(part.options.known for part in options), *(part.known for part in linked)]
        known = merged([flows.known, started, reset.known, *others])
        requests: list[Request] = [(curve.take(known.trade), known.day), *growth.requests(projection, curve)]
        requests += [*reset.growth.requests(projection, curve), *reset.requests(projection, curve)]
        for part in options:
            requests += part.requests(projection, curve)
        requests += [part.request(curve) for part in linked]
        requests += flows.stubs.requests(curve, model.conventions) if flows.stubs else ()
        nodes, positions = model.projected(*requests)
        terms: list[Leg] = [
            KnownLeg(offsets_of(known.trade, n), known.amount, positions[0]),
            ProjectedLeg(offsets_of(growth.trade, n), growth.coefficient, *positions[1:3]),
        ]
        if resets(legs).any():
            fixed = reset.growth
            terms += [
                ProjectedLeg(offsets_of(fixed.trade, n), fixed.coefficient, *positions[3:5]),
                reset.leg((legs.labels("reset_currency"), legs.labels("currency")), model, positions[5:8]),
            ]
        if flows.stubs:
            terms.append(flows.stubs.leg(n, positions[-2:]))
        for k, part in enumerate(options):
            terms += part.legs((positions[8 + 2 * k], positions[9 + 2 * k]), nodes, model)
        first = 8 + 2 * len(options)
        terms += [part.terms(n, positions[first + k], model) for k, part in enumerate(linked)]
        own, into = legs.labels("currency"), trades.labels("currency").take(nested.trades)
        return _Swaps(nested.offsets, nodes, tuple(terms), TradeNodes(*model.fx(own, into)), own)


@dataclass(frozen=True)
class _Swaps(Prepared):
    """:param offsets: int64[n + 1], of the legs of each trade.

    :param terms: of legs. :param rate: of each leg, from its `currency` to that of its trade.
    """

    offsets: NDArray[np.int64]
    nodes: CurveNodes
    terms: tuple[Leg, ...]
    rate: TradeNodes
    currency: Labels

    def price(self, rows: NDArray[np.int32], x: FloatArray) -> FloatArray:
        bounds, legs = self._legs(rows)
        (own,) = leg_values(self.nodes, NO_NODES, (self.terms,), legs, x)
        converted = np.zeros_like(own)
        add_converted(legs, self.rate.under(legs, x), own, converted)
        value = np.empty((len(rows), x.shape[1]))
        sum_legs(bounds, converted, value)
        return value

    def cash_flows(self, x: FloatArray) -> CashFlows:
        trade = np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))
        rate = self.rate.nodes.evaluate(x)[self.rate.position, 0]
        flows = leg_cash_flows(self.nodes, NO_NODES, self.terms, x).converted(self.currency, rate)
        number = (flows.trade - self.offsets[trade[flows.trade]]).astype(np.int32)
        numbers = tuple(str(1 + k) for k in range(int(number.max(initial=-1)) + 1))
        return joined([replace(flows.of(trade), leg=Labels(number, numbers))])

    def why_not(self, rows: NDArray[np.int32], x: FloatArray) -> list[str]:
        bounds, legs = self._legs(rows)
        found = zip(*(leg.why_not(self.nodes, legs, x) for leg in self.terms), strict=True)
        causes = [next(filter(None, each), "") for each in found]
        return [next(filter(None, causes[first:last]), "") for first, last in pairwise(bounds.tolist())]

    def _legs(self, rows: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Of some trades: where those of each begin and end, and the legs."""
        counts = np.diff(self.offsets)[rows]
        bounds = np.concatenate(([0], np.cumsum(counts)))
        first = np.repeat(self.offsets[rows] - bounds[:-1], counts)
        return bounds, (first + np.arange(bounds[-1])).astype(np.int32)


def _most(legs: Nested) -> int:
    return int(np.diff(legs.offsets).max(initial=0))


def _at(legs: Nested, labels: Labels, k: int) -> Labels:
    """What leg k of each trade has; none where there is no such leg."""
    has = np.diff(legs.offsets) > k
    codes = np.full(len(has), -1, np.int32)
    codes[has] = labels.codes[legs.offsets[:-1][has] + k]
    return Labels(codes, labels.names)


def _leg_needs(trades: Trades, legs: Nested, k: int, conventions: Conventions) -> Iterator[Need]:
    rows = legs.rows
    own = rows.labels("currency")
    currency = _at(legs, own, k)
    projection = projection_curve(rows, conventions).where(is_floating(rows))
    for need in stub_needs(rows, conventions):
        yield replace(need, labels=_at(legs, need.labels, k), currency=currency)
    yield Need("underlying", ("fx",), currency.combine(trades.labels("currency"), _pair))
    yield Need("discount", ("zero_rate",), _at(legs, discount_curve(rows, conventions), k), currency=currency)
    yield Need("projection", ("zero_rate",), _at(legs, projection, k), currency=currency)
    if has_options(rows).any():
        for need in volatility_needs(rows):
            yield replace(need, labels=_at(legs, need.labels.where(has_options(rows)), k))
    if is_inflation(rows).any():
        for need in inflation_needs(rows, conventions):
            yield replace(need, labels=_at(legs, need.labels, k))
    if resets(rows).any():
        other = _at(legs, rows.labels("reset_currency"), k)
        mine = _at(legs, own.where(resets(rows)), k)
        yield Need("reset", ("fx",), _at(legs, pairs(rows), k))
        yield Need("discount", ("zero_rate",), other.map(conventions.discount_curve), currency=other)
        yield Need("discount", ("zero_rate",), mine.map(conventions.discount_curve), currency=mine)


def _pair(first: str, second: str) -> str:
    return first + second
