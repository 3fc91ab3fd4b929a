"""Credit default swaps under both models, as riskpipe's trades and as QuantLib's instruments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import QuantLib as ql  # noqa: N813

from benchmarks.cases import COUNTS, Case, Row, Values, npvs, schedule
from benchmarks.market import AS_OF, QuantLibMarket, ql_date
from riskpipe.market.calendars import adjust

RECOVERY = 0.4
CONSTITUENTS = 25


def _columns(random: np.random.Generator, n: int) -> dict[str, Any]:
    """Quarterly premiums over one to ten years."""
    start = AS_OF + random.integers(2, 30, n)
    maturity = start + (365.25 * random.choice([1, 3, 5, 7, 10], n)).astype(int)
    return {
        "reference_entity": ["ACME"] * n,
        "currency": ["EUR"] * n,
        "discount_curve": ["EUR.ESTR"] * n,
        "notional": random.uniform(1e6, 1e8, n),
        "protection": ["buy"] * n,
        "spread": random.choice([0.01, 0.05], n),
        "upfront": [0.0] * n,
        "recovery": [RECOVERY] * n,
        "start_date": start,
        # paid on the day: QuantLib looks at survival before the last payment, the ISDA model before the last accrual
        "maturity_date": adjust(maturity, "TARGET", "following"),
        "frequency": ["3M"] * n,
        "day_count": ["ACT/360"] * n,
        "calendar": ["TARGET"] * n,
    }


def midpoint(random: np.random.Generator, n: int) -> Case:
    columns = _columns(random, n)
    return Case(columns, _build_midpoint, columns["notional"])


def isda(random: np.random.Generator, n: int) -> Case:
    columns = _columns(random, n)
    return Case(columns, _build_isda, columns["notional"], credit_model="isda")


def index_curve(random: np.random.Generator, n: int) -> Case:
    columns = _index_columns(random, n)
    return Case(columns, _build_isda, columns["notional"], credit_model="isda")


def index_constituents(random: np.random.Generator, n: int) -> Case:
    """As many swaps on single names as there are constituents, on both sides."""
    columns = _index_columns(random, n)
    columns |= {"valued_on": ["constituents"] * n, "constituents": [["ACME"] * CONSTITUENTS] * n}
    return Case(columns, _build_constituents, columns["notional"], credit_model="isda")


def _index_columns(random: np.random.Generator, n: int) -> dict[str, Any]:
    columns = _columns(random, n)
    columns["index"] = columns.pop("reference_entity")
    return columns


def _build_constituents(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    engine = ql.IsdaCdsEngine(market.hazard, RECOVERY, market.curves["EUR.ESTR"], True)
    names = _build([row for row in rows for _ in range(CONSTITUENTS)], engine)
    return lambda: np.reshape(names(), (len(rows), CONSTITUENTS)).mean(axis=1).tolist()


def _build_midpoint(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    return _build(rows, ql.MidPointCdsEngine(market.hazard, RECOVERY, market.curves["EUR.ESTR"]))


def _build_isda(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    return _build(rows, ql.IsdaCdsEngine(market.hazard, RECOVERY, market.curves["EUR.ESTR"], True))


def _build(rows: Sequence[Row], engine: Any) -> Values:
    swaps = [_swap(row) for row in rows]
    for swap in swaps:
        swap.setPricingEngine(engine)
    return npvs(swaps, [float(row["notional"]) for row in rows])


def _swap(row: Row) -> Any:
    dates = schedule(row, "3M", rule=ql.Following, last=ql.Unadjusted)
    begins, count = ql.TARGET().adjust(ql_date(row["start_date"])), COUNTS["ACT/360"]
    paid = (ql.Following, count, True, True, begins, begins, ql.FaceValueClaim(), count, False)
    return ql.CreditDefaultSwap(ql.Protection.Buyer, 1.0, 0.0, float(row["spread"]), dates, *paid)
