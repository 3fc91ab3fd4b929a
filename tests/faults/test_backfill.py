"""Days of a span, each a run in a process of its own, under one lease."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from riskpipe.config import load_settings
from riskpipe.errors import LeaseError
from riskpipe.inputs.opened import open_inputs
from riskpipe.store.location import open_store
from riskpipe.store.published import read_current
from riskpipe.store.shared_lease import SharedLease, alone, lease_of, under

MEASURES = "measures=[pv, historical_var]"


def _command(book: Path, *words: str) -> list[str]:
    options = ["--set", MEASURES, "--set", "cluster.kind=serial", "--set", "check.market_date=warning"]
    return [sys.executable, "-m", "riskpipe", "backfill", "-c", str(book / "riskpipe.yaml"), "--json", *options, *words]


def _backfill(book: Path, *words: str) -> tuple[int, dict[str, dict[str, object]]]:
    done = subprocess.run(_command(book, *words), capture_output=True, text=True, timeout=600, check=False)
    assert done.stdout, done.stderr
    return done.returncode, {day["as_of"]: day for day in json.loads(done.stdout)["days"]}


def _days_of(book: Path, *days: str) -> None:
    """A market a day, and of the book what needs the fewest kernels: each day has a process of its own, in which
    nothing but the days is of interest."""
    for product in (book / "data/portfolio").iterdir():
        if product.name != "fx_forward":
            shutil.rmtree(product)
    text = (book / "riskpipe.yaml").read_text()
    (book / "riskpipe.yaml").write_text(text.replace("data/market.parquet", '"data/{as_of:%m%d}/market.parquet"', 1))
    for day in days:
        (book / "data" / day).mkdir()
        shutil.copy(book / "data/market.parquet", book / "data" / day)


@pytest.mark.slow
def test_a_day_that_fails_does_not_stop_the_others_and_what_is_done_is_skipped(book: Path) -> None:
    _days_of(book, "1117", "1119")  # 16 November 2026 is a Monday
    code, days = _backfill(book, "2026-11-17", "2026-11-19", "--parallel", "2")
    assert code == 3
    assert [days[day]["state"] for day in sorted(days)] == ["complete", "failed", "complete"]
    assert "there is no such file" in str(days["2026-11-18"]["message"])
    store = open_store(str(book / "output"))
    assert list(read_current(store)) == ["2026-11-17", "2026-11-19"]
    _days_of(book, "1118")
    code, again = _backfill(book, "2026-11-17", "2026-11-19")
    assert code == 0
    assert [again[day]["state"] for day in sorted(again)] == ["published", "complete", "published"]
    assert again["2026-11-17"]["run_id"] == days["2026-11-17"]["run_id"]
    assert not list(store.list_files("meta/lease"))


@pytest.mark.slow
def test_a_signal_drains_the_days_at_work_and_starts_no_other(book: Path) -> None:
    _days_of(book, "1117", "1118", "1119")
    with subprocess.Popen(
        _command(book, "2026-11-17", "2026-11-19"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert "started" in process.stderr.readline()
        os.kill(process.pid, signal.SIGTERM)
        out, _ = process.communicate(timeout=600)
    assert process.returncode == 143
    states = [day["state"] for day in json.loads(out)["days"]]
    assert states[1:] == ["not started", "not started"]


def test_days_that_need_one_another_run_one_after_the_other(book: Path) -> None:
    words = _command(book, "2026-11-17", "2026-11-19", "--parallel", "2", "--set", "measures=[pv, pnl_explain]")
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "(--parallel 1)" in done.stderr


def test_a_part_in_the_lease_of_another_process(tmp_path: Path) -> None:
    told: list[str] = []
    with under(SharedLease(os.getppid(), told.append), str(tmp_path / "lock")):
        lease = lease_of(open_store(str(tmp_path)), "", 60.0, 0.0)
        with lease, alone():
            lease.name("20261120-193055-3f9a1c-7")
            lease.check(confirm=True)
    assert told == ["20261120-193055-3f9a1c-7"]
    with pytest.raises(LeaseError, match="is gone"):
        SharedLease(os.getpid(), told.append).check()


def test_a_market_that_says_it_is_of_another_day_is_refused_naming_both(small_book: Path) -> None:
    settings = load_settings(
        small_book / "riskpipe.yaml", as_of="2026-11-19", assignments=["inputs.market_date=footer"], environment={}
    )
    messages = [fault.message for fault in open_inputs(settings).blocking]
    assert any("it is of 2026-11-20, as_of is 2026-11-19" in message for message in messages)
