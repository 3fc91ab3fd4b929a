"""What a run takes over of an earlier one, as it was found when the run was planned and is stored beside the plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.plan.block import Block
from riskpipe.store.parquet import ChangedFileError, read_parquet
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.sealed import unsealed
from riskpipe.store.written_files import WrittenFile

REUSED_BLOCKS = pa.schema(
    [
        ("block_id", pa.string()),
        ("earlier", pa.list_(pa.string())),
        ("taken", pa.binary()),
        ("trades", pa.int64()),
        ("whole", pa.bool_()),
    ]
)
"""`earlier`: ids of the earlier run's blocks; `taken`: a bit for each row of the block's range, the first one highest;
`trades`: how many bits are set; `whole`: the one earlier block did all that this one is to do."""

_KEY = pa.list_(pa.string())
REUSED_FILES = pa.schema(
    [
        ("block_id", pa.string()),
        ("scenario_start", pa.int64()),
        ("ok", pa.int64()),
        ("not_applicable", pa.int64()),
        ("table", pa.string()),
        ("path", pa.string()),
        ("rows", pa.int64()),
        ("bytes", pa.int64()),
        ("sha256", pa.string()),
        ("first", _KEY),
        ("last", _KEY),
    ]
)
"""The files of the earlier run's blocks, with the block's first column and its numbers; keys are a piece's."""


class ReuseTerms(Struct, frozen=True):
    """What a run takes over of another.

    :param measures: of which numbers are taken over. :param sets: scenario set -> its first column in the earlier run.
    :param stored: sets whose vectors the earlier run kept.
    """

    run_id: str
    measures: tuple[str, ...]
    sets: Mapping[str, int]
    stored: tuple[str, ...]


class EarlierFile(WrittenFile, frozen=True):
    """A file of a block of the earlier run.

    :param ok, not_applicable: numbers of the block. :param first, last: of a piece.
    """

    scenario_start: int
    table: str
    ok: int
    not_applicable: int
    first: tuple[str, ...] | None
    last: tuple[str, ...] | None


def read_reuse(folder: RunFolder) -> dict[str, Any]:
    """reuse.json. :raises StorageError: it is missing or damaged."""
    try:
        return unsealed(folder.store.read_bytes(folder.reuse))
    except ValueError as error:
        where = folder.store.full_path(folder.reuse)
        raise ChangedFileError(f"{where} is damaged ({error}), the run cannot go on: start a new one") from error


class Reuse:
    """What was found when the run was planned."""

    def __init__(
        self, folder: RunFolder, terms: ReuseTerms, counts: Mapping[str, Any], checksums: Callable[[str], str]
    ) -> None:
        """:param counts: for people: of which run, how many trades. :param checksums: of the run's files by path."""
        self.terms, self.counts = terms, counts
        blocks = read_parquet(folder.store, folder.reused_blocks, sha256=checksums(folder.reused_blocks))
        files = read_parquet(folder.store, folder.reused_files, REUSED_FILES.names, checksums(folder.reused_files))
        self._blocks = {row["block_id"]: (row["earlier"], row["taken"]) for row in blocks.to_pylist()}
        self._whole = {row["block_id"] for row in blocks.to_pylist() if row["whole"]}
        self._files: dict[str, list[EarlierFile]] = {}
        for row in files.to_pylist():
            self._files.setdefault(row.pop("block_id"), []).append(EarlierFile(**row))

    def rows(self, block: Block) -> NDArray[np.bool_]:
        """bool[row_stop - row_start], of a block of the plan; of parts of one nothing is taken over."""
        n = block.row_stop - block.row_start
        _, taken = self._blocks.get(block.block_id, ((), b""))
        if not taken:
            return np.zeros(n, np.bool_)
        return np.unpackbits(np.frombuffer(taken, np.uint8), count=n).astype(np.bool_)

    def files(self, block: Block, table: str) -> list[EarlierFile]:
        return [file for file in self._of(block) if file.table == table]

    def whole(self, block: Block) -> list[EarlierFile]:
        """The files of the earlier block that did all that this one is to do; none: there is none."""
        return list(self._of(block)) if block.block_id in self._whole else []

    def _of(self, block: Block) -> Iterator[EarlierFile]:
        earlier, _ = self._blocks[block.block_id]
        for name in earlier:
            yield from self._files[name]
