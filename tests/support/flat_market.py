"""A market of flat curves and volatilities, so that an oracle needs nothing but numbers; and its scenarios."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import QuantLib as ql  # noqa: N813

from riskpipe.arrays import FloatArray
from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.base import Product
from riskpipe.products.trades import Trades
from riskpipe.products.validation import all_columns, canonical, check_rows

AS_OF = 20777  # 2026-11-20
TODAY = ql.Date(20, 11, 2026)
DAY_COUNT = ql.Actual365Fixed()


@dataclass
class FlatMarket:
    """n equities E0, E1 ... in currencies CAA, CAB ..., and the pair of each currency with the last.

    :param spot, rate, dividend, vol: float64[n, S], of each equity and its currency, by scenario; the first is
        today's. A pair's spot is that of its first currency's equity over 100, its vol likewise half.
    """

    spot: FloatArray
    rate: FloatArray
    dividend: FloatArray
    vol: FloatArray

    def __post_init__(self) -> None:
        n = len(self.spot)
        self.currencies = [f"C{chr(65 + k // 26)}{chr(65 + k % 26)}" for k in range(n)]
        self.equities = [f"E{k}" for k in range(n)]
        rows: list[tuple[str, str, str | None, FloatArray]] = []
        for k in range(n):
            rows.append(("spot", self.equities[k], None, self.spot[k]))
            rows.append(("zero_rate", f"{self.currencies[k]}.OIS", "10Y", self.rate[k]))
            rows.append(("dividend_yield", self.equities[k], "10Y", self.dividend[k]))
            rows.append(("black_vol", self.equities[k], "10Y", self.vol[k]))
            if k < n - 1:
                rows.append(("spot", self.pair(k), None, self.spot[k] / 100.0))
                rows.append(("fx_vol", self.pair(k), "10Y", 0.5 * self.vol[k]))
        factor = [":".join(part for part in row[:3] if part) for row in rows]
        table = pa.table(
            {
                "factor": factor,
                "kind": [row[0] for row in rows],
                "name": [row[1] for row in rows],
                "tenor": [row[2] for row in rows],
                "strike_type": pa.array(["atm" if row[0].endswith("vol") else None for row in rows], pa.string()),
                # A snapshot has no vols of zero; scenarios may.
                "value": [max(float(row[3][0]), 1e-3 if row[0].endswith("vol") else -1.0) for row in rows],
            }
        )
        self.snapshot = MarketSnapshot.from_table(table, AS_OF)
        self.model = MarketModel(self.snapshot, Conventions())
        self.x = np.empty((len(rows), self.spot.shape[1]))
        levels = dict(zip(factor, (row[3] for row in rows), strict=True))
        for position, name in enumerate(self.snapshot.factors.column("factor").to_pylist()):
            self.x[position] = levels[name]

    def pair(self, k: int) -> str:
        return self.currencies[k] + self.currencies[-1]

    def price(self, product: Product, columns: dict[str, Any]) -> FloatArray:
        """Present values, float64[trades, S]; the trades must be valid."""
        trades = make_trades(product, columns)
        assert product.validate(trades, AS_OF) == []
        rows = np.arange(len(trades), dtype=np.int32)
        return product.prepare(trades, self.model).price(rows, self.x)


def make_trades(product: Product, columns: dict[str, Any]) -> Trades:
    """A canonical table whose single columns are valid."""
    size = len(next(iter(columns.values())))
    given: dict[str, Any] = {"trade_id": [f"T{k}" for k in range(size)], "book": ["test"] * size}
    for name, values in columns.items():
        given[name] = pa.array(np.asarray(values), pa.int32()).cast(pa.date32()) if _is_date(product, name) else values
    trades = Trades(canonical(pa.table(given), product))
    assert check_rows(trades, product) == []
    return trades


def _is_date(product: Product, name: str) -> bool:
    return any(column.name == name and column.kind == "date" for column in all_columns(product))


def random_market(random: np.random.Generator, size: int, rates: tuple[float, float] = (-0.01, 0.08)) -> FlatMarket:
    """Today, a small move of everything, and a large one."""
    spot = random.uniform(50.0, 150.0, (size, 1)) * np.exp(random.normal(0.0, 1.0, (size, 3)) * [0.0, 0.01, 0.15])
    rate = random.uniform(*rates, (size, 1)) + random.normal(0.0, 1.0, (size, 3)) * [0.0, 0.0005, 0.01]
    dividend = random.choice([0.0, 1.0], (size, 1)) * random.uniform(-0.01, 0.06, (size, 1)) + random.normal(
        0.0, 1.0, (size, 3)
    ) * [0.0, 0.0002, 0.003]
    vol = random.uniform(0.1, 0.6, (size, 1)) * np.exp(random.normal(0.0, 1.0, (size, 3)) * [0.0, 0.02, 0.2])
    return FlatMarket(spot, rate, dividend, vol)


def process(spot: float, rate: float, dividend: float, vol: float) -> Any:
    """QuantLib's Black-Scholes-Merton process with flat curves."""
    return ql.BlackScholesMertonProcess(
        ql.QuoteHandle(ql.SimpleQuote(float(spot))),
        ql.YieldTermStructureHandle(ql.FlatForward(TODAY, float(dividend), DAY_COUNT)),
        ql.YieldTermStructureHandle(ql.FlatForward(TODAY, float(rate), DAY_COUNT)),
        ql.BlackVolTermStructureHandle(ql.BlackConstantVol(TODAY, ql.NullCalendar(), float(vol), DAY_COUNT)),
    )
