"""Runs that take numbers over of an earlier one: killed in the middle and resumed, and done by workers."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from corrected import correct_level
from fault_runs import disturbed
from published import assert_same_bits

from riskpipe.config import Settings, load_settings
from riskpipe.fault_points import FaultPoint
from riskpipe.plan.accounting import SilentObserver
from riskpipe.plan.selection import Selection
from riskpipe.store.ledger import read_ledger
from riskpipe.store.location import open_store
from riskpipe.store.records import BlockDone
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.run_ids import list_runs
from riskpipe.workflows.run import run

# Cut along the scenarios as well as the trades.
CUT = ("partition.max_trades=60", "partition.max_scenarios=400", "measures=[pv, bucketed_delta, historical_var]")
WORKERS = ("cluster.kind=local", "cluster.workers=2")


def given(output: Path, *more: str) -> tuple[str, ...]:
    return ("cluster.kind=serial", f"output={output}", *CUT, *more)


def settings(book: Path, output: Path, *assignments: str) -> Settings:
    return load_settings(book / "riskpipe.yaml", assignments=given(output, *assignments), environment={})


@pytest.fixture(scope="module")
def corrected(tmp_path_factory: pytest.TempPathFactory, small_book: Path) -> tuple[Path, Path, Path]:
    """A book whose curve has been corrected since; the output of a run before that, and that of a fresh one."""
    directory = tmp_path_factory.mktemp("corrected")
    book = Path(shutil.copytree(small_book, directory / "book"))
    for output in ("before", "fresh"):
        assert run(settings(book, directory / output), Selection(), observer=SilentObserver()).state == "complete"
        if output == "before":
            correct_level(book / "data" / "market.parquet", "spot:SPX")
    return book, directory / "before", directory / "fresh"


@pytest.fixture
def output(corrected: tuple[Path, Path, Path], tmp_path: Path) -> Path:
    """With the run before the correction."""
    return Path(shutil.copytree(corrected[1], tmp_path / "output"))


def done_blocks(output: Path) -> list[str]:
    """Of the last run, as often as they were done."""
    store = open_store(str(output))
    records = read_ledger(RunFolder(store, list_runs(store)[-1]))
    return [record.block_id for record in records if isinstance(record, BlockDone)]


MOMENTS = {
    FaultPoint.PUT_FILE: 1,
    FaultPoint.VALUE: 9,
    FaultPoint.CLOSE_PARQUET: 30,
    FaultPoint.EVENT: 13,
    FaultPoint.PART: 2,
    FaultPoint.PLACE_TABLE: 2,
}
"""Where such a run is killed, when it is reached for the how-manieth time."""


@pytest.mark.parametrize(
    "moment", [each if each is FaultPoint.VALUE else pytest.param(each, marks=pytest.mark.slow) for each in MOMENTS]
)
def test_a_killed_run_resumes_with_what_it_takes_over(moment, corrected, output) -> None:
    book, _, fresh = corrected
    killed = disturbed(book, "kill", moment, MOMENTS[moment], *given(output, "reuse=auto"))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    before = done_blocks(output) if len(list_runs(open_store(str(output)))) == 2 else []

    status = run(settings(book, output, "reuse=auto"), Selection(), observer=SilentObserver())

    assert status.state == "complete"
    assert status.reuse is not None
    assert 300 < status.reuse["taken_over"] < 400
    assert status.blocks.reused == len(before)
    assert_same_bits(fresh, output)
    assert sorted(done_blocks(output)) == sorted(set(done_blocks(output))), "a block that was done was done again"


@pytest.mark.slow
def test_workers_take_over_what_has_not_changed(corrected, output) -> None:
    """Also after the driver and they are killed in the middle."""
    book, _, fresh = corrected
    killed = disturbed(book, "kill", FaultPoint.EVENT, 5, *given(output, "reuse=auto", *WORKERS), event="Finished")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    before = done_blocks(output)
    assert before

    status = run(settings(book, output, "reuse=auto", *WORKERS), Selection(), observer=SilentObserver())

    assert status.state == "complete"
    assert status.blocks.reused == len(before)
    assert_same_bits(fresh, output)
    newest = RunFolder(open_store(str(output)), status.run_id)
    planned = pq.read_table(output / newest.reused_blocks)
    linked = sum(planned["whole"].to_pylist())
    assert 0 < linked < len(planned)  # some blocks are the earlier run's, of others some trades are
    assert json.loads((output / newest.summary).read_text())["reuse"]["taken_over"] == status.reuse["taken_over"]
