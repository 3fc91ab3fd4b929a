"""Every product has a line in `make bench`; where QuantLib has a peer, the values agree."""

import numpy as np
import pytest

from benchmarks.market import Market, QuantLibMarket
from benchmarks.products import ENTRIES, alone, largest_difference, measure_alone, trades_of
from riskpipe.products.catalogue import catalogue

TRADES = 6
# Choi's engine, which decides about this line, takes long.
LINES = [label for label in ENTRIES if label != "equity_asian_option, arithmetic"]


def test_catalogue() -> None:
    assert {entry.product for entry in ENTRIES.values()} | set(alone()) == set(catalogue())


def test_a_product_without_a_peer_is_timed_on_the_sample() -> None:
    assert measure_alone("fx_forward")["valuations_per_second"] > 0.0


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
