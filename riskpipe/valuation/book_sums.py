"""Exact sums per book: blocks' partial sums added up.

Sums are integers, so any tree of additions gives the same bits; the tree only bounds how much is read at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from riskpipe.errors import InputError
from riskpipe.kernels.sums import LIMBS, in_range
from riskpipe.store.filesystem import Store
from riskpipe.store.parquet import WrittenFile, read_parquet
from riskpipe.store.result_tables import write_result
from riskpipe.valuation.context import open_context

Key = tuple[str, str, str, int]


@dataclass
class BookSum:
    """One book's sum of one measure: trades summed or failed, limbs int64[3, columns] from column `first` on."""

    trades: int
    failed_trades: int
    limbs: NDArray[np.int64]


@dataclass(frozen=True)
class PartialFile:
    """A file of partial sums.

    :param repeats: its trades are counted, as failed, by another file already.
    :param void: of a block that failed as a whole: it counts the trades, and sums nothing.
    :param sha256: what its content must be; None: it is not looked at.
    """

    path: str
    repeats: bool = False
    void: bool = False
    sha256: str | None = None


@dataclass(frozen=True)
class SumPayload:
    """Partial sums to add up.

    :param name: of the file; follows from what is summed, so a file that is there is the right one.
    :param files: relative to the output.
    """

    root: str
    run_id: str
    name: str
    files: tuple[PartialFile, ...]


def sum_partials(payload: SumPayload) -> WrittenFile:
    """Add up partial sums and put the result in place."""
    context = open_context(payload.root, payload.run_id)
    tables = context.store.overlapped(lambda file: _read_sums(context.store, file), payload.files)
    sums = add_up(zip(tables, (file.repeats for file in payload.files), strict=True))
    path = context.folder.combined_file(payload.name)
    return write_result(context.store, path, "partials", partials_table(sums), context.spec.provenance)


def _read_sums(store: Store, file: PartialFile) -> pa.Table:
    return read_parquet(store, file.path, sha256=file.sha256)


def add_up(tables: Iterable[tuple[pa.Table, bool]]) -> dict[Key, BookSum]:
    """(book, scenario set, measure, first column) -> sum, over tables of partial sums.

    :param tables: each with whether it repeats trades that another table counts as failed.

    :raises InputError: a sum left the range of exact addition (a book beyond 1e25 in base currency).
    """
    sums: dict[Key, BookSum] = {}
    for table, repeats in tables:
        limbs = [table.column(name).combine_chunks() for name in ("high", "middle", "low")]
        flat = [array.values.to_numpy() for array in limbs]
        offsets = limbs[0].offsets.to_numpy()
        rows = table.select(["book", "scenario_set", "measure", "first", "trades", "failed_trades"]).to_pylist()
        for k, row in enumerate(rows):
            part = np.stack([values[offsets[k] : offsets[k + 1]] for values in flat])
            key = (row["book"], row["scenario_set"], row["measure"], row["first"])
            known = sums.setdefault(key, BookSum(0, 0, np.zeros_like(part)))
            known.trades += 0 if repeats else row["trades"]
            known.failed_trades += row["failed_trades"] - (row["trades"] if repeats else 0)
            known.limbs = known.limbs + part
            if not in_range(known.limbs):
                raise InputError(f"the sum of {key[2]} over book {key[0]!r} is out of range: check the notionals")
    return sums


def partials_table(sums: dict[Key, BookSum]) -> pa.Table:
    """Sums as rows, ordered by key."""
    keys = sorted(sums)
    books, sets, measures, firsts = zip(*keys, strict=True) if keys else ((), (), (), ())
    return pa.table(
        {
            "book": pa.array(books, pa.string()),
            "scenario_set": pa.array(sets, pa.string()),
            "measure": pa.array(measures, pa.string()),
            "first": pa.array(firsts, pa.int64()),
            "trades": pa.array([sums[key].trades for key in keys], pa.int64()),
            "failed_trades": pa.array([sums[key].failed_trades for key in keys], pa.int64()),
            **{
                name: pa.array([sums[key].limbs[k] for key in keys], pa.list_(pa.int64()))
                for k, name in zip(range(LIMBS), ("high", "middle", "low"), strict=True)
            },
        }
    )


def read_sums(store: Store, files: Sequence[PartialFile]) -> dict[Key, BookSum]:
    """The sums of the tree's roots and the corrections, added up once more."""
    return add_up((table, False) for table in store.overlapped(lambda file: _read_sums(store, file), files))
