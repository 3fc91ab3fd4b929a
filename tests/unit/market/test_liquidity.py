"""Liquidity horizons that MAR33.12 gives to factors."""

from __future__ import annotations

import pyarrow as pa

from riskpipe.market.conventions import Conventions
from riskpipe.market.factors import LIQUIDITY_HORIZONS, LiquidityHorizon
from riskpipe.market.liquidity import LiquidityHorizons
from riskpipe.market.point_table import MARKET_SCHEMA
from riskpipe.market.risk_classes import RiskClasses
from riskpipe.market.snapshot import MarketSnapshot

POINTS = {
    "zero_rate:USD.OIS:1Y": 10,
    "zero_rate:CHF.OIS:1Y": 10,  # the base currency's
    "zero_rate:NOK.OIS:1Y": 20,
    "inflation_zero:UKRPI:5Y": 10,
    "hazard_rate:ACME:5Y": 60,
    "spot:EURUSD": 10,
    "spot:EURNOK": 10,
    "spot:USDTHB": 20,
    "spot:ACME": 20,
    "dividend_yield:ACME:1Y": 60,
    "forward_price:BRENT:1Y": 60,
    "fx_vol:EURUSD:1Y": 40,
    "black_vol:ACME:1Y": 60,
    "black_vol:BRENT:1Y": 120,
    "normal_vol:USD.SWAPTION:1Y": 60,
}


def _horizons(chosen: dict[str, LiquidityHorizon] | None = None) -> dict[str, int]:
    rows = []
    for factor in POINTS:
        kind, name, *tenor = factor.split(":")
        currency = {"UKRPI": "GBP", "EURUSD": "USD"}.get(name)
        row = {"factor": factor, "kind": kind, "name": name, "tenor": tenor[0] if tenor else None, "value": 0.4}
        rows.append({**row, "currency": currency, "strike_type": "atm" if kind.endswith("vol") else None})
    snapshot = MarketSnapshot.from_table(pa.Table.from_pylist(rows, MARKET_SCHEMA), 20_000)
    horizons = LiquidityHorizons(snapshot, RiskClasses(snapshot, Conventions()), "CHF", chosen)
    nested = {days: set(horizons.at_least(days).nonzero()[0].tolist()) for days in LIQUIDITY_HORIZONS}
    assert nested[10] >= nested[20] >= nested[40] >= nested[60] >= nested[120]
    return {snapshot.factor_ids[k]: max(days for days in nested if k in nested[days]) for k in nested[10]}


def test_horizons_by_kind_currency_and_pair() -> None:
    assert _horizons() == POINTS


def test_the_last_glob_that_matches_wins() -> None:
    found = _horizons({"*:ACME": 120, "spot:ACME": 10})
    assert (found["spot:ACME"], found["black_vol:ACME:1Y"], found["spot:EURUSD"]) == (10, 120, 10)
