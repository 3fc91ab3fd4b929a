"""Every product has a line in `make bench`, and its values there agree with QuantLib's."""

import numpy as np
import pytest

from benchmarks.market import Market, QuantLibMarket
from benchmarks.products import ENTRIES, largest_difference, trades_of
from riskpipe.products.catalogue import catalogue

TRADES = 6
# Choi's engine, which decides about this line, takes long.
LINES = [label for label in ENTRIES if label != "equity_asian_option, arithmetic"]


def test_catalogue() -> None:
    assert {entry.product for entry in ENTRIES.values()} == set(catalogue())


@pytest.fixture(scope="module")
def market() -> Market:
    return Market()


@pytest.mark.parametrize("label", LINES)
def test_agreement(market: Market, label: str) -> None:
    entry = ENTRIES[label]
    case = entry.make(np.random.default_rng(1), TRADES)
    prepared = catalogue()[entry.product].prepare(
        trades_of(entry.product, case.columns), market.model(case.credit_model)
    )
    values = prepared.price(np.arange(TRADES, dtype=np.int32), market.levels[:, :8].copy())
    assert largest_difference(case, QuantLibMarket(market), values) < case.agreement
