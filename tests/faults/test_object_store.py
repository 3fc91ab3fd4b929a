"""Runs with inputs and outputs in S3: the bits of a local run, whatever the service does to single requests."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.fs as pafs
import pytest
from corrected import correct_level
from fault_runs import disturbed
from object_server import ObjectServer
from published import assert_same_bits
from typer.testing import CliRunner

from riskpipe.cli.app import app
from riskpipe.config import Settings, load_settings
from riskpipe.fault_points import FaultPoint
from riskpipe.plan.accounting import SilentObserver
from riskpipe.plan.selection import Selection
from riskpipe.store.filesystem import Store
from riskpipe.store.growing_copy import GrowingCopy, pieces_sha256
from riskpipe.store.layout import CURRENT, LEASES
from riskpipe.store.ledger import read_ledger
from riskpipe.store.local_files import hand_on, keep_to_itself
from riskpipe.store.location import open_store
from riskpipe.store.published import read_current
from riskpipe.store.records import BlockDone, BlockFailed
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.run_ids import list_runs
from riskpipe.workflows.retry import retry
from riskpipe.workflows.run import run

CUT = ("partition.max_trades=40", "measures=[pv, bucketed_vega, historical_var]")
INPUTS = {name: f"{name}.parquet" for name in ("market", "history", "scenarios")} | {"portfolio": "portfolio"}
SECRET = "not-to-be-seen"  # of tests/conftest.py


def settings(book: Path, *assignments: str) -> Settings:
    return load_settings(book / "riskpipe.yaml", assignments=(*CUT, *assignments), environment={})


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, small_book: Path) -> Path:
    """The output of a local run."""
    output = tmp_path_factory.mktemp("undisturbed")
    run(settings(small_book, "cluster.kind=serial", f"output={output}"), Selection(), observer=SilentObserver())
    return output


@pytest.fixture
def in_bucket(s3: ObjectServer, bucket: str, small_book: Path) -> tuple[str, ...]:
    """Assignments that put inputs and output into a bucket which holds the small book."""
    filesystem, _ = pafs.FileSystem.from_uri(s3.uri(bucket))
    pafs.copy_files(str(small_book / "data"), f"{bucket}/in", destination_filesystem=filesystem)
    s3.forget()
    inputs = (f"inputs.{name}={s3.uri(f'{bucket}/in/{path}')}" for name, path in INPUTS.items())
    return ("cluster.kind=serial", f"output={s3.uri(f'{bucket}/out')}", *inputs)


@pytest.fixture
def store(s3: ObjectServer, bucket: str) -> Store:
    """The output."""
    return open_store(s3.uri(f"{bucket}/out"))


@pytest.fixture
def fetched(s3: ObjectServer, bucket: str, tmp_path: Path) -> Callable[[], Path]:
    """A local copy of all of the output."""

    def fetch() -> Path:
        s3.forget()
        filesystem, _ = pafs.FileSystem.from_uri(s3.uri(bucket))
        target = tmp_path / "fetched"
        target.mkdir()
        pafs.copy_files(f"{bucket}/out", str(target), source_filesystem=filesystem)
        return target

    return fetch


def command(book: Path, assignments: tuple[str, ...], *words: str) -> tuple[int, str, str]:
    options = [word for assignment in (*CUT, *assignments) for word in ("--set", assignment)]
    result = CliRunner().invoke(app, [*words, "-c", str(book / "riskpipe.yaml"), *options], env={"RISKPIPE_CONFIG": ""})
    return result.exit_code, result.stdout, result.stderr


def done_blocks(store: Store) -> list[str]:
    folder = RunFolder(store, list_runs(store)[-1])
    return [record.block_id for record in read_ledger(folder) if isinstance(record, BlockDone)]


@pytest.mark.slow
def test_two_workers_on_a_bucket_make_the_bits_of_a_local_run(
    s3, bucket, small_book, in_bucket, undisturbed, store, fetched, tmp_path
) -> None:
    """And every command reads what they left."""
    status = run(
        settings(small_book, *in_bucket, "cluster.kind=local", "cluster.workers=2"),
        Selection(),
        observer=SilentObserver(),
    )
    assert status.state == "complete"
    for name in ("market.arrow", "scenarios.arrow", "plan.parquet"):  # two workers and the driver, one copy
        assert s3.count("GET", rf"out/runs/.*{name}") == 1
    assert status.published
    run_id = status.run_id

    assert command(small_book, in_bucket, "check")[0] == 0
    assert command(small_book, in_bucket, "doctor")[0] == 0
    code, listed, _ = command(small_book, in_bucket, "runs", "list", "--json")
    assert (code, [entry["run_id"] for entry in json.loads(listed)["runs"]]) == (0, [run_id])
    assert json.loads(command(small_book, in_bucket, "runs", "show", run_id, "--json")[1])["state"] == "complete"
    assert command(small_book, in_bucket, "report", "latest")[0] == 0
    assert command(small_book, in_bucket, "diff", run_id, "latest", "--output-b", str(undisturbed))[0] == 0
    assert command(small_book, in_bucket, "publish", run_id)[0] == 0
    assert command(small_book, in_bucket, "compact", "valuations")[0] == 0
    assert read_current(store)["2026-11-20"]["run_id"] == run_id
    assert store.list_files(LEASES) == []

    copy = fetched()
    assert_same_bits(undisturbed, copy)
    lines = (copy / RunFolder(store, run_id).log).read_text().splitlines()
    assert json.loads(lines[-1])["message"] == "complete"
    for path in copy.rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path

    older = RunFolder(store, "20200101-000000-000000")
    store.write_bytes(older.run, b"{}")
    store.write_bytes(older.block_output("valuations", "1"), b"")
    assert command(small_book, in_bucket, "runs", "gc", "--keep", "1")[0] == 0
    assert list_runs(store) == [run_id]
    assert store.list_files(older.root) == []


MOMENTS = {FaultPoint.PUT_FILE: 1, FaultPoint.PUT_OBJECT: 25, FaultPoint.PLACE_TABLE: 2}


@pytest.mark.chaos
@pytest.mark.parametrize("moment", list(MOMENTS))
def test_a_killed_run_resumes_to_the_same_bits(moment, small_book, in_bucket, undisturbed, store, fetched) -> None:
    killed = disturbed(small_book, "kill", moment, MOMENTS[moment], *CUT, *in_bucket)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    had_plan = any(store.exists(RunFolder(store, run_id).plan) for run_id in list_runs(store))
    before = done_blocks(store) if had_plan else []

    status = run(settings(small_book, *in_bucket), Selection(), observer=SilentObserver())

    assert status.state == "complete"
    assert status.blocks.reused == len(before)
    assert sorted(done_blocks(store)) == sorted(set(done_blocks(store))), "a block that was done was done again"
    assert_same_bits(undisturbed, fetched())


@pytest.mark.chaos
def test_a_run_takes_over_numbers_of_a_bucket_also_when_it_was_killed(
    s3, bucket, small_book, in_bucket, store, fetched, tmp_path
) -> None:
    run(settings(small_book, *in_bucket), Selection(), observer=SilentObserver())
    book = Path(shutil.copytree(small_book, tmp_path / "book"))
    correct_level(book / "data" / "market.parquet", "spot:SPX")
    filesystem, _ = pafs.FileSystem.from_uri(s3.uri(bucket))
    with filesystem.open_output_stream(f"{bucket}/in/market.parquet") as file:
        file.write((book / "data" / "market.parquet").read_bytes())
    killed = disturbed(small_book, "kill", FaultPoint.VALUE, 9, *CUT, *in_bucket, "reuse=auto")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    before = done_blocks(store)
    assert 0 < len(before) < 9
    s3.forget()

    status = run(settings(small_book, *in_bucket, "reuse=auto"), Selection(), observer=SilentObserver())

    assert status.state == "complete"
    assert status.reuse is not None
    assert 300 < status.reuse["taken_over"] < 400
    assert status.blocks.reused == len(before)
    fresh = tmp_path / "fresh"
    run(settings(book, "cluster.kind=serial", f"output={fresh}"), Selection(), observer=SilentObserver())
    assert_same_bits(fresh, fetched())


@pytest.mark.slow
def test_a_service_that_throttles_and_cuts(s3, small_book, in_bucket, undisturbed, store, fetched) -> None:
    """Requests of every kind fail now and then, single ones more than once; nothing is lost."""
    for fault, method, pattern in (
        ("slow down", "PUT", "out/runs/.*/blocks/valuations"),
        ("swallow the answer", "PUT", "out/runs/.*/blocks/partials"),
        ("swallow the answer", "PUT", "out/runs/.*/ledger"),
        ("cut before", "PUT", "out/runs/.*/ledger"),
        ("cut in the answer", "GET", "in/portfolio/.*parquet"),
        ("slow down", "GET", "out/runs/.*/blocks/sensitivities"),
        ("slow down", "PUT", "out/published"),
        ("swallow the answer", "PUT", CURRENT),
        ("slow down", "GET", "list-type"),
    ):
        s3.fail(fault, method, pattern, times=1, after=1)
        s3.fail(fault, method, pattern, times=2, after=4)

    status = run(settings(small_book, *in_bucket), Selection(), observer=SilentObserver())

    assert sum(rule.hits > 0 for rule in s3.rules) >= 12
    assert status.state == "complete"
    assert status.blocks.ok == status.blocks.planned == len(done_blocks(store))
    assert_same_bits(undisturbed, fetched())


@pytest.mark.slow
def test_workers_merge_many_files_first(monkeypatch, small_book, in_bucket, undisturbed, store, fetched) -> None:
    monkeypatch.setattr("riskpipe.store.sorted_merge.MOST_SOURCES", 4)

    status = run(settings(small_book, *in_bucket), Selection(), observer=SilentObserver())

    assert status.state == "complete"
    assert store.list_files(RunFolder(store, status.run_id).staging) == []
    assert_same_bits(undisturbed, fetched())


@pytest.mark.slow
def test_a_block_that_cannot_be_put_fails_for_storage_and_is_retried(
    s3, small_book, in_bucket, undisturbed, store, fetched
) -> None:
    # Whichever block puts its partial sums first is never let through.
    s3.fail("forbid", "PUT", "blocks/partials", times=1, after=3)
    status = run(settings(small_book, *in_bucket, "retry.storage=0"), Selection(), observer=SilentObserver())
    assert (status.state, status.published, status.blocks.failed) == ("partial", False, 1)
    assert status.failures_by_reason.keys() == {"STORAGE"}
    failed = [r for r in read_ledger(RunFolder(store, status.run_id)) if isinstance(r, BlockFailed)]
    assert [record.reason for record in failed] == ["STORAGE"]
    assert "check its role or policy" in failed[0].message
    s3.forget()

    status = retry(settings(small_book, *in_bucket, "retry.storage=0"), "latest", Selection(), SilentObserver())

    assert (status.state, status.published) == ("complete", True)
    assert_same_bits(undisturbed, fetched())


@pytest.mark.chaos
def test_an_output_that_stops_serving_ends_the_run_which_then_resumes(
    s3, small_book, in_bucket, undisturbed, store, fetched
) -> None:
    s3.fail("slow down", "PUT", "out/runs/.*/ledger", after=3)
    code, _, said = command(small_book, in_bucket, "run")
    assert code == 6
    assert "asked for fewer requests" in said
    s3.forget()
    recorded = done_blocks(store)

    status = run(settings(small_book, *in_bucket), Selection(), observer=SilentObserver())

    assert status.state == "complete"
    assert status.blocks.reused == len(recorded)
    assert_same_bits(undisturbed, fetched())


@pytest.mark.slow
def test_of_two_runs_at_once_one_is_turned_away(small_book, in_bucket, store) -> None:
    options = [word for assignment in (*CUT, *in_bucket) for word in ("--set", assignment)]
    line = [sys.executable, "-m", "riskpipe", "run", "-c", str(small_book / "riskpipe.yaml"), *options]
    both = [subprocess.Popen(line, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    ended = [(process.communicate(timeout=300)[1], process.returncode) for process in both]

    assert sorted(code for _, code in ended) == [0, 75]
    assert next(said for said, code in ended if code == 75).count("is writing to s3://") == 1
    assert len(list_runs(store)) == 1
    assert store.list_files(LEASES) == []


def test_credentials_in_a_uri_stop_a_run_before_anything_is_written(small_book, in_bucket, store) -> None:
    with_secret = tuple(re.sub("^(inputs.portfolio|output)=s3://", r"\1=s3://AKIA:hush@", one) for one in in_bucket)
    code, shown, said = command(small_book, with_secret, "run", "--json")
    assert code == 2
    assert "credentials do not belong in a URI" in said
    assert "hush" not in shown + said
    assert store.list_files() == []


class NobodyElse:
    """Neighbours that have nothing; what they were asked for."""

    def __init__(self) -> None:
        self.asked: list[GrowingCopy] = []

    def pieces(self, copy: GrowingCopy) -> Iterator[bytes]:
        self.asked.append(copy)
        yield from ()

    def ended(self, copy: GrowingCopy, complete: bool) -> None:
        assert complete


def test_neighbours_are_asked_for_market_and_scenarios_by_their_pieces(small_book, in_bucket, store) -> None:
    neighbours = NobodyElse()
    hand_on(neighbours)
    try:
        of_run = settings(small_book, *in_bucket, "measures=[pv]")
        status = run(of_run, Selection(), observer=SilentObserver())
    finally:
        keep_to_itself(neighbours)
    folder = RunFolder(store, status.run_id)
    stored = [store.read_bytes(path) for path in (folder.market, folder.scenarios)]
    assert [copy.sha256 for copy in neighbours.asked] == [hashlib.sha256(content).hexdigest() for content in stored]
    assert [copy.pieces for copy in neighbours.asked] == [pieces_sha256(io.BytesIO(content)) for content in stored]


@pytest.mark.slow
def test_requests_a_block(s3, small_book, in_bucket, store) -> None:
    """In a worker: one put a table, two requests for the trades; nothing of a block is asked for without need."""
    status = run(settings(small_book, *in_bucket, "publish=never"), Selection(), observer=SilentObserver())
    blocks = status.blocks.planned
    outputs = RunFolder(store, status.run_id).block_outputs
    tables = store.list_directories(outputs)
    assert s3.count("PUT", "/blocks/") == len(store.list_files(outputs)) <= blocks * len(tables)
    assert s3.count("GET", "list-type.*blocks") <= 4 * len(tables)
    ledger = s3.count("PUT", "/ledger/")
    assert ledger <= blocks + 4
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == SECRET
