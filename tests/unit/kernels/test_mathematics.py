"""Accuracy against mpmath, the ends of every range, and that loops are vectorised."""

import math
import re

import numba
import numpy as np
import pytest
from llvmlite.binding import get_host_cpu_features
from mpmath import mp, mpf

from riskpipe.kernels import mathematics
from riskpipe.kernels.black import european_options
from riskpipe.kernels.compiler import kernel

mp.dps = 50


@kernel
def exp(x, out):
    for i in range(x.size):
        out[i] = mathematics.exp(x[i])


@kernel
def log(x, out):
    for i in range(x.size):
        out[i] = mathematics.log(x[i])


@kernel
def cdf(x, out):
    for i in range(x.size):
        out[i] = mathematics.cdf(x[i])


@kernel
def pdf(x, out):
    for i in range(x.size):
        out[i] = mathematics.pdf(x[i])


@kernel
def inverse_cdf(x, out):
    for i in range(x.size):
        out[i] = mathematics.inverse_cdf(x[i])


@kernel
def fused(x, out):
    for i in range(x.size):
        out[i] = mathematics.fma(x[i], x[i], -1.0) + 4.0 * mathematics.floor(x[i])


def evaluate(function, x):
    x = np.asarray(x, float)
    out = np.empty_like(x)
    function(x, out)
    return out


def normal_cdf(x):
    return mp.erfc(-x / mp.sqrt(2)) / 2


def largest_relative_error(function, exact, points):
    values = evaluate(function, points)
    return max(abs(float(mpf(value) / exact(mpf(point)) - 1)) for value, point in zip(values, points, strict=True))


RANDOM = np.random.default_rng(20261120)


@pytest.mark.parametrize(
    ("function", "exact", "points"),
    [
        (exp, mp.exp, RANDOM.uniform(-708.3, 709.7, 3000)),
        (exp, mp.exp, RANDOM.uniform(-1.0, 1.0, 2000)),
        (log, mp.log, np.exp(RANDOM.uniform(-740.0, 709.0, 3000))),
        (log, mp.log, RANDOM.uniform(0.5, 2.0, 2000)),
        (log, mp.log, 1.0 + RANDOM.normal(0.0, 1e-7, 500)),
        (cdf, normal_cdf, RANDOM.uniform(-37.0, 9.0, 3000)),
        (cdf, normal_cdf, RANDOM.normal(0.0, 1.0, 2000)),
        (pdf, mp.npdf, RANDOM.uniform(-37.5, 37.5, 2000)),
    ],
)
def test_within_1e_14_of_mpmath(function, exact, points):
    assert largest_relative_error(function, exact, points) < 1e-14


@pytest.mark.parametrize(
    "points",
    [
        10.0 ** RANDOM.uniform(-307.0, -1.0, 800),
        RANDOM.uniform(0.0, 1.0, 800),
        1.0 - 10.0 ** RANDOM.uniform(-16.0, -1.0, 200),
        np.array([0.075, 0.925, math.exp(-25.0), math.nextafter(math.exp(-25.0), 0.0), 0.5 + 2.0**-52]),
    ],
)
def test_quantile_within_1e_14_of_mpmath(points):
    for p, x in zip(points, evaluate(inverse_cdf, points), strict=True):
        # One Newton step in 50 digits from the value: the step is the error.
        error = (normal_cdf(mpf(x)) - mpf(p)) / mp.npdf(mpf(x))
        assert abs(error) <= 1e-14 * abs(x)


def test_ends_of_exp():
    tiny = 5e-324
    points = [-745.13, -746.0, -1e300, -math.inf, 709.782712893384, 709.79, 1e300, math.inf, 0.0, -0.0]
    expected = [tiny, 0.0, 0.0, 0.0, math.exp(709.782712893384), math.inf, math.inf, math.inf, 1.0, 1.0]
    np.testing.assert_allclose(evaluate(exp, points), expected, rtol=1e-15, atol=0.0)
    subnormal = np.linspace(-745.0, -708.4, 500)
    # Gradual underflow: off by one unit in the last place of the subnormal at most.
    np.testing.assert_allclose(evaluate(exp, subnormal), [math.exp(v) for v in subnormal], rtol=1e-14, atol=tiny)


def test_ends_of_log():
    points = [0.0, -0.0, -1.0, -math.inf, math.inf, 1.0, 5e-324]
    expected = [-math.inf, -math.inf, math.nan, math.nan, math.inf, 0.0, math.log(5e-324)]
    np.testing.assert_allclose(evaluate(log, points), expected, rtol=1e-15)


def test_ends_of_the_normal_functions():
    points = [0.0, math.inf, -math.inf, 40.0, -40.0, 1e200, -1e200]
    np.testing.assert_array_equal(evaluate(cdf, points), [0.5, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0])
    np.testing.assert_array_equal(evaluate(pdf, points[1:]), np.zeros(6))
    probabilities = [0.0, 1.0, 0.5, -1e-300, 1.0000001]
    np.testing.assert_array_equal(evaluate(inverse_cdf, probabilities), [-math.inf, math.inf, 0.0, math.nan, math.nan])


@pytest.mark.parametrize("function", [exp, log, cdf, pdf, inverse_cdf])
def test_nan_in_nan_out_and_lanes_equal_scalars(function):
    points = np.linspace(0.01, 0.99, 37)
    points[5] = math.nan
    together = evaluate(function, points)
    alone = np.array([evaluate(function, [point])[0] for point in points])
    assert math.isnan(together[5])
    assert together.tobytes() == alone.tobytes()


def test_fma_rounds_once_and_floor_goes_down():
    x = np.array([1.0 + 2.0**-30, -1.5, 0.5])
    np.testing.assert_array_equal(evaluate(fused, x), [2.0**-29 + 2.0**-60 + 4.0, 1.25 - 8.0, -0.75])


@pytest.mark.skipif(not get_host_cpu_features().get("avx2", False), reason="the CPU has no AVX2")
def test_scenario_loop_is_vectorised():
    # Compiled afresh: code read from the disk cache cannot be disassembled.
    fresh = numba.njit(error_model="numpy")(european_options.py_func)
    double, table, integer = numba.float64[::1], numba.float64[:, ::1], numba.int32
    nodes, variances = numba.types.Tuple((table, integer[::1])), (integer[:, ::1], table, table, table)
    market = (nodes, nodes, numba.types.Tuple(variances))
    fresh.compile((integer[::1], *market, numba.types.Tuple((double,) * 3), numba.boolean[::1], table))
    assembly = fresh.inspect_asm(fresh.signatures[0])
    # Polynomials of exp (10 steps), log (8) and twice the tail (20), each as packed fused multiply-adds.
    assert len(re.findall(r"vfn?m(?:add|sub)\d+pd\s[^\n]*[yz]mm", assembly)) > 50
    assert len(re.findall(r"vsqrtpd\s[^\n]*[yz]mm", assembly)) >= 1
    assert not re.findall(r"call[^\n]*(?:exp|log|erf|fma)", assembly)
