"""Killed at any moment, a run resumes and ends with the same bytes; what was done is not done again."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from killed import start
from published import assert_same_bits, published

from riskpipe.plan.selection import Selection
from riskpipe.runs import worker_functions
from riskpipe.runs.publication import Publication
from riskpipe.store.filesystem import Store
from riskpipe.store.ledger import BlockDone, read_ledger
from riskpipe.store.location import open_store
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.run_ids import list_runs
from riskpipe.workflows.retry import retry
from riskpipe.workflows.run import run

CUT = ("partition.max_trades=20",)

MOMENTS = {
    "while planning": "run_module._write_run = dying(run_module._write_run, 1)",
    "before the first block": "import riskpipe.runs.session as s\n"
    "s.Session.value_blocks = dying(s.Session.value_blocks, 1)",
    "in a block": "import riskpipe.runs.worker_functions as f\n"
    "f.FUNCTIONS = {**f.FUNCTIONS, 'value': dying(f.value, 9)}",
    "while writing a result": "import riskpipe.store.parquet as p\n"
    "p.ParquetSink.finish = dying(p.ParquetSink.finish, 30)",
    "in a flush of the ledger": "import riskpipe.store.ledger as l\n"
    "l.LedgerWriter.flush = dying(l.LedgerWriter.flush, 3)",
    "while summing": "import riskpipe.runs.worker_functions as f\n"
    "f.FUNCTIONS = {**f.FUNCTIONS, 'sum': dying(f.sum_up, 1)}",
    "while merging": "import riskpipe.store.sorted_merge as m\nm._MOST_SOURCES = 4\n"
    "import riskpipe.runs.worker_functions as f\n"
    "f.FUNCTIONS = {**f.FUNCTIONS, 'merge': dying(f.merge, 1)}",
    "while publishing": "import riskpipe.store.publish as p\np._place = dying(p._place, 2)",
    "before the summary": "import riskpipe.runs.session as s\ns.Session.end = dying(s.Session.end, 1)",
}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, small_book) -> Path:
    from riskpipe.config import load_settings

    output = tmp_path_factory.mktemp("undisturbed")
    settings = load_settings(
        small_book / "riskpipe.yaml", assignments=("cluster.kind=serial", f"output={output}", *CUT), environment={}
    )
    run(settings, Selection(), observer=_Silent())
    return output


class _Silent:
    def update(self, status: object) -> None:
        pass

    def message(self, level: str, text: str) -> None:
        pass


@pytest.mark.parametrize("moment", list(MOMENTS))
def test_a_killed_run_resumes_to_the_same_bytes(moment, small_book, settings_of, undisturbed, recorder, tmp_path):
    settings = settings_of(*CUT)
    output = tmp_path / "output"
    killed = start(small_book, MOMENTS[moment], tmp_path, "cluster.kind=serial", f"output={output}", *CUT)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    store = open_store(str(output))
    before = done_blocks(store)

    status = run(settings, Selection(), observer=recorder)

    assert status.state == "complete"
    assert status.numbers.balanced
    assert status.blocks.reused == len(before)
    assert_same_bits(undisturbed, output)
    after = done_blocks(store, all_attempts=True)
    if moment != "while planning":
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
    patch = """
import riskpipe.runs.worker_functions as f
calls = [0]
def value(work):
    calls[0] += 1
    if calls[0] == 5:
        os.kill(os.getpid(), signal.SIGTERM)
    return f_value(work)
f_value = f.value
f.FUNCTIONS = {**f.FUNCTIONS, 'value': value}
from riskpipe.cli import main as cli
"""
    stopped = start(small_book, patch, tmp_path, "cluster.kind=serial", f"output={output}", *CUT)
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
    first = run(settings_of(*CUT), Selection(), observer=recorder)
    second = run(settings_of(*CUT), Selection(), resume="never", observer=recorder)

    assert first.run_id != second.run_id
    assert second.blocks.reused == 0


def test_retry_of_a_complete_run_does_nothing(settings_of, recorder, tmp_path) -> None:
    first = run(settings_of(), Selection(), observer=recorder)
    again = retry(settings_of(), "latest", Selection(), recorder)

    assert again.run_id == first.run_id
    assert again.state == "complete"
    assert again == first
    blocks = pq.read_table(tmp_path / "output" / "runs" / first.run_id / "blocks.parquet")
    assert len(blocks) == again.blocks.planned


LATE = {
    "in the last block": ("value", 21),
    "in a sum": ("sum", 1),
    "in a merge": ("merge", 1),
}


@pytest.mark.parametrize("moment", list(LATE))
def test_sigterm_when_no_block_is_left_publishes_nothing_half(
    moment, small_book, settings_of, undisturbed, recorder, tmp_path
) -> None:
    """Every block is done, the sums are not: nothing may be published before they are."""
    function, calls = LATE[moment]
    output = tmp_path / "output"
    patch = f"""
import riskpipe.runs.worker_functions as f
import riskpipe.store.sorted_merge
riskpipe.store.sorted_merge._MOST_SOURCES = 4  # files at once: more are merged by workers
calls = [0]
inner = f.FUNCTIONS[{function!r}]
def stopping(work):
    calls[0] += 1
    if calls[0] == {calls}:
        os.kill(os.getpid(), signal.SIGTERM)
    return inner(work)
f.FUNCTIONS = {{**f.FUNCTIONS, {function!r}: stopping}}
"""
    stopped = start(small_book, patch, tmp_path, "cluster.kind=serial", f"output={output}", *CUT)
    assert stopped.returncode == 143, stopped.stderr
    summary = json.loads(next((output / "runs").glob("*/summary.json")).read_text())
    assert summary["state"] == "interrupted"
    assert summary["blocks"]["ok"] == summary["blocks"]["planned"] == 21
    assert not (output / "published").exists()

    status = run(settings_of(*CUT), Selection(), observer=recorder)

    assert status.state == "complete"
    assert status.blocks.reused == 21
    assert_same_bits(undisturbed, output)


def test_retry_of_a_block_that_failed_as_a_whole(monkeypatch, settings_of, undisturbed, recorder, tmp_path) -> None:
    settings, calls = settings_of(*CUT), []

    def failing(work):
        calls.append(work.key)
        if len(calls) == 3:
            raise RuntimeError("out of order")
        return worker_functions.value(work)

    with monkeypatch.context() as patched:
        patched.setattr(worker_functions, "FUNCTIONS", {**worker_functions.FUNCTIONS, "value": failing})
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
