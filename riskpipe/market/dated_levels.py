"""A matrix of levels by date and factor that is filled at random and given back from its first row to its last."""

from __future__ import annotations

import mmap
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray

_PIECE = 1 << 19
"""Levels in a piece."""

Positions = NDArray[np.integer]


class DatedLevels:
    """float64[n_dates, n_columns], NaN until they are set, in pieces of some rows each.

    A piece is mapped memory of its own: it goes back to the system at once when it is let go.
    """

    def __init__(self, n_dates: int, n_columns: int) -> None:
        self._rows = max(_PIECE // max(n_columns, 1), 1)
        self._pieces = [_mapped(min(self._rows, n_dates - start), n_columns) for start in range(0, n_dates, self._rows)]

    def put(self, dates: Positions, columns: Positions, levels: FloatArray) -> None:
        """Set cells; of one given twice the later level counts."""
        piece = dates // self._rows
        for number in np.unique(piece):
            # Histories are mostly in the order of their dates: a batch of rows seldom has more than one piece.
            mine = slice(None) if (piece == number).all() else np.flatnonzero(piece == number)
            self._pieces[number][dates[mine] - number * self._rows, columns[mine]] = levels[mine]

    def pieces(self) -> Iterator[tuple[slice, FloatArray]]:
        """The dates of each piece, and the piece itself, to be looked at or changed."""
        for number, piece in enumerate(self._pieces):
            yield slice(number * self._rows, number * self._rows + len(piece)), piece

    def row(self, date: int) -> FloatArray:
        """The levels of one date, float64[n_columns], a copy."""
        found: FloatArray = self._pieces[date // self._rows][date % self._rows].copy()
        return found

    def drain(self) -> Iterator[FloatArray]:
        """Each date's levels, float64[n_columns], in order; afterwards there are none."""
        while self._pieces:
            yield from self._pieces.pop(0)


def _mapped(n_rows: int, n_columns: int) -> FloatArray:
    cells = n_rows * n_columns
    memory = mmap.mmap(-1, max(cells * 8, 1), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    piece = np.frombuffer(memory, np.float64, cells).reshape(n_rows, n_columns)
    piece[...] = np.nan
    return piece
