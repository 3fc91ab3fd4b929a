"""Ranges of a product's rows for its blocks, cut as the rows come in; a range goes on from one file to the next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.plan.costs import SECONDS_PER_FILE
from riskpipe.plan.partition import Limits, cut_trades
from riskpipe.plan.piece_files import SurveyedRows
from riskpipe.store.trade_rows import FileRows


class RowRanges(Struct, frozen=True):
    """Rows of one product for n blocks under every scenario range.

    :param paths: of the files of each, by path; its rows are counted from the first one of the first.
    :param starts, stops: int64[n], half open.
    :param trades: int64[n], selected ones. :param books: int64[n], of these.
    :param seconds: float64[n_ranges, n], of pricing. :param bytes_: float64[n], of the trades.
    """

    product: str
    paths: tuple[tuple[str, ...], ...]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    trades: NDArray[np.int64]
    books: NDArray[np.int64]
    seconds: FloatArray
    bytes_: FloatArray


def row_ranges(surveys: Iterable[SurveyedRows], limits: Limits) -> Iterator[RowRanges]:
    """Cut greedily: each range as long as the limits allow, over the ends of files and of what comes in at once."""
    waiting: SurveyedRows | None = None
    for survey in surveys:
        if waiting is not None and waiting.product != survey.product:
            yield from _cut(waiting, _bounds(waiting, limits))
            waiting = None
        joined = survey if waiting is None else _joined(waiting, survey)
        # The last range may go on in what follows.
        bounds = _bounds(joined, limits)
        yield from _cut(joined, bounds[:-1])
        waiting = _after(joined, int(bounds[-2])) if len(bounds) > 1 else joined
    if waiting is not None:
        yield from _cut(waiting, _bounds(waiting, limits))


def reading_seconds(survey: SurveyedRows) -> FloatArray:
    """float64[n]: opening the files that have selected trades, each put down to its first such trade."""
    seconds = np.zeros(len(survey.selected))
    at = np.flatnonzero(survey.selected)
    first = at[np.flatnonzero(np.diff(_piece_of(survey, at), prepend=-1))] if len(at) else at
    seconds[first] = SECONDS_PER_FILE
    return seconds


def _bounds(survey: SurveyedRows, limits: Limits) -> NDArray[np.int64]:
    """int64[ranges + 1], positions among the survey's rows."""
    # Files without selected trades cost their reading all the same where a range goes on over them.
    bounds = _edges(survey)
    idle = np.add.reduceat(survey.selected.astype(np.int64), bounds[:-1]) == 0
    counts = survey.selected | np.repeat(idle, np.diff(bounds))
    return cut_trades(survey.seconds.max(axis=0) + reading_seconds(survey), survey.bytes_, counts, limits)


def _cut(survey: SurveyedRows, bounds: NDArray[np.int64]) -> Iterator[RowRanges]:
    """The ranges between neighbouring bounds that have trades; without files before the first and after the last."""
    before = np.concatenate([[0], np.cumsum(survey.selected)])
    trades = np.diff(before[bounds])
    kept = np.flatnonzero(trades)
    if not len(kept):
        return
    selected = np.flatnonzero(survey.selected)
    first = _piece_of(survey, selected[before[bounds[kept]]])
    last = _piece_of(survey, selected[before[bounds[kept + 1]] - 1])
    edges, end = _edges(survey), int(bounds[-1])
    starts, stops = np.maximum(bounds[kept], edges[first]), np.minimum(bounds[kept + 1], edges[last + 1])
    offsets = np.array([piece.start for piece in survey.pieces])[first] - edges[first]
    files = [piece.file.path for piece in survey.pieces]
    yield RowRanges(
        product=survey.product,
        paths=tuple(tuple(files[a : b + 1]) for a, b in zip(first.tolist(), last.tolist(), strict=True)),
        starts=starts + offsets,
        stops=stops + offsets,
        trades=trades[kept],
        books=_distinct(survey.books[selected], np.searchsorted(bounds, selected, side="right") - 1, len(trades))[kept],
        seconds=np.add.reduceat(survey.seconds[:, :end], bounds[:-1], axis=1)[:, kept],
        bytes_=np.add.reduceat(survey.bytes_[:end], bounds[:-1])[kept],
    )


def _distinct(books: NDArray[np.int32], which: NDArray[np.int64], ranges: int) -> NDArray[np.int64]:
    """int64[ranges]: how many books each range has; rows beyond the last one do not count."""
    within = which < ranges
    pairs = np.unique(which[within] * (int(books.max(initial=0)) + 1) + books[within])
    return np.bincount(pairs // (int(books.max(initial=0)) + 1), minlength=ranges)


def _edges(survey: SurveyedRows) -> NDArray[np.int64]:
    """int64[pieces + 1]: where the pieces begin among the survey's rows, and their end."""
    return np.concatenate([[0], np.cumsum([len(piece) for piece in survey.pieces], dtype=np.int64)])


def _piece_of(survey: SurveyedRows, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.searchsorted(_edges(survey), rows, side="right") - 1


def _joined(one: SurveyedRows, other: SurveyedRows) -> SurveyedRows:
    last, first = one.pieces[-1], other.pieces[0]
    if last.file.path == first.file.path:
        pieces = (*one.pieces[:-1], FileRows(last.file, last.start, first.stop), *other.pieces[1:])
    else:
        pieces = one.pieces + other.pieces
    return SurveyedRows(
        one.product,
        pieces,
        np.concatenate([one.selected, other.selected]),
        np.concatenate([one.seconds, other.seconds], axis=1),
        np.concatenate([one.bytes_, other.bytes_]),
        np.concatenate([one.books, other.books]),
    )


def _after(survey: SurveyedRows, row: int) -> SurveyedRows:
    """The rows from this one on."""
    k = int(_piece_of(survey, np.array([row]))[0])
    cut = survey.pieces[k]
    head = FileRows(cut.file, cut.start + row - int(_edges(survey)[k]), cut.stop)
    return SurveyedRows(
        survey.product,
        (head, *survey.pieces[k + 1 :]),
        survey.selected[row:],
        survey.seconds[:, row:],
        survey.bytes_[row:],
        survey.books[row:],
    )
