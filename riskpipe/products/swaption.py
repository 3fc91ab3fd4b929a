"""European options on interest rate swaps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.rate_options import add_swaptions
from riskpipe.market.conventions import Conventions
from riskpipe.market.growths import CurveNodes
from riskpipe.market.model import MarketModel
from riskpipe.market.nodes import CubeNodes
from riskpipe.market.surfaces import months_between
from riskpipe.products.base import Column, Need, Prepared, Product, RowFaults
from riskpipe.products.cash_settlement import expired_in_cash, settled_in_cash, settlement_days, swap_rate_faults
from riskpipe.products.expired import WithExpired
from riskpipe.products.floating import (
    FloatingFlows,
    FloatingLeg,
    fixing_faults,
    floating_flows,
    last_fixed_start,
    projection_curve,
)
from riskpipe.products.flows import Amounts, fixed_coupons, merged, offsets_of
from riskpipe.products.interest_rate_swap import NOTIONAL, RATE, SPREAD, InterestRateSwap
from riskpipe.products.leg_dates import fixing_calendars, leg_dates
from riskpipe.products.legs import (
    NO_NODES,
    KnownLeg,
    Leg,
    Positions,
    PreparedLegs,
    ProjectedLeg,
    Rows,
    Tile,
    leg_values,
)
from riskpipe.products.lognormal import OF_RATES, negative_forwards, or_no_moneyness
from riskpipe.products.observations import observation_faults, observations
from riskpipe.products.schedule_columns import by_coupon_phase, paid_before, remaining_periods
from riskpipe.products.stub_rates import stub_columns
from riskpipe.products.trades import Trades
from riskpipe.products.validation import out_of_order, rows_fault
from riskpipe.products.volatility_columns import (
    BACHELIER,
    KINDS,
    MODEL,
    SHIFT,
    VOLATILITY,
    shifts,
    strike_faults,
    volatility_needs,
)

_SWAP = InterestRateSwap()
_STEPPING = (name for term in (NOTIONAL, RATE, SPREAD) for name in (term.values, term.dates))
_STUBS = (column.name for column in stub_columns("float_"))
_NOT_OF_SWAPTIONS = {NOTIONAL.first, *_STEPPING, *_STUBS}


class Swaption(Product):
    """The right to enter, at expiry_date, a swap as `interest_rate_swap` has them; direction pay makes a payer's.

    notional x annuity x option on the swap rate S (Black 1976 on S + shift, or Bachelier 1900), both from the market
    under each scenario. The annuity is that of the fixed leg on the discount curve for physical settlement. For cash
    settlement it is that of the par yield: sum of tau_i / ((1 + S tau_1) ... (1 + S tau_i)) over the fixed periods,
    discounted from the start of the swap (ISDA's par yield curve method; Brigo and Mercurio 2006, section 6.7.2).
    A spread on the floating leg is taken off the fixed rate at its value, as volatilities are those of swaps without.

    The volatility is read at the expiry, at the swap's length to the nearest month and at the fixed rate less spread.
    Notional, rate and spread do not step.

    Settled in cash, it pays on the business day of the swap's start, and until then it is alive: after the expiry date
    it is worth what the point `fixing:<index>.SWAP.<length>:<expiry_date>` makes of it, the swap rate fixed that day
    (`fixing:EURIBOR6M.SWAP.5Y:2026-11-18`). Settled physically, it ends with the expiry date: what was exercised is
    booked as `interest_rate_swap`, and a fixing would not tell whether it was.
    """

    name = "swaption"
    version = 4
    columns = (
        *(column for column in InterestRateSwap.columns if column.name not in _NOT_OF_SWAPTIONS),
        Column("notional", "number", "of the swap; negative when short"),
        Column("expiry_date", "date", "last day of the option"),
        Column("settlement", "string", "into the swap, or its value in cash", choices=("physical", "cash")),
        VOLATILITY,
        MODEL,
        SHIFT,
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        expired, cash = trades.days("expiry_date") < as_of, trades.is_one("settlement", "cash")
        over = expired & cash & paid_before(trades, "start_date", as_of)
        booked = "expiry in the past; what was exercised is booked as interest_rate_swap"
        return [
            *_SWAP.validate(trades, as_of),
            *rows_fault("expiry_date", "not_past", expired & ~cash, booked),
            *rows_fault("start_date", "not_past", over, "settlement in cash, at the start of the swap, in the past"),
            *out_of_order(trades, "expiry_date", "start_date"),
            *strike_faults(trades, "fixed_rate"),
        ]

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        return (*_SWAP.requirements(trades, conventions), *volatility_needs(trades, cube=True))

    def missing_points(self, trades: Trades, model: MarketModel) -> list[RowFaults]:
        living = np.flatnonzero(~expired_in_cash(trades, model.as_of))
        rest = trades.take(living)
        before = last_fixed_start(rest.labels("index"), model)
        faults = fixing_faults(_floating(rest, model, before))
        terms = observation_faults(trades, trades.labels("index"), model.conventions, "float_")
        return [
            *terms,
            *swap_rate_faults(trades, model),
            *(replace(fault, rows=living[fault.rows]) for fault in faults),
        ]

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        fixed = remaining_periods(trades, "start_date", "fixed_frequency", as_of)
        return 1.2 + 0.03 * fixed + 0.06 * remaining_periods(trades, "start_date", "float_frequency", as_of)

    def pricing_order(self, trades: Trades) -> NDArray[np.int32]:
        return by_coupon_phase(trades)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        options, expired = self._options(trades, model), expired_in_cash(trades, model.as_of)
        return WithExpired(options, settled_in_cash(trades, model), expired) if expired.any() else options

    def _options(self, trades: Trades, model: MarketModel) -> PreparedLegs:
        swaps = _Swaps(trades, model)
        projection = projection_curve(trades, model.conventions)
        curve = trades.labels("discount_curve")
        known, growth = swaps.floating, swaps.growth
        nodes, positions = model.projected(
            (curve.take(swaps.annuity.trade), swaps.annuity.day),
            (curve.take(known.trade), known.day),
            *growth.requests(projection, curve),
            (curve.take(swaps.spreads.trade), swaps.spreads.day),
            (curve.take(swaps.settlement.trade), swaps.settlement.day),
        )
        n = len(trades)
        annuity, floating, spreads, settlement = (
            KnownLeg(offsets_of(flows.trade, n), flows.amount, node)
            for flows, node in zip(
                (swaps.annuity, known, swaps.spreads, swaps.settlement),
                (positions[0], positions[1], positions[4], positions[5]),
                strict=True,
            )
        )
        projected = ProjectedLeg(offsets_of(growth.trade, n), growth.coefficient, *positions[2:4])
        legs = _SwaptionLegs(annuity, floating, projected, spreads, settlement)
        leg = _SwaptionLeg(
            annuity.offsets,
            annuity.coefficient,
            legs,
            (offsets_of(swaps.lengths.trade, n), swaps.lengths.amount),
            _variances(trades, model, legs, nodes),
            trades.numbers("fixed_rate"),
            shifts(trades),
            np.where(trades.is_one("direction", "pay"), 1.0, -1.0),
            trades.numbers("notional"),
            trades.is_one("model", BACHELIER),
        )
        return PreparedLegs(nodes, NO_NODES, (leg,))


class _SwaptionLegs(Struct, frozen=True):
    """The underlying swaps, of notional one.

    :param fixed: lengths of the fixed periods; `known` and `projected` the floating leg without its spread.
    :param spreads: what the spread pays; `settlement` one on the start of the swap, for cash.
    """

    fixed: KnownLeg
    known: KnownLeg
    projected: ProjectedLeg
    spreads: KnownLeg
    settlement: KnownLeg


@dataclass(frozen=True)
class _SwaptionLeg(Leg):
    """Options on these.

    :param lengths: offsets and lengths of all fixed periods, in time order.
    :param strike, shift, sign, amount: float64[n]; sign is +1 for payers.
    :param normal: bool[n].
    """

    legs: _SwaptionLegs
    lengths: tuple[NDArray[np.int64], FloatArray]
    variance: CubeNodes
    strike: FloatArray
    shift: FloatArray
    sign: FloatArray
    amount: FloatArray
    normal: NDArray[np.bool_]

    def nodes(self) -> tuple[Positions, ...]:
        return ()

    def parts(self) -> tuple[Leg, ...]:
        legs = self.legs
        return legs.fixed, legs.known, legs.projected, legs.spreads, legs.settlement

    def add(self, rows: Rows, tile: Tile, first: int, value: FloatArray) -> None:
        legs = self.legs
        floating = (legs.known.terms, legs.projected.terms)
        add_swaptions(
            rows,
            tile.discount,
            self.variance.under(tile.levels),
            (legs.fixed.terms, *floating, legs.spreads.terms, legs.settlement.terms, self.lengths),
            (self.strike, self.shift, self.sign, self.amount),
            self.normal,
            first,
            value,
        )

    def why_not(self, discount: CurveNodes, rows: Rows, x: FloatArray) -> list[str]:
        floating, fixed, spread = _swap_values(self.legs, discount, rows, x)
        with np.errstate(all="ignore"):
            forward = floating / fixed + self.shift[rows]
            strike = self.strike[rows] - spread / fixed + self.shift[rows]
        lognormal = ~self.normal[rows]
        of_forward = negative_forwards(np.where(lognormal, forward, np.nan), OF_RATES)
        of_strike = negative_forwards(
            np.where(lognormal, strike, np.nan), OF_RATES, "the fixed rate less the spread, plus shift,"
        )
        causes = [first or second for first, second in zip(of_forward, of_strike, strict=True)]
        return or_no_moneyness(causes, self.variance.weight[rows])


class _Swaps:
    """Flows of the underlying swaps, of notional one.

    :ivar annuity: lengths of the fixed periods at their ends; `lengths` the same, not merged, in time order.
    :ivar floating, growth: the floating leg without its spread; `spreads` the spread alone.
    :ivar settlement: one on the first day of swaps settled in cash.
    """

    def __init__(self, trades: Trades, model: MarketModel) -> None:
        of_fixed, of_floating = (leg_dates(trades, prefix) for prefix in ("fixed_", "float_"))
        fixed, periods = of_fixed.periods(model.as_of), of_floating.periods(model.as_of)
        accrual = of_fixed.accrual(trades.labels("fixed_day_count"))
        self.lengths = fixed_coupons(fixed, accrual, np.ones(len(fixed)))
        self.annuity = merged([self.lengths])
        flows = _floating(trades, model)
        projection = projection_curve(trades, model.conventions)
        started, self.growth = flows.growth.telescoped(projection, trades.labels("discount_curve"), model)
        self.floating = merged([flows.known, started])
        spread = periods.spread(trades.numbers("float_spread"))
        paid = fixed_coupons(periods, of_floating.accrual(trades.labels("float_day_count")), spread)
        self.spreads = merged([paid])
        cash = np.flatnonzero(trades.is_one("settlement", "cash"))
        self.settlement = Amounts(cash, settlement_days(trades.take(cash)), np.ones(len(cash)))


def _floating(trades: Trades, model: MarketModel, before: int | None = None) -> FloatingFlows:
    periods = leg_dates(trades, "float_").periods(model.as_of, before)
    leg = FloatingLeg(
        periods,
        trades.labels("index"),
        trades.labels("float_day_count"),
        trades.labels("calendar"),
        np.ones(len(periods)),
        np.zeros(len(periods)),
        observed=observations(trades, "float_"),
        fixing_calendar=fixing_calendars(trades, "float_"),
    )
    return floating_flows(leg, model)


def _variances(trades: Trades, model: MarketModel, legs: _SwaptionLegs, nodes: CurveNodes) -> CubeNodes:
    """Read at today's swap rates and spreads."""
    floating, fixed, spreads = _base_values(legs, nodes, model, len(trades))
    # Over a weekend a swap may have no length, and no rate.
    forward, spread = (np.divide(of, fixed, out=np.zeros(len(fixed)), where=fixed != 0.0) for of in (floating, spreads))
    strike = trades.numbers("fixed_rate") - spread
    months = months_between(trades.days("start_date"), trades.days("maturity_date"))
    expiry, surface = trades.days("expiry_date"), trades.labels("volatility")
    n = len(trades)
    found = CubeNodes(np.zeros((n, 8), np.int32), np.zeros((n, 8)), np.zeros((n, 2)))
    for name, kinds in KINDS.items():
        rows = np.flatnonzero(trades.is_one("model", name))
        if rows.size:
            part = model.cube_variance(
                kinds, surface.take(rows), expiry[rows], months[rows], strike[rows], forward[rows]
            )
            found.index[rows], found.weight[rows] = part.index, part.weight
            found.time_weight[rows] = part.time_weight
    return found


def _base_values(legs: _SwaptionLegs, nodes: CurveNodes, model: MarketModel, n: int) -> list[FloatArray]:
    """Values today of the floating leg, the fixed lengths and the spread: float64[n] each."""
    return _swap_values(legs, nodes, np.arange(n, dtype=np.int32), model.base)


def _swap_values(legs: _SwaptionLegs, nodes: CurveNodes, rows: Rows, x: FloatArray) -> list[FloatArray]:
    """Likewise of some trades, in one scenario."""
    sums: tuple[tuple[Leg, ...], ...] = ((legs.known, legs.projected), (legs.fixed,), (legs.spreads,))
    return [value[:, 0] for value in leg_values(nodes, NO_NODES, sums, rows, x)]
