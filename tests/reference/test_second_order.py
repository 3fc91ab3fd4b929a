"""volga and vanna of European options against QuantLib: differences of its values and deltas, and Black's formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813
from flat_market import AS_OF, TODAY, FlatMarket, make_trades, process
from scipy.stats import norm

from riskpipe.arrays import FloatArray
from riskpipe.measures.families import Bumps, Family, VannaFamily, VolgaFamily
from riskpipe.products.equity_option import EquityOption

SPOT, RATE, DIVIDEND, VOL, TRADES = 100.0, 0.03, 0.01, 0.25, 60
PRODUCT = EquityOption()


def columns() -> dict[str, Any]:
    random = np.random.default_rng(5)
    return {
        "underlying": ["E0"] * TRADES,
        "currency": ["CAA"] * TRADES,
        "quantity": np.ones(TRADES),
        "option_type": random.choice(["call", "put"], TRADES).tolist(),
        "strike": random.uniform(70.0, 140.0, TRADES),
        "expiry_date": AS_OF + random.integers(60, 1500, TRADES),
        "exercise": ["european"] * TRADES,
    }


def bumps(spot: float, volatility: float) -> Bumps:
    return Bumps(
        spot=spot, volatility=volatility, normal_volatility=volatility, rate=1e-4, hazard=1e-4, bucketed_spot=0.01
    )


def ours(family: Family, sizes: Bumps) -> FloatArray:
    """One subject's numbers, from the family's own columns."""
    market = FlatMarket(*(np.array([[level], [level]]) for level in (SPOT, RATE, DIVIDEND, VOL)))
    (subject,) = (
        s for s in family.subjects(market.snapshot, sizes, market.model.conventions) if s.label.endswith(":E0")
    )
    x0 = market.snapshot.x0
    x = np.repeat(x0[:, None], family.width + 1, axis=1)
    for k, levels in enumerate(subject.levels):
        x[subject.factors, k + 1] = levels
    trades = make_trades(PRODUCT, columns())
    values = PRODUCT.prepare(trades, market.model).price(np.arange(TRADES, dtype=np.int32), x)
    (measure,) = family.measures
    return family.reduce(values[:, 0], values[:, 1:], sizes.spot * SPOT)[measure]


def theirs(vol: float, what: str) -> FloatArray:
    ql.Settings.instance().evaluationDate = TODAY
    engine = ql.AnalyticEuropeanEngine(process(SPOT, RATE, DIVIDEND, vol))
    found = []
    for option_type, strike, expiry in zip(
        *(columns()[n] for n in ("option_type", "strike", "expiry_date")), strict=True
    ):
        kind = ql.Option.Call if option_type == "call" else ql.Option.Put
        option = ql.VanillaOption(
            ql.PlainVanillaPayoff(kind, float(strike)), ql.EuropeanExercise(TODAY + int(expiry - AS_OF))
        )
        option.setPricingEngine(engine)
        found.append(getattr(option, what)())
    return np.array(found)


def test_volga_is_the_second_difference_of_quantlibs_values() -> None:
    found = ours(VolgaFamily(), bumps(0.01, 0.01))
    once, twice = theirs(VOL + 0.01, "NPV"), theirs(VOL + 0.02, "NPV")
    np.testing.assert_allclose(found, twice - 2.0 * once + theirs(VOL, "NPV"), rtol=0.0, atol=1e-11)


def test_vanna_is_the_difference_of_quantlibs_deltas() -> None:
    """A delta by central differences of a hundredth of a percent is off by its square."""
    found = ours(VannaFamily(), bumps(1e-4, 0.01))
    np.testing.assert_allclose(found, theirs(VOL + 0.01, "delta") - theirs(VOL, "delta"), rtol=0.0, atol=1e-7)


@pytest.mark.parametrize("measure", ["volga", "vanna"])
def test_blacks_formulas(measure: str) -> None:
    """Haug, The Complete Guide to Option Pricing Formulas (2007), 2.2 and 2.3: DvegaDvol and DdeltaDvol."""
    trades = columns()
    years, strike = (trades["expiry_date"] - AS_OF) / 365.0, trades["strike"]
    deviation = VOL * np.sqrt(years)
    d1 = (np.log(SPOT / strike) + (RATE - DIVIDEND) * years) / deviation + 0.5 * deviation
    d2 = d1 - deviation
    density = np.exp(-DIVIDEND * years) * norm.pdf(d1)
    size = 1e-3
    if measure == "volga":
        expected = SPOT * density * np.sqrt(years) * d1 * d2 / VOL * size**2
        found = ours(VolgaFamily(), bumps(0.01, size))
    else:
        expected = -density * d2 / VOL * size
        found = ours(VannaFamily(), bumps(1e-4, size))
    # Forward differences: off to first order in the bump.
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=0.02 * np.abs(expected).max())
