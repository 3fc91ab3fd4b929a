"""Commodity swap: averages of prices against a fixed price, or against those of another commodity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.averages import average_payments
from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.products.average_prices import AverageNodes, average_nodes, priced_days, priced_faults
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.cash_flows import CashFlows, joined, paid_once
from riskpipe.products.flows import Integers, offsets_of
from riskpipe.products.period_amounts import QUANTITY_COLUMNS, list_faults, per_period, period_quantities, unpaid
from riskpipe.products.pricing_periods import (
    PERIOD_COLUMNS,
    Periods,
    period_faults,
    periods_of,
)
from riskpipe.products.shared_nodes import TradeNodes
from riskpipe.products.trades import Trades
from riskpipe.products.validation import rows_fault, unknown_currencies
from riskpipe.products.vanilla import carry_needs

_PRICES = ("forward_price", "spot")


class CommoditySwap(Product):
    """Each period pays quantity x (A - basis_factor x B - fixed_price), A and B averages of prices over its days.

    A is the arithmetic average of the prices of `underlying` on the period's pricing days, B that of
    `basis_underlying`, where there is one. A pricing day before today counts with its `fixing:<underlying>:<date>`,
    today with its fixing if there is one, and a day to come with the forward price of that day: interpolated, or that
    of the prompt contract. All prices are in the trade's currency. What is paid today has been paid.
    """

    name = "commodity_swap"
    version = 1
    columns = (
        *COMMON_COLUMNS,
        Column("underlying", "string", "name of the forward prices whose averages are received"),
        Column("currency", "string", "of the prices and of the payments"),
        Column("quantity", "number", "units a period; above zero receives the averages and pays the fixed price"),
        Column("fixed_price", "number", "a unit, in the currency; of a basis swap the spread"),
        *PERIOD_COLUMNS,
        *QUANTITY_COLUMNS,
        Column("fixed_prices", "number", "one a period, in the place of fixed_price", required=False, many=True),
        Column("basis_underlying", "string", "commodity whose averages are paid; null: none", required=False),
        Column("basis_factor", "number", "units of it for one of the underlying; null: 1", required=False),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        faults = [*unknown_currencies(trades, "currency"), *period_faults(trades, as_of)]
        factor, basis = trades.numbers("basis_factor"), trades.labels("basis_underlying")
        alone = ~np.isnan(factor) & (basis.codes < 0)
        faults += rows_fault("basis_factor", "basis", alone, "basis_factor without a basis_underlying")
        broken = np.zeros(len(trades), np.bool_)
        for fault in faults:
            broken[fault.rows] = True
        return [*faults, *list_faults(trades, np.flatnonzero(~broken), "quantities", "fixed_prices")]

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        underlying, basis = trades.labels("underlying"), trades.labels("basis_underlying")
        return (
            Need("underlying", _PRICES, underlying),
            Need("basis_underlying", _PRICES, basis),
            Need("discount", ("zero_rate",), trades.labels("currency").map(conventions.discount_curve)),
            *carry_needs(underlying),
            *carry_needs(basis),
        )

    def missing_points(self, trades: Trades, model: MarketModel) -> list[RowFaults]:
        periods = periods_of(trades)
        faults: list[RowFaults] = []
        for column in ("underlying", "basis_underlying"):
            underlying = trades.labels(column)
            chosen = unpaid(periods, underlying, model.as_of)
            faults += priced_faults(priced_days(trades, model, underlying, periods, chosen), column)
        return faults

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        left = trades.days("maturity_date") - np.maximum(trades.days("start_date"), as_of)
        return np.asarray(0.2 + 0.06 * np.maximum(left, 0) / 30.0)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        periods = periods_of(trades)
        quantity = period_quantities(trades, periods)
        price = per_period(trades, periods, "fixed_prices", "fixed_price")
        factor = trades.numbers("basis_factor", 1.0)[periods.trade]
        legs = []
        for column, amount, constant in (
            ("underlying", quantity, -quantity * price),
            ("basis_underlying", -quantity * factor, np.zeros(len(periods))),
        ):
            chosen = unpaid(periods, trades.labels(column), model.as_of)
            if not len(chosen):
                continue
            legs.append(_leg(trades, model, column, periods, chosen, amount[chosen], constant[chosen]))
        return _CommoditySwaps(tuple(legs))


class _AveragedLeg(Struct, frozen=True):
    """Payments on averages, in compressed rows of n trades.

    :param average: int32[k]; amount and constant float64[k], in currency for one of the average and as it is.
    :param name: the column of what is averaged.
    """

    offsets: Integers
    averages: AverageNodes
    average: NDArray[np.int32]
    discount: TradeNodes
    amount: FloatArray
    constant: FloatArray
    name: str


def _leg(
    trades: Trades,
    model: MarketModel,
    column: str,
    periods: Periods,
    chosen: Integers,
    amount: FloatArray,
    constant: FloatArray,
) -> _AveragedLeg:
    priced = priced_days(trades, model, trades.labels(column), periods, chosen)
    trade = periods.trade[chosen]
    curve = trades.labels("currency").map(model.conventions.discount_curve)
    discount, (payment,) = model.discount((curve.take(trade), periods.payment[chosen]))
    return _AveragedLeg(
        offsets_of(trade, len(trades)),
        average_nodes(priced, model),
        priced.average,
        TradeNodes(discount, payment),
        amount,
        constant,
        column,
    )


@dataclass(frozen=True)
class _CommoditySwaps(Prepared):
    legs: tuple[_AveragedLeg, ...]

    def price(self, rows: NDArray[np.int32], x: FloatArray) -> FloatArray:
        out = np.zeros((len(rows), x.shape[1]))
        for leg in self.legs:
            mine = np.zeros(len(leg.offsets) - 1, np.bool_)
            mine[rows] = True
            terms = np.flatnonzero(np.repeat(mine, np.diff(leg.offsets))).astype(np.int32)
            average, discount = leg.averages.under(terms, leg.average, x), leg.discount.under(terms, x)
            average_payments(rows, average, discount, (leg.offsets, leg.amount, leg.constant), out)
        return out

    def cash_flows(self, x: FloatArray) -> CashFlows | None:
        parts = []
        for leg in self.legs:
            trade = np.repeat(np.arange(len(leg.offsets) - 1), np.diff(leg.offsets))
            single = _CommoditySwaps((replace(leg, offsets=np.arange(len(trade) + 1)),))
            value = single.price(np.arange(len(trade), dtype=np.int32), x)[:, 0]
            parts.append(paid_once(value, leg.discount, x, leg.name).of(trade))
        return joined(parts) if parts else None
