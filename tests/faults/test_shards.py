"""Runs over several clusters, each with a driver of its own; drivers, schedulers and workers die in the middle."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import random
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest
from distributed import Client, rpc
from fault_runs import PARTS_MAY_GO, command, cut_one_block
from published import assert_same_bits

from riskpipe.config import load_settings
from riskpipe.execute.events import SplitInto
from riskpipe.fault_points import FaultPoint, handle_fault_points
from riskpipe.plan.accounting import RunStatus, SilentObserver
from riskpipe.plan.selection import Selection
from riskpipe.runs import clusters
from riskpipe.store.ledger import ledger_faults, read_ledger
from riskpipe.store.location import open_store
from riskpipe.store.records import BlockDone, BlockFailed, BlockSplit
from riskpipe.store.run_folder import RunFolder
from riskpipe.workflows.run import run

SHARDS = ("cluster.kind=local", "cluster.workers=2", "cluster.shards=2", "partition.max_trades=10")
THREE = ("cluster.workers=3", "cluster.shards=3")
WHOLE = "partition.max_trades=10"


def driver_of(shard: int) -> psutil.Process:
    """The process that drives a shard of the run in this one."""
    found = [child for child in multiprocessing.active_children() if child.name == f"riskpipe-shard-{shard}"]
    return psutil.Process(found[-1].pid)


def kill_the_driver(shard: int) -> None:
    driver_of(shard).kill()


async def kind_of_server(address: str) -> str | None:
    """A scheduler, or the nannies of its cluster; None: it does not speak Dask's language."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(5), rpc(address) as server:
            return str((await server.identity())["type"])
    return None


def close_the_scheduler(shard: int) -> None:
    """Found among the ports that its process listens on."""

    def end(dask_scheduler: Any) -> None:
        dask_scheduler.loop.add_callback(dask_scheduler.close)

    ports = [found.laddr.port for found in driver_of(shard).net_connections() if found.status == psutil.CONN_LISTEN]
    for address in (f"tcp://127.0.0.1:{port}" for port in ports):
        if asyncio.run(kind_of_server(address)) == "Scheduler":
            with Client(address) as client:
                client.run_on_scheduler(end)
            return
    raise AssertionError(f"no scheduler listens on {ports}")


class Blow:
    """An observer that strikes shard 1, once, when it has done a block by the first driver's account."""

    def __init__(self, output: Path, strike: Callable[[int], None]) -> None:
        self.output = output
        self.strike = strike
        self.struck = False
        self.messages: list[str] = []

    def message(self, level: str, text: str) -> None:
        self.messages.append(text)

    def update(self, status: RunStatus) -> None:
        if not self.struck and status.blocks.ok and any(w.startswith("shard-1/") for w in workers(self.output)):
            self.struck = True
            self.strike(1)


def ledger_of(output: Path) -> RunFolder:
    (directory,) = (output / "runs").iterdir()
    return RunFolder(open_store(str(output)), directory.name)


def workers(output: Path) -> list[str]:
    """Of every block that the ledger has as done."""
    return [record.worker for record in read_ledger(ledger_of(output)) if isinstance(record, BlockDone)]


@pytest.fixture(scope="module")
def undisturbed(small_book: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("undisturbed")
    given = ("cluster.kind=serial", f"output={output}", WHOLE)
    settings = load_settings(small_book / "riskpipe.yaml", assignments=given, environment={})
    assert run(settings, Selection(), observer=SilentObserver()).state == "complete"
    return output


@contextmanager
def nothing_left() -> Iterator[None]:
    """No process of a run is left behind."""
    before = set(psutil.Process().children(recursive=True))
    yield
    left = set(psutil.Process().children(recursive=True)) - before
    _, alive = psutil.wait_procs(left, timeout=30)
    assert not [process for process in alive if "resource_tracker" not in " ".join(process.cmdline())]


@pytest.mark.slow
def test_three_shards_give_the_bits_of_one_process(
    settings_of: Any, recorder: Any, tmp_path: Path, undisturbed: Path
) -> None:
    with nothing_left():
        status = run(settings_of(*SHARDS, *THREE), Selection(), observer=recorder)
    assert (status.state, status.exit_code, status.published) == ("complete", 0, True)
    assert status.blocks.ok == status.blocks.planned
    assert_same_bits(undisturbed, tmp_path / "output")
    folder = ledger_of(tmp_path / "output")
    assert not ledger_faults(folder)
    done = [record for record in read_ledger(folder) if isinstance(record, BlockDone)]
    assert len({record.block_id for record in done}) == len(done) == status.blocks.planned
    blocks = pq.read_table(tmp_path / "output" / "runs" / status.run_id / "blocks.parquet")
    assert {worker.split("/")[0] for worker in blocks.column("worker").to_pylist()} == {"shard-0", "shard-1", "shard-2"}


@pytest.mark.slow
def test_a_shard_s_scheduler_is_replaced_by_its_driver(settings_of: Any, tmp_path: Path, undisturbed: Path) -> None:
    blow = Blow(tmp_path / "output", close_the_scheduler)
    with nothing_left():
        status = run(settings_of(*SHARDS), Selection(), observer=blow)
    assert blow.struck
    assert (status.state, status.exit_code) == ("complete", 0)
    assert status.blocks.ok == status.blocks.planned
    assert status.numbers.balanced
    assert_same_bits(undisturbed, tmp_path / "output")
    assert not ledger_faults(ledger_of(tmp_path / "output"))
    assert [text for text in blow.messages if text.startswith("shard 1: the scheduler is gone")]


@pytest.mark.slow
def test_a_stop_drains_every_shard_and_the_rest_is_done_later(
    settings_of: Any, recorder: Any, tmp_path: Path, undisturbed: Path
) -> None:
    blow = Blow(tmp_path / "output", lambda shard: os.kill(os.getpid(), signal.SIGTERM))
    with nothing_left():
        stopped = run(settings_of(*SHARDS), Selection(), observer=blow)
    assert (stopped.state, stopped.exit_code) == ("interrupted", 143)
    assert 0 < stopped.blocks.ok < stopped.blocks.planned
    assert stopped.numbers.balanced
    status = run(settings_of(*SHARDS), Selection(), observer=recorder)
    assert status.run_id == stopped.run_id
    assert status.blocks.reused == stopped.blocks.ok
    assert (status.state, status.blocks.ok) == ("complete", status.blocks.planned - stopped.blocks.ok)
    assert_same_bits(undisturbed, tmp_path / "output")


@pytest.mark.slow
def test_when_the_first_driver_is_killed_the_others_end_and_their_work_is_kept(
    small_book: Path, settings_of: Any, recorder: Any, tmp_path: Path, undisturbed: Path
) -> None:
    """Killed when the first records of a shard have reached it."""
    words = command(small_book, "wait", FaultPoint.LEARN, 1, *SHARDS, f"output={tmp_path / 'output'}")
    with subprocess.Popen(words, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "reached"
        started = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        _, alive = psutil.wait_procs(started, timeout=60)
        assert not alive
    known = len(workers(tmp_path / "output"))
    assert known
    status = run(settings_of(*SHARDS), Selection(), observer=recorder)
    assert (status.state, status.blocks.reused) == ("complete", known)
    assert_same_bits(undisturbed, tmp_path / "output")


@pytest.mark.slow
def test_parts_of_an_earlier_session_go_to_a_shard(
    settings_of: Any, recorder: Any, tmp_path: Path, undisturbed: Path
) -> None:
    """Blocks that were cut before the run was stopped; what is recorded of parts comes after the cut."""
    blocks = iter([True])

    def disturb(point: FaultPoint, subject: object) -> None:
        if point is FaultPoint.VALUE and next(blocks, False):
            raise MemoryError
        if point is FaultPoint.EVENT and isinstance(subject, SplitInto):
            os.kill(os.getpid(), signal.SIGTERM)

    handle_fault_points(disturb)
    try:
        stopped = run(settings_of(WHOLE), Selection(), observer=recorder)
    finally:
        handle_fault_points(None)
    assert stopped.state == "interrupted"
    split = [r for r in read_ledger(ledger_of(tmp_path / "output")) if isinstance(r, BlockSplit)]
    assert split
    status = run(settings_of(*SHARDS), Selection(), observer=recorder)
    assert (status.run_id, status.state) == (stopped.run_id, "complete")
    done = {r.block_id for r in read_ledger(ledger_of(tmp_path / "output")) if isinstance(r, BlockDone)}
    assert {part["block"]["block_id"] for cut in split for part in cut.children} <= done
    assert_same_bits(undisturbed, tmp_path / "output")


@pytest.mark.slow
def test_what_a_driver_had_cut_when_it_was_killed_is_done_by_others(
    settings_of: Any, recorder: Any, tmp_path: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go = tmp_path / "may_go"
    monkeypatch.setenv(PARTS_MAY_GO, str(may_go))
    monkeypatch.setattr(clusters, "import_kernels", cut_one_block)
    failed: list[str] = []

    def disturb(point: FaultPoint, record: object) -> None:
        if point is FaultPoint.LEARN and isinstance(record, BlockFailed):
            failed.append(str(record.worker))
        if point is FaultPoint.LEARN and isinstance(record, BlockSplit):
            kill_the_driver(int(failed[0].split("/")[0].removeprefix("shard-")))
            may_go.touch()

    handle_fault_points(disturb)
    try:
        with nothing_left():
            status = run(settings_of(*SHARDS), Selection(), observer=recorder)
    finally:
        handle_fault_points(None)
    assert len(failed) == 1
    assert (status.state, status.blocks.ok) == ("complete", status.blocks.planned)
    assert status.numbers.balanced
    folder = ledger_of(tmp_path / "output")
    done = Counter(r.parent_block_id is not None for r in read_ledger(folder) if isinstance(r, BlockDone))
    assert done == {True: 2, False: status.blocks.planned - 1}
    assert not ledger_faults(folder)
    assert_same_bits(undisturbed, tmp_path / "output")


@pytest.mark.chaos
@pytest.mark.parametrize("shards", [3, 8])
def test_drivers_that_are_killed_at_random_cost_no_bit_and_no_number(
    shards: int, settings_of: Any, recorder: Any, tmp_path: Path, undisturbed: Path
) -> None:
    """Four of them, each after some blocks more; every block is done, and recorded, once."""
    chance, blocks = random.Random(shards), count(1)
    moments = set(chance.sample(range(2, 24), 4))
    killed: list[int] = []

    def disturb(point: FaultPoint, record: object) -> None:
        if point is FaultPoint.LEARN and isinstance(record, BlockDone) and next(blocks) in moments:
            alive = [shard for shard in range(shards) if killed.count(shard) < 2]
            killed.append(chance.choice(alive))
            kill_the_driver(killed[-1])

    handle_fault_points(disturb)
    try:
        with nothing_left():
            given = (*SHARDS, f"cluster.workers={shards}", f"cluster.shards={shards}")
            status = run(settings_of(*given), Selection(), observer=recorder)
    finally:
        handle_fault_points(None)
    assert len(killed) == 4
    assert (status.state, status.exit_code) == ("complete", 0)
    assert status.numbers.balanced
    assert status.blocks.ok == status.blocks.planned
    folder = ledger_of(tmp_path / "output")
    done = Counter(record.block_id for record in read_ledger(folder) if isinstance(record, BlockDone))
    assert set(done.values()) == {1}
    assert len(done) == status.blocks.planned
    assert not ledger_faults(folder)
    assert_same_bits(undisturbed, tmp_path / "output")
