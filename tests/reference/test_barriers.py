"""Barrier options against QuantLib's AnalyticBarrierEngine (1e-10 of spot), Haug's table and arbitrage."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813
from flat_market import AS_OF, TODAY, FlatMarket, process, random_market
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from selections import examples

from riskpipe.kernels.barrier import slow_hit_factor
from riskpipe.products.barriers import BARRIER_TYPES
from riskpipe.products.equity_barrier_option import EquityBarrierOption
from riskpipe.products.equity_option import EquityOption
from riskpipe.products.fx_barrier_option import FxBarrierOption
from riskpipe.products.fx_option import FxOption

TRADES = 600
TYPES = {
    "up_in": ql.Barrier.UpIn, "up_out": ql.Barrier.UpOut, "down_in": ql.Barrier.DownIn, "down_out": ql.Barrier.DownOut
}  # fmt: skip


@pytest.fixture(autouse=True)
def _today():
    ql.Settings.instance().evaluationDate = TODAY


def quantlib(kind, option_type, strike, barrier, rebate, days, spot, rate, dividend, vol):
    type_ = ql.Option.Call if option_type == "call" else ql.Option.Put
    reached = spot <= barrier if kind.startswith("down") else spot >= barrier
    payoff = ql.PlainVanillaPayoff(type_, float(strike))
    if days == 0:
        alive = reached == kind.endswith("in")
        return payoff(spot) if alive else rebate
    exercise = ql.EuropeanExercise(TODAY + int(days))
    market = process(spot, rate, dividend, vol)
    if reached:
        option = ql.VanillaOption(payoff, exercise)
        option.setPricingEngine(ql.AnalyticEuropeanEngine(market))
        return option.NPV() if kind.endswith("in") else rebate
    option = ql.BarrierOption(TYPES[kind], float(barrier), float(rebate), payoff, exercise)
    option.setPricingEngine(ql.AnalyticBarrierEngine(market))
    return option.NPV()


def book(random, spot, days):
    """Barriers on the right side of the spot for the most part, strikes on either side of them."""
    kind = random.choice(BARRIER_TYPES, TRADES)
    away = np.abs(random.normal(0.0, 0.2, TRADES)) * np.where(random.random(TRADES) < 0.08, -1.0, 1.0)
    barrier = spot * np.exp(np.where([k.startswith("down") for k in kind], -away, away))
    return {
        "option_type": random.choice(["call", "put"], TRADES).tolist(),
        "strike": spot * np.exp(random.normal(0.0, 0.2, TRADES)),
        "barrier_type": kind.tolist(),
        "barrier": barrier,
        "rebate": np.where(random.random(TRADES) < 0.5, 0.0, random.uniform(0.0, 0.1, TRADES) * spot),
        "expiry_date": AS_OF + days,
    }


def expected(market, which, columns, days, base):
    """QuantLib's values in every scenario; `base(k, s)` is the rate of the first currency, or the dividend yield."""
    values = np.empty((TRADES, 3))
    for k in range(TRADES):
        for s in range(3):
            terms = [columns[c][k] for c in ("barrier_type", "option_type", "strike", "barrier", "rebate")]
            values[k, s] = quantlib(*terms, days[k], *base(which[k], s))
    return values


def test_equity_barriers():
    random = np.random.default_rng(41)
    market = random_market(random, 60, rates=(0.035, 0.09))
    which, days = random.integers(0, 60, TRADES), np.maximum(random.integers(-30, 1500, TRADES), 0)
    days[:10], days[10:20] = 1, 18_250
    columns = book(random, market.spot[which, 0], days)
    quantity = random.normal(0.0, 100.0, TRADES)

    def base(k, s):
        return float(market.spot[k, s]), float(market.rate[k, s]), float(market.dividend[k, s]), float(market.vol[k, s])

    values = market.price(
        EquityBarrierOption(),
        {
            "underlying": [market.equities[k] for k in which],
            "currency": [market.currencies[k] for k in which],
            "quantity": quantity,
            **columns,
        },
    )

    errors = (values / quantity[:, None] - expected(market, which, columns, days, base)) / market.spot[which]
    assert np.abs(errors).max() < 1e-10


def test_fx_barriers():
    random = np.random.default_rng(42)
    market = random_market(random, 60, rates=(0.035, 0.09))
    which, days = random.integers(0, 59, TRADES), np.maximum(random.integers(-30, 1500, TRADES), 0)
    days[:10], days[10:20] = 1, 18_250
    columns = book(random, market.spot[which, 0] / 100.0, days)
    notional = random.normal(0.0, 1e6, TRADES)

    def base(k, s):
        spot, vol = float(market.spot[k, s]) / 100.0, 0.5 * float(market.vol[k, s])
        return spot, float(market.rate[-1, s]), float(market.rate[k, s]), vol

    pairs = [market.pair(k) for k in which]
    trades = {"pair": pairs, "notional": notional, "delivery_date": AS_OF + days, **columns}
    values = market.price(FxBarrierOption(), trades)

    errors = (values / notional[:, None] - expected(market, which, columns, days, base)) / market.spot[which] * 100.0
    assert np.abs(errors).max() < 1e-10


def one(spot, rate, dividend, vol):
    """A market of one equity in a currency, in scenarios."""
    spot, rate, dividend, vol = np.broadcast_arrays(*np.atleast_1d(spot, rate, dividend, vol))
    return FlatMarket(*(np.array([a, a], float) for a in (spot, rate, dividend, vol)))


def terms(kind, option_type="call", strike=100.0, barrier=90.0, rebate=0.0, days=180, **more):
    return {
        "underlying": ["E0"], "currency": ["CAA"], "quantity": [1.0], "option_type": [option_type], "strike": [strike],
        "expiry_date": [AS_OF + days], "barrier_type": [kind], "barrier": [barrier], "rebate": [rebate],
        **{name: [value] for name, value in more.items()},
    }  # fmt: skip


def value(market, *args, **kwargs):
    return market.price(EquityBarrierOption(), terms(*args, **kwargs))[0]


def test_printed_values():
    path = Path(__file__).with_name("haug_barriers.csv")
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    assert len(rows) == 60
    for row in rows:
        # Half a year is not a whole number of days: the same variance, rate and carry over 182.
        scale = 0.5 * 365.0 / 182.0
        market = one(100.0, 0.08 * scale, 0.04 * scale, float(row["vol"]) * math.sqrt(scale))
        found = value(
            market, row["barrier_type"], row["option_type"], float(row["strike"]), float(row["barrier"]), 3.0, 182
        )  # fmt: skip
        assert abs(found[0] - float(row["value"])) < 1e-4, row


@examples(80)
@given(
    st.sampled_from(["up", "down"]), st.sampled_from(["call", "put"]), st.floats(60.0, 160.0), st.floats(60.0, 160.0),
    st.floats(-0.05, 0.1), st.floats(-0.05, 0.1),
    st.one_of(st.just(0.0), st.floats(0.0005, 1.5)), st.integers(0, 18250),
)  # fmt: skip
def test_in_and_out_are_the_vanilla_option(side, option_type, strike, barrier, rate, dividend, vol, days):
    market = one([100.0, barrier, 80.0, 130.0], rate, dividend, vol)
    both = [value(market, f"{side}_{way}", option_type, strike, barrier, 0.0, days) for way in ("in", "out")]
    plain = {k: v for k, v in terms("up_in", option_type, strike, days=days).items() if k not in
             ("barrier_type", "barrier", "rebate")}  # fmt: skip
    vanilla = market.price(EquityOption(), {**plain, "exercise": ["european"]})[0]

    scale = 200.0 * np.exp(0.05 * days / 365.0)
    assert np.abs(both[0] + both[1] - vanilla).max() < 1e-11 * scale
    assert min(both[0].min(), both[1].min()) > -1e-9 * scale


def test_fx_in_and_out_with_a_later_delivery():
    market = random_market(np.random.default_rng(43), 3)
    plain = {
        "pair": [market.pair(0)], "notional": [1e6], "option_type": ["put"], "strike": [1.0],
        "expiry_date": [AS_OF + 90], "delivery_date": [AS_OF + 94],
    }  # fmt: skip
    barrier = {"barrier": [0.8], "rebate": [0.0]}
    parts = [
        market.price(FxBarrierOption(), {**plain, **barrier, "barrier_type": [k]}) for k in ("down_in", "down_out")
    ]
    np.testing.assert_allclose(parts[0] + parts[1], market.price(FxOption(), plain), rtol=1e-12, atol=1e-6)


def test_knocked_before_today():
    market = one(100.0, 0.03, 0.01, 0.2)
    vanilla = value(market, "down_in", barrier=101.0)  # reached today
    assert value(market, "down_in", knocked=True, rebate=5.0) == vanilla
    assert value(market, "down_out", knocked=True, rebate=5.0) == 0.0
    assert value(market, "down_in", knocked=False) < vanilla


@pytest.mark.parametrize("kind", BARRIER_TYPES)
def test_reached_at_the_start(kind):
    market = one([100.0, 90.0, 110.0], 0.03, 0.01, 0.2)
    barrier = 90.0 if kind.startswith("down") else 110.0
    found = value(market, kind, barrier=barrier, rebate=2.0)
    reached = 1 if kind.startswith("down") else 2
    assert (found[reached] == 2.0) == kind.endswith("out")


def test_certain_spot():
    """The forward crosses a barrier at a time that is known, or does not."""
    market = one(100.0, 0.05, 0.0, 0.0)
    grown = 100.0 * math.exp(0.05)
    assert value(market, "up_out", strike=90.0, barrier=200.0, days=365)[0] == pytest.approx(100 - 90 / math.exp(0.05))
    when = math.log(1.03) / 0.05
    assert value(market, "up_out", barrier=103.0, rebate=2.0, days=365)[0] == pytest.approx(2 * math.exp(-0.05 * when))
    discounted = (grown - 100.0) / math.exp(0.05)
    assert value(market, "up_in", barrier=103.0, rebate=2.0, days=365)[0] == pytest.approx(discounted)
    assert value(market, "up_in", barrier=120.0, rebate=2.0, days=365)[0] == pytest.approx(2 * math.exp(-0.05))
    assert value(market, "down_out", barrier=90.0, rebate=2.0, days=0)[0] == 0.0
    assert value(market, "down_in", barrier=90.0, rebate=2.0, days=0)[0] == 2.0


def test_continuous_into_certainty():
    for kind in BARRIER_TYPES:
        barrier = 90.0 if kind.startswith("down") else 103.0
        low, none = (
            value(one(100.0, 0.05, 0.0, vol), kind, strike=95.0, barrier=barrier, rebate=2.0, days=365)[0]
            for vol in (1e-5, 0.0)
        )
        assert abs(low - none) < 1e-3, kind


@pytest.mark.parametrize(("rate", "carry", "variance"), [(-0.02, 0.005, 0.01), (-0.01, 0.0, 0.01), (-0.2, 0.05, 0.09)])
@pytest.mark.parametrize("reach", [-0.15, 0.1])
def test_rebate_at_the_hit_with_rates_far_below_zero(rate, carry, variance, reach):
    """Against the integral of the discounted first-passage density."""
    drift = carry - 0.5 * variance

    def density(t):
        distance = (reach - drift * t) ** 2 / (2.0 * variance * t)
        return abs(reach) / math.sqrt(2.0 * math.pi * variance * t**3) * math.exp(-distance - rate * t)

    integral = quad(density, 0.0, 1.0, epsabs=1e-13, epsrel=1e-12, limit=200)[0]
    eta = 1.0 if reach < 0.0 else -1.0
    assert abs(slow_hit_factor(reach, carry, rate, variance, eta) - integral) < 1e-11

    vol, barrier = math.sqrt(variance), 100.0 * math.exp(reach)
    kind = "down_out" if reach < 0.0 else "up_out"
    strike = 100.0 * math.exp(1.5 * (1 if reach > 0 else -1))
    option_type = "call" if reach > 0 else "put"  # worth nothing unless the barrier is reached
    found = value(one(100.0, rate, rate - carry, vol), kind, option_type, strike, barrier, 4.0, 365)[0]
    assert abs(found - 4.0 * integral) < 1e-9


def test_bits_do_not_depend_on_other_scenarios():
    random = np.random.default_rng(44)
    spot, rate = random.uniform(80.0, 120.0, 37), random.uniform(-0.03, 0.05, 37)
    vol = np.where(random.random(37) < 0.1, 0.0, 0.2)
    for kind in BARRIER_TYPES:
        together = value(one(spot, rate, 0.01, vol), kind, rebate=1.0, barrier=95.0)
        alone = [value(one(spot[k], rate[k], 0.01, vol[k]), kind, rebate=1.0, barrier=95.0)[0] for k in range(37)]
        assert together.tobytes() == np.array(alone).tobytes()
