"""Tables as blocks.parquet, made by hand or of any size: seconds from the begin of the first session.

What a pass over a million rows takes:

    .venv/bin/python tests/support/block_tables.py 1000000
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from riskpipe.config import Settings, load_settings
from riskpipe.results.time_spent import TimeSpent, read_time_spent, time_spent
from riskpipe.store.ledger import LedgerSession, LedgerWriter, read_sessions
from riskpipe.store.location import open_store
from riskpipe.store.records import BlockDone, SessionEnded, SessionStarted
from riskpipe.store.result_tables import Provenance, table_sink
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.table_schemas import SCHEMAS

BEGIN = 1_795_000_000.0
"""When the first session begins, seconds since 1970."""


def settings_of(directory: Path, *assignments: str) -> Settings:
    """Of a file that says next to nothing else."""
    file = directory / "riskpipe.yaml"
    file.write_text("as_of: 2026-11-20\ninputs: {portfolio: p, market: m.parquet}\n")
    return load_settings(file, assignments=assignments, environment={})


def session(begin: float, end: float | None, done: int) -> LedgerSession:
    ended = None if end is None else SessionEnded("s", "complete", 0, BEGIN + end)
    return LedgerSession(SessionStarted("s", BEGIN + begin, "driver", 1, "0"), ended, done)


def done(worker: str, start: float, seconds: float, **more: Any) -> dict[str, Any]:
    """A block that was done: all of its time in pricing, as projected, unless `more` says otherwise."""
    row = {
        "run_id": "r", "block_id": f"{worker}-{start:g}", "attempt": 1, "product": "swap", "trades": 10, "scenarios": 5,
        "status": "ok", "worker": worker, "host": "h", "queued_at": BEGIN, "queue_s": start, "fetch_s": 0.0,
        "price_s": seconds, "write_s": 0.0, "cpu_s": seconds, "peak_rss_bytes": 100, "projected_bytes": 200,
        "projected_s": seconds, "started_at": BEGIN + start, "ended_at": BEGIN + start + seconds,
    }  # fmt: skip
    return row | more


def lost(worker: str | None, status: str, reason: str | None, **more: Any) -> dict[str, Any]:
    """An attempt that came to nothing."""
    row = {"run_id": "r", "block_id": "b", "attempt": 1, "product": "swap", "trades": 10, "scenarios": 5}
    return row | {"status": status, "reason": reason, "worker": worker} | more


def table(rows: list[dict[str, Any]]) -> pa.Table:
    schema = SCHEMAS["blocks"]
    columns = []
    for field in schema:
        values = [row.get(field.name) for row in rows]
        if pa.types.is_timestamp(field.type):
            values = [None if value is None else round(value * 1e6) for value in values]
        columns.append(pa.array(values, field.type))
    return pa.table(columns, schema=schema)


def spent(
    rows: list[dict[str, Any]], sessions: list[LedgerSession], settings: Settings, plan: float = 0.0
) -> TimeSpent:
    found = time_spent([table(rows)], sessions, settings, {"plan": plan})
    assert found is not None
    return found


# -- of any size


def many(rows: int, workers: int, piece: int = 20_000, seed: int = 0) -> Iterator[pa.Table]:
    """Blocks of 40 products, of 2.7 to 7.2 s in the middle, each for the workers that are free first, of which a host
    has 64; one in a thousand attempts is lost."""
    random = np.random.default_rng(seed)
    free = np.zeros(workers)
    for begin in range(0, rows, piece):
        size = min(piece, rows - begin)
        product = random.integers(0, 40, size)
        seconds = random.lognormal(1.0 + product / 40, 0.3)
        worker, start = np.zeros(size, np.int64), np.zeros(size)
        for k in range(0, size, workers):
            some = slice(k, k + workers)
            worker[some] = np.argsort(free, kind="stable")[: len(seconds[some])]
            start[some] = free[worker[some]]
            free[worker[some]] += seconds[some]
        names = np.char.add("tcp://10.0.0.1:", worker.astype(str))
        ok = random.random(size) >= 0.001

        def kept(values: Any, ok: np.ndarray = ok) -> pa.Array:
            return pa.array(values, mask=~ok)

        micros = ((BEGIN + start) * 1e6).astype(np.int64)
        columns = {
            "run_id": pa.repeat("run", size),
            "block_id": pa.array(np.char.add("block-", np.arange(begin, begin + size).astype(str))),
            "attempt": pa.array(np.ones(size, np.int32)),
            "product": pa.array(np.char.add("product-", product.astype(str))),
            "trades": pa.array(np.full(size, 1000)),
            "scenarios": pa.array(np.full(size, 500)),
            "status": pa.array(np.where(ok, "ok", "retried")),
            "reason": pa.array(np.full(size, "WORKER_LOST"), mask=ok),
            "worker": pa.array(names),
            "host": kept(np.char.add("node-", (worker // 64).astype(str))),
            "started_at": kept(micros).cast(pa.timestamp("us", "UTC")),
            "ended_at": kept(micros + (seconds * 1e6).astype(np.int64)).cast(pa.timestamp("us", "UTC")),
            "queued_at": kept(micros).cast(pa.timestamp("us", "UTC")),
            "queue_s": kept(np.zeros(size)),
            "fetch_s": kept(0.05 * seconds),
            "price_s": kept(0.9 * seconds),
            "write_s": kept(0.05 * seconds),
            "cpu_s": kept(seconds),
            "peak_rss_bytes": kept(np.full(size, 500_000_000)),
            "projected_bytes": kept(np.full(size, 600_000_000)),
            "projected_s": kept(0.9 * seconds),
        }
        missing = {field.name: pa.nulls(size, field.type) for field in SCHEMAS["blocks"] if field.name not in columns}
        yield pa.table({name: (columns | missing)[name] for name in SCHEMAS["blocks"].names}, SCHEMAS["blocks"])


def run_of_many(directory: Path, rows: int, workers: int) -> RunFolder:
    """A run's blocks.parquet and ledger, and nothing else of it."""
    folder = RunFolder(open_store(str(directory)), "20261120-193055-3f9a1c")
    name = "000001-20261120T193055Z-aaaaaa"
    ledger = LedgerWriter(folder, name, 0.0)
    ledger.append(SessionStarted(name, BEGIN, "driver", 1, "0"))
    figures = [each for each in BlockDone.__struct_fields__ if each not in ("type", "outputs", "vectors")]
    with table_sink(
        folder.store, folder.blocks, "blocks", Provenance("r", date(2026, 11, 20), "", "", "0", "")
    ) as sink:
        last = BEGIN
        for piece in many(rows, workers):
            sink.write(piece)
            last = max(last, pa.compute.max(piece["ended_at"]).as_py().timestamp())
            for row in piece.filter(pa.compute.equal(piece["status"], "ok")).to_pylist():
                figure = {each: row.get(each) for each in figures}
                figure |= {each: figure[each].timestamp() for each in ("queued_at", "started_at", "ended_at")}
                ledger.append(BlockDone(**figure))
                ledger.maybe_flush(0.0)
    ledger.append(SessionEnded(name, "complete", 0, last + 10.0))
    ledger.flush()
    return folder


def main(rows: int, workers: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        if not (child := os.fork()):  # its memory is not that of the pass
            run_of_many(Path(directory), rows, workers)
            os._exit(0)
        os.waitpid(child, 0)
        folder = RunFolder(open_store(directory), "20261120-193055-3f9a1c")
        size = (Path(directory) / folder.blocks).stat().st_size
        before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        read_sessions(folder)
        ledger = time.process_time() - began
        found = read_time_spent(folder, settings_of(Path(directory)), {})
        cpu, peak = time.process_time() - began - ledger, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert found is not None
    texts = [
        f"{rows:,} rows, {size / 2**20:.0f} MiB, {found.workers:,} workers: {cpu:.2f} s of CPU, the ledger's",
        f"{ledger:.2f} s among them; {before / 1024:.0f} MiB before, {peak / 1024:.0f} MiB at most",
        f"({found.bottleneck.sentence})",
    ]
    print(*texts)  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1000)
