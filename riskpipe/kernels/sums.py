"""Sums that come out the same to the last bit however the terms are ordered, grouped or spread over blocks.

Each float64 is cut into three integers at fixed positions: multiples of 2^24, of what is left multiples of
2^-8, of what is left then multiples of 2^-40 (rounded). Only integers are added, so addition is associative.
After the long accumulators of Kulisch, Computer Arithmetic and Validity (2013), chapter 8, with fewer limbs.

Range: every term within LARGEST_TERM = 2^55 (3.6e16), at most 2^31 terms a sum: no limb can then overflow.
Resolution: 2^-41 (4.5e-13) a term, absolute. A term that is not finite or out of range cannot be summed: ask
`summable` first and keep such rows out by group code -1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.compiler import kernel
from riskpipe.kernels.mathematics import fma, to_bits

LARGEST_TERM = 2.0**55
LARGEST_LIMB = 2**62
LIMBS = 3
BYTES_A_SUM = 8 * LIMBS
_LARGEST_TERM_BITS = 0x4360000000000000

_HIGH, _HIGH_INVERSE = 2.0**24, 2.0**-24
_MIDDLE, _MIDDLE_INVERSE = 2.0**-8, 2.0**8
_LOW, _LOW_INVERSE = 2.0**-40, 2.0**40
# Adding 1.5 * 2^52 rounds to an integer and leaves it in the low bits of the significand.
_SHIFT = 6755399441055744.0
_SHIFT_BITS = 0x4338000000000000
_HALF, _BASE_BITS = 2**31, 32


def zeros(groups: int, columns: int) -> NDArray[np.int64]:
    """Empty sums: int64[groups, 3, columns]. Two such arrays are merged by adding them."""
    return np.zeros((groups, LIMBS, columns), np.int64)


@kernel
def summable(values: FloatArray) -> NDArray[np.bool_]:
    """Rows in which every value is finite and within LARGEST_TERM: float64[m, S] -> bool[m]."""
    good = np.empty(values.shape[0], np.bool_)
    for i in range(values.shape[0]):
        row = values[i]
        signs = 0
        for s in range(row.size):
            # As integers, the bits of magnitudes are ordered like them, with infinity and NaN on top.
            signs |= _LARGEST_TERM_BITS - to_bits(abs(row[s]))
        good[i] = signs >= 0
    return good


@kernel
def accumulate(values: FloatArray, groups: NDArray[np.int32], first: int, limbs: NDArray[np.int64]) -> None:
    """Add each row of values to the sums of its group.

    :param values: float64[m, S], summable (see `summable`) in every row that is not skipped.
    :param groups: int32[m], the sum that each row belongs to; -1 skips the row.
    :param first: column of `limbs` that the first column of `values` belongs to.
    :param limbs: int64[n_groups, 3, >= first + S], from `zeros`; added to.
    """
    for i in range(groups.size):
        group = groups[i]
        if group < 0:
            continue
        row = values[i]
        high = limbs[group, 0, first : first + row.size]
        middle = limbs[group, 1, first : first + row.size]
        low = limbs[group, 2, first : first + row.size]
        for s in range(row.size):
            # Every remainder is exact: a multiple of the term's last bit and shorter than the term.
            shifted = row[s] * _HIGH_INVERSE + _SHIFT
            high[s] += to_bits(shifted) - _SHIFT_BITS
            rest = fma(shifted - _SHIFT, -_HIGH, row[s])
            shifted = rest * _MIDDLE_INVERSE + _SHIFT
            middle[s] += to_bits(shifted) - _SHIFT_BITS
            rest = fma(shifted - _SHIFT, -_MIDDLE, rest)
            low[s] += to_bits(rest * _LOW_INVERSE + _SHIFT) - _SHIFT_BITS


def in_range(limbs: NDArray[np.int64]) -> bool:
    """Whether no limb is near overflow. Asked after each merge: two sums in range cannot wrap when added."""
    return bool(np.all((limbs < LARGEST_LIMB) & (limbs > -LARGEST_LIMB)))


@kernel
def to_floats(limbs: NDArray[np.int64]) -> FloatArray:
    """The sums, float64[n_groups, columns]: functions of the exact sums, within 2 units in the last place."""
    total = np.empty((limbs.shape[0], limbs.shape[2]))
    for group in range(limbs.shape[0]):
        for s in range(limbs.shape[2]):
            # Carries first: the same sum may be spread over the limbs in several ways.
            low = limbs[group, 2, s]
            carry = (low + _HALF) >> _BASE_BITS
            low -= carry << _BASE_BITS
            middle = limbs[group, 1, s] + carry
            carry = (middle + _HALF) >> _BASE_BITS
            middle -= carry << _BASE_BITS
            high = limbs[group, 0, s] + carry
            total[group, s] = (high * _HIGH + middle * _MIDDLE) + low * _LOW
    return total
