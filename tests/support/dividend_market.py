"""Equities with discrete dividends in flat markets, and scenarios of them, for oracles that need numbers alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import QuantLib as ql  # noqa: N813
from flat_market import AS_OF, DAY_COUNT, TODAY

from riskpipe.arrays import FloatArray
from riskpipe.market.conventions import Conventions
from riskpipe.market.factors import date_of
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.base import Prepared, Product
from riskpipe.products.trades import Trades
from riskpipe.products.validation import all_columns, canonical, check_rows

Events = tuple[tuple[int, float, float], ...]
"""Of an equity: days from today, cash and ratio of each dividend, ascending."""


@dataclass
class DividendMarket:
    """n equities E0, E1 ... in currencies of their own.

    :param levels: float64[n, S, 5]: spot, rate, dividend yield, borrow cost, vol; by scenario, the first is today's.
    :param events: discrete dividends of each. :param scale: float64[S], by which scenarios multiply these.
    """

    levels: FloatArray
    events: list[Events]
    scale: FloatArray

    def __post_init__(self) -> None:
        rows: list[tuple[str, str, str | None, FloatArray]] = []
        for k, events in enumerate(self.events):
            name, curve = f"E{k}", f"{self.currency(k)}.OIS"
            spot, rate, dividend, borrow, vol = self.levels[k].T
            rows += [("spot", name, None, spot), ("zero_rate", curve, "10Y", rate), ("black_vol", name, "10Y", vol)]
            rows += [("dividend_yield", name, "10Y", dividend), ("borrow", name, "10Y", borrow)]
            for day, cash, ratio in events:
                iso = date_of(AS_OF + day).isoformat()
                rows += [("dividend", name, iso, cash * self.scale)] if cash else []
                rows += [("dividend_ratio", name, iso, ratio * self.scale)] if ratio else []
        factor = [":".join(part for part in row[:3] if part) for row in rows]
        table = pa.table(
            {
                "factor": factor,
                "kind": [row[0] for row in rows],
                "name": [row[1] for row in rows],
                "tenor": pa.array([row[2] for row in rows], pa.string()),
                "strike_type": pa.array(["atm" if row[0] == "black_vol" else None for row in rows], pa.string()),
                "value": [float(row[3][0]) for row in rows],
            }
        )
        self.model = MarketModel(MarketSnapshot.from_table(table, AS_OF), Conventions())
        place = [self.model.snapshot.factor_index(each) for each in factor]
        self.x = np.empty((len(rows), len(self.scale)))
        self.x[place] = [row[3] for row in rows]

    @staticmethod
    def currency(k: int) -> str:
        return f"{chr(65 + k // 676)}{chr(65 + k // 26 % 26)}{chr(65 + k % 26)}"

    def trades(self, product: Product, columns: dict[str, Any]) -> Trades:
        """One trade on each equity. :param columns: the product's, less ids, underlying and currency."""
        n = len(self.events)
        dates = {
            column.name: pa.array(np.asarray(columns[column.name], np.int32)).cast(pa.date32())
            for column in all_columns(product)
            if column.kind == "date" and column.name in columns
        }
        table = pa.table(
            {
                "trade_id": [str(k) for k in range(n)],
                "book": ["b"] * n,
                "underlying": [f"E{k}" for k in range(n)],
                "currency": [self.currency(k) for k in range(n)],
                **columns,
                **dates,
            }
        )
        trades = Trades(canonical(table, product))
        assert check_rows(trades, product) == []
        assert product.validate(trades, AS_OF) == []
        return trades

    def prepare(self, product: Product, columns: dict[str, Any]) -> Prepared:
        """Of `trades`."""
        return product.prepare(self.trades(product, columns), self.model)

    def price(self, product: Product, columns: dict[str, Any]) -> FloatArray:
        return self.prepare(product, columns).price(np.arange(len(self.events), dtype=np.int32), self.x)

    def process(self, k: int, s: int) -> Any:
        """Of an equity in a scenario; the cost of borrowing is a yield to QuantLib."""
        spot, rate, dividend, borrow, vol = (float(level) for level in self.levels[k, s])
        return ql.BlackScholesMertonProcess(
            ql.QuoteHandle(ql.SimpleQuote(spot)),
            ql.YieldTermStructureHandle(ql.FlatForward(TODAY, dividend + borrow, DAY_COUNT)),
            ql.YieldTermStructureHandle(ql.FlatForward(TODAY, rate, DAY_COUNT)),
            ql.BlackVolTermStructureHandle(ql.BlackConstantVol(TODAY, ql.NullCalendar(), vol, DAY_COUNT)),
        )

    def schedule(self, k: int, s: int) -> Any:
        """Cash dividends of an equity in a scenario."""
        days, amounts = zip(*((day, cash * float(self.scale[s])) for day, cash, _ in self.events[k]), strict=True)
        return ql.DividendVector([TODAY + day for day in days], list(amounts))


def random_market(
    n: int, seed: int, *, ratios: bool = False, yields: bool = True, last: int = 1500
) -> tuple[DividendMarket, FloatArray]:
    """Equities of spot 100 that pay one to eight dividends until `last` days, and terms of an option on each.

    :return: the market, in three scenarios; float64[n, 2]: days to an expiry, and a strike.
    """
    random = np.random.default_rng(seed)
    today = np.column_stack(
        (
            np.full(n, 100.0),
            random.uniform(-0.005, 0.07, n),
            random.choice([0.0, 1.0], n) * random.uniform(0.0, 0.04, n) * yields,
            random.choice([0.0, 1.0], n) * random.uniform(0.0, 0.03, n) * yields,
            random.uniform(0.1, 0.6, n),
        )
    )
    moved = today[:, None, :] * np.exp(random.normal(0.0, [0.1, 0.2, 0.2, 0.2, 0.2], (n, 3, 5)))
    moved[:, 0] = today
    events: list[Events] = []
    for k in range(n):
        days = np.sort(random.choice(np.arange(1, last), 1 + k % 8, replace=False))
        cash = np.round(random.uniform(0.2, 4.0, len(days)), 2)
        ratio = np.round(random.uniform(0.0, 0.04, len(days)), 3) * random.choice([0.0, 1.0], len(days)) * ratios
        events.append(tuple(zip(days.tolist(), cash.tolist(), ratio.tolist(), strict=True)))
    expiry = random.integers(20, last, n).astype(np.float64)
    return DividendMarket(moved, events, np.array([1.0, 1.2, 0.7])), np.column_stack(
        (expiry, 100.0 * random.uniform(0.7, 1.3, n))
    )


def options(terms: FloatArray, exercise: str, seed: int = 0) -> dict[str, Any]:
    """Columns of options on a random market's equities."""
    n = len(terms)
    kinds = np.random.default_rng(seed).choice(["call", "put"], n)
    return {
        "quantity": np.ones(n),
        "option_type": kinds.tolist(),
        "strike": terms[:, 1],
        "expiry_date": AS_OF + terms[:, 0].astype(np.int32),
        "exercise": [exercise] * n,
    }


def quantlib(k: int, book: dict[str, Any], exercise: Any, engine: Any) -> float:
    """The value of one of `options` by an engine of QuantLib."""
    kind = ql.Option.Call if book["option_type"][k] == "call" else ql.Option.Put
    option = ql.VanillaOption(ql.PlainVanillaPayoff(kind, float(book["strike"][k])), exercise)
    option.setPricingEngine(engine)
    return float(option.NPV())
