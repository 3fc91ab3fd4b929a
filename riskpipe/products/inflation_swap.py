"""Zero-coupon inflation swap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.inflation import growths, inflation_payments
from riskpipe.market.conventions import Conventions
from riskpipe.market.daycounts import year_fraction
from riskpipe.market.inflation_curves import Months, first_day, month_of
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.floating import lacking, missing_fixings
from riskpipe.products.flows import Integers
from riskpipe.products.overnight import NONE_MISSING
from riskpipe.products.shared_nodes import TradeNodes
from riskpipe.products.trades import Trades
from riskpipe.products.validation import past_dates, rows_fault, unknown_currencies


class InflationSwap(Product):
    """At maturity, notional x (I / base_index - 1) against notional x ((1 + fixed_rate)^T - 1), both on that date.

    T is the time from start to maturity in years by 30/360: whole for whole years. I is the index of the month
    `observation_lag` months (of `market.indices.<INDEX>`, default 3) before the maturity's: as it stands there with
    `observation: flat` (the default), or on the way to the next month's, by the days of the maturity's month, with
    `linear` (QuantLib's CPI::Flat and CPI::Linear). A month's index is its `index_fixing`, dated on the first of the
    month, where there is one; else it is projected from the index of the month `observation_lag` months before today
    by the curve `inflation_zero`, whose point T is the fair fixed rate of a swap of that tenor from today. Seasonality
    is not modelled. (Brigo and Mercurio, Interest Rate Models, 2nd edition 2006, section 16.1.)
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
        Column("maturity_date", "date", "of the payment, not adjusted"),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        start, end = trades.days("start_date"), trades.days("maturity_date")
        wrong = (start >= end) & (start != Trades.NO_DATE) & (end != Trades.NO_DATE)
        low = trades.numbers("fixed_rate") <= -1.0
        return [
            *unknown_currencies(trades, "currency"),
            *rows_fault("fixed_rate", "compounds", low, "fixed_rate must be above -1"),
            *rows_fault("maturity_date", "date_order", wrong, "maturity_date is not after start_date"),
            *past_dates(trades, "maturity_date", as_of, "maturity"),
        ]

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        return (
            Need("discount", ("zero_rate",), trades.labels("discount_curve")),
            Need("projection", ("inflation_zero",), _curve(trades, conventions)),
            Need("projection", ("index_fixing",), trades.labels("index")),
        )

    def missing_points(self, trades: Trades, model: MarketModel) -> list[RowFaults]:
        return missing_fixings(_observations(trades, model).missing, kind="index_fixing")

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        return np.full(len(trades), 0.8)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        seen = _observations(trades, model)
        maturity = trades.days("maturity_date")
        curves = _curve(trades, model.conventions)
        growth = [model.inflation(curves, seen.month[:, j], seen.lag) for j in range(2)]
        discount, (payment,) = model.discount((trades.labels("discount_curve"), maturity))
        notional = np.where(trades.is_one("direction", "pay"), 1.0, -1.0) * trades.numbers("notional")
        notional = np.where(maturity > model.as_of, notional, 0.0)
        years = year_fraction(trades.days("start_date"), maturity, "30/360")
        share = seen.share * (notional / trades.numbers("base_index"))[:, None]
        fixed = notional * growths(trades.numbers("fixed_rate"), years)
        known = np.where(np.isnan(seen.fixing), 0.0, share * seen.fixing)
        return _InflationSwaps(
            known=known[:, 0] + known[:, 1] - fixed,
            amount=np.where(np.isnan(seen.fixing), share * seen.base[:, None], 0.0),
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


@dataclass(frozen=True)
class _Observations:
    """The index that each swap is settled on: the sum of share x index over two months.

    :param month: int64[n, 2], since January 1970; `share` float64[n, 2], the second zero without interpolation.
    :param fixing: float64[n, 2], NaN where the month is to be projected.
    :param base: float64[n], the index that projections start from.
    :param lag: int64[n], months.
    """

    month: Months
    share: FloatArray
    fixing: FloatArray
    base: FloatArray
    lag: Months
    missing: list[tuple[str, int, Integers]]


def _observations(trades: Trades, model: MarketModel) -> _Observations:
    index, maturity = trades.labels("index"), trades.days("maturity_date")
    lag = _by_index(index, [model.conventions.index(name).observation_lag for name in index.names]).astype(np.int64)
    linear = _by_index(index, [model.conventions.index(name).observation == "linear" for name in index.names])
    paid = month_of(maturity)
    into = (maturity - first_day(paid)) / (first_day(paid + 1) - first_day(paid))
    second = np.where(linear > 0.0, into, 0.0)
    share = np.column_stack((1.0 - second, second))
    month = np.column_stack((paid - lag, paid - lag + (second > 0.0)))
    base_month = month_of(np.full(len(trades), model.as_of)) - lag
    fixing = np.column_stack([model.fixings(index, first_day(month[:, j]), kind="index_fixing") for j in range(2)])
    base = model.fixings(index, first_day(base_month), kind="index_fixing")
    # An index up to the base month is known, and later ones start from that of the base month.
    open_ = np.isnan(fixing) & (share != 0.0)
    late = month > base_month[:, None]
    needed = [np.where(open_ & ~late, first_day(month), NONE_MISSING)[:, j] for j in range(2)]
    needed.append(np.where((open_ & late).any(axis=1) & np.isnan(base), first_day(base_month), NONE_MISSING))
    return _Observations(month, share, fixing, base, lag, _lacking(index, needed))


def _lacking(index: Labels, days: list[NDArray[np.int32]]) -> list[tuple[str, int, Integers]]:
    missing: list[tuple[str, int, Integers]] = []
    for code, name in enumerate(index.names):
        rows = np.flatnonzero(index.codes == code)
        for needed in days:
            missing += lacking(name, rows, needed[rows])
    return missing


def _by_index(index: Labels, values: list[int] | list[bool]) -> FloatArray:
    return np.array([*values, 0], np.float64)[index.codes]


def _curve(trades: Trades, conventions: Conventions) -> Labels:
    return trades.labels("index").map(lambda name: conventions.index(name).curve)
