"""Price indices that riskpipe and QuantLib see alike, for the tests of what is linked to them."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import QuantLib as ql  # noqa: N813
from curve_market import CurveMarket, ql_date

from riskpipe.market.conventions import Conventions, IndexConvention
from riskpipe.market.snapshot import MarketSnapshot

AS_OF = (date(2026, 11, 20) - date(1970, 1, 1)).days
TENORS = ("1Y", "2Y", "3Y", "5Y", "10Y", "30Y")
SEASONALITY = (0.98, 0.99, 1.0, 1.02, 1.01, 1.0, 0.97, 0.99, 1.03, 1.01, 1.0, 1.0)
INDICES = {
    "HICP": IndexConvention("HICP", "HICP"),
    "CPI": IndexConvention("CPI", "CPI", observation="linear"),
    "RPI": IndexConvention("RPI", "RPI", observation_lag=2),
    "NSA": IndexConvention("NSA", "NSA", seasonality=SEASONALITY),
}
CONVENTIONS = Conventions(indices=INDICES)
LEVELS = {"HICP": 0.02, "CPI": 0.025, "RPI": -0.005, "NSA": 0.03}
PILLARS = [AS_OF + days for days in (1, 365, 1826, 3652, 10957)]


def fixings_of(index: str) -> dict[np.datetime64, float]:
    """Monthly, up to the month of the lag; those of HICP one month more."""
    last = np.datetime64("2026-11") - INDICES[index].observation_lag + (index == "HICP")
    months = np.arange(np.datetime64("2014-01"), last + 1)
    return {month: 100.0 * 1.02 ** (k / 12.0) + np.sin(k) for k, month in enumerate(months)}


def snapshot_of(curves: dict[str, list[float]], discount: list[float], drop: str = "") -> MarketSnapshot:
    rows = [
        {"kind": "inflation_zero", "name": name, "tenor": tenor, "value": value}
        for name, values in curves.items()
        for tenor, value in zip(TENORS, values, strict=True)
    ]
    rows += [
        {"kind": "index_fixing", "name": name, "tenor": f"{month}-01", "value": value}
        for name in LEVELS
        for month, value in fixings_of(name).items()
    ]
    epoch = date(1970, 1, 1).toordinal()
    rows += [
        {"kind": "zero_rate", "name": "OIS", "tenor": date.fromordinal(epoch + day).isoformat(), "value": value}
        for day, value in zip(PILLARS, discount, strict=True)
    ]
    for row in rows:
        row["factor"] = f"{row['kind']}:{row['name']}:{row['tenor']}"
    return MarketSnapshot.from_table(pa.Table.from_pylist([r for r in rows if r["factor"] != drop]), AS_OF)


def random_market(seed: int) -> tuple[dict[str, list[float]], list[float]]:
    random = np.random.default_rng(seed)
    curves = {name: (level + 0.004 * random.standard_normal(len(TENORS))).tolist() for name, level in LEVELS.items()}
    return curves, (0.02 + 0.01 * random.standard_normal(len(PILLARS))).tolist()


class QuantLibMarket:
    """Indices, curves and discount factors."""

    def __init__(self, curves: dict[str, list[float]], discount: list[float]) -> None:
        self.count = ql.Thirty360(ql.Thirty360.BondBasis)
        today = ql_date(AS_OF)
        ql.Settings.instance().evaluationDate = today
        ql.IndexManager.instance().clearHistories()
        self.discount = CurveMarket(AS_OF, {("zero_rate", "OIS"): (PILLARS, discount)}).discount("OIS")
        self.indices = {}
        for name, values in curves.items():
            lag = ql.Period(INDICES[name].observation_lag, ql.Months)
            base = self.first(today - lag)
            # Flat beyond the ends.
            dates = [base, *(self.first(today + ql.Period(tenor) - lag) for tenor in (*TENORS, "60Y"))]
            curve = ql.ZeroInflationCurve(today, dates, [values[0], *values, values[-1]], ql.Monthly, self.count)
            if INDICES[name].seasonality:
                of_months = ql.MultiplicativePriceSeasonality(ql.Date(1, 1, 2014), ql.Monthly, list(SEASONALITY))
                curve.setSeasonality(of_months)
            handle = ql.ZeroInflationTermStructureHandle(curve)
            region, euro = ql.CustomRegion(name, name), ql.EURCurrency()
            # QuantLib asks for every index up to the month before the availability lag, and forecasts from there.
            available = lag - ql.Period({"HICP": 2, "CPI": 1, "RPI": 0, "NSA": 1}[name], ql.Months)
            index = ql.ZeroInflationIndex(name, region, False, ql.Monthly, available, euro, handle)
            for month, value in fixings_of(name).items():
                index.addFixing(ql.Date(1, int(str(month)[5:]), int(str(month)[:4])), value)
            self.indices[name] = index

    @staticmethod
    def first(day: Any) -> Any:
        return ql.Date(1, day.month(), day.year())

    def observation(self, name: str) -> tuple[Any, Any]:
        linear = INDICES[name].observation == "linear"
        return ql.Period(INDICES[name].observation_lag, ql.Months), ql.CPI.Linear if linear else ql.CPI.Flat
