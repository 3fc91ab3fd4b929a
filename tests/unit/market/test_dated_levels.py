"""Levels by date and factor that are kept in pieces."""

from __future__ import annotations

import numpy as np

from riskpipe.market.dated_levels import DatedLevels


def test_cells_of_several_pieces_come_back_in_order() -> None:
    n_columns = 1 << 18  # two dates a piece
    levels, rng = DatedLevels(7, n_columns), np.random.default_rng(1)
    dates, columns = rng.integers(0, 7, 5000), rng.integers(0, n_columns, 5000)
    values = rng.normal(size=5000)
    expected = np.full((7, n_columns), np.nan)
    expected[dates, columns] = values
    levels.put(dates, columns, values)
    assert [dates.start for dates, _ in levels.pieces()] == [0, 2, 4, 6]
    for dates_, piece in levels.pieces():
        np.testing.assert_array_equal(piece, expected[dates_])
    for row, wanted in zip(levels.drain(), expected, strict=True):
        np.testing.assert_array_equal(row, wanted)
    assert list(levels.drain()) == []
    assert list(levels.pieces()) == []


def test_nothing_has_no_cells() -> None:
    assert list(DatedLevels(0, 3).drain()) == []
    assert [row.tolist() for row in DatedLevels(2, 0).drain()] == [[], []]
