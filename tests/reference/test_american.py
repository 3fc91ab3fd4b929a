"""American options against QuantLib's QdFp engine: regimes, seasoned corners, printed values."""

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813
from american_prices import HIGH, price, quantlib
from flat_market import AS_OF, TODAY, make_trades, process, random_market
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr
from selections import examples

from riskpipe.kernels.collocation import collocation
from riskpipe.kernels.lattice import lattice_put
from riskpipe.kernels.two_boundaries import two_boundary_put
from riskpipe.products.equity_option import EquityOption

ACCURATE = ql.QdFpAmericanEngine.accurateScheme()
TRADES = 500


@pytest.fixture(autouse=True)
def _today():
    ql.Settings.instance().evaluationDate = TODAY


def test_trades_at_the_precision_of_production():
    random = np.random.default_rng(31)
    market = random_market(random, 60, rates=(0.0, 0.08))
    which, sign = random.integers(0, 60, TRADES), random.choice([-1.0, 1.0], TRADES)
    days = np.maximum(random.integers(-20, 1100, TRADES), 0)
    strike = np.round(market.spot[which, 0] * np.exp(random.normal(0.0, 0.2, TRADES)), 2)
    quantity = random.normal(0.0, 100.0, TRADES)
    columns = {
        "underlying": [market.equities[k] for k in which],
        "currency": [market.currencies[k] for k in which],
        "quantity": quantity,
        "option_type": ["call" if s > 0 else "put" for s in sign],
        "strike": strike,
        "expiry_date": AS_OF + days,
        "exercise": ["american"] * TRADES,
    }

    values = market.price(EquityOption(), columns)

    errors = []
    for k in range(TRADES):
        for s in (k % 3,):
            spot, rate, dividend, vol = (
                float(a[which[k], s]) for a in (market.spot, market.rate, market.dividend, market.vol)
            )
            low, high = (rate, dividend) if sign[k] < 0 else (dividend, rate)
            if low < 0.0 and high < low:
                continue  # two boundaries, which QuantLib's engine refuses
            if days[k] == 0:
                expected = max(sign[k] * (spot - strike[k]), 0.0)
            else:
                expected = quantlib(spot, strike[k], rate, dividend, vol, days[k], sign[k], ACCURATE)
            errors.append((values[k, s] / quantity[k] - expected) / strike[k])
    errors = np.abs(errors)
    assert len(errors) > 450
    assert errors.max() < 1e-5
    assert np.quantile(errors, 0.99) < 1.5e-6
    assert np.median(errors) < 5e-8


def test_precision_where_the_drift_is_moderate():
    """1e-8 of the strike with more nodes, 1e-6 as trades are priced."""
    random = np.random.default_rng(32)
    fine = collocation(16, 24, 40, 12)
    for _ in range(60):
        spot, vol, days = random.uniform(80.0, 120.0), random.uniform(0.15, 0.5), int(random.integers(20, 500))
        rate, dividend = random.uniform(0.01, 0.06), random.uniform(0.0, 0.06)
        sign = random.choice([-1.0, 1.0])
        expected = quantlib(spot, 100.0, rate, dividend, vol, days, sign, HIGH)
        terms = (spot, 100.0, rate, dividend, vol, days, sign)
        assert abs(price(*terms, fine)[0] - expected) < 100.0 * 1e-8, terms
        assert abs(price(*terms)[0] - expected) < 100.0 * 1e-6, terms


CORNERS = {
    "no dividends": (95.0, 0.05, 0.0, 0.25, 365),
    "rate equals dividend": (100.0, 0.04, 0.04, 0.3, 700),
    "dividend just above rate": (100.0, 0.04, 0.0401, 0.3, 700),
    "strong drift": (104.0, 0.27, 0.005, 0.22, 1319),
    "low volatility": (99.0, 0.098, 0.0018, 0.08, 1255),
    "high dividend": (90.0, 0.01, 0.15, 0.3, 1000),
    "negative dividend": (95.0, 0.08, -0.005, 0.14, 1044),
    "zero rate, negative dividend": (100.0, 0.0, -0.02, 0.25, 365),
    "one day": (100.2, 0.05, 0.02, 0.4, 1),
    "fifty years": (100.0, 0.03, 0.02, 0.2, 18250),
    "deep in the money": (40.0, 0.05, 0.0, 0.3, 365),
    "deep out of the money": (300.0, 0.05, 0.0, 0.3, 365),
}


@pytest.mark.parametrize("corner", CORNERS)
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_corners(corner, sign):
    spot, rate, dividend, vol, days = CORNERS[corner]
    if sign > 0:  # the same regime for a call
        spot, rate, dividend = 1e4 / spot, dividend, rate
    expected = quantlib(spot, 100.0, rate, dividend, vol, days, sign, HIGH)

    assert abs(price(spot, 100.0, rate, dividend, vol, days, sign)[0] - expected) < 1e-3


@examples(60)
@given(
    st.floats(50.0, 200.0), st.floats(-0.03, 0.15), st.floats(-0.03, 0.15), st.floats(0.0, 1.0), st.integers(0, 18250)
)  # fmt: skip
def test_bounds_and_symmetry(spot, rate, dividend, vol, days):
    """At least the European price and what exercise pays, at most the strike; calls are puts the other way round."""
    put = price(spot, 100.0, rate, dividend, vol, days, -1.0)[0]
    call = price(100.0, spot, dividend, rate, vol, days, 1.0)[0]
    years = days / 365.0
    forward, discount = spot * np.exp((rate - dividend) * years), np.exp(-rate * years)
    european = discount * ql.blackFormula(ql.Option.Put, 100.0, float(forward), float(vol * np.sqrt(years)))

    assert put >= max(100.0 - spot, 0.0)
    assert put >= european - 5e-5 * 100.0
    assert put <= 100.0 * max(1.0, discount) + 1e-9
    assert abs(put - call) < 1e-6 * 100.0


def test_without_a_reason_to_exercise_the_price_is_european():
    """Rates below zero and dividends above them."""
    values = price([80.0, 100.0, 120.0], 100.0, -0.01, 0.005, 0.25, 365, -1.0)
    for spot, value in zip([80.0, 100.0, 120.0], values, strict=True):
        european = ql.blackFormula(ql.Option.Put, 100.0, spot * np.exp(-0.015), 0.25, np.exp(0.01))
        assert abs(value - european) < 1e-11


def test_two_boundaries():
    """Dividends below rates below zero: a finite-difference solution."""
    for spot in (60.0, 85.0, 100.0, 115.0):
        exercise = ql.AmericanExercise(TODAY, TODAY + 1825)
        option = ql.VanillaOption(ql.PlainVanillaPayoff(ql.Option.Put, 100.0), exercise)
        engine = ql.FdBlackScholesVanillaEngine(process(spot, -0.01, -0.04, 0.2), 800, 800)
        option.setPricingEngine(engine)
        value = price(spot, 100.0, -0.01, -0.04, 0.2, 1825, -1.0)[0]
        assert abs(value - option.NPV()) < 2e-5 * 100.0 * 2.0
        assert value > quantlib_european(spot, -0.01, -0.04, 0.2, 1825) + 0.01


def quantlib_european(spot, rate, dividend, vol, days):
    years = days / 365.0
    forward = spot * np.exp((rate - dividend) * years)
    return ql.blackFormula(ql.Option.Put, 100.0, float(forward), vol * np.sqrt(years), float(np.exp(-rate * years)))


def lattice(spots, rate, dividend, vol, years, steps):
    """American and European put with strike one by CRR's lattice, the last step by Black's formula."""
    step = years / steps
    up = np.exp(vol * np.sqrt(step))
    chance = (np.exp((rate - dividend) * step) - 1.0 / up) / (up - 1.0 / up)
    near, far = np.exp(-rate * step) * chance, np.exp(-rate * step) * (1.0 - chance)
    level = spots * up ** (2.0 * np.arange(steps) - (steps - 1))
    d1 = (np.log(level) + (rate - dividend) * step) / (vol * np.sqrt(step)) + 0.5 * vol * np.sqrt(step)
    european = np.exp(-rate * step) * ndtr(vol * np.sqrt(step) - d1) - level * np.exp(-dividend * step) * ndtr(-d1)
    american = np.maximum(european, 1.0 - level)
    for layer in range(steps - 1, 0, -1):
        level = spots * up ** (2.0 * np.arange(layer) - (layer - 1))
        european = near * european[1:] + far * european[:-1]
        american = np.maximum(near * american[1:] + far * american[:-1], 1.0 - level)
    return american[0], european[0]


def by_lattices(spot, rate, dividend, vol, days, put):
    """Strike one: the lattice's premium of early exercise over Black's formula, extrapolated in the steps."""
    if not put:  # McDonald and Schroder (1998)
        return spot * by_lattices(1.0 / spot, dividend, rate, vol, days, True)
    years, premium = days / 365.0, {}
    for steps in (400, 800):
        found = [lattice(spot, rate, dividend, vol, years, n) for n in (steps, steps + 1)]
        premium[steps] = sum(american - european for american, european in found) / 2.0
    forward, width = spot * np.exp((rate - dividend) * years), vol * np.sqrt(years)
    european = ql.blackFormula(ql.Option.Put, 1.0, float(forward), float(width), float(np.exp(-rate * years)))
    return european + 2.0 * premium[800] - premium[400]


def test_rates_below_zero_and_dividends_about_zero():
    """One, two or no boundaries, from a day to ten years: 1e-5 of the strike, which is what the lattices are worth."""
    random = np.random.default_rng(37)
    for k in range(40):
        rate, days = -random.uniform(0.0005, 0.05), int(random.choice([1, 30, 180, 365, 1095, 3650]))
        dividend = (0.0, random.uniform(-0.003, 0.003), rate + random.uniform(-0.02, 0.02), 1e-5, -1e-5)[k % 5]
        vol = random.uniform(0.15, 0.6)
        spot = float(np.exp(0.8 * random.normal() * vol * np.sqrt(days / 365.0)))
        put = bool(random.random() < 0.5)
        value = price(spot, 1.0, rate, dividend, vol, days, -1.0 if put else 1.0)[0]
        expected = by_lattices(spot, rate, dividend, vol, days, put)
        assert abs(value - expected) < 1e-5, (spot, rate, dividend, vol, days, put)


def test_boundaries_that_go_far():
    """Puts on dividends below zero (calls at such rates): 2e-6 of the strike of the finest; by eight nodes 1.4e-5."""
    random, finest = np.random.default_rng(38), collocation(24, 32, 48, 16)
    for _ in range(150):
        days, vol = int(random.choice([30, 365, 1825, 3650])), random.uniform(0.05, 0.75)
        dividend = -(10.0 ** random.uniform(-3.5, -1.3))
        rate = -dividend * 10.0 ** random.uniform(-4.0, 1.0) * (random.random() < 0.9)
        spot = float(np.exp(0.8 * random.normal() * vol * np.sqrt(days / 365.0)))
        value = price(spot, 1.0, rate, dividend, vol, days, -1.0)[0]
        assert abs(value - price(spot, 1.0, rate, dividend, vol, days, -1.0, finest)[0]) < 2e-6


def test_a_boundary_that_goes_far_against_lattices():
    """Dividends below zero at no rate, a deviation of 2.3: eight nodes were 2.1e-5 off."""
    expected = by_lattices(0.159, 0.0, -0.042, 0.715, 3650, True)
    assert abs(price(0.159, 1.0, 0.0, -0.042, 0.715, 3650, -1.0)[0] - expected) < 3e-6


@pytest.mark.parametrize(
    ("spot", "rate", "dividend", "vol", "days", "sign"),
    [
        (1.1432619, -0.02720355, -0.00117405, 0.091001, 3650, 1.0),  # by a lattice of 400 steps 1.1e-4 off
        (0.8238762, -0.00693667, -0.0299977, 0.09873349, 3650, -1.0),  # 8e-5
        (0.97, -0.0214235, -0.0463183, 0.360295, 730, -1.0),
        (0.8003543, -0.00022899, -0.00684105, 0.2327717, 1825, -1.0),
    ],
)
def test_two_boundaries_against_finite_differences(spot, rate, dividend, vol, days, sign):
    """QuantLib's grids of 500, 1,000 and 2,000 points and steps, whose error falls as their inverse; 5e-6."""
    option = ql.VanillaOption(
        ql.PlainVanillaPayoff(ql.Option.Call if sign > 0 else ql.Option.Put, 1.0),
        ql.AmericanExercise(TODAY, TODAY + days),
    )
    grids = []
    for size in (500, 1000, 2000):
        option.setPricingEngine(ql.FdBlackScholesVanillaEngine(process(spot, rate, dividend, vol), size, size))
        grids.append(option.NPV())
    coarse, fine = 2.0 * grids[1] - grids[0], 2.0 * grids[2] - grids[1]
    assert abs(price(spot, 1.0, rate, dividend, vol, days, sign)[0] - fine) < max(5e-6, abs(fine - coarse))
    assert abs(fine - coarse) < 1e-5


def test_a_drift_of_forty_deviations():
    """Boundaries are not found: by a lattice, and as of a spot that is certain."""
    value = two_boundary_put(0.90983757, -0.0303897930, -1.91697706, 0.0773283)
    assert np.isnan(value)
    assert price(0.90983757, 1.0, -0.0015194896, -0.095848853, 0.0172911, 7300, -1.0)[0] == pytest.approx(0.09016243)


def test_lattice_where_there_is_one_boundary():
    expected = quantlib(100.0, 100.0, 0.05, 0.02, 0.25, 730, -1.0, HIGH)
    assert abs(100.0 * lattice_put(1.0, 0.1, 0.04, 0.125) - expected) < 2e-5 * 100.0


def test_certain_spot():
    """No volatility: exercised at once, at expiry, or when the dividends lost weigh as much as the interest won."""
    assert price(90.0, 100.0, 0.05, 0.0, 0.0, 365, -1.0)[0] == 10.0
    late = price(90.0, 100.0, 0.02, 0.2, 0.0, 365, -1.0)[0]
    assert abs(late - (100.0 * np.exp(-0.02) - 90.0 * np.exp(-0.2))) < 1e-12
    times = np.linspace(0.0, 5.0, 200_001)
    between = (100.0 * np.exp(-0.02 * times) - 110.0 * np.exp(-0.1 * times)).max()
    assert abs(price(110.0, 100.0, 0.02, 0.1, 0.0, 1825, -1.0)[0] - between) < 1e-9


def test_continuous_into_certainty():
    still = price(95.0, 100.0, 0.05, 0.01, 0.0, 365, -1.0)[0]
    assert abs(price(95.0, 100.0, 0.05, 0.01, 2e-4, 365, -1.0)[0] - still) < 1e-3


def test_printed_values():
    """Andersen, Lake and Offengenden (2016), table 2: K = S = 100, r = q = 5%, vol 25%, a year; premium 0.106952..."""
    american = price(100.0, 100.0, 0.05, 0.05, 0.25, 365, -1.0, collocation(16, 24, 40, 12))[0]
    european = ql.blackFormula(ql.Option.Put, 100.0, 100.0, 0.25, np.exp(-0.05))
    assert abs(american - european - 0.106952702747) < 1e-8


def test_nan_makes_nan_of_its_scenario_alone():
    spot, rate, vol = np.array([90.0, 95.0, 100.0, 105.0]), np.full(4, 0.04), np.full(4, 0.2)
    sound = price(spot, 100.0, rate, 0.01, vol, 300, -1.0)
    for broken in (
        price(spot, 100.0, rate, 0.01, vol, 300, -1.0, unseen=[1]),
        price(spot, 100.0, [0.04, np.nan, 0.04, 0.04], 0.01, vol, 300, -1.0),
        price(spot, 100.0, rate, 0.01, [0.2, np.nan, 0.2, 0.2], 300, -1.0),
    ):
        assert np.isnan(broken).tolist() == [False, True, False, False]
        assert broken[[0, 2, 3]].tobytes() == sound[[0, 2, 3]].tobytes()


def test_european_and_american_side_by_side():
    random = np.random.default_rng(34)
    market = random_market(random, 5)
    size = 40
    which = random.integers(0, 5, size)
    columns = {
        "underlying": [market.equities[k] for k in which],
        "currency": [market.currencies[k] for k in which],
        "quantity": np.ones(size),
        "option_type": random.choice(["call", "put"], size).tolist(),
        "strike": random.uniform(80.0, 120.0, size),
        "expiry_date": AS_OF + random.integers(1, 900, size),
        "exercise": random.choice(["european", "american"], size).tolist(),
    }
    product = EquityOption()
    trades = make_trades(product, columns)
    prepared = product.prepare(trades, market.model)
    whole = prepared.price(np.arange(size, dtype=np.int32), market.x)
    order = random.permutation(size).astype(np.int32)

    assert prepared.price(order, market.x).tobytes() == whole[order].tobytes()
    for row in order[:10]:
        assert prepared.price(np.array([row], np.int32), market.x).tobytes() == whole[row].tobytes()
    weight = product.weight(trades, AS_OF)
    assert set(weight[trades.is_one("exercise", "european")]) == {1.0}
    assert weight[trades.is_one("exercise", "american")].min() > 50.0
