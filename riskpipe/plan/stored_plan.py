"""The plan: every block of a run, in order, as one Parquet file that is written and read in pieces."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct, field
from numpy.typing import NDArray

from riskpipe.errors import InputError
from riskpipe.plan.block import BLOCK_ID_LENGTH, Block
from riskpipe.store.parquet import reading
from riskpipe.structs import asdict

PLAN_VERSION = 3
HEADER_KEY = "riskpipe.plan"
BLOCKS_PER_ROW_GROUP = 50_000

SCHEMA = pa.schema(
    [
        ("block_id", pa.string()),
        ("product", pa.string()),
        ("path", pa.string()),
        ("row_start", pa.int64()),
        ("row_stop", pa.int64()),
        ("trades", pa.int64()),
        ("scenario_start", pa.int64()),
        ("scenario_stop", pa.int64()),
        ("measures", pa.list_(pa.string())),
        ("inputs", pa.string()),
        ("projected_bytes", pa.int64()),
        ("projected_seconds", pa.float64()),
    ]
)


class PlanHeader(Struct, frozen=True):
    """What all blocks share; stored in the file's footer.

    :param inputs_sha256: of the input files together, config_sha256: of what of the configuration determines numbers.
    :param snapshot_sha256, scenario_set_sha256: of market and scenarios as they are priced, with all that was derived.
    """

    as_of: str
    base_currency: str
    measures: tuple[str, ...]
    inputs_sha256: str
    config_sha256: str
    snapshot_sha256: str
    scenario_set_sha256: str
    selection: list[list[str]]
    engine_version: str
    cost_factors: Mapping[str, float]
    totals: Mapping[str, Any]
    valuations: int = 0
    product_versions: Mapping[str, int] = field(default_factory=dict)
    measure_versions: Mapping[str, int] = field(default_factory=dict)
    version: int = PLAN_VERSION


def write_plan(path: str, tables: Iterable[pa.Table], header: Callable[[], PlanHeader]) -> PlanHeader:
    """Stream the blocks into a Parquet file; the header, known when the last block is, goes to the footer."""
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        waiting: list[pa.Table] = []
        rows = 0
        for table in tables:
            waiting.append(table)
            rows += len(table)
            if rows >= BLOCKS_PER_ROW_GROUP:
                writer.write_table(pa.concat_tables(waiting), BLOCKS_PER_ROW_GROUP)
                waiting, rows = [], 0
        if waiting:
            writer.write_table(pa.concat_tables(waiting), BLOCKS_PER_ROW_GROUP)
        written = header()
        writer.add_key_value_metadata({HEADER_KEY: json.dumps(asdict(written), sort_keys=True)})
    return written


def _header(value: dict[str, Any]) -> PlanHeader:
    """Fields that this version does not know are left out; two had other names in version 1.

    Until version 2 a block ended with its file.
    """
    if value["version"] == 1:
        value |= {"snapshot_sha256": value["market_sha256"], "scenario_set_sha256": value["scenarios_sha256"]}
    known = {name: value[name] for name in PlanHeader.__struct_fields__ if name in value}
    return PlanHeader(**{**known, "measures": tuple(known["measures"])})


class StoredPlan:
    """A plan file, read in pieces; positions in it are the blocks' indices."""

    def __init__(self, path: str) -> None:
        self.path = path
        with reading(path), pq.ParquetFile(path) as file:
            self._length = file.metadata.num_rows
            rows = [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)]
            text = (file.metadata.metadata or {}).get(HEADER_KEY.encode())
        if text is None:
            raise InputError(f"{path} is not a plan of riskpipe")
        value = json.loads(text)
        if value["version"] > PLAN_VERSION:
            raise InputError(f"{path} is a plan of a newer riskpipe (version {value['version']}): install that")
        self.header = _header(value)
        self._row_groups = np.concatenate([[0], np.cumsum(rows, dtype=np.int64)])[:-1]
        self._read: tuple[int, pa.Table] | None = None

    def __len__(self) -> int:
        return int(self._length)

    def blocks(self, wanted: NDArray[np.bool_] | None = None) -> Iterator[tuple[int, Block]]:
        """(index, block) in order; only the `wanted` ones (bool[n], looked at when each is reached)."""
        index = 0
        with pq.ParquetFile(self.path) as file:
            for batch in file.iter_batches(2_000, columns=SCHEMA.names):
                if wanted is None or wanted[index : index + len(batch)].any():
                    for offset, row in enumerate(batch.to_pylist()):
                        if wanted is None or wanted[index + offset]:
                            yield index + offset, Block.from_json({**row, "parent": None, "rows": None})
                index += len(batch)

    def columns(self, *names: str) -> pa.Table:
        """Some columns of all blocks."""
        with pq.ParquetFile(self.path) as file:
            return file.read(columns=list(names))

    def block(self, index: int) -> Block:
        """One block."""
        return next(block for _, block in self.blocks_at(np.array([index])))

    def blocks_at(self, indices: NDArray[np.integer[Any]]) -> Iterator[tuple[int, Block]]:
        """(index, block) at some positions, ascending; a row group is in memory at a time, and stays for the next call.

        :raises IndexError: a position that the plan has not.
        """
        if len(indices) and not 0 <= int(indices[0]) <= int(indices[-1]) < len(self):
            raise IndexError(f"block {indices[-1] if indices[0] >= 0 else indices[0]} of {len(self)}")
        groups = np.searchsorted(self._row_groups, indices, side="right") - 1
        for group in np.unique(groups):
            if self._read is None or self._read[0] != group:
                with pq.ParquetFile(self.path) as file:
                    self._read = int(group), file.read_row_group(int(group), SCHEMA.names)
            wanted = indices[groups == group]
            rows = self._read[1].take(pa.array(wanted - self._row_groups[group])).to_pylist()
            for index, row in zip(wanted.tolist(), rows, strict=True):
                yield index, Block.from_json({**row, "parent": None, "rows": None})

    def id_at(self, index: int) -> str:
        """The id of a block."""
        return bytes(self._ids[index]).decode()

    def index_of(self, block_id: str) -> int | None:
        """The position of a block, None when it is not in the plan."""
        ordered, order = self._sorted_ids
        at = int(np.searchsorted(ordered, block_id.encode()))
        return int(order[at]) if at < len(ordered) and ordered[at] == block_id.encode() else None

    def indices_of(self, block_ids: Sequence[str]) -> NDArray[np.int64]:
        """int64[n]: positions of blocks, -1 of one that is not in the plan."""
        ordered, order = self._sorted_ids
        if not len(ordered):
            return np.full(len(block_ids), -1, np.int64)
        names = np.array([block_id.encode() for block_id in block_ids], np.bytes_)
        at = np.minimum(np.searchsorted(ordered, names), len(ordered) - 1)
        return np.where(ordered[at] == names, order[at], -1)

    @cached_property
    def _ids(self) -> NDArray[np.bytes_]:
        text = self.columns("block_id").column(0).cast(pa.binary()).cast(pa.binary(BLOCK_ID_LENGTH))
        parts = [
            np.frombuffer(c.buffers()[1], f"S{BLOCK_ID_LENGTH}")[c.offset : c.offset + len(c)] for c in text.chunks
        ]
        return np.concatenate(parts) if parts else np.empty(0, f"S{BLOCK_ID_LENGTH}")

    @cached_property
    def _sorted_ids(self) -> tuple[NDArray[np.bytes_], NDArray[np.int64]]:
        order = np.argsort(self._ids)
        return self._ids[order], order
