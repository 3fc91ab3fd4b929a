"""Killed at any moment, a run resumes and ends with the same bytes; what was done is not done again."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from fault_runs import at_point, disturbed, out_of_order
from published import assert_same_bits, published

from riskpipe.fault_points import FaultPoint
from riskpipe.plan.accounting import SilentObserver
from riskpipe.plan.selection import Selection
from riskpipe.runs.publication import Publication
from riskpipe.store.filesystem import Store
from riskpipe.store.ledger import read_ledger
from riskpipe.store.location import open_store
from riskpipe.store.records import BlockDone
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.run_ids import list_runs
from riskpipe.workflows.retry import retry
from riskpipe.workflows.run import run

CUT = ("partition.max_trades=20",)

MOMENTS = {
    FaultPoint.WRITE_RUN: 1,
    FaultPoint.PUT_FILE: 1,
    FaultPoint.VALUE_BLOCKS: 1,
    FaultPoint.VALUE: 9,
    FaultPoint.CLOSE_PARQUET: 30,
    FaultPoint.PUT_SEGMENT: 3,
    FaultPoint.EVENT: 13,
    FaultPoint.SUM: 1,
    FaultPoint.MERGE: 1,
    FaultPoint.PART: 2,
    FaultPoint.PUBLISH: 1,
    FaultPoint.PLACE_TABLE: 2,
    FaultPoint.END_SESSION: 1,
}
"""Where a run is killed, when it is reached for the how-manieth time."""
SELDOM = (
    FaultPoint.WRITE_RUN,
    FaultPoint.SUM,
    FaultPoint.PUT_FILE,
    FaultPoint.VALUE_BLOCKS,
    FaultPoint.CLOSE_PARQUET,
    FaultPoint.PUT_SEGMENT,
    FaultPoint.EVENT,
    FaultPoint.MERGE,
    FaultPoint.PART,
    FaultPoint.PLACE_TABLE,
    FaultPoint.END_SESSION,
)
"""Those of them that are slow tests: near another one."""
PLANNING = (FaultPoint.WRITE_RUN, FaultPoint.PUT_FILE)
ELSEWHERE = {
    FaultPoint.PUT_OBJECT: "test_object_store.py",
    FaultPoint.CONCATENATE: "test_lost_outputs.py",
    FaultPoint.LEARN: "test_shards.py",
}
FEW = 4  # files at once: more are merged by workers


def test_a_run_is_disturbed_at_every_fault_point() -> None:
    assert {*MOMENTS, *ELSEWHERE} == set(FaultPoint)
    for point, file in ELSEWHERE.items():
        assert f"FaultPoint.{point.name}" in (Path(__file__).parent / file).read_text()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, small_book) -> Path:
    from riskpipe.config import load_settings

    output = tmp_path_factory.mktemp("undisturbed")
    settings = load_settings(
        small_book / "riskpipe.yaml", assignments=("cluster.kind=serial", f"output={output}", *CUT), environment={}
    )
    run(settings, Selection(), observer=SilentObserver())
    return output


@pytest.mark.parametrize(
    "moment", [pytest.param(each, marks=pytest.mark.slow) if each in SELDOM else each for each in MOMENTS]
)
def test_a_killed_run_resumes_to_the_same_bytes(moment, small_book, settings_of, undisturbed, recorder, tmp_path):
    settings = settings_of(*CUT)
    output = tmp_path / "output"
    words = ("kill", moment, MOMENTS[moment], "cluster.kind=serial", f"output={output}", *CUT)
    killed = disturbed(small_book, *words, files_at_once=FEW if moment is FaultPoint.MERGE else None)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    store = open_store(str(output))
    before = done_blocks(store)

    status = run(settings, Selection(), observer=recorder)

    assert status.state == "complete"
    assert status.numbers.balanced
    assert status.blocks.reused == len(before)
    assert_same_bits(undisturbed, output)
    after = done_blocks(store, all_attempts=True)
    if moment not in PLANNING:
        assert len(list_runs(store)) == 1
        assert sorted(after) == sorted(set(after)), "a block that was done was done again"
    assert not [path for path in output.rglob("*") if path.name.startswith(".tmp-") and "published" in str(path)]


def done_blocks(store: Store, all_attempts: bool = False) -> list[str]:
    runs = list_runs(store)
    if not runs:
        return []
    ids = [r.block_id for r in read_ledger(RunFolder(store, runs[-1])) if isinstance(r, BlockDone)]
    return ids if all_attempts else sorted(set(ids))


def test_sigterm_drains_and_exits_143(small_book, settings_of, undisturbed, recorder, tmp_path) -> None:
    output = tmp_path / "output"
    words = ("terminate", FaultPoint.VALUE, 5, "cluster.kind=serial", f"output={output}", *CUT)
    stopped = disturbed(small_book, *words)
    assert stopped.returncode == 143, stopped.stderr
    summary = json.loads(next((output / "runs").glob("*/summary.json")).read_text())
    assert summary["state"] == "interrupted"
    assert summary["blocks"]["ok"] == 5
    assert summary["numbers"]["cancelled"] > 0
    assert not (output / "published").exists()

    status = run(settings_of(*CUT), Selection(), observer=recorder)

    assert status.state == "complete"
    assert status.blocks.reused == 5
    assert_same_bits(undisturbed, output)


def test_resume_never_starts_anew(settings_of, recorder, tmp_path) -> None:
    settings = settings_of("measures=[pv]")
    first = run(settings, Selection(), observer=recorder)
    second = run(settings, Selection(), resume="never", observer=recorder)

    assert first.run_id != second.run_id
    assert second.blocks.reused == 0


def test_retry_of_a_complete_run_does_nothing(settings_of, recorder, tmp_path) -> None:
    settings = settings_of("measures=[pv]")
    first = run(settings, Selection(), observer=recorder)
    again = retry(settings, "latest", Selection(), recorder)

    assert again.run_id == first.run_id
    assert again.state == "complete"
    assert again == first
    blocks = pq.read_table(tmp_path / "output" / "runs" / first.run_id / "blocks.parquet")
    assert len(blocks) == again.blocks.planned


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "times"),
    [
        (FaultPoint.VALUE, 21),
        pytest.param(FaultPoint.SUM, 1, marks=pytest.mark.slow),
        pytest.param(FaultPoint.MERGE, 1, marks=pytest.mark.slow),
    ],
)
def test_sigterm_when_no_block_is_left_publishes_nothing_half(
    moment, times, small_book, settings_of, undisturbed, recorder, tmp_path
) -> None:
    """Every block is done, the sums are not: nothing may be published before they are."""
    output = tmp_path / "output"
    words = ("terminate", moment, times, "cluster.kind=serial", f"output={output}", *CUT)
    stopped = disturbed(small_book, *words, files_at_once=FEW)
    assert stopped.returncode == 143, stopped.stderr
    summary = json.loads(next((output / "runs").glob("*/summary.json")).read_text())
    assert summary["state"] == "interrupted"
    assert summary["blocks"]["ok"] == summary["blocks"]["planned"] == 21
    assert not (output / "published").exists()

    status = run(settings_of(*CUT), Selection(), observer=recorder)

    assert status.state == "complete"
    assert status.blocks.reused == 21
    assert_same_bits(undisturbed, output)


def test_retry_of_a_block_that_failed_as_a_whole(settings_of, undisturbed, recorder, tmp_path) -> None:
    settings = settings_of(*CUT)

    with at_point(FaultPoint.VALUE, out_of_order, times=3):
        first = run(settings, Selection(), publication=Publication("always"), observer=recorder)
    assert (first.state, first.blocks.failed, first.published) == ("partial", 1, True)
    failed = published(tmp_path / "output", "valuations").filter(pc.field("status") == "failed")
    assert set(failed.column("message").to_pylist()) == {"RuntimeError: out of order"}

    second = retry(settings, "latest", Selection(), recorder)

    assert second.state == "complete"
    assert second.failures_by_reason == {}
    assert second.blocks.ok == 1
    assert second.blocks.reused == second.blocks.planned - 1
    assert len(pq.read_table(tmp_path / "output" / "runs" / second.run_id / "failures.parquet")) == 0
    assert_same_bits(undisturbed, tmp_path / "output")
