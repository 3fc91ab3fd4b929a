"""What every price keeps, product by product over the sample: size, sums, sides, and the base scenario."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from valuations import OpenRun

from riskpipe.arrays import FloatArray
from riskpipe.products.base import Product
from riskpipe.products.catalogue import PRODUCTS
from riskpipe.products.trades import Trades

FindTrades = Callable[[Product], Trades]
# What a trade's value is proportional to.
SIZES = {
    "fx_forward": ("buy_amount", "sell_amount"),
    "cross_currency_swap": ("receive_notional", "pay_notional"),
    "variance_swap": ("vega_notional",),
    "fx_touch": ("payout",),
    "cash_balance": ("amount",),
    "fx_swap": ("near_buy_amount", "near_sell_amount", "far_buy_amount", "far_sell_amount"),
    "ndf": ("buy_amount", "sell_amount"),
}
LISTED = {"quantity": "quantities", "notional": "notionals"}  # in the place of these, where a trade has them
OF_LEGS = ("notional", "notionals", "reset_notional", "amounts")  # of products that are lists of legs
SIDES = ("direction", "protection")
OPTIONS = {"swaption"}  # whose direction is that of what they are on
every_product = pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.name)


def size_columns(product: Product) -> tuple[str, ...]:
    names = {column.name for column in product.columns}
    return SIZES.get(product.name, tuple(names & {"notional", "quantity"}))


def resized(product: Product, trades: Trades, factor: FloatArray) -> Trades:
    """The same trades, so many times as large."""
    table = trades.table
    if trades.has("legs"):
        legs = [[_resized_leg(leg, size) for leg in some] for some, size in zip(_legs(trades), factor, strict=True)]
        column = table.column("legs")
        return Trades(table.set_column(table.schema.get_field_index("legs"), "legs", pa.array(legs, column.type)))
    columns = size_columns(product)
    assert columns, f"{product.name} has no size"
    for name in columns:
        values = pa.array(trades.numbers(name) * factor)
        table = table.set_column(table.schema.get_field_index(name), name, values)
    for name in (LISTED[name] for name in columns if name in LISTED and trades.has(LISTED[name])):
        nested = trades.nested(name)
        values = pa.array(nested.rows.numbers(name) * factor[nested.trades])
        lists = pa.ListArray.from_arrays(pa.array(nested.offsets, pa.int32()), values)
        table = table.set_column(table.schema.get_field_index(name), name, lists)
    return Trades(table)


def _legs(trades: Trades) -> list[list[dict[str, Any]]]:
    return trades.table.column("legs").to_pylist()


def _resized_leg(leg: dict[str, Any], factor: float) -> dict[str, Any]:
    sizes = {name: leg[name] for name in OF_LEGS if leg.get(name) is not None}
    return leg | {
        name: [each * factor for each in size] if isinstance(size, list) else size * factor
        for name, size in sizes.items()
    }


def sizes_of(product: Product, trades: Trades) -> FloatArray:
    """float64[n]: what the trades are about, in money or pieces; of several amounts the largest."""
    if trades.has("legs"):
        names = ("notional", "reset_notional")
        return np.array([max(abs(leg[n] or 0.0) for leg in some for n in names) for some in _legs(trades)])
    return np.fmax.reduce([np.abs(trades.numbers(name)) for name in size_columns(product)])


@pytest.fixture(scope="module")
def value(sample: OpenRun) -> Callable[[Product, Trades], FloatArray]:
    """float64[n, 21]: the base and twenty days of history."""
    scenarios, model = sample.context.scenarios, sample.context.model()
    columns = np.r_[0, np.arange(len(scenarios))[scenarios.columns_of("historical")][:20]]
    levels = scenarios.levels(sample.context.snapshot.x0, columns)

    def price(product: Product, trades: Trades) -> FloatArray:
        return product.prepare(trades, model).price(np.arange(len(trades), dtype=np.int32), levels)

    return price


@every_product
def test_twice_the_size_is_worth_twice_as_much(
    product: Product, sample_trades: FindTrades, value: Callable[[Product, Trades], FloatArray]
) -> None:
    trades = sample_trades(product)
    once, twice = (value(product, resized(product, trades, np.full(len(trades), size))) for size in (1.0, 2.0))

    assert np.array_equal(twice, 2.0 * once)


@every_product
def test_the_price_of_a_sum_is_the_sum_of_the_prices(
    product: Product, sample_trades: FindTrades, value: Callable[[Product, Trades], FloatArray]
) -> None:
    """A trade cut in two parts."""
    trades = sample_trades(product)
    part = np.random.default_rng(9).uniform(0.1, 0.9, len(trades))
    whole = value(product, trades)
    parts = [value(product, resized(product, trades, share)) for share in (part, 1.0 - part)]

    # Legs that nearly cancel are added up. A trade may have one of several sizes.
    size = sizes_of(product, trades)
    scale = np.abs(whole) + 1e-2 * size[:, None]
    assert np.all(np.abs(parts[0] + parts[1] - whole) <= 1e-11 * np.maximum(scale, np.abs(whole).max(1)[:, None]))


@every_product
def test_the_other_side_has_the_opposite_value(
    product: Product, sample_trades: FindTrades, value: Callable[[Product, Trades], FloatArray]
) -> None:
    """Of a size below zero where there may be one, and of the other direction."""
    trades = sample_trades(product)
    values = value(product, trades)
    signed = all(column.rule == "any" for column in product.columns if column.name in size_columns(product))
    sides = [c for c in product.columns if c.name in SIDES and product.name not in OPTIONS]
    assert signed or len(size_columns(product)) % 2 == 0, "only amounts that are exchanged are all above zero"

    if signed:
        assert np.array_equal(value(product, resized(product, trades, np.full(len(trades), -1.0))), -values)
    for column in sides:
        first, second = column.choices
        other = pa.array(np.where(trades.is_one(column.name, first), second, first).tolist())
        assert np.array_equal(value(product, trades.with_column(column.name, other)), -values)


@every_product
def test_the_first_scenario_is_the_base(
    product: Product,
    sample: OpenRun,
    sample_trades: FindTrades,
    value: Callable[[Product, Trades], FloatArray],
) -> None:
    """To the last bit the present value that the run reports."""
    trades = sample_trades(product)
    reported = sample.value(product, trades, ("pv",)).values["pv"]

    assert np.array_equal(value(product, trades)[:, 0], reported)
