"""A block's sums per book, made a range of books after the other: together they may be larger than all its numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.sums import BYTES_A_SUM, accumulate
from riskpipe.market.scenarios import BASE
from riskpipe.measures.catalogue import additive_measures
from riskpipe.measures.pnl_sets import pnl_set
from riskpipe.plan.block import Block
from riskpipe.plan.costs import SUM_RANGE_BYTES
from riskpipe.valuation.book_sums import BookSums, SumKey, Sums
from riskpipe.valuation.part import FAILED, OK, Part


class _Summed(Struct, frozen=True):
    """:param columns: sums that a book has of it. :param key: with the place of the first one."""

    key: SumKey
    columns: int


def partial_sums(
    block: Block, parts: Sequence[Part], pnl_first: Mapping[str, int], range_bytes: int = SUM_RANGE_BYTES
) -> Iterator[pa.Table]:
    """Rows of the table `partials`, of a range of books after the other in ascending order.

    :param pnl_first: scenario set of which the block has columns -> position within the set of the first of them.
    :param range_bytes: about what the sums of a range may take.
    """
    summed = list(_summed(block, parts, pnl_first))
    books = sorted({name for part in parts for name in part.trades.books.names}) if summed else []
    size = max(range_bytes // max(BYTES_A_SUM * sum(one.columns for one in summed), 1), 1)
    for start in range(0, len(books), size):
        some = tuple(books[start : start + size])
        groups = [_groups(part, some) for part in parts]
        sums = {one.key: _sum(one, len(some), parts, groups) for one in summed}
        yield BookSums(some, sums=sums).table()
    yield from (part.taken_sums for part in parts if part.taken_sums is not None)


def _summed(block: Block, parts: Sequence[Part], pnl_first: Mapping[str, int]) -> Iterator[_Summed]:
    for measure in block.measures:
        if measure in additive_measures():
            yield _Summed(SumKey(BASE, measure, 0), 1)
    known = frozenset[str]().union(*(part.summed_sets for part in parts))
    for name, first in pnl_first.items():
        found = pnl_set(name) if name not in known else None
        if found is not None and found.measure in block.measures:
            # Of trades that all failed as a whole nobody knows the columns: a zero stands for them.
            width = next((part.pnl[name].shape[1] for part in parts if name in part.pnl), 1)
            yield _Summed(SumKey(name, found.measure, first), width)


def _groups(part: Part, books: tuple[str, ...]) -> NDArray[np.int32]:
    """int32[n]: the position of each trade's book among these; -1: it is another."""
    position = {name: k for k, name in enumerate(books)}
    labels = part.trades.books
    return np.array([position.get(name, -1) for name in labels.names], np.int32)[labels.codes]


def _sum(one: _Summed, books: int, parts: Sequence[Part], groups: Sequence[NDArray[np.int32]]) -> Sums:
    sums = Sums.empty(books, one.columns)
    for part, group in zip(parts, groups, strict=True):
        failed, is_ok = _outcome(one, part)
        sums.trades += np.bincount(group[group >= 0], minlength=books)
        sums.failed_trades += np.bincount(group[(group >= 0) & failed], minlength=books)
        values = _values(one, part)
        if values is not None:
            accumulate(values, np.where(is_ok, group, -1).astype(np.int32), 0, sums.limbs)
    sums.present = sums.trades > 0
    return sums


def _outcome(one: _Summed, part: Part) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """bool[trades]: those that failed, and those that have a number."""
    if one.key.scenario_set != BASE:
        is_ok = part.has_pnl(one.key.scenario_set)
        return ~is_ok, is_ok
    status = part.statuses.get(one.key.measure, np.full(len(part.trades), FAILED))
    return status == FAILED, status == OK


def _values(one: _Summed, part: Part) -> FloatArray | None:
    """float64[trades, columns]; None: there are none."""
    measure = one.key.measure
    if one.key.scenario_set != BASE:
        return part.pnl.get(one.key.scenario_set)
    found = part.in_base(measure)
    return None if found is None else np.ascontiguousarray(found[:, None])
