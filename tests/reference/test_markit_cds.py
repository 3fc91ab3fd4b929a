"""Standard credit default swaps against Markit's calculator (markit_cds.csv): spreads turned into upfront amounts.

Once by a flat hazard rate that is looked for here, and once by the curve that is made of the spread as a quote.
"""

from __future__ import annotations

import csv
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813
from par_quotes import cds_spreads, point, table_of
from scipy.optimize import brentq

from riskpipe.market.conventions import Conventions
from riskpipe.market.derived import derive
from riskpipe.market.factors import date_of
from riskpipe.market.model import MarketModel
from riskpipe.market.producers import PRODUCERS
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.credit_default_swap import CreditDefaultSwap

TRADED, ACCRUES_FROM, SETTLED = date(2009, 5, 21), date(2009, 3, 20), date(2009, 5, 26)
NOTIONAL, COUPON = 1e7, 0.01
ACCRUED = NOTIONAL * ((TRADED - ACCRUES_FROM).days + 1) / 360.0
DEPOSITS = {1: 0.003081, 2: 0.005525, 3: 0.007163, 6: 0.012413, 9: 0.014, 12: 0.015488}
SWAPS = {
    2: 0.011907, 3: 0.01699, 4: 0.021198, 5: 0.02444, 6: 0.026937, 7: 0.028967, 8: 0.030504, 9: 0.031719,
    10: 0.03279, 12: 0.034535, 15: 0.036217, 20: 0.036981, 25: 0.037246, 30: 0.037605,
}  # fmt: skip
PRODUCT = CreditDefaultSwap()

with Path(__file__).with_name("markit_cds.csv").open(encoding="utf-8") as lines:
    ROWS = list(csv.DictReader(line for line in lines if not line.startswith("#")))


@cache
def curve() -> tuple[list[tuple[int, float]], float]:
    """The curve that Markit published for the day: nodes (day, discount factor), and the factor of the settlement."""
    ql.Settings.instance().evaluationDate = ql.Date(TRADED.day, TRADED.month, TRADED.year)
    weekends, following = ql.WeekendsOnly(), ql.ModifiedFollowing
    index = ql.IborIndex(
        "LIBOR", ql.Period(3, ql.Months), 2, ql.USDCurrency(), weekends, following, False, ql.Actual360()
    )
    helpers = [
        ql.DepositRateHelper(rate, ql.Period(months, ql.Months), 2, weekends, following, False, ql.Actual360())
        for months, rate in DEPOSITS.items()
    ]
    count = ql.Thirty360(ql.Thirty360.BondBasis)
    helpers += [
        ql.SwapRateHelper(rate, ql.Period(years, ql.Years), weekends, ql.Semiannual, following, count, index)
        for years, rate in SWAPS.items()
    ]
    made = ql.PiecewiseLogLinearDiscount(0, weekends, helpers, ql.Actual365Fixed())
    nodes = [(int(day.serialNumber()) - 25569, float(factor)) for day, factor in made.nodes()][1:]
    return nodes, float(made.discount(ql.Date(SETTLED.day, SETTLED.month, SETTLED.year)))


def model(rates: Any) -> MarketModel:
    as_of = rates.day_number(TRADED)
    nodes, _ = curve()
    zero = [float(-np.log(factor) / ((day - as_of) / 365.0)) for day, factor in nodes]
    curves = {
        ("zero_rate", "USD"): ([day for day, _ in nodes], zero),
        ("hazard_rate", "NAME"): ([as_of + 40 * 365], [0.01]),
    }
    market: MarketModel = rates.Market(as_of, curves).model(Conventions(credit_model="isda"))
    return market


def terms(rates: Any, row: dict[str, str], spreads: list[float]) -> dict[str, list[Any]]:
    maturity = date.fromisoformat(row["maturity"])
    constants = {
        "reference_entity": "NAME", "currency": "USD", "discount_curve": "USD", "notional": NOTIONAL,
        "protection": "buy", "upfront": 0.0, "recovery": float(row["recovery"]),
        "start_date": rates.day_number(ACCRUES_FROM), "maturity_date": rates.day_number(maturity), "frequency": "3M",
        "day_count": "ACT/360", "calendar": "weekends", "accrual_includes_maturity": True,
    }  # fmt: skip
    return {"spread": spreads, **{name: [value] * len(spreads) for name, value in constants.items()}}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['maturity']} {row['spread']} {row['recovery']}")
def test_upfront(rates: Any, row: dict[str, str]) -> None:
    market, spread = model(rates), float(row["spread"])
    prepared = PRODUCT.prepare(rates.trades(PRODUCT, terms(rates, row, [spread, COUPON])), market)
    factor = market.snapshot.group("hazard_rate", "NAME")
    _, settlement = curve()
    accrued = ACCRUED * settlement
    x = market.snapshot.x0[:, None].copy()

    def clean(trade: int, hazard: float) -> float:
        x[factor.start, 0] = hazard
        value = prepared.price(np.array([trade], np.int32), x)[0, 0]
        return float(value + accrued * (spread, COUPON)[trade])

    hazard = brentq(lambda level: clean(0, level), 1e-6, 1.0, xtol=1e-15)
    # printed with ten digits
    assert clean(1, hazard) / settlement == pytest.approx(float(row["upfront"]), abs=4e-4)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['maturity']} {row['spread']} {row['recovery']}")
def test_upfront_on_the_curve_of_the_quoted_spread(rates: Any, row: dict[str, str]) -> None:
    as_of, maturity = rates.day_number(TRADED), date.fromisoformat(row["maturity"])
    zeros = [
        point("zero_rate", "USD", float(-np.log(factor) / ((day - as_of) / 365.0)), date_of(day).isoformat(), "USD")
        for day, factor in curve()[0]
    ]
    tenor = f"{maturity.year - TRADED.year}Y"
    spreads = cds_spreads("NAME", {tenor: float(row["spread"])})
    recovery = [point("recovery", "NAME", float(row["recovery"]))]
    conventions = Conventions(discount_curves={"USD": "USD"}, credit_model="isda")
    found = derive(table_of([*zeros, *spreads, *recovery]), PRODUCERS, as_of, conventions)
    assert found.faults == ()
    market = MarketModel(MarketSnapshot.from_table(found.table, as_of), conventions)
    prepared = PRODUCT.prepare(rates.trades(PRODUCT, terms(rates, row, [COUPON])), market)
    value = prepared.price(np.zeros(1, np.int32), market.snapshot.x0[:, None])[0, 0]
    settlement = curve()[1]
    assert value / settlement + ACCRUED * COUPON == pytest.approx(float(row["upfront"]), abs=4e-4)
