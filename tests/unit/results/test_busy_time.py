"""Busy workers over time, on a grid that grows."""

from __future__ import annotations

import numpy as np
import pytest

from riskpipe.results.busy_time import MOST_BINS, BusyTime
from riskpipe.results.quantile_sketch import LEAST, MOST, QuantileSketches


def test_the_grid_grows_both_ways_and_forgets_nothing() -> None:
    busy = BusyTime()
    busy.add(np.array([0.0, 1.0]), np.array([1.0, 1.5]))
    assert busy.width == 2.0**-10
    busy.add(np.array([100_000.0]), np.array([100_010.0]))
    busy.add(np.array([-5_000.0]), np.array([-4_000.0]))
    assert busy.width == 16.0, "105,010 s are more than 8,192 bins of 8 s"
    assert len(busy.edges()) - 1 <= MOST_BINS
    edges = np.array([-5_008.0, -4_000.0, -16.0, 16.0, 99_984.0, 100_016.0])
    assert busy.busy(edges) == pytest.approx([1_000.0, 0.0, 1.5, 0.0, 10.0])
    assert (busy.begins, busy.ends) == (-5_000.0, 100_010.0)
    assert busy.ended(0.25) == pytest.approx(-4_000.0, abs=16.0)
    assert busy.ended(0.75) == pytest.approx(1.5, abs=16.0)
    assert busy.ended(1.0) == 100_010.0


def test_pieces_in_any_order_leave_the_same_grid() -> None:
    random = np.random.default_rng(1)
    starts = random.uniform(-50.0, 5_000.0, 1_000)
    stops = starts + random.lognormal(0.0, 2.0, 1_000)
    grids = []
    for order in (np.arange(1_000), random.permutation(1_000)):
        busy = BusyTime()
        for rows in np.array_split(order, 7):
            busy.add(starts[rows], stops[rows])
        grids.append(busy)
    one, other = grids
    assert one.width == other.width
    assert np.array_equal(one.edges(), other.edges())
    assert other.busy(other.edges()) == pytest.approx(one.busy(one.edges()), abs=1e-6)
    assert one.busy(one.edges()).sum() == pytest.approx((stops - starts).sum())


def test_nothing_is_busy_before_anything_came() -> None:
    busy = BusyTime()
    busy.add(np.zeros(0), np.zeros(0))
    assert busy.busy(np.array([0.0, 1.0])) == pytest.approx([0.0])


def test_quantiles_to_a_hundredth_whatever_the_group() -> None:
    sketches = QuantileSketches()
    sketches.add(np.array([2, 0, 2, 2], np.int64), np.array([1.0, 5.0, 10.0, 100.0]))
    assert sketches.quantile(2, 0.5) == pytest.approx(10.0, rel=0.01)
    assert sketches.quantile(2, 1.0) == pytest.approx(100.0, rel=0.01)
    assert sketches.quantile(0, 0.01) == pytest.approx(5.0, rel=0.01)
    assert sketches.quantile(1, 0.5) == sketches.quantile(7, 0.5) == sketches.greatest(7) == 0.0
    assert sketches.quantile(None, 0.75) == pytest.approx(10.0, rel=0.01)
    assert sketches.greatest(None) == 100.0


@pytest.mark.parametrize(("value", "told"), [(0.0, 0.0), (LEAST / 2, LEAST / 2), (2 * MOST, MOST)])
def test_values_beyond_the_bins_count_as_their_ends(value: float, told: float) -> None:
    sketches = QuantileSketches()
    sketches.add(np.zeros(1, np.int64), np.array([value]))
    assert sketches.quantile(0, 0.5) == pytest.approx(told, rel=0.03)
