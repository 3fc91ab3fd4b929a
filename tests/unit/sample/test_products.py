"""The sample against the products themselves: their schemas, their rules, their needs and their prices."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from derived import derived_model

from riskpipe.arrays import FloatArray
from riskpipe.config import load_settings
from riskpipe.market.arbitrage import arbitrage_faults
from riskpipe.market.factors import days_of
from riskpipe.market.model import MarketModel
from riskpipe.products.base import Product
from riskpipe.products.catalogue import PRODUCTS
from riskpipe.products.dependencies import dependencies
from riskpipe.products.trades import Trades
from riskpipe.products.validation import all_columns, canonical, check_rows, check_schema
from riskpipe.sample import SampleSummary
from riskpipe.sample.recipes import RECIPES

AS_OF = days_of(date(2026, 11, 20))


def _product(name: str) -> Product:
    return next(product for product in PRODUCTS if product.name == name)


@cache
def _model(directory: Path, config: Path) -> MarketModel:
    conventions = load_settings(config, environment={}).conventions()
    return derived_model(pq.read_table(directory / "data/market.parquet"), AS_OF, conventions)


def _trades(sample: SampleSummary, product: Product) -> Trades:
    table = pq.read_table(sample.directory / "data/portfolio" / product.name)
    assert check_schema(table.schema, product) == []
    return Trades(canonical(table, product))


def _prices(sample: SampleSummary, product: Product, trades: Trades) -> FloatArray:
    model = _model(sample.directory, sample.config)
    x = np.ascontiguousarray(model.snapshot.x0[:, None])
    return product.prepare(trades, model).price(np.arange(len(trades), dtype=np.int32), x)[:, 0]


def test_no_surface_allows_arbitrage(sample: SampleSummary) -> None:
    assert arbitrage_faults(_model(sample.directory, sample.config)) == []


@pytest.mark.parametrize("name", RECIPES)
def test_columns_are_the_products_own(sample: SampleSummary, name: str) -> None:
    product = _product(name)
    table = pq.read_table(sample.directory / "data/portfolio" / name)
    names = set(table.schema.names)
    assert names <= {column.name for column in all_columns(product)}
    assert names >= {column.name for column in all_columns(product) if column.required}


@pytest.mark.parametrize("name", RECIPES)
def test_no_trade_breaks_a_rule_or_lacks_market_data(sample: SampleSummary, name: str) -> None:
    product = _product(name)
    trades = _trades(sample, product)
    assert check_rows(trades, product) == []
    assert product.validate(trades, AS_OF) == []
    assert dependencies(product, trades, _model(sample.directory, sample.config), "USD").faults == ()


@pytest.mark.parametrize("name", RECIPES)
def test_every_trade_has_a_price(sample: SampleSummary, name: str) -> None:
    product = _product(name)
    values = _prices(sample, product, _trades(sample, product))
    assert np.isfinite(values).all()
    assert (values != 0.0).mean() > 0.95


def test_swaps_dealt_today_are_worth_little(sample: SampleSummary) -> None:
    product = _product("interest_rate_swap")
    trades = _trades(sample, product)
    share = np.abs(_prices(sample, product, trades)) / trades.numbers("notional")
    new = trades.days("start_date") >= AS_OF
    assert np.median(share[new]) < 0.006
    assert np.median(share[~new]) > 2.0 * np.median(share[new])


def test_contracts_on_default_trade_at_a_few_points(sample: SampleSummary) -> None:
    product = _product("credit_default_swap")
    trades = _trades(sample, product)
    share = np.abs(_prices(sample, product, trades)) / trades.numbers("notional")
    assert np.median(share) < 0.05
    assert share.max() < 0.25


def test_bonds_trade_about_par(sample: SampleSummary) -> None:
    product = _product("bond")
    trades = _trades(sample, product)
    price = _prices(sample, product, trades) / (trades.numbers("quantity") * trades.numbers("face"))
    redeemed = np.diff(trades.nested("notionals").offsets) > 0
    assert price[redeemed].min() > 0.1, "a fifth may be left"
    price = price[~redeemed]
    assert 0.9 < np.median(price) < 1.08
    assert price.min() > 0.3
    assert price.max() < 1.6
