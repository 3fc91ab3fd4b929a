"""Zero-coupon inflation swaps against QuantLib: 1e-10 of notional, base and shocked curves."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import QuantLib as ql  # noqa: N813

from riskpipe.errors import Reason
from riskpipe.market.conventions import Conventions, IndexConvention
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.inflation_swap import InflationSwap

PRODUCT = InflationSwap()
AS_OF = (date(2026, 11, 20) - date(1970, 1, 1)).days
TRADES = 500
TOLERANCE = 1e-10
TENORS = ("1Y", "2Y", "3Y", "5Y", "10Y", "30Y")
INDICES = {
    "HICP": IndexConvention("HICP", "HICP"),
    "CPI": IndexConvention("CPI", "CPI", observation="linear"),
    "RPI": IndexConvention("RPI", "RPI", observation_lag=2),
}
CONVENTIONS = Conventions(indices=INDICES)
LEVELS = {"HICP": 0.02, "CPI": 0.025, "RPI": -0.005}
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


def random_book(whole_years: bool) -> dict[str, Any]:
    random = np.random.default_rng(17)
    start = AS_OF + random.integers(-1800, 1, TRADES)
    start[:10] = AS_OF - 2 * 365 - np.arange(10)
    # Days that every month has.
    start = start - np.maximum(days_of_month(start) - 28, 0)
    years = random.integers(1, 51, TRADES)
    years[:10] = 2 + (np.arange(10) > 5)
    years[10:12] = 50
    month = start.astype("datetime64[D]").astype("datetime64[M]")
    maturity = (month + 12 * years).astype("datetime64[D]").astype(int) + days_of_month(start) - 1
    if not whole_years:
        maturity = maturity + random.integers(-150, 150, TRADES)
    maturity = np.maximum(maturity, AS_OF + random.integers(0, 3, TRADES))
    index = random.choice(list(INDICES), TRADES)
    base = [base_of(name, day) for name, day in zip(index, start.tolist(), strict=True)]
    return {
        "currency": ["EUR"] * TRADES,
        "index": index.tolist(),
        "discount_curve": ["OIS"] * TRADES,
        "notional": random.normal(0.0, 1e7, TRADES),
        "direction": random.choice(["pay", "receive"], TRADES).tolist(),
        "fixed_rate": random.normal(0.02, 0.02, TRADES),
        "base_index": base,
        "start_date": start,
        "maturity_date": maturity,
    }


def base_of(name: str, start: int) -> float:
    """The index that a swap from this day starts from."""
    month = np.datetime64(start, "D").astype("datetime64[M]")
    fixings, seen = fixings_of(name), month - INDICES[name].observation_lag
    if INDICES[name].observation == "flat":
        return fixings[seen]
    length = ((month + 1).astype("datetime64[D]") - month.astype("datetime64[D]")).astype(int)
    into = (np.datetime64(start, "D") - month.astype("datetime64[D]")).astype(int) / length
    return float(fixings[seen] + into * (fixings[seen + 1] - fixings[seen])) if into else fixings[seen]


def days_of_month(days: np.ndarray) -> np.ndarray:
    stamps = days.astype("datetime64[D]")
    return (stamps - stamps.astype("datetime64[M]").astype("datetime64[D]")).astype(int) + 1


class QuantLibMarket:
    def __init__(self, rates: Any, curves: dict[str, list[float]], discount: list[float]) -> None:
        self.rates, self.count = rates, ql.Thirty360(ql.Thirty360.BondBasis)
        today = rates.ql_date(AS_OF)
        ql.Settings.instance().evaluationDate = today
        ql.IndexManager.instance().clearHistories()
        self.discount = rates.Market(AS_OF, {("zero_rate", "OIS"): (PILLARS, discount)}).discount("OIS")
        self.indices = {}
        for name, values in curves.items():
            lag = ql.Period(INDICES[name].observation_lag, ql.Months)
            base = self.first(today - lag)
            # Flat beyond the ends.
            dates = [base, *(self.first(today + ql.Period(tenor) - lag) for tenor in (*TENORS, "60Y"))]
            curve = ql.ZeroInflationCurve(today, dates, [values[0], *values, values[-1]], ql.Monthly, self.count)
            handle = ql.ZeroInflationTermStructureHandle(curve)
            region, euro = ql.CustomRegion(name, name), ql.EURCurrency()
            # QuantLib asks for every index up to the month before the availability lag, and forecasts from there.
            available = lag - ql.Period({"HICP": 2, "CPI": 1, "RPI": 0}[name], ql.Months)
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

    def swap(self, row: dict[str, Any]) -> float:
        # QuantLib's payer pays inflation.
        kind = ql.Swap.Receiver if row["direction"] == "pay" else ql.Swap.Payer
        start, end = self.rates.ql_date(row["start_date"]), self.rates.ql_date(row["maturity_date"])
        swap = ql.ZeroCouponInflationSwap(
            kind, abs(row["notional"]), start, end, ql.NullCalendar(), ql.Unadjusted, self.count,
            row["fixed_rate"], self.indices[row["index"]], *self.observation(row["index"]),
        )  # fmt: skip
        swap.setPricingEngine(ql.DiscountingSwapEngine(self.discount, False))
        return float(np.sign(row["notional"]) * swap.NPV())

    def by_index(self, row: dict[str, Any]) -> float:
        """From QuantLib's forecast of the index, for bases and dates that its swap does not take."""
        end = self.rates.ql_date(row["maturity_date"])
        if row["maturity_date"] <= AS_OF:
            return 0.0
        level = ql.CPI.laggedFixing(self.indices[row["index"]], end, *self.observation(row["index"]))
        years = self.count.yearFraction(self.rates.ql_date(row["start_date"]), end)
        amount = level / row["base_index"] - (1.0 + row["fixed_rate"]) ** years
        sign = 1.0 if row["direction"] == "pay" else -1.0
        return float(sign * row["notional"] * amount * self.discount.discount(end))


@pytest.mark.parametrize("whole_years", [True, False])
def test_swaps(rates: Any, whole_years: bool) -> None:
    book = random_book(whole_years)
    if not whole_years:
        book["base_index"] = (np.array(book["base_index"]) * 1.1).tolist()
    trades = rates.trades(PRODUCT, book)
    assert PRODUCT.validate(trades, AS_OF) == []
    markets = [random_market(seed) for seed in (1, 2)]
    snapshots = [snapshot_of(*market) for market in markets]
    model = MarketModel(snapshots[0], CONVENTIONS)
    assert PRODUCT.missing_points(trades, model) == []
    x = np.column_stack([snapshot.x0 for snapshot in snapshots])
    values = PRODUCT.prepare(trades, model).price(np.arange(TRADES, dtype=np.int32), x)
    assert np.abs(values[:, 1] - values[:, 0]).max() > 1e4
    for column, market in enumerate(markets):
        quantlib = QuantLibMarket(rates, *market)
        for k in range(TRADES):
            row = {name: values_[k] for name, values_ in book.items()}
            growth = (1.0 + abs(row["fixed_rate"])) ** ((row["maturity_date"] - row["start_date"]) / 365.0)
            expected = quantlib.swap(row) if whole_years and row["maturity_date"] > AS_OF else quantlib.by_index(row)
            error = abs(values[k, column] - expected)
            assert error < TOLERANCE * max(growth, 1.0) * abs(row["notional"]), (error, row)


def test_indices_that_are_missing(rates: Any) -> None:
    book = {name: values[:3] for name, values in random_book(True).items()}
    book |= {"index": ["HICP", "CPI", "HICP"], "start_date": [AS_OF - 800] * 3}
    # In August 2026 the index of the maturity is known; later ones start from it.
    book["maturity_date"] = [AS_OF + 5, AS_OF + 900, AS_OF + 900]
    trades = rates.trades(PRODUCT, book)
    for drop, rows in (("index_fixing:HICP:2026-08-01", [0, 2]), ("index_fixing:CPI:2026-08-01", [1])):
        model = MarketModel(snapshot_of(*random_market(1), drop=drop), CONVENTIONS)
        faults = PRODUCT.missing_points(trades, model)
        assert sorted(row for fault in faults for row in fault.rows.tolist()) == rows
        assert all(drop in fault.message and fault.reason is Reason.MISSING_MARKET_DATA for fault in faults)


def test_a_fixed_rate_that_does_not_compound_is_refused(rates: Any) -> None:
    book = {name: values[:2] for name, values in random_book(True).items()} | {"fixed_rate": [-1.0, 0.02]}
    (fault,) = PRODUCT.validate(rates.trades(PRODUCT, book), AS_OF)
    assert (fault.column, fault.rows.tolist()) == ("fixed_rate", [0])
