"""The scalars against mpmath, their limits, and the product kernel against the scalars."""

import math

import numpy as np
import pytest
from mpmath import mp, mpf

from riskpipe.kernels import black as formulas
from riskpipe.kernels.black import european_options
from riskpipe.kernels.compiler import kernel

mp.dps = 50


@kernel
def black(forward, strike, variance, sign, out):
    for i in range(out.size):
        out[i] = formulas.black(forward[i], strike[i], variance[i], sign[i])


@kernel
def shifted(forward, strike, shift, variance, sign, out):
    for i in range(out.size):
        out[i] = formulas.shifted_black(forward[i], strike[i], shift[i], variance[i], sign[i])


@kernel
def bachelier(forward, strike, variance, sign, out):
    for i in range(out.size):
        out[i] = formulas.bachelier(forward[i], strike[i], variance[i], sign[i])


def evaluate(function, *columns):
    arrays = [np.ascontiguousarray(a) for a in np.broadcast_arrays(*(np.asarray(c, float) for c in columns))]
    out = np.empty(arrays[0].size)
    function(*(a.ravel() for a in arrays), out)
    return out


def phi(x):
    return mp.erfc(-x / mp.sqrt(2)) / 2


def exact_black(forward, strike, variance, sign):
    f, k, v = mpf(forward), mpf(strike), mp.sqrt(mpf(variance))
    d1 = mp.log(f / k) / v + v / 2
    return sign * (f * phi(sign * d1) - k * phi(sign * (d1 - v)))


def exact_bachelier(forward, strike, variance, sign):
    m, v = sign * (mpf(forward) - mpf(strike)), mp.sqrt(mpf(variance))
    return m * phi(m / v) + v * mp.npdf(m / v)


RANDOM = np.random.default_rng(5)
SIZE = 600
FORWARD = np.exp(RANDOM.normal(4.0, 1.0, SIZE))
STRIKE = FORWARD * np.exp(RANDOM.normal(0.0, 1.0, SIZE) * RANDOM.choice([1e-6, 0.1, 1.0, 4.0], SIZE))
VARIANCE = 10.0 ** RANDOM.uniform(-8.0, 1.5, SIZE)
SIGN = RANDOM.choice([-1.0, 1.0], SIZE)


def test_black_is_within_rounding_of_mpmath():
    values = evaluate(black, FORWARD, STRIKE, VARIANCE, SIGN)
    exact = [float(exact_black(*row)) for row in zip(FORWARD, STRIKE, VARIANCE, SIGN, strict=True)]
    assert np.max(np.abs(values - exact) / (FORWARD + STRIKE)) < 1e-15


def test_far_out_of_the_money_keeps_relative_accuracy():
    # Twelve deviations out: 1e-34 of the forward, and still seven digits, for each formula is direct.
    strike = 100.0 * np.exp([2.4, -2.4])
    values = evaluate(black, 100.0, strike, 0.04, [1.0, -1.0])
    exact = [float(exact_black(100.0, k, 0.04, s)) for k, s in zip(strike, (1.0, -1.0), strict=True)]
    assert 0.0 < exact[0] < 1e-28
    np.testing.assert_allclose(values, exact, rtol=1e-7)


def test_bachelier_is_within_rounding_of_mpmath():
    forward = RANDOM.normal(0.02, 0.02, SIZE)
    strike = forward + RANDOM.normal(0.0, 0.01, SIZE)
    variance = 10.0 ** RANDOM.uniform(-12.0, -3.0, SIZE)
    values = evaluate(bachelier, forward, strike, variance, SIGN)
    exact = [float(exact_bachelier(*row)) for row in zip(forward, strike, variance, SIGN, strict=True)]
    assert np.max(np.abs(values - exact)) < 1e-16


def test_shift_moves_both_forward_and_strike():
    values = evaluate(shifted, -0.005, 0.001, 0.03, 0.01, [1.0, -1.0])
    np.testing.assert_allclose(values, evaluate(black, 0.025, 0.031, 0.01, [1.0, -1.0]), rtol=1e-13)


@pytest.mark.parametrize("function", [black, bachelier])
def test_zero_variance_gives_the_intrinsic_value(function):
    forward = np.array([90.0, 100.0, 110.0, 100.0, math.nextafter(100.0, 200.0)])
    calls = evaluate(function, forward, 100.0, 0.0, 1.0)
    puts = evaluate(function, forward, 100.0, 0.0, -1.0)
    np.testing.assert_array_equal(calls, np.maximum(forward - 100.0, 0.0))
    np.testing.assert_array_equal(puts, np.maximum(100.0 - forward, 0.0))


def test_least_variances_are_no_worse_than_none():
    forward, strike = np.meshgrid([90.0, 100.0, 100.0 + 1e-12, 110.0], [99.0, 100.0, 101.0])
    for variance in (5e-324, 1e-310, 1e-200, 1e-40):
        values = evaluate(black, forward, strike, variance, 1.0)
        np.testing.assert_allclose(values, np.maximum(forward - strike, 0.0).ravel(), rtol=0, atol=1e-13)


def test_zero_forward_and_zero_strike_have_their_limits():
    np.testing.assert_array_equal(evaluate(black, 0.0, 100.0, 0.04, [1.0, -1.0]), [0.0, 100.0])
    np.testing.assert_array_equal(evaluate(black, 100.0, 0.0, 0.04, [1.0, -1.0]), [100.0, 0.0])


@pytest.mark.parametrize(
    ("forward", "strike", "variance"),
    [
        (-1.0, 100.0, 0.04),
        (100.0, -1.0, 0.04),
        (-5.0, -5.0, 0.04),
        (100.0, 100.0, -0.01),
        (math.nan, 1.0, 0.04),
    ],
)
def test_what_has_no_lognormal_price_is_nan(forward, strike, variance):
    assert np.all(np.isnan(evaluate(black, forward, strike, variance, [1.0, -1.0])))


def test_bachelier_takes_negative_forwards_and_passes_nan_on():
    assert evaluate(bachelier, -0.01, -0.02, 0.0, 1.0)[0] == pytest.approx(0.01, rel=1e-15)
    assert np.all(np.isnan(evaluate(bachelier, [math.nan, 1.0, 1.0], [1.0, math.nan, 1.0], [1.0, 1.0, -1.0], 1.0)))


def option_arguments(trades, scenarios):
    random = np.random.default_rng(8)
    weight = random.uniform(0.0, 1.0, (trades, 4))
    return {
        "forward": random.uniform(80.0, 120.0, (5, scenarios)),
        "forward_position": random.integers(0, 5, trades).astype(np.int32),
        "discount": random.uniform(0.9, 1.0, (4, scenarios)),
        "discount_position": random.integers(0, 4, trades).astype(np.int32),
        "index": random.integers(0, 9, (trades, 4)).astype(np.int32),
        "strike_weight": weight,
        "time_weight": random.uniform(0.0, 1.0, (trades, 2)),
        "x": random.uniform(0.1, 0.4, (9, scenarios)),
        "strike": random.uniform(70.0, 130.0, trades),
        "sign": random.choice([-1.0, 1.0], trades),
        "quantity": random.normal(0.0, 10.0, trades),
        "normal": np.arange(trades) % 3 == 0,
    }


def price(rows, arguments, columns=slice(None)):
    cut = {
        name: np.ascontiguousarray(value[:, columns]) if name in ("forward", "discount", "x") else value
        for name, value in arguments.items()
    }
    market = (
        (cut["forward"], cut["forward_position"]),
        (cut["discount"], cut["discount_position"]),
        (cut["index"], cut["strike_weight"], cut["time_weight"], cut["x"]),
    )
    out, terms = np.full((len(rows), cut["x"].shape[1]), np.nan), (cut["strike"], cut["sign"], cut["quantity"])
    european_options(np.asarray(rows, np.int32), *market, terms, cut["normal"], out)
    return out


def test_product_kernel_is_quantity_times_discount_times_formula():
    a = option_arguments(40, 13)
    vol = a["x"][a["index"]] * a["strike_weight"][:, :, None]
    variance = (
        a["time_weight"][:, :1] * (vol[:, 0] + vol[:, 1]) ** 2 + a["time_weight"][:, 1:] * (vol[:, 2] + vol[:, 3]) ** 2
    )
    forward = a["forward"][a["forward_position"]]
    terms = (forward, a["strike"][:, None], variance, a["sign"][:, None])
    lognormal, normal = (evaluate(formula, *terms).reshape(40, 13) for formula in (black, bachelier))
    undiscounted = np.where(a["normal"][:, None], normal, lognormal)
    expected = a["quantity"][:, None] * a["discount"][a["discount_position"]] * undiscounted
    np.testing.assert_allclose(price(range(40), a), expected, rtol=1e-12, atol=1e-11)


def test_rows_and_scenarios_may_be_cut_anyhow():
    a = option_arguments(40, 37)
    whole = price(range(40), a)
    rows = np.random.default_rng(1).permutation(40)[:23]
    assert price(rows, a).tobytes() == whole[rows].tobytes()
    for start, stop in [(0, 1), (1, 9), (9, 37), (36, 37)]:
        part = price(range(40), a, slice(start, stop))
        assert part.tobytes() == np.ascontiguousarray(whole[:, start:stop]).tobytes()
