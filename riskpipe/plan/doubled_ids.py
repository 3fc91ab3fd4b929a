"""Trade ids that occur more than once, wherever in the portfolio, in memory that does not grow with it.

Each piece leaves the digests of its ids in ascending order. A partition is a range of digests: those of all pieces are
looked at together, one partition by itself. Ids themselves are read of the few rows whose digests occur twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set

import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.plan.piece_files import Digests, PieceFiles
from riskpipe.plan.portfolio_pieces import Mapper
from riskpipe.products.validation import read_trade_ids
from riskpipe.store.filesystem import Store
from riskpipe.store.portfolio import read_rows
from riskpipe.store.trade_rows import FileRows

IDS_A_PARTITION = 4_000_000
"""About so many: digests are spread evenly."""


def partitions_for(rows: int) -> int:
    """A power of two."""
    return 1 << max(0, -(-rows // IDS_A_PARTITION) - 1).bit_length()


def partition_bounds(ascending: Digests, partitions: int) -> NDArray[np.int64]:
    """int64[partitions + 1]: where each partition begins among digests, and their end."""
    width = 1 << (64 - (partitions.bit_length() - 1))
    starts = np.array([k * width for k in range(1, partitions)], np.uint64)
    return np.concatenate([[0], np.searchsorted(ascending, starts), [len(ascending)]]).astype(np.int64)


class _Partition(Struct, frozen=True):
    """:param pieces: int64[n], those that have digests of it. :param starts, stops: int64[n], half open, in each."""

    pieces: NDArray[np.int64]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]


def doubled_ids(
    mapper: Mapper,
    files: PieceFiles,
    portfolio: Store,
    bounds: NDArray[np.int64],
    batches: Sequence[Sequence[tuple[FileRows, ...]]],
    unreadable: Set[str],
) -> Mapping[str, list[tuple[str, int]]]:
    """Ids -> path and row of each of their trades, in the order of the portfolio.

    :param bounds: int64[pieces, partitions + 1], see `partition_bounds`.
    :param batches: of each piece, where the rows of its batches lie.
    :param unreadable: paths of files that cannot be read, and are left out.
    :raises InputChangedError: a file is not what it was when it was planned. :raises StorageError: it cannot be read.
    """
    found = list(mapper(_suspects, files, _partitions(bounds)))
    suspects = np.concatenate([np.empty(0, np.uint64), *(ids for ids, _ in found)])
    if not len(suspects):
        return {}
    files.write_ids(files.suspects, suspects)
    pieces = np.unique(np.concatenate([numbers for _, numbers in found])).tolist()
    where: dict[str, list[tuple[str, int]]] = {}
    for places in mapper(_places, (files, portfolio, unreadable), [(number, batches[number]) for number in pieces]):
        for trade_id, path, row in places:
            where.setdefault(trade_id, []).append((path, row))
    return {trade_id: places for trade_id, places in where.items() if len(places) > 1}


def _partitions(bounds: NDArray[np.int64]) -> Iterator[_Partition]:
    for start, stop in zip(bounds.T[:-1], bounds.T[1:], strict=True):
        pieces = np.flatnonzero(stop > start)
        yield _Partition(pieces, start[pieces], stop[pieces])


def _suspects(files: PieceFiles, partition: _Partition) -> tuple[Digests, NDArray[np.int64]]:
    """The digests that occur more than once, ascending, and the numbers of the pieces that have any."""
    where = zip(partition.pieces.tolist(), partition.starts.tolist(), partition.stops.tolist(), strict=True)
    ids = [files.read_ids(files.ids(piece), start, stop) for piece, start, stop in where]
    every = np.sort(np.concatenate([np.empty(0, np.uint64), *ids]))
    suspects = np.unique(every[1:][every[1:] == every[:-1]])
    if not len(suspects):
        return suspects, np.empty(0, np.int64)
    return suspects, partition.pieces[[bool(np.isin(suspects, mine).any()) for mine in ids]]


def _places(
    where: tuple[PieceFiles, Store, Set[str]], piece: tuple[int, Sequence[tuple[FileRows, ...]]]
) -> list[tuple[str, str, int]]:
    """Id, path and row of the trades of a piece whose digests are suspect."""
    (files, portfolio, unreadable), (number, batches) = where, piece
    suspects = files.read_ids(files.suspects)
    found: list[tuple[str, str, int]] = []
    for batch, digests in zip(batches, files.batches(files.contents(number)), strict=True):
        suspect = np.isin(digests.column(0).to_numpy(), suspects)
        for rows, of_file in zip(batch, np.split(suspect, np.cumsum([len(rows) for rows in batch])), strict=False):
            mine = np.flatnonzero(of_file)
            if len(mine) and rows.file.path not in unreadable:
                table = read_rows(portfolio, rows.file, rows.start, rows.stop, ["trade_id"])
                ids = read_trade_ids(table.take(pa.array(mine)))
                at = (mine + rows.start).tolist()
                found += [(trade_id, rows.file.path, row) for row, trade_id in zip(at, ids, strict=True) if trade_id]
    return found
