"""A sample book of every product, planned for every measure and opened: what the contracts are tried on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from valuations import MEASURES, PAIRS, OpenRun, open_run, settings_at

from riskpipe.products.base import Product
from riskpipe.products.catalogue import PRODUCTS
from riskpipe.products.trades import Trades
from riskpipe.sample import write_sample

TRADES_A_PRODUCT = 40


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> OpenRun:
    """Read only: some trades of each product, 60 days of history, planned for every measure."""
    directory: Path = tmp_path_factory.mktemp("contract")
    shares = {product.name: 1.0 for product in PRODUCTS}
    # Without quotes: what a bump moves is then what it says, and expected values follow from it alone.
    trades = TRADES_A_PRODUCT * len(PRODUCTS)
    write_sample(directory / "book", trades=trades, scenarios=60, seed=11, products=shares, quoted=False)
    return open_run(settings_at(directory / "book", directory / "output", MEASURES, PAIRS))


@pytest.fixture(scope="session")
def sample_trades(sample: OpenRun) -> Callable[[Product], Trades]:
    """The sample's trades of a product; there must be some, or its contract would hold for nothing."""

    def find(product: Product) -> Trades:
        assert sample.blocks_of(product.name), f"riskpipe.sample writes no {product.name}: add a recipe"
        return sample.trades(product.name)

    return find
