"""Touches and digitals against QuantLib, 1e-10 of the payment, and against each other."""

import math

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813
from flat_market import AS_OF, TODAY, FlatMarket, make_trades, process, random_market
from hypothesis import given
from hypothesis import strategies as st
from selections import examples

from riskpipe.products.fx_touch import TOUCH_TYPES, FxTouch

TRADES = 600


@pytest.fixture(autouse=True)
def _today():
    ql.Settings.instance().evaluationDate = TODAY


def quantlib(kind, level, in_first, days, below, spot, rate, foreign, vol):
    """Value of a payment of one, in its currency."""
    touched = spot <= level if below else spot >= level
    discount = math.exp(-(foreign if in_first else rate) * days / 365.0)
    if kind.endswith("touch") and (touched or days == 0):
        return discount * float(touched == (kind == "one_touch"))
    if days == 0:
        return float(spot > level if kind == "digital_call" else spot < level)
    option_type = ql.Option.Call if kind == "digital_call" or (kind.endswith("touch") and not below) else ql.Option.Put
    payoff = (
        ql.AssetOrNothingPayoff(option_type, level) if in_first else ql.CashOrNothingPayoff(option_type, level, 1.0)
    )
    market, last = process(spot, rate, foreign, vol), TODAY + int(days)
    if kind.endswith("touch"):
        option = ql.VanillaOption(payoff, ql.AmericanExercise(TODAY, last, True))
        engine = ql.AnalyticDigitalAmericanEngine if kind == "one_touch" else ql.AnalyticDigitalAmericanKOEngine
    else:
        option, engine = ql.VanillaOption(payoff, ql.EuropeanExercise(last)), ql.AnalyticEuropeanEngine
    option.setPricingEngine(engine(market))
    return option.NPV() / (spot if in_first else 1.0)


def test_touches_and_digitals():
    random = np.random.default_rng(51)
    market = random_market(random, 60)
    which, days = random.integers(0, 59, TRADES), np.maximum(random.integers(-30, 1500, TRADES), 0)
    days[:10], days[10:20] = 1, 18_250
    kind, in_first = random.choice(list(TOUCH_TYPES), TRADES), random.random(TRADES) < 0.4
    spot = market.spot[which, 0] / 100.0
    level = spot * np.exp(random.normal(0.0, 0.15, TRADES))
    payout = random.normal(0.0, 1e6, TRADES)

    values = market.price(
        FxTouch(),
        {
            "pair": [market.pair(k) for k in which],
            "touch_type": kind.tolist(),
            "level": level,
            "payout": payout,
            "payout_currency": [market.currencies[k if f else -1] for k, f in zip(which, in_first, strict=True)],
            "expiry_date": AS_OF + days,
        },
    )

    for k in range(TRADES):
        for s in range(3):
            j = which[k]
            scenario = (
                float(market.spot[j, s]) / 100.0, float(market.rate[-1, s]), float(market.rate[j, s]),
                0.5 * float(market.vol[j, s]),
            )  # fmt: skip
            expected = quantlib(kind[k], float(level[k]), in_first[k], days[k], level[k] <= spot[k], *scenario)
            assert abs(values[k, s] / payout[k] - expected) < 1e-10, (k, s)


def market_of(spot, rate=0.03, foreign=0.01, vol=0.2):
    """CAACAB at spots of 1 for 100, in scenarios."""
    spot, rate, foreign, vol = np.broadcast_arrays(*np.atleast_1d(spot, rate, foreign, vol))
    both = np.array([foreign, rate], float)
    return FlatMarket(np.array([spot, spot], float), both, np.zeros_like(both), 2.0 * np.array([vol, vol], float))


def value(market, kind, level, days=365, currency="CAB", **more):
    columns = {
        "pair": ["CAACAB"], "touch_type": [kind], "level": [level], "payout": [1.0], "payout_currency": [currency],
        "expiry_date": [AS_OF + days], **{name: [flag] for name, flag in more.items()},
    }  # fmt: skip
    return market.price(FxTouch(), columns)[0]


@examples(80)
@given(
    st.floats(0.5, 2.0), st.floats(-0.05, 0.1), st.floats(-0.05, 0.1),
    st.one_of(st.just(0.0), st.floats(0.0005, 1.5)), st.integers(0, 18250), st.sampled_from(["CAA", "CAB"]),
)  # fmt: skip
def test_complements_and_bounds(level, rate, foreign, vol, days, currency):
    """Touched or not, above or below: a certain payment. What ends beyond a level has touched it."""
    market = market_of([100.0, 100.0 * level, 70.0, 150.0], rate, foreign, vol)
    found = {kind: value(market, kind, level, days, currency) for kind in TOUCH_TYPES}
    discount = math.exp(-(foreign if currency == "CAA" else rate) * days / 365.0)

    np.testing.assert_allclose(found["one_touch"] + found["no_touch"], discount, rtol=1e-12)
    ends = found["digital_call"] + found["digital_put"]
    assert np.all((np.abs(ends - discount) < 1e-12 * discount) | (ends == 0.0))
    beyond = found["digital_call"] if level > 1.0 else found["digital_put"]
    assert np.all(found["one_touch"] >= beyond - 1e-12 * discount)
    assert min(v.min() for v in found.values()) >= -1e-13 * discount


def test_touched_before_today():
    market = market_of([100.0, 90.0])
    certain = math.exp(-0.03)
    np.testing.assert_allclose(value(market, "one_touch", 1.2, touched=True), certain, rtol=1e-14)
    assert np.array_equal(value(market, "no_touch", 1.2, touched=True), [0.0, 0.0])
    assert np.array_equal(value(market, "digital_put", 1.2, touched=True), value(market, "digital_put", 1.2))


def test_the_side_of_the_level_is_todays():
    """A scenario in which the spot has jumped over the level has touched it."""
    found = value(market_of([100.0, 119.0, 121.0, 200.0]), "one_touch", 1.2)
    np.testing.assert_allclose(found[2:], math.exp(-0.03), rtol=1e-14)
    assert found[0] < found[1] < found[2]


def test_certain_spot():
    market = market_of(100.0, 0.05, 0.0, 0.0)
    assert value(market, "one_touch", 1.03)[0] == pytest.approx(math.exp(-0.05))
    assert value(market, "one_touch", 1.06)[0] == 0.0
    assert value(market, "digital_call", 1.03)[0] == pytest.approx(math.exp(-0.05))
    assert value(market, "digital_put", 1.03, currency="CAA")[0] == 0.0


def test_rules():
    trades = make_trades(
        FxTouch(),
        {
            "pair": ["EURUSD", "EURUSD", "EUREUR", "EURUSD"],
            "touch_type": ["no_touch"] * 4,
            "level": [1.0] * 4,
            "payout": [1.0] * 4,
            "payout_currency": ["USD", "GBP", "EUR", "EUR"],
            "expiry_date": AS_OF + np.array([0, 1, 1, -1]),
        },
    )
    found = {(f.column, f.rule): f.rows.tolist() for f in FxTouch().validate(trades, AS_OF)}
    assert found == {("payout_currency", "of_pair"): [1], ("pair", "pair"): [2], ("expiry_date", "not_past"): [3]}
