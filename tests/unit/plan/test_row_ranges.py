"""Rows into ranges for blocks: limits hold, each selected trade is in one range, files without trades are left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from defaults import LIMITS
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from riskpipe.plan.costs import SECONDS_PER_FILE
from riskpipe.plan.partition import Limits
from riskpipe.plan.piece_files import SurveyedRows
from riskpipe.plan.row_ranges import RowRanges, reading_seconds, row_ranges
from riskpipe.store.portfolio import TradeFile
from riskpipe.store.trade_rows import FileRows, ProductRows

# Of every file its trades, selected or not, in the batches that they come in.
BOOKS = st.lists(st.lists(st.booleans(), min_size=1, max_size=9), min_size=1, max_size=9)


def _file(k: int, rows: int, product: str = "bond") -> TradeFile:
    return TradeFile(product, f"{product}/{k:03}", rows, 1, (0, rows), ())


def _rows(pieces: Sequence[FileRows], selected: Sequence[bool]) -> SurveyedRows:
    mask = np.array(selected, np.bool_)
    seconds = np.full((2, len(mask)), 0.1) * mask
    books = np.array([row // 3 for piece in pieces for row in range(piece.start, piece.stop)], np.int32)
    return SurveyedRows(pieces[0].file.product, tuple(pieces), mask, seconds, 100.0 * mask, books)


def _batches(book: Sequence[Sequence[bool]], size: int, product: str = "bond") -> Iterator[SurveyedRows]:
    """All rows, `size` at a time."""
    every = ProductRows([_file(k, len(rows), product) for k, rows in enumerate(book)])
    selected = [flag for rows in book for flag in rows]
    for start in range(0, len(selected), size):
        stop = min(start + size, len(selected))
        yield _rows(every.pieces(start, stop), selected[start:stop])


def _numbered(book: Sequence[Sequence[bool]], cuts: Sequence[RowRanges]) -> list[tuple[int, int]]:
    every = ProductRows([_file(k, len(rows)) for k, rows in enumerate(book)])
    found = []
    for cut in cuts:
        for paths, start, stop in zip(cut.paths, cut.starts.tolist(), cut.stops.tolist(), strict=True):
            first = every.first_of(paths[0])
            found.append((first + start, first + stop))
            assert [piece.file.path for piece in every.pieces(first + start, first + stop)] == list(paths)
    return found


@given(BOOKS, st.integers(1, 30), st.integers(1, 12))
def test_each_selected_trade_is_in_one_range(book: list[list[bool]], size: int, most: int) -> None:
    limits = replace(LIMITS, max_trades=most)
    cuts = list(row_ranges(_batches(book, size), limits))
    ranges = _numbered(book, cuts)

    selected = np.array([flag for rows in book for flag in rows])
    covered = np.zeros(len(selected), np.int64)
    for start, stop in ranges:
        covered[start:stop] += 1
    assert (covered[selected] == 1).all()
    assert covered.max(initial=0) <= 1
    assert ranges == sorted(ranges)
    trades = [int(n) for cut in cuts for n in cut.trades]
    assert trades == [int(selected[start:stop].sum()) for start, stop in ranges]
    assert all(0 < n <= most for n in trades)
    assert np.concatenate([np.empty(0), *(cut.bytes_ for cut in cuts)]).tolist() == [100.0 * n for n in trades]
    books = np.array([row // 3 for rows in book for row in range(len(rows))])
    expected = [len(set(books[start:stop][selected[start:stop]].tolist())) for start, stop in ranges]
    assert [int(n) for cut in cuts for n in cut.books] == expected
    for cut in cuts:
        np.testing.assert_allclose(cut.seconds, [0.1 * cut.trades] * 2)


@given(BOOKS, st.integers(1, 30), st.integers(1, 12))
def test_a_whole_book_is_cut_the_same_in_whatever_pieces_it_comes(book: list[list[bool]], size: int, most: int) -> None:
    book = [[True] * len(rows) for rows in book]
    limits = replace(LIMITS, max_trades=most)
    rows = sum(map(len, book))

    ranges = _numbered(book, list(row_ranges(_batches(book, size), limits)))

    assert ranges == [(k, min(k + most, rows)) for k in range(0, rows, most)]


def test_files_without_selected_trades_are_left_out_at_the_ends_and_read_over_between() -> None:
    nothing = [False] * 3
    book = [nothing, [False, True], nothing, [True, False], nothing]

    assert _numbered(book, list(row_ranges(_batches(book, 99), LIMITS))) == [(3, 10)]


def test_a_range_does_not_go_on_over_more_idle_rows_than_a_block_may_have_trades() -> None:
    book = [[True], [False] * 4, [False] * 4, [True]]
    few = replace(LIMITS, max_trades=8)

    assert _numbered(book, list(row_ranges(_batches(book, 99), few))) == [(0, 1), (9, 10)]


def test_products_have_ranges_of_their_own() -> None:
    surveys = [*_batches([[True]], 9, "bond"), *_batches([[True]], 9, "fra")]

    assert [cut.product for cut in row_ranges(surveys, LIMITS)] == ["bond", "fra"]


def test_files_are_opened_at_a_cost() -> None:
    book = [[True, True], [False, True], [False], [True]]
    (rows,) = _batches(book, 99)

    seconds = reading_seconds(rows) / SECONDS_PER_FILE
    assert seconds.tolist() == [1, 0, 0, 1, 0, 1]
    aim = 0.4 + 2.5 * SECONDS_PER_FILE
    cuts = list(row_ranges([rows], Limits(aim, 99, 99, 10**9)))
    assert _numbered(book, cuts) == [(0, 4), (5, 6)]
    assert sum(float(cut.seconds[0].sum()) for cut in cuts) == pytest.approx(0.4)
