"""Bonds whose coupons and redemption grow with a price index."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.inflation import index_levels as index_values
from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.bond_flows import COUPON, FACE, BondFlows, bond_flows
from riskpipe.products.debt import CURRENCY, FREQUENCY, RISK_FREE_COLUMNS, SIZE_COLUMNS, debt_faults
from riskpipe.products.ex_coupons import EX_COUPON_COLUMNS, ex_coupon_faults
from riskpipe.products.floating import missing_fixings
from riskpipe.products.flows import Days, Integers, offsets_of
from riskpipe.products.inflation_figures import REAL_FIGURES, RealFigures
from riskpipe.products.inflation_legs import FlooredLeg, InflationLeg, distinct_indices, index_levels
from riskpipe.products.leg_dates import date_columns
from riskpipe.products.legs import NO_NODES, PreparedLegs
from riskpipe.products.price_indices import ObservedIndices, index_terms, inflation_curve
from riskpipe.products.schedule_columns import by_coupon_phase, coupon_day_count_column, remaining_periods
from riskpipe.products.settlement import settlement_days
from riskpipe.products.trades import Trades


class InflationBond(Product):
    """Value today of quantity x face x (coupons + redemption) x I / base_index paid after the valuation date (dirty).

    I is the [price index](#price-indices) that the period's end observes. With `deflation_floor` the redemption, not
    the coupons, is at least the face: the floor is worth what it is in each scenario, without a volatility (its
    intrinsic value). Dates, steps and ex-coupon days are those of `bond` (QuantLib's CPIBond over an unadjusted
    schedule). The credit of an issuer is not modelled beside what its discount curve has.
    """

    name = "inflation_bond"
    version = 1
    figures = REAL_FIGURES
    columns = (
        *COMMON_COLUMNS,
        CURRENCY,
        Column("index", "string", "price index; an inflation curve unless the configuration says otherwise"),
        Column("base_index", "number", "index that inflation is counted from", rule="positive"),
        *SIZE_COLUMNS,
        Column("coupon", "number", "real, decimal a year"),
        FREQUENCY,
        coupon_day_count_column("day_count", "of coupons"),
        *RISK_FREE_COLUMNS,
        Column("deflation_floor", "boolean", "at least the face is redeemed; null: no", required=False),
        *date_columns(accrual="unadjusted"),
        *FACE.columns(rule="nonnegative"),
        *COUPON.columns(quantity="coupon"),
        *EX_COUPON_COLUMNS,
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        return [
            *debt_faults(trades, as_of),
            *FACE.faults(trades),
            *COUPON.faults(trades),
            *ex_coupon_faults(trades),
        ]

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        return (
            Need("discount", ("zero_rate",), trades.labels("discount_curve")),
            Need("projection", ("inflation_zero",), inflation_curve(trades.labels("index"), conventions)),
            Need("projection", ("index_fixing",), trades.labels("index")),
        )

    def missing_points(self, trades: Trades, model: MarketModel) -> list[RowFaults]:
        flows = _observed(trades, model)
        return missing_fixings(flows.seen.missing(flows.trade, flows.index), kind="index_fixing")

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        return 0.3 + 0.8 * remaining_periods(trades, "issue_date", "frequency", as_of)

    def pricing_order(self, trades: Trades) -> NDArray[np.int32]:
        return by_coupon_phase(trades)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        flows = _observed(trades, model)
        return _legs(flows, flows.bond.coupons(model.as_of), flows.bond.redeemed, model)

    def figure_values(
        self, trades: Trades, model: MarketModel, pv: FloatArray, wanted: tuple[str, ...]
    ) -> Mapping[str, FloatArray]:
        flows, day = _observed(trades, model), settlement_days(trades, model.as_of)
        bond, every = flows.bond, np.arange(len(trades), dtype=np.int32)
        early = bond.periods.payment <= day[bond.periods.trades]
        coupons = np.where(early | bond.ex(day), 0.0, bond.interest * bond.years)
        today = model.base.copy()  # writable, as those that legs are compiled for
        bought = _legs(flows, coupons, np.where(early, 0.0, bond.redeemed), model).price(every, today)[:, 0]
        ratio = _index_at(trades, day, model) / trades.numbers("base_index")
        figures = RealFigures(bond, model, bought, ratio)
        return {figure: figures.take(figure) for figure in wanted}


class _ObservedFlows(Struct, frozen=True):
    """:param alive: bool[periods], still to be paid. :param trade: int64[alive], of each such period.

    :param index: int32[alive], among `seen`, that it looks at.
    """

    bond: BondFlows
    alive: NDArray[np.bool_]
    trade: Integers
    index: NDArray[np.int32]
    seen: ObservedIndices


def _legs(flows: _ObservedFlows, coupons: FloatArray, redeemed: FloatArray, model: MarketModel) -> PreparedLegs:
    """:param coupons, redeemed: float64[periods], real."""
    trades, trade, alive, above = flows.bond.trades, flows.trade, flows.alive, flows.index
    coupons, redeemed = coupons[alive], redeemed[alive]
    floored = trades.flags("deflation_floor")[trade] & (redeemed != 0.0)
    base = trades.numbers("base_index")[trade]
    nodes, (payment,) = model.discount((trades.labels("discount_curve").take(trade), flows.bond.periods.payment[alive]))
    linked = np.where(floored, coupons, coupons + redeemed) / base
    none = np.full(len(trade), -1, np.int32)
    levels, n = index_levels(flows.seen, model), len(trades)
    floors = (above[floored], none[floored], payment[floored], base[floored])
    return PreparedLegs(
        nodes,
        NO_NODES,
        (
            InflationLeg(offsets_of(trade, n), linked, levels, above, none, payment),
            FlooredLeg(offsets_of(trade[floored], n), (redeemed / base)[floored], levels, *floors),
        ),
    )


def _observed(trades: Trades, model: MarketModel) -> _ObservedFlows:
    bond = bond_flows(trades, model.as_of)
    alive = bond.periods.payment > model.as_of
    trade, terms = bond.periods.trades[alive], index_terms(trades.labels("index"), model.conventions)
    seen, position = distinct_indices(terms, trade, bond.periods.end[alive], model)
    return _ObservedFlows(bond, alive, trade, position, seen)


def _index_at(trades: Trades, days: Days, model: MarketModel) -> FloatArray:
    """float64[n]: the index that payments of days int32[n] would look at, in today's market."""
    terms = index_terms(trades.labels("index"), model.conventions)
    seen, position = distinct_indices(terms, np.arange(len(trades)), days, model)
    values = np.empty((len(seen.share), 1))
    every = np.arange(len(values), dtype=np.int32)
    index_values(every, index_levels(seen, model), model.base.copy(), values)
    return np.asarray(values[position, 0])
