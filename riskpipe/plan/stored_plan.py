"""The plan: every block of a run, in order, as one Parquet file that is written and read in pieces."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import InputError
from riskpipe.plan.block import BLOCK_ID_LENGTH, Block, digest_id
from riskpipe.plan.costs import BYTES_PER_BLOCK, SECONDS_PER_BLOCK, WORKER_BASELINE_BYTES
from riskpipe.plan.partition import Limits, ScenarioRange
from riskpipe.plan.row_ranges import RowRanges, row_ranges
from riskpipe.plan.survey import SurveyedRows
from riskpipe.store.parquet import reading

PLAN_VERSION = 3
HEADER_KEY = "riskpipe.plan"
BLOCKS_PER_ROW_GROUP = 50_000
# Blocks below and beyond are counted: the one is mostly overhead, the other waits long for its end.
SHORT_SECONDS, LONG_SECONDS = 0.5, 60.0

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


@dataclass
class PlanTotals:
    """Sums over the blocks, kept while they are made."""

    blocks: int = 0
    trades: int = 0
    numbers: int = 0
    projected_seconds: float = 0.0
    longest_seconds: float = 0.0
    most_bytes: int = 0
    short_blocks: int = 0
    long_blocks: int = 0
    products: dict[str, dict[str, float]] = field(default_factory=dict)

    def add(self, product: str, trades: NDArray[np.int64], measures: int, seconds: FloatArray,
            bytes_: NDArray[np.int64], *, first_range: bool) -> None:  # fmt: skip
        """Count blocks of one product and scenario range."""
        self.blocks += len(trades)
        self.trades += int(trades.sum()) if first_range else 0
        self.numbers += int(trades.sum()) * measures
        self.projected_seconds += float(seconds.sum())
        self.longest_seconds = max(self.longest_seconds, float(seconds.max(initial=0.0)))
        self.most_bytes = max(self.most_bytes, int(bytes_.max(initial=0)))
        self.short_blocks += int((seconds < SHORT_SECONDS).sum())
        self.long_blocks += int((seconds > LONG_SECONDS).sum())
        row = self.products.setdefault(product, {"blocks": 0, "trades": 0, "seconds": 0.0})
        row["blocks"] += len(trades)
        row["trades"] += int(trades.sum()) if first_range else 0
        row["seconds"] += float(seconds.sum())


def block_tables(
    surveys: Iterable[SurveyedRows],
    ranges: tuple[ScenarioRange, ...],
    limits: Limits,
    inputs_of: Mapping[str, str],
    totals: PlanTotals,
) -> Iterator[pa.Table]:
    """The blocks of each product, as its rows come in: each trade range under every scenario range.

    :param inputs_of: path -> digest of all that determines the numbers of that file's trades besides the ranges.
    :param totals: is added to.
    """
    for cut in row_ranges(surveys, limits):
        inputs = [_inputs(paths, inputs_of) for paths in cut.paths]
        memory = (cut.bytes_ + BYTES_PER_BLOCK + WORKER_BASELINE_BYTES).astype(np.int64)
        for k, columns in enumerate(ranges):
            seconds = cut.seconds[k] + SECONDS_PER_BLOCK
            totals.add(cut.product, cut.trades, len(columns.measures), seconds, memory, first_range=k == 0)
            yield _table(cut, columns, inputs, memory, seconds)


def _inputs(paths: Sequence[str], inputs_of: Mapping[str, str]) -> str:
    return inputs_of[paths[0]] if len(paths) == 1 else digest_id(*(inputs_of[path] for path in paths))


def _table(
    cut: RowRanges, columns: ScenarioRange, inputs: list[str], memory: NDArray[np.int64], seconds: FloatArray
) -> pa.Table:
    n = len(cut.starts)
    paths = [files[0] for files in cut.paths]
    # With the path: two files may hold the same bytes.
    ids = [
        digest_id(cut.product, path, digest, start, stop, columns.start, columns.stop, columns.measures)
        for path, digest, start, stop in zip(paths, inputs, cut.starts.tolist(), cut.stops.tolist(), strict=True)
    ]
    width = len(columns.measures)
    measures = pa.ListArray.from_arrays(
        pa.array(np.arange(n + 1) * width, pa.int32()), pa.array(list(columns.measures) * n, pa.string())
    )
    return pa.table(
        [
            pa.array(ids, pa.string()),
            pa.repeat(pa.scalar(cut.product, pa.string()), n),
            pa.array(paths, pa.string()),
            pa.array(cut.starts),
            pa.array(cut.stops),
            pa.array(cut.trades),
            pa.repeat(pa.scalar(columns.start, pa.int64()), n),
            pa.repeat(pa.scalar(columns.stop, pa.int64()), n),
            measures,
            pa.array(inputs, pa.string()),
            pa.array(memory),
            pa.array(seconds),
        ],
        schema=SCHEMA,
    )


@dataclass(frozen=True)
class PlanHeader:
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
    known = {name: value[name] for name in PlanHeader.__dataclass_fields__ if name in value}
    return PlanHeader(**{**known, "measures": tuple(known["measures"])})


class StoredPlan:
    """A plan file, read in pieces; positions in it are the blocks' indices."""

    def __init__(self, path: str) -> None:
        self.path = path
        with reading(path), pq.ParquetFile(path) as file:
            self._length = file.metadata.num_rows
            text = (file.metadata.metadata or {}).get(HEADER_KEY.encode())
        if text is None:
            raise InputError(f"{path} is not a plan of riskpipe")
        value = json.loads(text)
        if value["version"] > PLAN_VERSION:
            raise InputError(f"{path} is a plan of a newer riskpipe (version {value['version']}): install that")
        self.header = _header(value)

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
        return pq.read_table(self.path, columns=list(names))

    def block(self, index: int) -> Block:
        """One block."""
        with pq.ParquetFile(self.path) as file:
            first = 0
            for group in range(file.metadata.num_row_groups):
                rows = file.metadata.row_group(group).num_rows
                if index < first + rows:
                    row = file.read_row_group(group, SCHEMA.names).slice(index - first, 1).to_pylist()[0]
                    return Block.from_json({**row, "parent": None, "rows": None})
                first += rows
        raise IndexError(f"block {index} of {len(self)}")

    def id_at(self, index: int) -> str:
        """The id of a block."""
        return bytes(self._ids[index]).decode()

    def index_of(self, block_id: str) -> int | None:
        """The position of a block, None when it is not in the plan."""
        ordered, order = self._sorted_ids
        at = int(np.searchsorted(ordered, block_id.encode()))
        return int(order[at]) if at < len(ordered) and ordered[at] == block_id.encode() else None

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
