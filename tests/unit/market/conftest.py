"""A small market that has every shape of curve and surface, and a way to make others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from riskpipe.arrays import FloatArray
from riskpipe.market.point_table import MARKET_SCHEMA
from riskpipe.market.snapshot import MarketSnapshot

AS_OF = 20_000  # 2024-10-04

Point = dict[str, Any]
MakePoint = Callable[..., Point]
MakeTable = Callable[[list[Point]], pa.Table]


def _point(kind: str, name: str, value: float, tenor: str | None = None, **columns: Any) -> Point:
    """One row; the id is made of kind, name, tenor, strike type and strike unless it is given."""
    parts = [kind, name, tenor, columns.get("strike_type"), columns.get("strike")]
    factor = ":".join(str(part) for part in parts if part is not None)
    return {"factor": factor, "kind": kind, "name": name, "value": value, "tenor": tenor, **columns}


def _table(rows: list[Point]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=MARKET_SCHEMA)


@pytest.fixture(scope="session")
def as_of() -> int:
    return AS_OF


@pytest.fixture(scope="session")
def point() -> MakePoint:
    return _point


@pytest.fixture(scope="session")
def table_of() -> MakeTable:
    return _table


@pytest.fixture(scope="session")
def spread_quotes() -> Callable[..., list[Point]]:
    """A smile of GBPUSD at one expiry: at the money, risk reversal, butterfly; None leaves one out."""

    def quotes(atm: float | None = 0.1, reversal: float | None = -0.02, butterfly: float | None = 0.003) -> list[Point]:
        levels = {"atm": (None, atm), "risk_reversal": (0.25, reversal), "butterfly": (0.25, butterfly)}
        return [
            _point("fx_vol", "GBPUSD", level, "1Y", strike_type=kind, strike=strike)
            for kind, (strike, level) in levels.items()
            if level is not None
        ]

    return quotes


@pytest.fixture
def rows() -> list[Point]:
    """Points of the small market."""
    rows = [
        _point("spot", "EURUSD", 1.1, currency="USD"),
        _point("spot", "GBPUSD", 1.3, currency="USD"),
        _point("spot", "USDJPY", 150.0, currency="JPY"),
        _point("spot", "EURCHF", 0.95, currency="CHF"),
        _point("spot", "SPX", 5000.0, currency="USD"),
        _point("spot", "DAX", 18000.0, currency="EUR"),
        _point("forward_price", "WTI", 70.0, "1M", currency="USD"),
        _point("forward_price", "WTI", 73.0, "6M", currency="USD"),
        _point("forward_price", "WTI", 72.0, "2Y", currency="USD"),
        _point("hazard_rate", "ACME", 0.01, "1Y"),
        _point("hazard_rate", "ACME", 0.02, "5Y"),
        _point("recovery", "ACME", 0.4),
        _point("fixing", "USD.SOFR", 0.051, "2024-10-02"),
        _point("fixing", "USD.SOFR", 0.052, "2024-10-03"),
    ]
    for currency, rates in {
        "USD": (0.05, 0.045, 0.04),
        "EUR": (0.03, 0.025, 0.028),
        "GBP": (0.04,) * 3,
    }.items():
        rows += [
            _point("zero_rate", f"{currency}.OIS", rate, tenor, currency=currency)
            for tenor, rate in zip(("1M", "2Y", "10Y"), rates, strict=True)
        ]
    rows += [_point("dividend_yield", "SPX", y, t) for t, y in (("6M", 0.012), ("3Y", 0.015))]
    for tenor in ("3M", "1Y", "2Y"):
        rows += [
            _point("black_vol", "SPX", 0.2 + 0.00001 * (5000.0 - k), tenor, strike=k, strike_type="absolute")
            for k in (4000.0, 5000.0, 5500.0)
        ]
    for k, vol in ((0.8, 0.35), (0.9, 0.3), (1.25, 0.28)):
        rows.append(_point("black_vol", "WTI", vol, "6M", strike=k, strike_type="moneyness"))
    rows.append(_point("black_vol", "WTI", 0.29, "6M", strike_type="atm"))
    rows.append(_point("black_vol", "WTI", 0.25, "1Y", strike_type="atm"))
    rows += [
        _point("fx_vol", "EURUSD", vol, "1Y", strike=k, strike_type="delta_put")
        for k, vol in ((0.25, 0.1), (0.1, 0.12))
    ]
    return rows


@pytest.fixture
def table(rows: list[Point]) -> pa.Table:
    return _table(rows)


@pytest.fixture
def snapshot(table: pa.Table) -> MarketSnapshot:
    return MarketSnapshot.from_table(table, AS_OF)


@pytest.fixture
def level(snapshot: MarketSnapshot) -> Mapping[str, float]:
    """Factor id -> today's level."""
    return dict(zip(snapshot.factor_ids, snapshot.x0.tolist(), strict=True))


@pytest.fixture
def shocked(snapshot: MarketSnapshot) -> FloatArray:
    """float64[n_factors, 37]: the base and 36 random scenarios."""
    noise = np.random.default_rng(7).normal(0.0, 0.1, (len(snapshot), 37))
    noise[:, 0] = 0.0
    return np.ascontiguousarray(snapshot.x0[:, None] * np.exp(noise))
