"""Sums are the same to the last bit in any order and any partition, and right."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from selections import examples

from riskpipe.kernels import sums

TERMS = st.lists(
    st.floats(-sums.LARGEST_TERM, sums.LARGEST_TERM, allow_nan=False) | st.floats(-1e6, 1e6),
    min_size=1,
    max_size=60,
)


def column(terms):
    return np.array(terms, float).reshape(-1, 1)


def total(terms):
    limbs = sums.zeros(1, 1)
    sums.accumulate(column(terms), np.zeros(len(terms), np.int32), 0, limbs)
    return limbs


@examples(200)
@given(TERMS, st.randoms(use_true_random=False))
def test_any_permutation_and_partition_gives_the_same_bits(terms, random):
    shuffled = list(terms)
    random.shuffle(shuffled)
    cut = random.randint(0, len(terms))
    merged = total(shuffled[cut:]) + total(shuffled[:cut])
    assert merged.tobytes() == total(terms).tobytes()


@examples(200)
@given(TERMS)
def test_agrees_with_fsum(terms):
    exact = math.fsum(terms)
    value = sums.to_floats(total(terms))[0, 0]
    assert abs(value - exact) <= 1e-12 * len(terms) + 2.0 * math.ulp(exact)


@examples(100)
@given(TERMS)
def test_terms_and_their_negatives_cancel_exactly(terms):
    assert sums.to_floats(total(terms + [-t for t in terms]))[0, 0] == 0.0


def test_multiples_of_the_resolution_are_exact():
    terms = [2.0**55, 1.0, 2.0**-40, -(2.0**55), 3.0 * 2.0**-40]
    assert sums.to_floats(total(terms))[0, 0] == 1.0 + 2.0**-38


def test_groups_skipped_rows_and_column_offset():
    values = np.arange(12.0).reshape(4, 3)
    limbs = sums.zeros(2, 5)
    sums.accumulate(values, np.array([1, -1, 0, 1], np.int32), 2, limbs)
    expected = [[0.0, 0.0, 6.0, 7.0, 8.0], [0.0, 0.0, 9.0, 11.0, 13.0]]
    np.testing.assert_array_equal(sums.to_floats(limbs), expected)


def test_a_skipped_row_may_hold_anything():
    limbs = sums.zeros(1, 2)
    sums.accumulate(np.array([[math.nan, math.inf], [1.0, 2.0]]), np.array([-1, 0], np.int32), 0, limbs)
    np.testing.assert_array_equal(sums.to_floats(limbs), [[1.0, 2.0]])


def test_wide_rows_equal_single_columns():
    values = np.random.default_rng(3).normal(0.0, 1e6, (50, 37))
    groups = np.zeros(50, np.int32)
    whole = sums.zeros(1, 37)
    sums.accumulate(values, groups, 0, whole)
    for k in range(37):
        assert total(values[:, k]).tobytes() == np.ascontiguousarray(whole[:, :, k : k + 1]).tobytes()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, math.nextafter(2.0**55, math.inf), -1e300])
def test_unsummable_rows_are_told(bad):
    values = np.full((3, 11), 2.0**55)
    values[1, 7] = bad
    values[2] = -values[2]
    np.testing.assert_array_equal(sums.summable(values), [True, False, True])


def test_the_largest_sum_is_in_range_and_past_it_is_told():
    limbs = total([sums.LARGEST_TERM])
    assert sums.in_range(limbs * (2**31 - 1))
    assert not sums.in_range(limbs * 2**31)
    assert not sums.in_range(limbs * -(2**31))
    assert sums.to_floats(limbs * (2**31 - 1))[0, 0] == 2.0**55 * (2**31 - 1)
