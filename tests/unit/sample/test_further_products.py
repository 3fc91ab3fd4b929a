"""Products that the sample writes when they are asked for: rules, needs and prices."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from derived import derived_model

from riskpipe.config import load_settings
from riskpipe.market.arbitrage import arbitrage_faults
from riskpipe.market.checks import check_market_table
from riskpipe.market.factors import days_of
from riskpipe.market.model import MarketModel
from riskpipe.products.catalogue import catalogue
from riskpipe.products.dependencies import dependencies
from riskpipe.products.trades import Trades
from riskpipe.products.validation import all_columns, canonical, check_rows
from riskpipe.sample import SampleSummary, write_sample
from riskpipe.sample.recipes import FURTHER_RECIPES

AS_OF = days_of(date(2026, 11, 20))
TRADES = 300


@pytest.fixture(scope="module")
def further(tmp_path_factory: pytest.TempPathFactory) -> tuple[SampleSummary, MarketModel]:
    directory = tmp_path_factory.mktemp("further") / "book"
    shares = dict.fromkeys(FURTHER_RECIPES, 1.0)
    sample = write_sample(directory, trades=TRADES * len(shares), scenarios=5, products=shares)
    table = pq.read_table(directory / "data/market.parquet")
    assert check_market_table(table, AS_OF) == []
    conventions = load_settings(sample.config, environment={}).conventions()
    model = derived_model(table, AS_OF, conventions)
    assert arbitrage_faults(model) == []
    return sample, model


@pytest.mark.parametrize("name", FURTHER_RECIPES)
def test_trades_are_whole_and_have_prices(further: tuple[SampleSummary, MarketModel], name: str) -> None:
    sample, model = further
    product, directory = catalogue()[name], sample.directory / "data/portfolio" / name
    table = pq.read_table(Path(directory))
    trades = Trades(canonical(table, product))
    assert set(table.schema.names) == {column.name for column in all_columns(product)}
    assert len(trades) == TRADES
    assert check_rows(trades, product) == []
    assert product.validate(trades, AS_OF) == []
    assert dependencies(product, trades, model, "USD").faults == ()
    x = np.ascontiguousarray(model.snapshot.x0[:, None])
    values = product.prepare(trades, model).price(np.arange(TRADES, dtype=np.int32), x)
    assert np.isfinite(values).all()
    assert (values != 0.0).mean() > 0.95


def test_the_mixed_book_has_no_points_that_only_they_need(tmp_path: Path) -> None:
    write_sample(tmp_path / "book", trades=10, scenarios=2)
    kinds = pq.read_table(tmp_path / "book/data/market.parquet").column("kind").unique().to_pylist()
    assert not {"inflation_zero", "index_fixing", "normal_vol"} & set(kinds)
