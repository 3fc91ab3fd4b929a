"""Scrambled Sobol points, each from its number alone: the same bits whichever of them are made, and in what order.

Points of many dimensions are groups of 16, the first dimensions of Joe and Kuo (Constructing Sobol sequences with
better two-dimensional projections, 2008). Every group visits the sequence in an order of its own, a nested uniform
shuffle of the numbers (Burley, Practical hash-based Owen scrambling, 2020), and every dimension is scrambled as Owen
(Randomly permuted (t,m,s)-nets, 1995) has it: a binary digit is turned over by a hash of the digits before it. The
first 2^m points are a net in each group, and independent from group to group.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.compiler import inline, kernel
from riskpipe.kernels.mathematics import inverse_cdf

BITS = 32
GROUP = 16
"""Dimensions of a group."""

# Degree of the primitive polynomial, its inner coefficients as bits, and the first direction numbers: new-joe-kuo-6.
_PRIMITIVE: tuple[tuple[int, int, tuple[int, ...]], ...] = (
    (1, 0, (1,)),
    (2, 1, (1, 3)),
    (3, 1, (1, 3, 1)),
    (3, 2, (1, 1, 1)),
    (4, 1, (1, 1, 3, 3)),
    (4, 4, (1, 3, 5, 13)),
    (5, 2, (1, 1, 5, 5, 17)),
    (5, 4, (1, 1, 5, 5, 5)),
    (5, 7, (1, 1, 7, 11, 19)),
    (5, 11, (1, 1, 5, 1, 1)),
    (5, 13, (1, 1, 1, 3, 11)),
    (5, 14, (1, 3, 5, 5, 31)),
    (6, 1, (1, 3, 3, 9, 7, 49)),
    (6, 13, (1, 1, 1, 15, 21, 21)),
    (6, 16, (1, 3, 1, 13, 27, 49)),
)
_SHUFFLE, _NOISE = np.uint64(1 << 32), np.uint64(1 << 33)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_ONE, _S27, _S30, _S31, _S11 = (np.uint64(k) for k in (1, 27, 30, 31, 11))


def _directions() -> NDArray[np.uint64]:
    """uint64[GROUP, BITS]: what each bit of a number, from the lowest, turns over in each dimension."""
    found = np.zeros((GROUP, BITS), np.uint64)
    found[0] = [1 << (BITS - 1 - k) for k in range(BITS)]
    for dimension, (degree, inner, first) in enumerate(_PRIMITIVE, 1):
        row = [m << (BITS - 1 - k) for k, m in enumerate(first)]
        for k in range(degree, BITS):
            value = row[k - degree] ^ (row[k - degree] >> degree)
            for j in range(1, degree):
                if inner >> (degree - 1 - j) & 1:
                    value ^= row[k - j]
            row.append(value)
        found[dimension] = row
    found.flags.writeable = False
    return found


DIRECTIONS = _directions()


@inline
def _mixed(x: np.uint64) -> np.uint64:
    """The finisher of SplitMix64 (Steele, Lea and Flood 2014)."""
    x = (x ^ (x >> _S30)) * _FIRST
    x = (x ^ (x >> _S27)) * _SECOND
    return x ^ (x >> _S31)


@inline
def _scrambled(x: np.uint64, key: np.uint64) -> np.uint64:
    """Owen's scrambling of 32 binary digits, from the highest on."""
    out = x
    for digit in range(32):
        before = x >> np.uint64(32 - digit)
        node = (_ONE << np.uint64(digit)) | before
        turned = _mixed(key + node * _GOLDEN) >> np.uint64(63)
        out ^= turned << np.uint64(31 - digit)
    return out


@kernel
def sobol_points(first: int, seed: int, directions: NDArray[np.uint64], out: FloatArray) -> None:
    """Points `first`, `first + 1` ... of the unit cube without its faces.

    :param first: from 0; of all points below 2^32. :param seed: of all scrambling, not negative.
    :param directions: `DIRECTIONS`.
    :param out: float64[points, dimensions], overwritten.
    """
    root = _mixed(np.uint64(seed) * _GOLDEN + _ONE)
    for point in range(out.shape[0]):
        number = np.uint64(first + point)
        shuffled = number
        for dimension in range(out.shape[1]):
            within = dimension % 16
            if within == 0:
                shuffled = _scrambled(number, _mixed(root + _SHUFFLE + np.uint64(dimension)))
            x = np.uint64(0)
            for bit in range(32):
                x ^= directions[within, bit] * ((shuffled >> np.uint64(bit)) & _ONE)
            x = _scrambled(x, _mixed(root + np.uint64(dimension)))
            out[point, dimension] = (float(x) + 0.5) / 4294967296.0


@kernel
def to_normal(points: FloatArray) -> None:
    """Points of the unit cube made independent standard normal numbers, in place."""
    for row in range(points.shape[0]):
        for k in range(points.shape[1]):
            points[row, k] = inverse_cdf(points[row, k])


@kernel
def add_noise(first: int, seed: int, scale: float, out: FloatArray) -> None:
    """Add independent normal numbers, by row and column alone.

    :param first: number of the first row. :param scale: deviation. :param out: float64[rows, columns].
    """
    root = _mixed(np.uint64(seed) * _GOLDEN + _NOISE)
    for row in range(out.shape[0]):
        key = _mixed(root + np.uint64(first + row) * _GOLDEN)
        for k in range(out.shape[1]):
            digits = _mixed(key + np.uint64(k + 1) * _GOLDEN) >> _S11
            out[row, k] += scale * inverse_cdf((float(digits) + 0.5) / 9007199254740992.0)
