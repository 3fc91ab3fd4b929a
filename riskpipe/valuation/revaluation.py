"""What books lose under moves that are known only when books are summed: every trade is priced under its book's."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache, reduce

import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.kernels.sums import accumulate, zeros
from riskpipe.market.scenarios import ScenarioSetBuilder
from riskpipe.plan.block import Block
from riskpipe.store.location import open_store
from riskpipe.store.parquet import atomic_parquet, read_parquet
from riskpipe.store.revaluations import REVALUED
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.written_files import WrittenFile
from riskpipe.valuation.context import Context
from riskpipe.valuation.priced_again import PricedAgain, RecordedFile, price_again

MOVES = pa.schema(
    [
        pa.field("scenario", pa.string(), False),
        pa.field("book", pa.string(), False),
        pa.field("loss_base", pa.float64(), False),
        pa.field("factors", pa.list_(pa.field("item", pa.int32(), False)), False),
        pa.field("levels", pa.list_(pa.field("item", pa.float64(), False)), False),
    ]
)
"""Moves of books: the factors' positions in the snapshot, ascending, and where they are moved to."""

ASKED = ("scenario", "book", "loss_base")
_SET = "stress"
_LIMBS = ("high", "middle", "low")


class RevaluationPayload(Struct, frozen=True):
    """A block's trades under the moves of their books.

    :param name: of the file that is made; follows from all that it is made of.
    :param without: rows, as the block counts them, of trades that have no vector or another block's.
    :param moves: a file of `MOVES`. :param seconds: what it may take.
    """

    root: str
    run_id: str
    name: str
    block: Block
    without: tuple[int, ...]
    moves: RecordedFile
    seconds: float


class RevaluedPayload(Struct, frozen=True):
    """Files of `REVALUED` that become one with their sums."""

    root: str
    run_id: str
    name: str
    files: tuple[RecordedFile, ...]


class Revalued(Struct, frozen=True):
    """:param asked: columns `ASKED`, a row a move. :param limbs: int64[moves, 3, 1], exact sums of P&L.
    :param failed: int64[moves], trades without P&L under the moves.
    """

    asked: pa.Table
    limbs: NDArray[np.int64]
    failed: NDArray[np.int64]

    @classmethod
    def empty(cls, asked: pa.Table) -> Revalued:
        return cls(asked, zeros(len(asked), 1), np.zeros(len(asked), np.int64))

    @classmethod
    def of(cls, table: pa.Table) -> Revalued:
        """:param table: of `REVALUED`."""
        limbs = np.stack([table[name].to_numpy() for name in _LIMBS], axis=1)
        return cls(table.select(list(ASKED)), limbs[:, :, None], table["failed_trades"].to_numpy())

    def table(self) -> pa.Table:
        limbs = (pa.array(self.limbs[:, k, 0]) for k in range(len(_LIMBS)))
        return pa.table([*self.asked.columns, *limbs, pa.array(self.failed)], REVALUED)

    def plus(self, other: Revalued) -> Revalued:
        return Revalued(self.asked, self.limbs + other.limbs, self.failed + other.failed)

    def add_trades(self, k: int, priced: PricedAgain, mine: NDArray[np.bool_]) -> None:
        """Add the P&L of some trades under move k."""
        good = priced.is_good & mine
        accumulate(
            np.ascontiguousarray(priced.pnl[:, k : k + 1]), np.where(good, k, -1).astype(np.int32), 0, self.limbs
        )
        self.failed[k] += np.count_nonzero(priced.known & mine & ~good)


def revalue(payload: RevaluationPayload) -> WrittenFile:
    """Price some trades under the moves of their books, and sum.

    :raises InputChangedError: a trade file is not the planned one.
    :raises StorageError: something cannot be read or written.
    """
    context, moves = _under(payload.root, payload.run_id, payload.moves)
    sums = Revalued.empty(moves.select(list(ASKED)))
    scenarios = context.scenarios.columns_of(_SET)
    columns = np.arange(scenarios.start, scenarios.stop)
    for priced in price_again(context, payload.block, payload.without, _SET, columns):
        for k, book in enumerate(moves["book"].to_pylist()):
            sums.add_trades(k, priced, priced.of_book(book))
    return _written(context.folder, payload.name, sums)


def add_revalued(payload: RevaluedPayload) -> WrittenFile:
    """The sums of several files, in one."""
    folder = RunFolder(open_store(payload.root), payload.run_id)
    return _written(folder, payload.name, revalued_of(folder, payload.files))


def revalued_of(folder: RunFolder, files: Iterable[RecordedFile]) -> Revalued:
    """What several files of `REVALUED` add up to."""
    tables = folder.store.overlapped(lambda file: read_parquet(folder.store, file.path, sha256=file.sha256), files)
    return reduce(Revalued.plus, map(Revalued.of, tables))


def _written(folder: RunFolder, name: str, sums: Revalued) -> WrittenFile:
    with atomic_parquet(folder.store, folder.combined_file(name), REVALUED, transient=True) as sink:
        sink.write(sums.table())
    return sink.written


@lru_cache(maxsize=1)
def _under(root: str, run_id: str, file: RecordedFile) -> tuple[Context, pa.Table]:
    """The run's context with the moves as its scenarios; the moves."""
    folder = RunFolder(open_store(root), run_id)
    moves = read_parquet(folder.store, file.path, sha256=file.sha256)
    context = Context(folder)
    builder = ScenarioSetBuilder(context.snapshot)
    for name, factors, levels in zip(*(moves[name] for name in ("scenario", "factors", "levels")), strict=True):
        builder.add(name.as_py(), _SET, factors.values.to_numpy(), levels.values.to_numpy())
    context.scenarios = builder.build()
    return context, moves
