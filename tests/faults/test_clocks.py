"""Clocks that were ahead: what came later is what counts, whatever the time was said to be."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pyarrow.compute as pc
import pytest
from fault_runs import at_point, out_of_order
from published import published

from riskpipe.fault_points import FaultPoint
from riskpipe.plan.selection import Selection
from riskpipe.results.lanes import read_timelines
from riskpipe.results.time_spent import read_time_spent
from riskpipe.runs import session_start
from riskpipe.runs.publication import Publication
from riskpipe.store.location import open_store
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.run_ids import list_runs, resolve_run
from riskpipe.workflows import run
from riskpipe.workflows.gc import Retention, collect
from riskpipe.workflows.publish import publish
from riskpipe.workflows.retry import retry

CUT = ("partition.max_trades=100", "measures=[pv]")


@contextmanager
def clock_ahead(patched: pytest.MonkeyPatch, hours: float) -> Iterator[None]:
    """The time of day that runs and sessions see; seconds that pass are as ever."""

    class Ahead(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.now(tz or UTC) + timedelta(hours=hours)

    now = time.time
    with patched.context() as patch:
        patch.setattr(run, "datetime", Ahead)
        patch.setattr(session_start, "datetime", Ahead)
        patch.setattr(time, "time", lambda: now() + hours * 3600)
        yield


def test_a_clock_that_was_ahead_does_not_make_failures_win(
    monkeypatch: pytest.MonkeyPatch, settings_of: Callable, recorder: object, tmp_path: Path
) -> None:
    with clock_ahead(monkeypatch, 1.0), at_point(FaultPoint.VALUE, out_of_order):
        first = run.run(settings_of(*CUT), Selection(), publication=Publication("never"), observer=recorder)
    assert (first.state, first.numbers.ok) == ("partial", 0)
    assert (
        retry(settings_of(*CUT), "latest", Selection(), recorder, publication=Publication("never")).state == "complete"
    )

    publish(settings_of(*CUT), "latest")

    assert pc.unique(published(tmp_path / "output", "valuations")["status"]).to_pylist() == ["ok"]


def test_a_run_that_was_ahead_is_not_the_latest(
    monkeypatch: pytest.MonkeyPatch, settings_of: Callable, recorder: object, tmp_path: Path
) -> None:
    options = {"resume": "never", "publication": Publication("never"), "observer": recorder}
    with clock_ahead(monkeypatch, 24.0):
        ahead = run.run(settings_of(*CUT), Selection(), **options)
    newest = run.run(settings_of(*CUT), Selection(), **options)
    store = open_store(str(tmp_path / "output"))

    assert ahead.run_id > newest.run_id, "the clock was not ahead"
    assert resolve_run(store, "latest").run_id == newest.run_id
    fates = collect(settings_of(*CUT), Retention(keep=1))
    assert [(fate.run_id, fate.action) for fate in fates] == [(ahead.run_id, "deleted"), (newest.run_id, "kept")]
    assert list_runs(store) == [newest.run_id]


def test_sessions_are_shown_in_the_order_in_which_they_came(
    monkeypatch: pytest.MonkeyPatch, settings_of: Callable, recorder: object, tmp_path: Path
) -> None:
    with clock_ahead(monkeypatch, 1.0), at_point(FaultPoint.VALUE, out_of_order, times=1):
        first = run.run(settings_of(*CUT), Selection(), observer=recorder)
    retry(settings_of(*CUT), "latest", Selection(), recorder)

    folder = RunFolder(open_store(str(tmp_path / "output")), first.run_id)
    spent = read_time_spent(folder, settings_of(*CUT), {})
    lines = read_timelines(folder, spent)

    blocks = [first.blocks.planned - 1, 1]
    assert [session.blocks for session in spent.sessions] == blocks
    assert [sum(len(lane.bars) for lane in line.lanes) for line in lines.sessions] == blocks
