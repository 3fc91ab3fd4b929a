"""A market of par quotes of every kind, and how they are to be read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pyarrow as pa

from riskpipe.market.conventions import Conventions, CurveConvention
from riskpipe.market.factors import days_of
from riskpipe.market.point_table import MARKET_SCHEMA

AS_OF = days_of(date(2026, 11, 20))
Rows = list[dict[str, Any]]

LONG = {"1Y": 0.0215, "18M": 0.021, "2Y": 0.0208, "3Y": 0.0212, "5Y": 0.0225, "10Y": 0.0251, "20Y": 0.0262}


def par_rates(name: str, instrument: str, values: Mapping[str, float], currency: str | None = None) -> Rows:
    """Rows of the market: tenor -> rate."""
    return [
        {
            "factor": f"par_rate:{name}:{instrument}:{tenor}",
            "kind": "par_rate",
            "name": name,
            "currency": currency or name[:3],
            "tenor": tenor,
            "instrument": instrument,
            "value": value,
        }
        for tenor, value in values.items()
    ]


def cds_spreads(name: str, values: Mapping[str, float], currency: str | None = "USD") -> Rows:
    return [
        {
            "factor": f"cds_spread:{name}:{tenor}",
            "kind": "cds_spread",
            "name": name,
            "currency": currency,
            "tenor": tenor,
            "value": value,
        }
        for tenor, value in values.items()
    ]


def point(kind: str, name: str, value: float, tenor: str | None = None, currency: str | None = None) -> dict[str, Any]:
    factor = ":".join(part for part in (kind, name, tenor) if part)
    return {"factor": factor, "kind": kind, "name": name, "currency": currency, "tenor": tenor, "value": value}


def table_of(rows: Rows) -> pa.Table:
    return pa.Table.from_pylist(rows, MARKET_SCHEMA)


def shifted(values: Mapping[str, float], by: float) -> dict[str, float]:
    return {tenor: value + by for tenor, value in values.items()}


CREDIT = {"6M": 0.008, "1Y": 0.009, "3Y": 0.0115, "5Y": 0.0135, "10Y": 0.016}

EVERY_KIND: Rows = [
    *par_rates("USD.SOFR", "deposit", {"1D": 0.0412}),
    *par_rates("USD.SOFR", "future", {"1M": 0.0408, "2027-06-16": 0.0402}),
    *par_rates("USD.SOFR", "ois", shifted(LONG, 0.017)),
    *par_rates("EUR.ESTR", "ois", {"1W": 0.0192, "1M": 0.0193, "6M": 0.0199, **LONG}),
    *par_rates("EUR.EURIBOR3M", "deposit", {"3M": 0.0212}),
    *par_rates("EUR.EURIBOR3M", "fra", {"6M": 0.0213, "9M": 0.0214, "2027-12-15": 0.0219}),
    *par_rates("EUR.EURIBOR3M", "future", {"2028-03-15": 0.0222, "2028-06-21": 0.0223}),
    *par_rates("EUR.EURIBOR3M", "swap", {"3Y": 0.0225, "5Y": 0.0238, "10Y": 0.0261, "20Y": 0.0272}),
    *par_rates("EUR.EURIBOR6M", "deposit", {"6M": 0.0222}),
    *par_rates("EUR.EURIBOR6M", "basis", {"1Y": 0.0009, "2Y": 0.001, "5Y": 0.0011, "20Y": 0.0008}),
    *par_rates("EUR.EURIBOR1M", "basis", {"1Y": 0.0004, "5Y": 0.0005, "20Y": 0.0006}),
    *par_rates("EUR.USDCSA", "basis", {"1Y": -0.0012, "2Y": -0.0014, "5Y": -0.0019, "10Y": -0.0021, "20Y": -0.0018}),
    *cds_spreads("ACME", CREDIT),
    *cds_spreads("GLOBEX", shifted(CREDIT, 0.03), "EUR"),
    point("recovery", "GLOBEX", 0.25),
]
CURVES = {
    "EUR.EURIBOR3M": CurveConvention(futures_volatility=0.008),
    "EUR.EURIBOR6M": CurveConvention(against="EUR.EURIBOR3M"),
    "EUR.EURIBOR1M": CurveConvention(against="EUR.ESTR"),
    "EUR.USDCSA": CurveConvention(against="USD.SOFR"),
}
CONVENTIONS = Conventions(discount_curves={"USD": "USD.SOFR", "EUR": "EUR.ESTR"}, curves=CURVES)
