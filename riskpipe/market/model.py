"""The market as products see it: names and dates in, nodes out, for many trades at once."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import Failure, InputError, Reason
from riskpipe.market.carry import CarriedForwards, Carry
from riskpipe.market.conventions import Conventions
from riskpipe.market.curves import Curves
from riskpipe.market.factors import CARRY_KINDS, nearest
from riskpipe.market.futures_contracts import QuotedContracts, rolled
from riskpipe.market.fx import FxGraph, Route, spots_of
from riskpipe.market.fx_dates import spot_dates
from riskpipe.market.growths import CurveNodes, Grown, Request, grown
from riskpipe.market.inflation_curves import InflationCurves, InflationNodes
from riskpipe.market.labels import Labels
from riskpipe.market.nodes import (
    CubeNodes,
    DatedNodes,
    DiscountNodes,
    ForwardNodes,
    FxForwardNodes,
    FxNodes,
    PaidForwardNodes,
    VarianceNodes,
    distinct,
)
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.market.surfaces import Surfaces

Days = NDArray[np.int32]
Positions = NDArray[np.int32]


class MarketModel:
    """Curves, surfaces and pairs over a snapshot.

    Nothing in it depends on scenarios: nodes are indices into the factors, and weights. Labels with code -1
    have no curve (factor one), no dividends, no variance. A name that is used and that the snapshot lacks
    raises InputError: needs are checked (`resolve`) before trades are prepared.

    :param horizon_days: calendar days forward (theta): the same levels, with all times that much shorter.
    :param left_out: kind and name of the curves, surfaces and spots that the snapshot lacks for their errors: what
        would use them has no substitute (another kind, another cross, no dividends).
    :param by_flow: for cash flows: trades are prepared flow by flow, where values need less, and discount factors know
        their dates (`DatedNodes`).
    :ivar as_of: the snapshot's date, whatever the horizon, in days since 1970-01-01.
    """

    def __init__(
        self,
        snapshot: MarketSnapshot,
        conventions: Conventions,
        horizon_days: int = 0,
        left_out: frozenset[tuple[str, str]] = frozenset(),
        by_flow: bool = False,
    ) -> None:
        self.snapshot = snapshot
        self.conventions = conventions
        self.horizon_days = horizon_days
        self.by_flow = by_flow
        self.as_of = snapshot.as_of
        self._curves = Curves(snapshot, conventions, horizon_days)
        self._forwards = CarriedForwards(snapshot, self._curves)
        self._inflation = InflationCurves(snapshot)
        self._surfaces = Surfaces(snapshot, conventions, horizon_days)
        self._left_out = left_out
        self._of_spot_date = conventions.fx_spot == "spot_date"
        self._fx = FxGraph(snapshot, (name for kind, name in left_out if kind == "spot"))
        self._resolved: dict[tuple[tuple[str, ...], str, bool], tuple[int, ...] | None] = {}

    @property
    def base(self) -> FloatArray:
        """float64[n_factors, 1]: the factors' levels in the base scenario, for nodes to be evaluated under."""
        return np.ascontiguousarray(self.snapshot.x0[:, None])

    @property
    def origin(self) -> int:
        """The date that values are of: as_of plus the horizon, in days since 1970-01-01."""
        return self._curves.origin

    def time(self, days: Days) -> FloatArray:
        """Years (ACT/365F) from as_of plus the horizon, zero for dates before it."""
        return self._curves.time(days)

    # --- what there is ---
    def resolve(self, kinds: tuple[str, ...], name: str, *, cube: bool = False) -> tuple[int, ...] | None:
        """The groups of factors that serve a need: the first of `kinds` that there is under this name.

        The kind "fx" is a pair of currencies such as EURUSD: no group for a currency against itself, one
        spot, or the two of a cross; and, if spots are of their spot dates, the curves that discount from there.

        :param cube: a volatility surface may depend on the tenor of an underlying.
        :return: positions among the snapshot's groups; None: not there or not supported (`failure` says
            which).
        """
        key = (kinds, name, cube)
        if key not in self._resolved:
            self._resolved[key] = self._resolve(kinds, name, cube)
        return self._resolved[key]

    def failure(self, kinds: tuple[str, ...], name: str) -> Failure:
        """Why `resolve` gives None."""
        for kind in kinds:
            index = self._surfaces.group_index(kind, name)
            why = self._surfaces.unsupported.get(index) or self._surfaces.cubes.get(index)
            if why is not None:
                return Failure(Reason.UNSUPPORTED, why)
        if self.is_left_out(kinds, name):
            wanted = next((kind for kind in kinds if (kind, name) in self._left_out), "fx")
            message = f"{wanted}:{name} is left out: `riskpipe check` tells the errors of its points"
            return Failure(Reason.MISSING_MARKET_DATA, message)
        route = self._route(name) if "fx" in kinds else None
        if route and -1 in self._curves_of(route):
            message = f"the market has not the discount curves that {name} takes (market.fx_spot: spot_date)"
            return Failure(Reason.MISSING_MARKET_DATA, message)
        names = (group.name for group in self.snapshot.groups if group.kind in kinds)
        wanted = " or ".join(f"{kind}:{name}" for kind in kinds)
        return Failure(Reason.MISSING_MARKET_DATA, f"the market has no {wanted}{nearest(name, names)}")

    def _resolve(self, kinds: tuple[str, ...], name: str, cube: bool) -> tuple[int, ...] | None:
        for kind in kinds:
            if kind == "fx":
                route = self._route(name)
                if route is not None:
                    groups = (*(leg.group for leg in route), *self._curves_of(route))
                    return None if any(group < 0 for group in groups) else groups
                continue
            if (kind, name) in self._left_out:
                return None
            index = self._surfaces.group_index(kind, name)
            if index >= 0:
                unfit = index in self._surfaces.unsupported or (index in self._surfaces.cubes and not cube)
                return None if unfit else (index,)
        return None

    def _curves_of(self, route: Route) -> tuple[int, ...]:
        """Groups of the discount curves that today's rate takes, -1 for those that there are not."""
        if not self._of_spot_date:
            return ()
        legs = [self.snapshot.groups[leg.group].name for leg in route if leg.group >= 0]
        curves = (self.conventions.discount_curve(currency) for pair in legs for currency in (pair[:3], pair[3:]))
        return tuple(self.snapshot.group_index("zero_rate", curve) for curve in curves)

    def is_left_out(self, kinds: tuple[str, ...], name: str) -> bool:
        """Whether `resolve` would find something but for the errors of its points."""
        route = self._route(name) if "fx" in kinds else None
        return any((kind, name) in self._left_out for kind in kinds) or (
            route is not None and any(leg.group < 0 for leg in route)
        )

    def _route(self, pair: str) -> Route | None:
        return self._fx.route(pair[:3], pair[3:]) if len(pair) == 6 else None

    def _groups(
        self, kinds: tuple[str, ...], labels: Labels, *, optional: bool = False, cube: bool = False
    ) -> Positions:
        """int32[n]: the group of each trade's name; -1 where it or (optional) the market has none."""
        table = np.full(len(labels.names) + 1, -1, np.int32)
        for code, name in enumerate(labels.names):
            groups = self.resolve(kinds, name, cube=cube)
            if groups:
                table[code] = groups[0]
            elif not optional and np.any(labels.codes == code):
                raise InputError(self.failure(kinds, name).message)
        return table.take(labels.codes)

    def _discount_groups(self, currencies: Labels) -> Positions:
        return self._groups(("zero_rate",), currencies.map(self.conventions.discount_curve))

    # --- nodes ---
    def discount(
        self, *requests: tuple[Labels, Days], kind: str = "zero_rate"
    ) -> tuple[DiscountNodes, list[Positions]]:
        """Factors of curves at dates: discount, survival ("hazard_rate") or dividend ("dividend_yield").

        :param requests: a curve name and a date each, n_j of them in request j; dates before as_of give
            factor one.
        :return: nodes, each (curve, date) once over all requests, and for each request int32[n_j] positions.
        """
        named = {id(labels): labels for labels, _ in requests}  # starts and ends of periods share theirs
        found = {key: self._groups((kind,), labels) for key, labels in named.items()}
        groups = [found[id(labels)] for labels, _ in requests]
        group, day, position = distinct(_concatenate(groups), _concatenate([days for _, days in requests]))
        bounds = np.cumsum([len(g) for g in groups])[:-1]
        factors = self._curves.log_discount(group, day)
        nodes = DatedNodes(*factors, day) if self.by_flow else DiscountNodes(*factors)
        return nodes, np.split(position, bounds)

    def projected(self, *requests: Request) -> tuple[CurveNodes, list[Positions]]:
        """Discount factors of zero curves at dates, and growths over periods (`riskpipe.market.growths`).

        :return: nodes, and for each request its positions; without growths those of `discount`.
        """
        dates = [request.dates() if isinstance(request, Grown) else [request] for request in requests]
        nodes, positions = self.discount(*itertools.chain.from_iterable(dates))
        return grown(nodes, requests, positions)

    def forwards(
        self, underlyings: Labels, currencies: Labels, days: Days, kinds: tuple[str, ...] = ("forward_price", "spot")
    ) -> tuple[ForwardNodes | PaidForwardNodes, Positions]:
        """Forwards of equities and commodities.

        Where the snapshot has forward_price points of the underlying: linear in time between them, flat beyond, or,
        where these are contracts, the price of the first that expires on or after the date (the last beyond);
        else spot exp((r - q - b) t) with r of the currency's discount curve, q of dividend_yield and b of borrow, zero
        where there is none, less the discrete dividends until then (`riskpipe.kernels.payouts`).

        :param kinds: of the level, the first that the snapshot has.
        :return: nodes, each (underlying, currency, date) once, and int32[n] positions.
        """
        pairs = underlyings.combine(currencies, lambda underlying, currency: f"{underlying}\0{currency}")
        names = [name.split("\0") for name in pairs.names]
        code, day, position = distinct(pairs.codes, days)
        underlying = Labels.of([name[0] for name in names])
        currency = Labels.of([name[1] for name in names])
        levels = self._groups(kinds, underlying)
        quoted = np.array([self.snapshot.groups[g].kind == "forward_price" for g in levels], np.bool_)
        rates = np.full(len(names), -1, np.int32)
        rates[~quoted] = self._discount_groups(currency.take(np.flatnonzero(~quoted)))

        def of_spot(kind: str) -> Positions:
            return np.where(quoted, np.int32(-1), self._groups((kind,), underlying, optional=True))

        carry = Carry(levels, rates, *(of_spot(kind) for kind in CARRY_KINDS))
        return self._forwards.nodes(carry, code, day), position

    def contracts(
        self, underlyings: Labels, days: Days, calendar: Labels, nearby: NDArray[np.int32]
    ) -> QuotedContracts:
        """Dates for `forwards` of the prices that commodities have on given days; those that the market lacks have any.

        :param calendar: of the business days before an expiry on which contracts roll, where the commodity has none.
        :param nearby: int32[n], 1 for the prompt contract, 2 for the one after it, ...
        """
        groups = self._groups(("forward_price", "spot"), underlyings, optional=True)
        dates, own = np.array(days, np.int32), (groups >= 0) & self._curves.contracts[groups]
        exists, rows = np.ones(len(days), np.bool_), np.flatnonzero(own)
        earliest = rolled(underlyings.take(rows), dates[rows], calendar.take(rows), self.conventions)
        factor, exists[rows] = self._curves.contract(groups[rows], earliest, nearby[rows] - np.int32(1))
        dates[rows] = self.snapshot.days[factor]
        return QuotedContracts(dates, own, exists)

    def levels(self, kind: str, names: Labels) -> tuple[FxNodes, Positions]:
        """Of factors that are one point each, such as correlations.

        :return: nodes, each name once, and int32[n] positions.
        """
        codes, _, position = distinct(self._groups((kind,), names), np.zeros(len(names), np.int32))
        start = np.array([self.snapshot.groups[g].start for g in codes], np.int32)
        index = np.stack([start, start], axis=1) if len(codes) else np.empty((0, 2), np.int32)
        power = np.tile(np.array([1, 0], np.int8), (len(codes), 1))
        return FxNodes(index, power), position

    def fx(self, base: Labels, quote: Labels) -> tuple[FxNodes | FxForwardNodes, Positions]:
        """Exchange rates for exchange today, quote units per one of base.

        Spots that are of their spot dates are discounted from there by both currencies' curves.

        :return: nodes, each pair once, and int32[n] positions.
        """
        pairs, routes = self._pairs(base, quote)
        codes, _, position = distinct(pairs.codes, np.zeros(len(pairs), np.int32))
        spots = spots_of(routes, codes)
        return (FxForwardNodes(spots, *self._from_spot_dates(routes, codes)) if self._of_spot_date else spots), position

    def fx_spots(self, base: Labels, quote: Labels) -> tuple[FxNodes | FxForwardNodes, Positions]:
        """Exchange rates as they are quoted, for exchange on the pair's own spot date. :return: as `fx`."""
        if not self._of_spot_date:
            return self.fx(base, quote)
        pairs = base.combine(quote, lambda first, second: first + second)
        return self.fx_forwards(base, quote, self.settled(pairs, np.full(len(pairs), self._curves.origin, np.int32)))

    def settled(self, pairs: Labels, days: Days) -> Days:
        """int32[n]: when a rate that is quoted on `days` is exchanged: on these days, or on their spot dates."""
        dates = np.array(days, np.int32)
        if self._of_spot_date:
            for code, pair in enumerate(pairs.names):
                rows = np.flatnonzero(pairs.codes == code)
                dates[rows] = self._spot_dates(pair, dates[rows]) if pair[:3] != pair[3:] else dates[rows]
        return dates

    def _spot_dates(self, pair: str, days: Days) -> Days:
        return spot_dates(pair, days, self.conventions.fx_pair(pair))

    def _from_spot_dates(self, routes: list[Route], codes: NDArray[np.int32]) -> tuple[Positions, FloatArray]:
        """Index int32[n, 8] and weight float64[n, 8] of `FxForwardNodes`, from spot dates of two quotes to today."""
        index, weight = np.zeros((len(routes) + 1, 8), np.int32), np.zeros((len(routes) + 1, 8))
        today = np.array([self._curves.origin], np.int32)
        for k, route in enumerate(routes):
            for j, leg in enumerate(route):
                pair = self.snapshot.groups[leg.group].name
                groups = self._discount_groups(Labels.of([pair[3:], pair[:3]]))
                points, years = self._curves.log_discount(groups, np.repeat(self._spot_dates(pair, today), 2))
                index[k, 4 * j : 4 * j + 4] = points.ravel()
                weight[k, 4 * j : 4 * j + 4] = leg.power * (np.array([[-1.0], [1.0]]) * years).ravel()
            # What has no second quote takes the points of the first, without weight.
            index[k, 4:] = index[k, 4:] if len(route) > 1 else index[k, :4]
        return index[codes], weight[codes]

    def fx_forwards(self, base: Labels, quote: Labels, days: Days) -> tuple[FxForwardNodes, Positions]:
        """Forward exchange rates by covered parity: today's rate times D_base(t) / D_quote(t).

        :return: nodes, each (pair, date) once, and int32[n] positions.
        """
        pairs, routes = self._pairs(base, quote)
        codes, day, position = distinct(pairs.codes, days)
        bases = Labels.of([name[: name.index("/")] for name in pairs.names])
        quotes = Labels.of([name[name.index("/") + 1 :] for name in pairs.names])
        # Parity of a currency with itself is exactly one, which rounding of the two curves would not give.
        same = np.array([len(route) == 0 for route in routes] + [True], np.bool_)
        weights, index = [], []
        for currencies, sign in ((quotes, 1.0), (bases, -1.0)):
            groups = np.full(len(routes) + 1, -1, np.int32)
            crossing = np.flatnonzero(~same)
            groups[crossing] = self._discount_groups(currencies.take(crossing))
            points, weight = self._curves.log_discount(groups[codes], day)
            index.append(points)
            weights.append(sign * weight)
        if self._of_spot_date:
            points, weight = self._from_spot_dates(routes, codes)
            index.append(points)
            weights.append(weight)
        return FxForwardNodes(spots_of(routes, codes), np.hstack(index), np.hstack(weights)), position

    def _pairs(self, base: Labels, quote: Labels) -> tuple[Labels, list[Route]]:
        pairs = base.combine(quote, lambda a, b: f"{a}/{b}")
        routes = []
        for name in pairs.names:
            route = self._fx.route(*name.split("/"))
            if route is None:
                raise InputError(f"the market has no exchange rate {name}, not even through a third currency")
            routes.append(route)
        return pairs, routes

    def variance(
        self,
        kinds: tuple[str, ...],
        surfaces: Labels,
        days: Days,
        strikes: FloatArray,
        forwards0: FloatArray,
    ) -> VarianceNodes:
        """Total variance to each trade's expiry at its strike: one node a trade, in the trades' order.

        Volatility between strikes as the surface's convention says, then total variance linear in time; flat
        volatility beyond the ends.

        :param kinds: such as ("black_vol",); the first that the snapshot has under the name.
        :param forwards0: float64[n], unshocked forwards, for surfaces quoted in moneyness or offsets.
        """
        return self._surfaces.variance(self._groups(kinds, surfaces), days, strikes, forwards0)

    def kinks(
        self, kinds: tuple[str, ...], surfaces: Labels, days: Days, forwards0: FloatArray
    ) -> tuple[FloatArray, NDArray[np.int64]]:
        """Strikes between which `variance` is smooth, and beyond which it is flat (`riskpipe.market.surfaces`)."""
        return self._surfaces.kinks(self._groups(kinds, surfaces), days, forwards0)

    def cube_variance(
        self,
        kinds: tuple[str, ...],
        surfaces: Labels,
        days: Days,
        months: FloatArray,
        strikes: FloatArray,
        forwards0: FloatArray,
    ) -> CubeNodes:
        """Likewise from surfaces that may depend on the tenor of an underlying: linear in it, flat beyond the ends.

        :param months: float64[n], tenors of the underlyings (`riskpipe.market.surfaces.months_between`).
        """
        groups = self._groups(kinds, surfaces, cube=True)
        return self._surfaces.cube_variance(groups, days, months, strikes, forwards0)

    def inflation(self, curves: Labels, months: NDArray[np.int64], lag: NDArray[np.int64]) -> InflationNodes:
        """Growth of price indices from the month `lag` months before today's: one node a trade.

        :param months: int64[n], since January 1970, of the index.
        :param lag: int64[n], months from an index to what it is paid on.
        """
        return self._inflation.growth(self._groups(("inflation_zero",), curves), months, lag)

    def fixings(self, names: Labels, days: Days, kind: str = "fixing") -> FloatArray:
        """Past fixings, float64[n]; NaN where there is none of exactly that date."""
        found = self._curves.exact(self._groups((kind,), names, optional=True), days)
        return np.where(found < 0, np.nan, self.snapshot.x0[found])


def _concatenate(arrays: list[NDArray[np.int32]]) -> NDArray[np.int32]:
    return np.concatenate(arrays) if arrays else np.empty(0, np.int32)
