"""Options on interest rates, as riskpipe's trades and as QuantLib's instruments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import QuantLib as ql  # noqa: N813

from benchmarks.cases import COUNTS, RULE, Case, Row, Values, euribor, fixed, npvs, schedule
from benchmarks.market import QuantLibMarket, ql_date
from benchmarks.swap_cases import interest_rate_swaps, vanilla_swap

SHIFT = 0.03


def caps_and_floors(random: np.random.Generator, n: int) -> Case:
    terms = fixed(random, n)
    del terms["business_day_convention"]
    columns = terms | {
        "index": ["EUR.EURIBOR6M"] * n,
        "discount_curve": ["EUR.ESTR"] * n,
        "notional": random.uniform(1e6, 1e8, n),
        "option_type": random.choice(["cap", "floor"], n).tolist(),
        "strike": random.normal(0.025, 0.01, n),
        "frequency": ["6M"] * n,
        "day_count": ["ACT/360"] * n,
        "volatility": ["CAPS"] * n,
        "model": ["bachelier"] * n,
        "shift": [0.0] * n,
    }
    return Case(columns, _build_caps, columns["notional"])


def _build_caps(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    index, quote = euribor(market), ql.QuoteHandle(market.quotes["CAPS"])
    engine = ql.BachelierCapFloorEngine(market.curves["EUR.ESTR"], quote)
    found = []
    for row in rows:
        leg = ql.IborLeg([1.0], schedule(row, "6M"), index, COUNTS["ACT/360"], RULE)
        found.append((ql.Cap if row["option_type"] == "cap" else ql.Floor)(leg, [float(row["strike"])]))
        found[-1].setPricingEngine(engine)
    return npvs(found, [float(row["notional"]) for row in rows])


def swaptions(random: np.random.Generator, n: int) -> Case:
    swaps = interest_rate_swaps(random, n)
    columns = swaps.columns
    later = random.integers(30, 3000, n)
    columns |= {
        "start_date": columns["start_date"] + later + 5,
        "maturity_date": columns["maturity_date"] + later + 5,
        "expiry_date": columns["start_date"] + later,
        "direction": random.choice(["pay", "receive"], n).tolist(),
        "settlement": ["physical"] * n,
        "volatility": ["CUBE"] * n,
        "model": ["black"] * n,
        "shift": [SHIFT] * n,
    }
    return Case(columns, _build_swaptions, swaps.size)


def _build_swaptions(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    index, quote = euribor(market), ql.QuoteHandle(market.quotes["CUBE"])
    engine = ql.BlackSwaptionEngine(market.curves["EUR.ESTR"], quote, ql.Actual365Fixed(), SHIFT)
    found = []
    for row in rows:
        exercise = ql.EuropeanExercise(ql_date(row["expiry_date"]))
        found.append(ql.Swaption(vanilla_swap(row, index), exercise))
        found[-1].setPricingEngine(engine)
    return npvs(found, [float(row["notional"]) for row in rows])
