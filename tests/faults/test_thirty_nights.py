"""Night after night with a weekly gc: what runs take stays flat, and readers see every published day whole."""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from riskpipe.config import Settings, load_settings
from riskpipe.config.dates_section import DateSettings
from riskpipe.plan.accounting import SilentObserver
from riskpipe.plan.selection import Selection
from riskpipe.runs.freed import Left
from riskpipe.sample import write_sample
from riskpipe.store.location import open_store
from riskpipe.store.published import read_current
from riskpipe.store.usage import usage_of
from riskpipe.workflows.gc import Retention, collect
from riskpipe.workflows.run import run

NIGHTS = int(os.environ.get("RISKPIPE_NIGHTS", "6"))
TRADES = int(os.environ.get("RISKPIPE_NIGHTS_TRADES", "60"))
WEEK = int(os.environ.get("RISKPIPE_NIGHTS_WEEK", "2"))
HISTORY_DAYS = 30
FILE_SYSTEM_BLOCK = 4096


def _settings(book: Path, day: date) -> Settings:
    """Of a night: its history has as many days as any other's."""
    history = pq.read_table(book / "data/history.parquet")
    before = [each for each in sorted(pc.unique(history["date"]).to_pylist()) if each <= day]
    window = pa.array(before[-HISTORY_DAYS:], history["date"].type)
    (book / "history").mkdir(exist_ok=True)
    path = book / "history" / f"{day}.parquet"
    pq.write_table(history.filter(pc.is_in(history["date"], window)), path)
    given = [
        f"inputs.history={path}",
        "cluster.kind=serial",
        "measures=[pv, historical_var]",
        "check.market_date=warning",
    ]
    return load_settings(book / "riskpipe.yaml", as_of=day.isoformat(), assignments=given, environment={})


@contextmanager
def _reader(output: str) -> Iterator[list[str]]:
    """One who reads all that is published, again and again; what it finds wrong."""
    wrong: list[str] = []
    done = threading.Event()
    store = open_store(output)

    def read() -> None:
        while not done.is_set():
            for day, entry in read_current(store).items():
                for table, described in entry["tables"].items():
                    paths = [os.path.join(output, file["path"]) for file in described["files"]]
                    rows = sum(pq.ParquetFile(path).read().num_rows for path in paths)
                    if rows != described["rows"]:
                        wrong.append(f"{table} of {day}: {rows} rows of {described['rows']}")

    def safely() -> None:
        try:
            read()
        except Exception as error:
            wrong.append(repr(error))

    thread = threading.Thread(target=safely)
    thread.start()
    yield wrong
    done.set()
    thread.join()


def _open_files(output: str, days: int) -> list[tuple[pq.ParquetFile, int]]:
    """The files of the first and last published days, held open, each with its rows."""
    current = sorted(read_current(open_store(output)).items())
    some = dict(current[:days] + current[-days:]).values()
    files = [file for entry in some for described in entry["tables"].values() for file in described["files"]]
    opened = [pq.ParquetFile(os.path.join(output, file["path"])) for file in files]
    return [(file, file.metadata.num_rows) for file in opened]


@pytest.mark.slow
def test_disk_stays_flat(tmp_path: Path) -> None:
    write_sample(tmp_path, trades=TRADES, scenarios=60, seed=3)
    days = DateSettings().business_days(date(2026, 10, 9), date(2026, 11, 20))[-NIGHTS:]
    output = str(tmp_path / "output")
    store = open_store(output)
    sizes: list[int] = []  # of all runs, after each gc
    seconds: list[float] = []
    with _reader(output) as wrong:
        for night, day in enumerate(days, 1):
            settings = _settings(tmp_path, day)
            held = _open_files(output, 2)
            started = time.perf_counter()
            status = run(settings, Selection(), resume="never", observer=SilentObserver())
            assert status.published
            if night % WEEK == 0:
                fates = collect(settings, Retention(keep=WEEK, accounts=WEEK))
                kept = Counter(fate.keeps for fate in fates)
                assert kept[Left.WHOLE] == WEEK
                assert kept[Left.INPUTS] == min(1, night - WEEK)
                assert kept[Left.ACCOUNT] == min(WEEK, max(night - WEEK - 1, 0))
                sizes.append(sum(sum(parts.values()) for parts in usage_of(store).runs.values()))
            seconds.append(time.perf_counter() - started)
            for file, rows in held:  # opened before the night, read after it and its gc
                assert file.read().num_rows == rows
                file.close()
    assert not wrong
    current = read_current(store)
    assert len(current) == NIGHTS
    tables = [described for entry in current.values() for described in entry["tables"].values()]
    own = [file["bytes"] for described in tables for file in described["files"]]
    published = sum(usage_of(store).published.values())
    print(  # noqa: T201
        f"{NIGHTS} nights of {TRADES} trades; bytes of runs after each gc: {sizes}; of published days: {published}; "
        f"seconds a night: {statistics.median(seconds):.1f}, the longest {max(seconds):.1f}"
    )
    assert sizes[-1] <= 1.05 * sizes[1]  # the first has nothing to free yet
    assert published <= sum(own) + len(own) * FILE_SYSTEM_BLOCK  # a published day takes its own size, once
