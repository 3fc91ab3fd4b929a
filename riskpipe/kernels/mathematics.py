"""Scalar functions for the inside of kernels: no branches, no tables, no calls; LLVM vectorises their loops.

Accuracy (relative, against mpmath): exp, log, pdf, cdf and inverse_cdf 1e-14 at worst, 1e-15 typically; cdf
keeps it in the lower tail down to -37. A NaN argument gives NaN.

Every operation is an IEEE operation or an explicit fused multiply-add, and kernels are compiled without
fast-math, so that a value is the same in a vector lane and in the scalar tail of a loop.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types

from riskpipe.kernels import coefficients
from riskpipe.kernels.compiler import inline, intrinsic

_LOG2_E = 1.4426950408889634
_LN2_HIGH = 0.6931471805599453
_LN2_LOW = 2.3190468138462996e-17  # ln 2 - _LN2_HIGH
_SQRT_TWO_PI_INVERSE = 0.3989422804014327
_SMALLEST_NORMAL = 2.2250738585072014e-308
_INTEGER_SHIFT = 6755399441055744.0  # 1.5 * 2^52: adding it leaves an integer in the low bits of the significand
_MANTISSA_SHIFT = 4503599627370496.0  # 2^52
_BITS_OF_ONE = 0x3FF0000000000000
_BITS_OF_SQRT_HALF = 0x3FE6A09E667F3BCD
_BITS_OF_MANTISSA_SHIFT = 0x4330000000000000
_EXPONENT_BITS = 0x7FF0000000000000

# Beyond it the tail probability is below the smallest normal number and is taken as zero.
_FARTHEST_TAIL = 37.6


# --- what LLVM has and Python has not ---
def _llvm_function(name: str, arguments: int) -> Callable[..., Any]:
    """An LLVM floating-point intrinsic on float64 as a function for compiled code."""

    def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        kinds = [ir.DoubleType()]
        shape = ir.FunctionType(ir.DoubleType(), [ir.DoubleType()] * arguments)
        return builder.call(builder.module.declare_intrinsic(name, kinds, shape), values)

    return generate


def _fma(_context: Any, _a: Any, _b: Any, _c: Any) -> Any:
    return types.float64(types.float64, types.float64, types.float64), _llvm_function("llvm.fma", 3)


def _floor(_context: Any, _x: Any) -> Any:
    return types.float64(types.float64), _llvm_function("llvm.floor", 1)


def _select(_context: Any, _condition: Any, _a: Any, _b: Any) -> Any:
    def generate(_target: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return builder.select(*values)

    return types.float64(types.boolean, types.float64, types.float64), generate


def _to_bits(_context: Any, _x: Any) -> Any:
    def generate(_target: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return builder.bitcast(values[0], ir.IntType(64))

    return types.int64(types.float64), generate


def _from_bits(_context: Any, _bits: Any) -> Any:
    def generate(_target: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return builder.bitcast(values[0], ir.DoubleType())

    return types.float64(types.int64), generate


def _polynomial(coefficients: tuple[float, ...]) -> Callable[[float], float]:
    """A function for compiled code that evaluates a polynomial by Horner's rule, all steps written out."""

    def polynomial(_context: Any, _x: Any) -> Any:
        fuse = _llvm_function("llvm.fma", 3)

        def generate(target: Any, builder: Any, _signature: Any, values: Any) -> Any:
            constants = [ir.Constant(ir.DoubleType(), c) for c in coefficients]
            total = constants[-1]
            for constant in reversed(constants[:-1]):
                total = fuse(target, builder, None, [total, values[0], constant])
            return total

        return types.float64(types.float64), generate

    evaluate: Callable[[float], float] = intrinsic(polynomial)
    return evaluate


#: fma(a, b, c) = a b + c, rounded once.
fma: Callable[[float, float, float], float] = intrinsic(_fma)
#: The largest integer not above x, as float64.
floor: Callable[[float], float] = intrinsic(_floor)
#: select(condition, a, b) = a if condition else b, both evaluated, no branch.
select: Callable[[bool, float, float], float] = intrinsic(_select)
to_bits: Callable[[float], int] = intrinsic(_to_bits)
from_bits: Callable[[int], float] = intrinsic(_from_bits)

_exp_polynomial = _polynomial(coefficients.EXP)
_log_polynomial = _polynomial(coefficients.LOG)
#: (a + 5) Phi(-a) exp(a^2 / 2) of t = (a - 5) / (a + 5)
_tail_polynomial = _polynomial(coefficients.TAIL)
_centre_above, _centre_below = _polynomial(coefficients.CENTRE_ABOVE), _polynomial(coefficients.CENTRE_BELOW)
_side_above, _side_below = _polynomial(coefficients.SIDE_ABOVE), _polynomial(coefficients.SIDE_BELOW)
_far_above, _far_below = _polynomial(coefficients.FAR_ABOVE), _polynomial(coefficients.FAR_BELOW)


@inline
def power_of_two(n: float) -> float:
    """2^n for an integer n in [-1022, 1023]; anything, without trapping, for any other argument."""
    return from_bits(to_bits(n + (_INTEGER_SHIFT + 1023.0)) << 52)


@inline
def exp(x: float) -> float:
    """e^x over the whole range: subnormal results, 0 below -745.14, infinity above 709.79."""
    y = select(x < -746.0, -746.0, x)
    y = select(y > 710.0, 710.0, y)
    n = floor(fma(y, _LOG2_E, 0.5))
    r = fma(n, -_LN2_LOW, fma(n, -_LN2_HIGH, y))
    half = floor(0.5 * n)
    # Two factors, as 2^n itself may be out of range while the result is not.
    return fma(r * r, _exp_polynomial(r), 1.0 + r) * power_of_two(half) * power_of_two(n - half)


@inline
def exp_normal(x: float) -> float:
    """e^x for -708 <= x <= 709, where no scaling step can leave the normal numbers; garbage elsewhere."""
    n = floor(fma(x, _LOG2_E, 0.5))
    r = fma(n, -_LN2_LOW, fma(n, -_LN2_HIGH, x))
    return fma(r * r, _exp_polynomial(r), 1.0 + r) * power_of_two(n)


@inline
def log(x: float) -> float:
    """Natural logarithm: -infinity at 0, NaN below."""
    tiny = x < _SMALLEST_NORMAL
    bits = to_bits(select(tiny, x * 18014398509481984.0, x))  # 2^54
    shifted = (bits + (_BITS_OF_ONE - _BITS_OF_SQRT_HALF)) & _EXPONENT_BITS
    mantissa = from_bits(bits - shifted + _BITS_OF_ONE)  # in [sqrt(1/2), sqrt(2))
    exponent = from_bits((shifted >> 52) | _BITS_OF_MANTISSA_SHIFT) - (_MANTISSA_SHIFT + 1023.0)
    exponent = select(tiny, exponent - 54.0, exponent)
    f = mantissa - 1.0
    s = f / (f + 2.0)
    z = s * s
    y = fma(s * z, _log_polynomial(z), s + s)
    y = fma(exponent, _LN2_HIGH, fma(exponent, _LN2_LOW, y))
    y = select(x < math.inf, y, x)
    y = select(x == 0.0, -math.inf, y)
    return select(x < 0.0, math.nan, y)


@inline
def tail_ratio(a: float) -> float:
    """Phi(-a) exp(a^2 / 2) for a >= 0 (half the scaled complementary error function of a / sqrt(2))."""
    inverse = 1.0 / (a + 5.0)
    return _tail_polynomial(fma(-10.0, inverse, 1.0)) * inverse


@inline
def cdf(x: float) -> float:
    """Standard normal distribution function Phi(x); 0 below -37.6."""
    a = abs(x)
    near = select(a > _FARTHEST_TAIL, _FARTHEST_TAIL, a)
    square = near * near
    # The rounding error of the square would be amplified to 1e-13 in the far tail.
    rounding = fma(near, near, -square)
    density = exp_normal(-0.5 * square)
    tail = fma(density, -0.5 * rounding, density) * tail_ratio(near)
    tail = select(a > _FARTHEST_TAIL, 0.0, tail)
    return select(x > 0.0, 1.0 - tail, tail)


@inline
def pdf(x: float) -> float:
    """Standard normal density."""
    a = abs(x)
    near = select(a > 39.0, 39.0, a)
    square = near * near
    rounding = fma(near, near, -square)
    density = exp(-0.5 * square)
    return _SQRT_TWO_PI_INVERSE * fma(density, -0.5 * rounding, density)


@inline
def inverse_cdf(p: float) -> float:
    """Standard normal quantile: -infinity at 0, infinity at 1, NaN outside [0, 1]."""
    q = p - 0.5
    z = fma(-q, q, 0.180625)
    tail = select(q < 0.0, p, 1.0 - p)
    r = math.sqrt(-log(tail))
    above = select(r > 5.0, _far_above(r - 5.0), _side_above(r - 1.6))
    below = select(r > 5.0, _far_below(r - 5.0), _side_below(r - 1.6))
    central = abs(q) <= 0.425
    above = select(central, q * _centre_above(z), select(q < 0.0, -above, above))
    below = select(central, _centre_below(z), below)
    return select(tail == 0.0, select(q < 0.0, -math.inf, math.inf), above / below)
