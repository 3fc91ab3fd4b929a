"""A block that hangs on its worker: the run ends by a second start of it, with the same bits, counted once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from fault_runs import disturbed, one_block_hangs
from published import assert_same_bits

from riskpipe.cli.invocation import Invocation
from riskpipe.cli.summary import summary
from riskpipe.config import Settings
from riskpipe.fault_points import FaultPoint
from riskpipe.plan.accounting import RunStatus
from riskpipe.plan.selection import Selection
from riskpipe.runs.metrics import run_metrics
from riskpipe.runs.status import status_of
from riskpipe.store.ledger import read_ledger
from riskpipe.store.location import open_store
from riskpipe.store.records import BlockDone, BlockStartedAgain
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.run_ids import list_runs
from riskpipe.workflows.run import run
from riskpipe.workflows.verify import verify

CUT = ("partition.max_trades=50",)
TWO = ("cluster.kind=local", "cluster.workers=2", *CUT)
LATE = ("cluster.block_timeout=20",)
SOON = ("retry.second_start_seconds=0.2", "retry.second_start_factor=2")


@pytest.fixture
def undisturbed(settings_of: Callable[..., Settings], recorder: Any, tmp_path: Path) -> Path:
    assert run(settings_of(*CUT, output="undisturbed"), Selection(), observer=recorder).published
    return tmp_path / "undisturbed"


def folder_of(output: Path) -> RunFolder:
    store = open_store(str(output))
    return RunFolder(store, list_runs(store)[-1])


@pytest.mark.slow
def test_a_run_ends_by_the_second_start(
    settings_of: Callable[..., Settings], recorder: Any, tmp_path: Path, undisturbed: Path
) -> None:
    settings = settings_of(*TWO, *SOON)
    with one_block_hangs(tmp_path / "hangs"):
        status = run(settings, Selection(), observer=recorder)
    assert (status.state, status.published, status.second_starts, status.second_starts_won) == ("complete", True, 1, 1)
    assert status.blocks.ok == status.blocks.planned
    assert_same_bits(undisturbed, tmp_path / "output")

    folder = folder_of(tmp_path / "output")
    (again,) = (record for record in read_ledger(folder) if isinstance(record, BlockStartedAgain))
    done = [record for record in read_ledger(folder) if isinstance(record, BlockDone)]
    assert len(done) == len({record.block_id for record in done}) == status.blocks.planned
    blocks = pq.read_table(tmp_path / "output" / folder.blocks)
    rows = {row["attempt"]: row for row in blocks.filter(pc.equal(blocks["block_id"], again.block_id)).to_pylist()}
    assert {attempt: row["status"] for attempt, row in rows.items()} == {1: "outrun", 2: "ok"}
    assert rows[1]["worker"] == again.worker != rows[2]["worker"]
    assert rows[2]["queue_s"] < again.seconds, "its own wait, not the first one's"
    assert len(blocks) == status.blocks.planned + 1

    told = [text for _, text in recorder.messages if again.block_id in text]
    assert ["started a second time" in told[0], "is done by its second start" in told[1], len(told)] == [True, True, 2]
    assert "1 second start of blocks that took too long, of which 1 came first" in summary(status, Invocation())
    assert run_metrics(status).get_sample_value("riskpipe_run_second_starts_won") == 1.0
    assert RunStatus.from_json(json.loads(json.dumps(status.to_json()))) == status
    assert verify(settings, folder.run_id).sound


@pytest.mark.slow
def test_without_it_the_block_waits_for_its_timeout(
    settings_of: Callable[..., Settings], recorder: Any, tmp_path: Path
) -> None:
    with one_block_hangs(tmp_path / "hangs"):
        status = run(settings_of(*TWO, *SOON, *LATE, "retry.second_start=off"), Selection(), observer=recorder)
    assert (status.state, status.second_starts) == ("complete", 0)
    assert [text for _, text in recorder.messages if text.endswith(": TIMEOUT: not done after 20 s")]


@pytest.mark.slow
def test_killed_while_both_attempts_run_it_resumes(
    settings_of: Callable[..., Settings], small_book: Path, recorder: Any, tmp_path: Path, undisturbed: Path
) -> None:
    output = f"output={tmp_path / 'output'}"
    killed = disturbed(
        small_book, "kill", FaultPoint.EVENT, 1, *TWO, *SOON, output, hang=tmp_path / "hangs", event="StartedAgain"
    )
    assert killed.returncode == -9, killed.stderr
    before = status_of(folder_of(tmp_path / "output"))
    settings = settings_of(*TWO, *SOON)
    status = run(settings, Selection(), observer=recorder)
    assert (status.run_id, status.state, status.published) == (before.run_id, "complete", True)
    assert status.blocks.reused + status.blocks.ok == status.blocks.planned
    assert_same_bits(undisturbed, tmp_path / "output")
    assert verify(settings, status.run_id).sound
