"""Zero-coupon inflation swap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.inflation import growths, inflation_payments
from riskpipe.market.conventions import Conventions
from riskpipe.market.daycounts import year_fraction
from riskpipe.market.model import MarketModel
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.cash_flows import CashFlows, paid_once
from riskpipe.products.floating import missing_fixings
from riskpipe.products.price_indices import ObservedIndices, index_terms, inflation_curve, observed_indices
from riskpipe.products.shared_nodes import TradeNodes
from riskpipe.products.single_payments import paid_in_the_past, payment_columns, payment_days, payment_faults
from riskpipe.products.trades import Trades
from riskpipe.products.validation import rows_fault, unknown_currencies


class InflationSwap(Product):
    """At maturity, notional x (I / base_index - 1) against notional x ((1 + fixed_rate)^T - 1), both on one day.

    That is the maturity date, unless the columns of the payment say otherwise. T is the time from start to maturity in
    years by 30/360: whole for whole years. I is the [price index](#price-indices) that maturity observes. (Brigo and
    Mercurio, Interest Rate Models, 2nd edition 2006, section 16.1.)
    """

    name = "inflation_swap"
    version = 1
    columns = (
        *COMMON_COLUMNS,
        Column("currency", "string", "of the notional and the present value"),
        Column("index", "string", "price index; an inflation curve unless the configuration says otherwise"),
        Column("discount_curve", "string", "zero_rate curve that discounts the payment"),
        Column("notional", "number", "below zero turns the direction round"),
        Column("direction", "string", "of the fixed leg", choices=("pay", "receive")),
        Column("fixed_rate", "number", "decimal a year, compounded annually"),
        Column("base_index", "number", "index that inflation is counted from", rule="positive"),
        Column("start_date", "date", "from which the fixed rate compounds"),
        Column("maturity_date", "date", "until which it does, and for which inflation is observed; not adjusted"),
        *payment_columns("maturity_date"),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        start, end = trades.days("start_date"), trades.days("maturity_date")
        wrong = (start >= end) & (start != Trades.NO_DATE) & (end != Trades.NO_DATE)
        low = trades.numbers("fixed_rate") <= -1.0
        return [
            *unknown_currencies(trades, "currency"),
            *rows_fault("fixed_rate", "compounds", low, "fixed_rate must be above -1"),
            *rows_fault("maturity_date", "date_order", wrong, "maturity_date is not after start_date"),
            *payment_faults(trades),
            *paid_in_the_past(trades, "maturity_date", as_of, "maturity"),
        ]

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        return (
            Need("discount", ("zero_rate",), trades.labels("discount_curve")),
            Need("projection", ("inflation_zero",), inflation_curve(trades.labels("index"), conventions)),
            Need("projection", ("index_fixing",), trades.labels("index")),
        )

    def missing_points(self, trades: Trades, model: MarketModel) -> list[RowFaults]:
        each = np.arange(len(trades))
        return missing_fixings(_observations(trades, model).missing(each, each), kind="index_fixing")

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        return np.full(len(trades), 0.8)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        seen = _observations(trades, model)
        maturity = trades.days("maturity_date")
        growth = seen.growth(model)
        paid = payment_days(trades, maturity)
        discount, (payment,) = model.discount((trades.labels("discount_curve"), paid))
        notional = np.where(trades.is_one("direction", "pay"), 1.0, -1.0) * trades.numbers("notional")
        notional = np.where(paid > model.as_of, notional, 0.0)
        years = year_fraction(trades.days("start_date"), maturity, "30/360")
        share = seen.share * (notional / trades.numbers("base_index"))[:, None]
        fixed = notional * growths(trades.numbers("fixed_rate"), years)
        known = np.where(np.isnan(seen.fixing), 0.0, share * seen.fixing)
        return _InflationSwaps(
            known=known[:, 0] + known[:, 1] - fixed,
            amount=np.where(np.isnan(seen.fixing), share * seen.base, 0.0),
            index=np.stack([nodes.index for nodes in growth], axis=1),
            weight=np.stack([nodes.weight for nodes in growth], axis=1),
            years=np.stack([nodes.years for nodes in growth], axis=1),
            discount=TradeNodes(discount, payment),
        )


@dataclass(frozen=True)
class _InflationSwaps(Prepared):
    known: FloatArray
    amount: FloatArray
    index: NDArray[np.int32]
    weight: FloatArray
    years: FloatArray
    discount: TradeNodes

    def price(self, rows: NDArray[np.int32], x: FloatArray) -> FloatArray:
        out, terms = np.empty((len(rows), x.shape[1])), (self.known, self.amount)
        growth = (self.index, self.weight, self.years, x)
        inflation_payments(rows, self.discount.under(rows, x), growth, terms, out)
        return out

    def cash_flows(self, x: FloatArray) -> CashFlows:
        value = self.price(np.arange(len(self.known), dtype=np.int32), x)[:, 0]
        return paid_once(value, self.discount, x, "settlement", (self.amount != 0.0).any(axis=1))


def _observations(trades: Trades, model: MarketModel) -> ObservedIndices:
    return observed_indices(index_terms(trades.labels("index"), model.conventions), trades.days("maturity_date"), model)
