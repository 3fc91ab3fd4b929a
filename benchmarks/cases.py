"""What a benchmark of a product is, and the schedules that several of them share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import QuantLib as ql  # noqa: N813
from numpy.typing import NDArray

from benchmarks.market import AS_OF, QuantLibMarket, ql_date
from riskpipe.arrays import FloatArray

Columns = dict[str, Any]
Row = dict[str, Any]
Values = Callable[[], list[float]]
Build = Callable[[QuantLibMarket, Sequence[Row]], Values]


class Case(NamedTuple):
    """Trades of one product.

    :param columns: by name, without those that all products have.
    :param build: makes QuantLib's instruments on a market; what it returns values them all in the present scenario.
    :param size: float64[n], what a difference of values is measured against.
    :param exact: stands in for `build` where values are compared, when what is timed is itself less exact.
    :param agreement: what values may differ by.
    :param asked: of so many trades QuantLib is asked the value, where it takes long.
    :param credit_model: of the configuration.
    """

    columns: Columns
    build: Build
    size: FloatArray
    exact: Build | None = None
    agreement: float = 1e-9
    asked: int | None = None
    credit_model: str = "midpoint"


PERIODS = {"3M": ql.Period(3, ql.Months), "6M": ql.Period(6, ql.Months), "1Y": ql.Period(1, ql.Years)}
COUNTS = {"ACT/360": ql.Actual360(), "30E/360": ql.Thirty360(ql.Thirty360.EurobondBasis)}
RULE = ql.ModifiedFollowing


def dates(random: np.random.Generator, n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Starts within a month and ends after one to thirty years, ten on average."""
    start = AS_OF + random.integers(2, 30, n)
    return start, start + (365.25 * random.choice([1, 2, 5, 10, 15, 30], n)).astype(int) + random.integers(0, 90, n)


def fixed(random: np.random.Generator, n: int, currency: str = "EUR") -> Columns:
    start, maturity = dates(random, n)
    return {
        "currency": [currency] * n,
        "start_date": start,
        "maturity_date": maturity,
        "calendar": ["TARGET"] * n,
        "business_day_convention": ["modified_following"] * n,
    }


def schedule(row: Row, frequency: str, start: str = "start_date", rule: Any = RULE, last: Any = None) -> Any:
    days = (ql_date(row[start]), ql_date(row["maturity_date"]))
    rules = rule, rule if last is None else last
    return ql.Schedule(*days, PERIODS[frequency], ql.TARGET(), *rules, ql.DateGeneration.Backward, False)


def euribor(market: QuantLibMarket) -> Any:
    curve, euro = market.curves["EUR.EURIBOR6M"], ql.EURCurrency()
    return ql.IborIndex("EURIBOR", PERIODS["6M"], 0, euro, ql.TARGET(), RULE, False, COUNTS["ACT/360"], curve)


def price_index(market: QuantLibMarket) -> Any:
    """With the fixings of the market, 130 in every month so far."""
    lag, region = ql.Period(3, ql.Months), ql.CustomRegion("EUR", "EU")
    index = ql.ZeroInflationIndex("HICP", region, False, ql.Monthly, lag, ql.EURCurrency(), market.inflation)
    for k in range(60):
        index.addFixing(ql.Date(1, 12 - (k + 3) % 12, 2026 - (k + 3) // 12), 130.0, True)
    return index


def npvs(instruments: list[Any], amounts: list[float]) -> Values:
    return lambda: [amount * each.NPV() for each, amount in zip(instruments, amounts, strict=True)]
