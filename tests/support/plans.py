"""Plans and ledger records made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from riskpipe.plan.block import Block
from riskpipe.plan.stored_plan import PLAN_VERSION, SCHEMA, PlanHeader, StoredPlan, write_plan
from riskpipe.store.records import BlockDone, BlockFailed, BlockSplit


def block(number: int = 0, *, trades: int = 10, measures: Sequence[str] = ("pv",), **fields: Any) -> Block:
    """Rows [100 number, 100 number + trades) of one file."""
    given = {
        "block_id": f"{number:024x}",
        "product": "bond",
        "path": "bond/part-000.parquet",
        "row_start": 100 * number,
        "row_stop": 100 * number + trades,
        "trades": trades,
        "scenario_start": 0,
        "scenario_stop": 5,
        "measures": tuple(measures),
        "inputs": "abc",
        "projected_bytes": 1000,
        "projected_seconds": 0.5,
    }
    return Block(**{**given, **fields})


def header(**fields: Any) -> PlanHeader:
    given = dict.fromkeys(PlanHeader.__struct_fields__, "")
    return PlanHeader(
        **{
            **given,
            "as_of": "2026-11-20",
            "measures": ("pv",),
            "selection": [],
            "cost_factors": {},
            "valuations": 0,
            "totals": {"trades": 0},
            "version": PLAN_VERSION,
            **fields,
        }
    )


def stored(path: Path, blocks: Sequence[Block]) -> StoredPlan:
    rows = [{name: getattr(b, name) for name in SCHEMA.names} for b in blocks]
    for row in rows:
        row["measures"] = list(row["measures"])
    write_plan(str(path), [pa.Table.from_pylist(rows, SCHEMA)], header)
    return StoredPlan(str(path))


def done(b: Block, ok: int, failed: int = 0, not_applicable: int = 0) -> BlockDone:
    assert ok + failed + not_applicable == b.numbers
    return BlockDone(
        b.block_id, b.parent, 1, "worker", "host", *[0.0] * 8, 0, 0, 0.0, 0, 0, 0, ok, failed, not_applicable
    )  # fmt: skip


def failed(b: Block, reason: str = "WORKER_LOST", *, final: bool = True) -> BlockFailed:
    return BlockFailed(b.block_id, b.parent, 1, reason, "it was so", "worker", True, final)


def split(b: Block, *children: tuple[Block, Sequence[int] | None], reason: str = "OUT_OF_MEMORY") -> BlockSplit:
    """:param children: with the numbers of the parent that each replaces, None when the parent has no output."""
    described = tuple(
        {"block": child.to_json(), "replaces": None if replaces is None else list(replaces)}
        for child, replaces in children
    )
    return BlockSplit(b.block_id, described, reason)
