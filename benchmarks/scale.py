"""Dask's scheduler under 1,000 and 3,000 simulated workers, fed by riskpipe's own driver: CPU, memory, bytes.

Schedulers, simulated workers and drivers are processes of their own, on loopback, and are charged by their own CPU
time: that holds on a machine that others use too, wall times do not. The driver of a shard does what it does in a run:
it drives tasks through the executor, follows each to its end, and appends the ledger's records. What the first driver
does with these is measured by itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, date, datetime

import psutil
import pyarrow as pa
from distributed import Client

from benchmarks.scale_cluster import MEGABYTE, block_result, counts
from riskpipe.clusters.address import at_address
from riskpipe.config.models import Retry
from riskpipe.execute.dask_executor import DaskExecutor
from riskpipe.execute.drive import Ending, drive
from riskpipe.execute.events import Event, Finished
from riskpipe.execute.policy import RetryPolicy
from riskpipe.execute.signals import StopSignal
from riskpipe.execute.task import Task
from riskpipe.plan.block import Block
from riskpipe.plan.state import RunState
from riskpipe.plan.stored_plan import SCHEMA, PlanHeader, StoredPlan, write_plan
from riskpipe.runs.attempt_rows import AttemptRows
from riskpipe.runs.attempts import done_record
from riskpipe.runs.combined_files import CombinedFiles
from riskpipe.runs.folded import FoldedRun
from riskpipe.store.ledger import FLUSH_RECORDS, LedgerWriter, new_session_id, read_lines
from riskpipe.store.location import open_store
from riskpipe.store.records import Record, encode
from riskpipe.store.result_tables import Provenance
from riskpipe.store.run_folder import RunFolder
from riskpipe.valuation.run_block import BlockPayload, BlockResult

WORKERS_A_PROCESS = 1_000
SETTLING_SECONDS = 5.0
IDLE_SECONDS = 20.0
LEARNT = 100_000
RETRY = Retry()
_DIGESTS = ("inputs_sha256", "config_sha256", "snapshot_sha256", "scenario_set_sha256")
HEADER = PlanHeader(
    as_of="2026-11-20",
    base_currency="USD",
    measures=("pv",),
    selection=[],
    engine_version="0",
    cost_factors={},
    totals={},
    **dict.fromkeys(_DIGESTS, ""),
)
RUN_ID = "20261120-000000-000000"
# Shards, workers of each, blocks, seconds of a block: about 150 blocks a second, which two cores can serve.
CASES = ((1, 100, 6_000, 1.0), (1, 1_000, 9_000, 6.0), (1, 3_000, 12_000, 20.0), (3, 1_000, 12_000, 20.0))


@dataclass(frozen=True)
class Reading:
    """What the schedulers had spent at some moment, all of them together.

    :param cpu: seconds; received, sent: bytes of messages; resident: MiB.
    """

    at: float
    cpu: float
    received: int
    sent: int
    heartbeats: int
    resident: float


@dataclass
class Farm:
    """The processes of one shard: a scheduler and its simulated workers. The client reads what was counted there."""

    process: psutil.Process
    address: str
    client: Client | None = None

    def cpu(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def resident(self) -> float:
        return float(self.process.memory_info().rss) / MEGABYTE


def _read(farms: list[Farm]) -> Reading:
    counted = [farm.client.run_on_scheduler(counts) for farm in farms if farm.client is not None]
    received, sent, heartbeats = (sum(column) for column in zip(*counted, strict=True))
    resident = sum(farm.resident() for farm in farms)
    return Reading(time.monotonic(), sum(farm.cpu() for farm in farms), received, sent, heartbeats, resident)


def _process(stack: ExitStack, *words: str, module: str = "benchmarks.scale_cluster") -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", module, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line:
        raise RuntimeError(f"a process of the benchmark ended: {process.wait()}")
    return line


def _farm(stack: ExitStack) -> Farm:
    process = _process(stack, "scheduler")
    address = _line(process)
    return Farm(psutil.Process(process.pid), address)


def _register(stack: ExitStack, farm: Farm, workers: int) -> dict[str, float]:
    """Have the workers register; what that takes."""
    cpu, resident, started = farm.cpu(), farm.resident(), time.monotonic()
    counts = [min(WORKERS_A_PROCESS, workers - first) for first in range(0, workers, WORKERS_A_PROCESS)]
    firsts = range(0, workers, WORKERS_A_PROCESS)
    processes = [_process(stack, "workers", farm.address, str(a), str(n)) for a, n in zip(firsts, counts, strict=True)]
    for process in processes:
        _line(process)
    return {
        "register_s": time.monotonic() - started,
        "register_cpu_ms": (farm.cpu() - cpu) / workers * 1e3,
        "worker_kib": (farm.resident() - resident) / workers * 1024,
    }


def _value(task: Task) -> None:
    raise RuntimeError("simulated workers call nothing")


def _tasks(blocks: int, seconds: float) -> Iterator[Task]:
    """As a run has them; block seconds spread evenly between half and one and a half of `seconds`."""
    for n in range(blocks):
        projected = seconds * (0.5 + n * 7 % 101 / 101)
        block = Block(
            block_id=f"{n:024x}",
            product="interest_rate_swap",
            path="interest_rate_swap/part-0000.parquet",
            row_start=n * 10_000,
            row_stop=(n + 1) * 10_000,
            trades=10_000,
            scenario_start=0,
            scenario_stop=1_000,
            measures=("pv", "historical_var"),
            inputs="0" * 24,
            projected_bytes=400 * MEGABYTE,
            projected_seconds=projected,
        )
        task = BlockPayload("/mnt/riskpipe/output", RUN_ID, block)
        yield Task(block.block_id, task, size=10_000, projected_seconds=projected)


def drive_shard(address: str, workers: int, blocks: int, seconds: float) -> None:
    """The driver of a shard, in a process of its own: says `ready`, waits for a line, and says the share of its blocks
    that is done, tenth by tenth; last its CPU seconds."""
    with (
        at_address(address, workers=workers, deadline=120.0) as client,
        closing(DaskExecutor(client, {"value": _value})) as executor,
        tempfile.TemporaryDirectory(prefix="riskpipe-scale-") as directory,
    ):
        folder = RunFolder(open_store(directory), RUN_ID)
        writer = LedgerWriter(folder, new_session_id(folder, datetime.now(UTC)), time.monotonic())
        done = 0

        def on_event(event: Event) -> None:
            nonlocal done
            if not isinstance(event, Finished):
                return
            task, result = event.outcome.task, event.outcome.result
            assert isinstance(result, BlockResult)
            writer.append(done_record(task.payload.block, 1, event.outcome.worker, result.started_at, result))
            done += 1
            if done % (blocks // 10) == 0:
                print(done / blocks, flush=True)

        print("ready", flush=True)
        sys.stdin.readline()
        started = time.process_time()
        result = drive(
            _tasks(blocks, seconds),
            executor,
            RetryPolicy(RETRY.worker_lost, RETRY.storage, RETRY.out_of_memory, RETRY.timeout),
            split=lambda task: [],
            on_event=on_event,
            ending=Ending(StopSignal()),
            tick=lambda: writer.maybe_flush(time.monotonic()) and None,
        )
        spent = time.process_time() - started
        writer.flush()
        assert (result.state, result.counts.done) == ("complete", blocks)
        print("cpu", spent, flush=True)


def _record(task: Task) -> Record:
    return done_record(task.payload.block, 1, "shard-0/tls://10.0.0.1:40000", 0.0, block_result(task, 1.0))


def learning(blocks: int) -> float:
    """CPU seconds a block of the first driver: what a shard's driver has put into the ledger, into the run's state and
    the rows of attempts."""
    tasks = list(_tasks(blocks, 60.0))
    lines = [
        "\n".join(encode(_record(task)) for task in tasks[first : first + FLUSH_RECORDS]).encode()
        for first in range(0, blocks, FLUSH_RECORDS)
    ]
    with tempfile.TemporaryDirectory(prefix="riskpipe-scale-") as directory:
        path = f"{directory}/plan.parquet"
        rows = [{**task.payload.block.to_json(), "parent": None, "rows": None} for task in tasks]
        table = pa.Table.from_pylist([{name: row[name] for name in SCHEMA.names} for row in rows], SCHEMA)
        write_plan(path, [table], lambda: HEADER)
        folder, plan = RunFolder(open_store(directory), RUN_ID), StoredPlan(path)
        run = FoldedRun(folder, RunState(plan), CombinedFiles(folder, len(plan)))
        attempts = AttemptRows(folder, run.state, Provenance(RUN_ID, date(2026, 11, 20), "", "", "0", "USD"))
        started = time.process_time()
        for segment in lines:
            for record in read_lines(segment):
                run.apply(record)
                attempts.apply(record)
        attempts.finish([])
        spent = time.process_time() - started
        assert not run.state.undone().any()
    return spent / blocks


def _driver(stack: ExitStack, farm: Farm, workers: int, blocks: int, seconds: float) -> subprocess.Popen[str]:
    words = ["drive", farm.address, str(workers), str(blocks), str(seconds)]
    process = _process(stack, *words, module="benchmarks.scale")
    if _line(process) != "ready":
        raise RuntimeError("a driver of the benchmark is not ready")
    return process


def _drive_all(drivers: list[subprocess.Popen[str]], look: Callable[[], None]) -> float:
    """CPU seconds of all drivers together. :param look: called whenever one has done a tenth of its blocks."""
    for driver in drivers:
        assert driver.stdin is not None
        driver.stdin.write("go\n")
        driver.stdin.flush()
    spent = 0.0
    for driver in drivers:
        while not (line := _line(driver)).startswith("cpu"):
            look()
        spent += float(line.split()[1])
    return spent


def one(shards: int, workers: int, blocks: int, seconds: float) -> dict[str, float]:
    """Figures of one case. What heartbeats cost is measured while nothing runs, and is not a block's.

    :param blocks: of all shards together; each has a driver of its own, as in a run.
    """
    with ExitStack() as stack:
        farms = [_farm(stack) for _ in range(shards)]
        registered = [_register(stack, farm, workers) for farm in farms]
        row = {name: sum(figures[name] for figures in registered) / shards for name in registered[0]}
        for farm in farms:
            farm.client = stack.enter_context(at_address(farm.address, workers=workers, deadline=120.0))
        drivers = [_driver(stack, farm, workers, blocks // shards, seconds) for farm in farms]
        time.sleep(SETTLING_SECONDS)
        first = _read(farms)
        time.sleep(IDLE_SECONDS)
        idle = _read(farms)
        resident = [idle.resident]
        driver = _drive_all(drivers, lambda: resident.append(sum(farm.resident() for farm in farms)))
        end = _read(farms)
        beats, run_beats = idle.heartbeats - first.heartbeats, end.heartbeats - idle.heartbeats
        received, sent, cpu = (
            (getattr(end, name) - getattr(idle, name))
            - run_beats * (getattr(idle, name) - getattr(first, name)) / beats
            for name in ("received", "sent", "cpu")
        )
        return row | {
            "shards": shards,
            "workers": workers,
            "blocks": blocks,
            "block_s": seconds,
            "heartbeat_ms": (idle.cpu - first.cpu) / beats * 1e3,
            "heartbeats_s": beats / (idle.at - first.at) / shards,
            "scheduler_ms": cpu / blocks * 1e3,
            "scheduler_all_ms": (end.cpu - idle.cpu) / blocks * 1e3,
            "driver_ms": driver / blocks * 1e3,
            "received": received / blocks,
            "sent": sent / blocks,
            "in_flight_kib": (max(resident) - resident[0]) / min(3 * workers * shards, blocks) * 1024,
            "scheduler_mib": max(resident) / shards,
            "load": os.getloadavg()[0],
            "elapsed": end.at - idle.at,
        }


COLUMNS = {
    "shards": "shards",
    "workers": "workers each",
    "blocks": "blocks",
    "register_cpu_ms": "register ms",
    "worker_kib": "worker KiB",
    "heartbeat_ms": "heartbeat ms",
    "scheduler_ms": "scheduler ms",
    "driver_ms": "driver ms",
    "received": "received",
    "sent": "sent",
    "in_flight_kib": "in flight KiB",
    "scheduler_mib": "scheduler MiB",
}


def main() -> dict[str, object]:
    """Each case in a process of its own. ms: CPU of the scheduler or driver for a block (`register`: for a worker)."""
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print("  ".join(COLUMNS.values()))
    rows = []
    for case in CASES:
        words = [sys.executable, "-m", "benchmarks.scale", "case", *map(str, case)]
        done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print("  ".join(f"{rows[-1][name]:>{len(title)},.4g}" for name, title in COLUMNS.items()), flush=True)
    learnt = learning(LEARNT) * 1e3
    print(f"first driver: {learnt:.4g} ms of CPU a block that a shard's driver has done")
    return {"scale": rows, "learning_ms": learnt}


if __name__ == "__main__":
    if len(sys.argv) > 1:
        what, *given = sys.argv[1:]
        if what == "drive":
            drive_shard(given[0], int(given[1]), int(given[2]), float(given[3]))
        else:
            print(json.dumps(one(int(given[0]), int(given[1]), int(given[2]), float(given[3]))))
    else:
        main()
