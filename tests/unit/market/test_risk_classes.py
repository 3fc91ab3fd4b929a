"""Which class factors belong to, by kind, name and what else the market has."""

from __future__ import annotations

import pyarrow as pa

from riskpipe.market.conventions import CommodityConvention, Conventions
from riskpipe.market.factors import RISK_CLASSES
from riskpipe.market.point_table import MARKET_SCHEMA
from riskpipe.market.risk_classes import RiskClasses
from riskpipe.market.snapshot import MarketSnapshot

POINTS = {
    "zero_rate:USD.OIS:1Y": "rates",
    "inflation_zero:USCPI:5Y": "inflation",
    "hazard_rate:ACME:5Y": "credit",
    "recovery:ACME": "credit",
    "spot:EURUSD": "fx",
    "spot:ACME": "equity",
    "dividend_yield:ACME:1Y": "equity",
    "spot:BRENT": "commodity",
    "dividend_yield:BRENT:1Y": "commodity",
    "forward_price:BRENT:1Y": "commodity",
    "spot:GOLD": "commodity",
    "normal_vol:USD.SWAPTION:1Y": "volatility",
}


def _classes(**chosen: str) -> dict[str, str]:
    rows = []
    for factor in POINTS:
        kind, name, *tenor = factor.split(":")
        row = {"factor": factor, "kind": kind, "name": name, "tenor": tenor[0] if tenor else None, "value": 0.4}
        rows.append({**row, "strike_type": "atm"} if kind.endswith("vol") else row)
    snapshot = MarketSnapshot.from_table(pa.Table.from_pylist(rows, MARKET_SCHEMA), 20_000)
    known = RiskClasses(snapshot, Conventions(commodities={"GOLD": CommodityConvention()}), chosen.get("globs"))
    found = {}
    for name in RISK_CLASSES:
        found.update({snapshot.factor_ids[k]: name for k in known.members(name).nonzero()[0]})
    return found


def test_every_factor_has_the_class_of_its_kind_and_name() -> None:
    assert _classes() == POINTS


def test_the_last_glob_that_matches_wins() -> None:
    found = _classes(globs={"*:ACME": "credit", "spot:ACME": "commodity"})
    assert found["spot:ACME"] == "commodity"
    assert found["dividend_yield:ACME:1Y"] == "credit"
    assert found["spot:EURUSD"] == "fx"
