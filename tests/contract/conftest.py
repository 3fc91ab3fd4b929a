"""The sample book, planned for every measure and opened: what the contracts are tried on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from valuations import MEASURES, OpenRun, open_run, settings_at

from riskpipe.products.base import Product
from riskpipe.products.trades import Trades


@pytest.fixture(scope="session")
def sample(small_book: Path, tmp_path_factory: pytest.TempPathFactory) -> OpenRun:
    """Read only: 400 trades of all products, planned for every measure."""
    return open_run(settings_at(small_book, tmp_path_factory.mktemp("contract"), MEASURES))


@pytest.fixture(scope="session")
def sample_trades(sample: OpenRun) -> Callable[[Product], Trades]:
    """The sample's trades of a product; there must be some, or its contract would hold for nothing."""

    def find(product: Product) -> Trades:
        assert sample.blocks_of(product.name), f"riskpipe.sample writes no {product.name}: add a recipe"
        return sample.trades(product.name)

    return find
