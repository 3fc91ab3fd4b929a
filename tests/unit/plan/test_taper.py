"""The last blocks of a plan are cut finer: the same trades, each once, and ends that lie close together."""

from __future__ import annotations

import heapq
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from plans import block
from published import assert_same_bits

from riskpipe.config import Settings, load_settings
from riskpipe.plan.block import Block, digest_id
from riskpipe.plan.costs import SECONDS_PER_BLOCK
from riskpipe.plan.planned_blocks import PlanTotals
from riskpipe.plan.selection import Selection
from riskpipe.plan.stored_plan import SCHEMA
from riskpipe.plan.taper import LEAST_PART_SECONDS, tapered
from riskpipe.workflows.run import run

SECONDS = 60.0


def made(blocks: list[Block], workers: int, at_a_time: int = 7) -> tuple[list[dict[str, Any]], PlanTotals]:
    totals = PlanTotals(blocks=len(blocks), products={"bond": {"blocks": len(blocks), "trades": 0, "seconds": 0.0}})
    rows = [{name: getattr(each, name) for name in SCHEMA.names} for each in blocks]
    tables = [pa.Table.from_pylist(rows[k : k + at_a_time], SCHEMA) for k in range(0, len(rows), at_a_time)]
    return [row for table in tapered(iter(tables), lambda: workers, totals) for row in table.to_pylist()], totals


def of(count: int, **fields: Any) -> list[Block]:
    given = {"trades": 80, "projected_seconds": SECONDS + SECONDS_PER_BLOCK, **fields}
    return [block(number, **given) for number in range(count)]


def test_every_row_is_in_one_block_and_the_last_ones_are_short() -> None:
    blocks = of(100)
    rows, totals = made(blocks, workers=10)
    assert [row["row_start"] for row in rows[:80]] == [each.row_start for each in blocks[:80]]
    covered = [(row["row_start"], row["row_stop"]) for row in rows]
    assert sorted(k for start, stop in covered for k in range(start, stop)) == [
        k for each in blocks for k in range(each.row_start, each.row_stop)
    ]
    assert covered == sorted(covered), "in the order of the plan"
    assert all(row["trades"] == row["row_stop"] - row["row_start"] for row in rows)
    counts = [sum(each.row_start <= start < each.row_stop for start, _ in covered) for each in blocks[80:]]
    assert counts == [1, *[2] * 10, *[4] * 5, *[8] * 4], "of what is left, two parts or more for each of ten workers"
    assert len({row["block_id"] for row in rows}) == len(rows) == totals.blocks == totals.products["bond"]["blocks"]
    assert sum(row["projected_seconds"] - SECONDS_PER_BLOCK for row in rows) == pytest.approx(100 * SECONDS)


def test_ids_are_those_of_blocks_that_were_cut_so_at_once() -> None:
    rows, _ = made(of(4), workers=2)
    names = ("product", "path", "inputs", "row_start", "row_stop", "scenario_start", "scenario_stop", "measures")
    assert [row["block_id"] for row in rows[1:]] == [digest_id(*(row[name] for name in names)) for row in rows[1:]]


@pytest.mark.parametrize(
    ("fields", "workers"),
    [
        ({"projected_seconds": 2 * LEAST_PART_SECONDS - 0.1}, 10),
        ({"trades": 1}, 10),
        ({"row_stop": 10_000}, 10),
        ({}, 1),
        ({}, 0),
    ],
    ids=["short", "one trade", "a selection", "one worker", "none"],
)
def test_what_stays_as_it_is(fields: dict[str, Any], workers: int) -> None:
    blocks = of(30, **fields)
    rows, totals = made(blocks, workers)
    assert [row["block_id"] for row in rows] == [each.block_id for each in blocks]
    assert totals.blocks == 30


def test_more_workers_than_blocks_have_one_each() -> None:
    rows, _ = made(of(10), workers=1000)
    assert len(rows) > 20
    assert made([], 10)[0] == []


@pytest.mark.parametrize("workers", [2, 7, 50])
def test_workers_wait_less_at_the_end(workers: int) -> None:
    """By greedy handing out, against the same blocks uncut."""

    def idle(seconds: list[float]) -> float:
        ends = [0.0] * workers
        for each in seconds:
            heapq.heapreplace(ends, ends[0] + each)
        return sum(max(ends) - end for end in ends) / workers

    lengths = [SECONDS * (0.5 + (7 * k % 100) / 100) for k in range(20 * workers + 3)]
    blocks = [block(k, trades=80, projected_seconds=each + SECONDS_PER_BLOCK) for k, each in enumerate(lengths)]
    rows, _ = made(blocks, workers)
    assert idle([row["projected_seconds"] for row in rows]) < 0.4 * idle([each.projected_seconds for each in blocks])


def test_bits_do_not_depend_on_it(
    small_book: Path, tmp_path: Path, recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def settings(output: str) -> Settings:
        given = ("cluster.workers=40", f"output={tmp_path / output}", "measures=[pv, delta, historical_var]")
        return load_settings(small_book / "riskpipe.yaml", assignments=given, environment={})

    def valued(output: str) -> int:
        plain = settings(output)
        return run(plain, Selection(), observer=recorder).blocks.planned

    monkeypatch.setattr("riskpipe.clusters.auto.Auto.planned_workers", lambda *_: 40)
    plain = valued("plain")
    monkeypatch.setattr("riskpipe.plan.taper.LEAST_PART_SECONDS", 0.0)
    assert valued("tapered") > 3 * plain
    assert_same_bits(tmp_path / "plain", tmp_path / "tapered")
