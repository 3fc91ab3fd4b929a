"""Scenarios over quotes against bootstraps of the moved quotes, of a market with every kind of instrument."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from par_quotes import AS_OF, CONVENTIONS, EVERY_KIND, Rows, table_of

from riskpipe.market.derived import Derivation, Derivative, derive
from riskpipe.market.producers import PRODUCERS
from riskpipe.market.scenarios import ScenarioSetBuilder
from riskpipe.market.snapshot import MarketSnapshot

QUOTES = [row["factor"] for row in EVERY_KIND if row["kind"] in ("par_rate", "cds_spread")]
BASIS_POINT = 1e-4
FIRST_ORDER = {1.0: 0.01, 5.0: 0.25}
"""Size of the moves -> twice the largest error seen in 2,000 random directions (docs/inputs.md), both in basis points
of zero and hazard rates."""


def _bootstrapped(rows: Rows) -> Derivation:
    found = derive(table_of(rows), PRODUCERS, AS_OF, CONVENTIONS)
    assert found.faults == ()
    return found


@cache
def _market() -> tuple[MarketSnapshot, Derivative]:
    found = _bootstrapped(EVERY_KIND)
    snapshot = MarketSnapshot.from_table(found.table, AS_OF)
    return snapshot, Derivative(snapshot, found.groups)


def moved(sizes: dict[str, float], *, exact: bool) -> np.ndarray:
    """Levels of all factors when quotes move by so much, by the scenario builder."""
    snapshot, derivative = _market()
    builder = ScenarioSetBuilder(snapshot, derivative)
    factor = np.array([snapshot.factor_index(quote) for quote in sizes])
    builder.add("moved", "stress", factor, snapshot.x0[factor] + np.array(list(sizes.values())), exact=exact)
    return builder.build().levels(snapshot.x0, np.array([1]))[:, 0]


def bootstrapped(sizes: dict[str, float]) -> np.ndarray:
    """The same from the very beginning."""
    rows = [{**row, "value": row["value"] + sizes.get(row["factor"], 0.0)} for row in EVERY_KIND]
    return MarketSnapshot.from_table(_bootstrapped(rows).table, AS_OF).x0


@pytest.mark.parametrize("quote", QUOTES)
def test_one_basis_point_on_any_quote(quote: str) -> None:
    """Through every curve that is built on the quote's."""
    off = moved({quote: BASIS_POINT}, exact=False) - bootstrapped({quote: BASIS_POINT})
    assert np.abs(off).max() / BASIS_POINT < 0.002


directions = st.lists(st.floats(-1.0, 1.0), min_size=len(QUOTES), max_size=len(QUOTES))


@pytest.mark.parametrize("size", FIRST_ORDER)
@settings(max_examples=8, deadline=None)
@given(direction=directions)
def test_a_day_s_moves_to_first_order(size: float, direction: list[float]) -> None:
    sizes = {quote: size * BASIS_POINT * by for quote, by in zip(QUOTES, direction, strict=True)}
    off = moved(sizes, exact=False) - bootstrapped(sizes)
    assert np.abs(off).max() / BASIS_POINT < FIRST_ORDER[size]


@settings(max_examples=8, deadline=None)
@given(by=st.floats(-0.01, 0.03), tilt=st.floats(-0.001, 0.001))
def test_stresses_exactly(by: float, tilt: float) -> None:
    rates = [quote for quote in QUOTES if quote.startswith("par_rate") and ":basis:" not in quote]
    sizes = {quote: by + tilt * k / len(rates) for k, quote in enumerate(rates)}
    assert moved(sizes, exact=True) == pytest.approx(bootstrapped(sizes), abs=1e-11)
