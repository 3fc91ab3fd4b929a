"""Commodities by contracts, interpolated and by cost of carry, and what averages of their prices are, day by day in
plain Python with QuantLib's calendars and schedules: an oracle."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import QuantLib as ql  # noqa: N813
from curve_market import Rates, day_number, iso, ql_date

from riskpipe.arrays import FloatArray
from riskpipe.market.conventions import CommodityConvention, Conventions
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.base import Product

AS_OF = day_number(date(2026, 11, 20))
CALENDARS = {
    "XNYS": ql.UnitedStates(ql.UnitedStates.NYSE),
    "GBLO": ql.UnitedKingdom(ql.UnitedKingdom.Settlement),
    "TARGET+GBLO": ql.JointCalendar(ql.TARGET(), ql.UnitedKingdom(ql.UnitedKingdom.Settlement)),
}
PERIODS = {"1M": 1, "3M": 3, "6M": 6, "1Y": 12}
CURRENCY = {"CL": "USD", "NG": "USD", "BRENT": "USD", "TTF": "EUR", "ORE": "EUR"}
ROLL = {"CL": 1, "NG": 3}
CONVENTIONS = Conventions(
    commodities={
        "CL": CommodityConvention("contracts", roll_days=1),
        "NG": CommodityConvention("contracts", roll_days=3, calendar="XNYS", correlation_decay=0.4),
    }
)
PILLARS = [AS_OF + days for days in (1, 91, 365, 1826, 3652)]


def market_rows() -> list[tuple[str, str, int | None, float]]:
    """Kind, name, date and level of every point; fixings of all days of the last 200."""
    random = np.random.default_rng(3)
    rows: list[tuple[str, str, int | None, float]] = []
    for kind, name, level in (
        ("zero_rate", "USD.OIS", 0.04), ("zero_rate", "EUR.OIS", -0.004), ("dividend_yield", "ORE", 0.02),
    ):  # fmt: skip
        rows += [(kind, name, day, level + 0.003 * random.standard_normal()) for day in PILLARS]
    rows.append(("spot", "ORE", None, 110.0))
    for name, level in (("CL", 61.0), ("NG", 3.6)):
        rows += [("forward_price", name, AS_OF - 5 + 30 * k + k % 3, level * (1.0 + 0.01 * k)) for k in range(36)]
    for name, level in (("BRENT", 65.0), ("TTF", 31.0)):
        rows += [("forward_price", name, AS_OF + days, level * (1.0 + days / 4000.0)) for days in (-3, 20, 80, 400)]
    fixed = {"CL": 60.0, "NG": 3.5, "BRENT": 64.0, "TTF": 30.0, "ORE": 109.0, "CL.2": 61.0, "NG.2": 3.7}
    for name, level in fixed.items():
        prices = level * (1.0 + 0.02 * random.standard_normal(201))
        last = 0 if name == "BRENT" else 1  # Brent's of today is there
        rows += [("fixing", name, AS_OF - k, float(prices[k])) for k in range(last, 201)]
    for name in CURRENCY:
        for days in (30, 180, 720):
            for strike in (0.7, 1.0, 1.3):
                smile = 0.25 + 0.3 * (1.0 - strike) ** 2 + 20.0 / (days + 100.0) * 0.3
                price = {"CL": 61.0, "NG": 3.6, "BRENT": 65.0, "TTF": 31.0, "ORE": 110.0}[name]
                rows.append((f"black_vol@{strike * price:g}", name, AS_OF + days, smile))
                rows.append((f"normal_vol@{strike * price:g}", name, AS_OF + days, smile * price))
    return rows


class CommodityMarket:
    """:ivar x: float64[n_factors, 2], today, and a day on which oil and gas are worth less than nothing."""

    def __init__(self, negative: bool = True, vols: bool = True) -> None:
        rows = [row for row in market_rows() if vols or "_vol@" not in row[0]]
        random = np.random.default_rng(4)
        kinds = [row[0].split("@") for row in rows]
        shocked = []
        for (kind, *_), (_, name, _, level) in zip(kinds, rows, strict=True):
            move = random.standard_normal()
            if kind in ("fixing",):
                shocked.append(level)
            elif kind == "forward_price" and negative:
                shocked.append(level * (1.0 + 0.05 * move) - 1.2 * {"CL": 61.0, "NG": 3.6}.get(name, 0.0))
            elif kind in ("zero_rate", "dividend_yield"):
                shocked.append(level + 0.004 * move)
            else:
                shocked.append(level * (1.0 + 0.05 * move))
        days = [None if row[2] is None else iso(row[2]) for row in rows]
        factor = [
            ":".join(part for part in (kind[0], row[1], day, *kind[1:]) if part)
            for kind, row, day in zip(kinds, rows, days, strict=True)
        ]
        columns: dict[str, Any] = {
            "factor": factor,
            "kind": [kind[0] for kind in kinds],
            "name": [row[1] for row in rows],
            "tenor": days,
            "strike": pa.array([float(kind[1]) if len(kind) > 1 else None for kind in kinds], pa.float64()),
            "strike_type": pa.array(["absolute" if len(kind) > 1 else None for kind in kinds], pa.string()),
            "value": [row[3] for row in rows],
        }
        self.snapshot = MarketSnapshot.from_table(pa.table(columns), AS_OF)
        self.model = MarketModel(self.snapshot, CONVENTIONS)
        moved = dict(zip(factor, shocked, strict=True))
        order = self.snapshot.factors.column("factor").to_pylist()
        self.x = np.ascontiguousarray(np.column_stack([self.snapshot.x0, [moved[name] for name in order]]))
        self._days = {
            "CL": 0,
        }
        self.points: dict[tuple[str, str], list[tuple[int, int]]] = {}
        for position, (kind, name, day) in enumerate(
            zip(
                *(self.snapshot.factors.column(c).to_pylist() for c in ("kind", "name")),
                self.snapshot.days,
                strict=True,
            )
        ):
            self.points.setdefault((kind, name), []).append((int(day), position))

    def price(self, product: Product, columns: dict[str, Any]) -> FloatArray:
        trades = Rates.trades(product, columns)
        assert product.validate(trades, AS_OF) == []
        assert [f for f in product.missing_points(trades, self.model) if f.level.name == "ERROR"] == []
        return product.prepare(trades, self.model).price(np.arange(len(trades), dtype=np.int32), self.x)

    def curve(self, kind: str, name: str, scenario: int) -> tuple[list[int], list[float]]:
        points = self.points[kind, name]
        return [day for day, _ in points], [float(self.x[position, scenario]) for _, position in points]

    def discount(self, name: str, scenario: int, kind: str = "zero_rate") -> Any:
        pillars, levels = self.curve(kind, name, scenario)
        return Rates.Market(AS_OF, {("zero_rate", name): (pillars, levels)}).discount(name, AS_OF)

    def contract(self, name: str, day: int, calendar: str, nearby: int) -> int | None:
        """Expiry of the contract that a day's price is of; None where forward prices are no contracts'."""
        if name not in ROLL:
            return None
        holidays = CALENDARS["XNYS" if name == "NG" else calendar]
        earliest = holidays.advance(ql_date(day), ROLL[name], ql.Days)
        expiries = [d for d, _ in self.points["forward_price", name]]
        living = [d for d in expiries if ql_date(d) >= earliest]
        return living[nearby - 1] if len(living) >= nearby else expiries[-1]

    def forward(self, name: str, day: int, calendar: str, nearby: int, scenario: int) -> float:
        if name == "ORE":
            rates, dividends = self.discount("EUR.OIS", scenario), self.discount("ORE", scenario, "dividend_yield")
            (spot,) = self.curve("spot", "ORE", scenario)[1]
            return spot * dividends.discount(ql_date(day)) / rates.discount(ql_date(day))
        days, prices = self.curve("forward_price", name, scenario)
        expiry = self.contract(name, day, calendar, nearby)
        return float(np.interp(day, days, prices)) if expiry is None else prices[days.index(expiry)]

    def fixing(self, name: str, day: int, nearby: int = 1) -> float | None:
        days, values = self.curve("fixing", name if nearby == 1 else f"{name}.{nearby}", 0)
        return values[days.index(day)] if day in days else None


def periods(row: dict[str, Any]) -> list[tuple[int, int]]:
    """First and last days of the calculation periods of a trade, by QuantLib's schedule."""
    start, end, listed = int(row["start_date"]), int(row["maturity_date"]) + 1, row.get("period_starts")
    if listed:
        bounds = [*map(int, listed), end]
    elif row.get("frequency") == "1T":
        bounds = [start, end]
    else:
        step = ql.Period(PERIODS[row.get("frequency") or "1M"], ql.Months)
        rule = ql.DateGeneration.Backward
        dates = ql.Schedule(
            ql_date(start), ql_date(end), step, ql.NullCalendar(), ql.Unadjusted, ql.Unadjusted, rule, False
        )
        bounds = [day.serialNumber() - 25569 for day in dates]
    return [(a, b - 1) for a, b in pairwise(bounds)]


def pricing_days(first: int, last: int, rule: str | None, calendar: str) -> list[int]:
    holidays = CALENDARS[calendar]
    days = [day for day in range(first, last + 1) if holidays.isBusinessDay(ql_date(day))]
    if rule == "last_business_day":
        return days[-1:]
    if rule == "month_ends":
        return [day for day in days if holidays.endOfMonth(ql_date(day)).serialNumber() - 25569 == day]
    return days


def payment(last: int, row: dict[str, Any]) -> int:
    holidays = CALENDARS[row.get("payment_calendar") or row["calendar"]]
    lag = int(row.get("payment_lag") or 0)
    day = ql_date(last)
    day = holidays.advance(day, lag, ql.Days) if lag else holidays.adjust(day)
    return int(day.serialNumber() - 25569)


def random_periods(random: np.random.Generator, size: int, longest: int = 500) -> dict[str, Any]:
    """Seasoned and forward starting, of whole months and broken ones, a few of one day."""
    start = AS_OF + random.integers(-150, 400, size)
    end = np.maximum(start + random.integers(0, longest, size), AS_OF)
    whole = random.random(size) < 0.5
    month = start.astype("datetime64[D]").astype("datetime64[M]")
    start = np.where(whole, month.astype("datetime64[D]").astype(int), start)
    last = (end.astype("datetime64[D]").astype("datetime64[M]") + 1).astype("datetime64[D]").astype(int) - 1
    end = np.where(whole, last, end)
    return {
        "start_date": start,
        "maturity_date": end,
        "calendar": random.choice(list(CALENDARS), size).tolist(),
        "frequency": random.choice(np.array([None, "1M", "3M", "1T"], object), size).tolist(),
        "pricing_days": random.choice(np.array([None, "business_days", "last_business_day"], object), size).tolist(),
        "nearby": random.choice(np.array([None, 1.0, 2.0], object), size).tolist(),
        "payment_lag": random.choice(np.array([None, 0.0, 5.0], object), size).tolist(),
        "payment_calendar": random.choice(np.array([None, "XNYS"], object), size).tolist(),
    }


def rows_of(columns: dict[str, Any]) -> list[dict[str, Any]]:
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def priced(columns: dict[str, Any]) -> np.ndarray:
    """bool[n]: every period has a pricing day, and the last payment is today or later."""
    found = []
    for row in rows_of(columns):
        spans = periods(row)
        days = [pricing_days(*span, row["pricing_days"], row["calendar"]) for span in spans]
        found.append(all(days) and payment(spans[-1][1], row) >= AS_OF)
    return np.array(found)


def chosen(columns: dict[str, Any], mask: np.ndarray) -> dict[str, Any]:
    return {name: [value for value, keep in zip(values, mask, strict=True) if keep] for name, values in columns.items()}
