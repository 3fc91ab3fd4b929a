"""A deadline: told once when it is at risk, and what is complete published when there is no time for the rest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from published import published

from riskpipe.config import Settings, load_settings
from riskpipe.errors import ConfigurationError
from riskpipe.execute.signals import StopSignal
from riskpipe.plan.selection import Selection
from riskpipe.runs.deadline import Deadline, DeadlineWatch, deadline_of
from riskpipe.store.location import open_store
from riskpipe.workflows.retry import retry
from riskpipe.workflows.run import run

CUT = ("measures=[pv]", "partition.max_trades=50")


def test_too_late_publishes_what_is_complete_and_a_retry_the_rest(
    settings_of: Callable[..., Settings], recorder: Any, tmp_path: Path
) -> None:
    late = settings_of(*CUT, "finish_within=0.001", "too_late=publish_partial")  # over when the first block is done
    status = run(late, Selection(), observer=recorder)
    assert (status.state, status.published, status.exit_code) == ("partial", True, 4)
    assert status.at_risk
    assert 0 < status.blocks.ok < status.blocks.planned
    assert set(status.failures_by_reason) == {"CANCELLED"}
    told = [text for _, text in recorder.messages if "is at risk" in text]
    assert len(told) == 1
    assert any(text.startswith("too late for ") for text in status.messages)
    reasons = set(published(tmp_path / "output", "valuations")["reason"].to_pylist())
    assert reasons == {None, "CANCELLED"}
    whole = retry(settings_of(*CUT), "latest", Selection(), recorder)
    assert (whole.run_id, whole.state, whole.published) == (status.run_id, "complete", True)
    assert published(tmp_path / "output", "valuations")["reason"].null_count == whole.numbers.planned


def test_late_runs_go_on_by_default(settings_of: Callable[..., Settings], recorder: Any) -> None:
    status = run(settings_of(*CUT, "finish_within=0.001"), Selection(), observer=recorder)
    assert (status.state, status.published, status.at_risk) == ("complete", True, True)


@pytest.mark.parametrize(
    ("zone", "time", "began", "due"),
    [
        ("UTC", "05:30", "2026-11-20T22:00", "2026-11-21T05:30"),
        ("UTC", "05:30", "2026-11-20T05:29", "2026-11-20T05:30"),
        ("UTC", "05:30", "2026-11-20T05:30", "2026-11-21T05:30"),
        ("UTC", 1290, "2026-11-20T20:00", "2026-11-20T21:30"),  # 21:30, as YAML 1.1 reads it
        ("America/New_York", "05:30", "2026-10-31T22:00", "2026-11-01T10:30"),  # summer time ends that night
        ("America/New_York", "05:30", "2026-10-30T22:00", "2026-10-31T09:30"),
    ],
)
def test_a_time_of_day(tmp_path: Path, zone: str, time: object, began: str, due: str) -> None:
    path = tmp_path / "riskpipe.yaml"
    text = "as_of: 2026-11-20\ninputs: {portfolio: p, market: m}\n"
    path.write_text(f"{text}deadline: {time if isinstance(time, int) else repr(time)}\ndates: {{time_zone: {zone}}}\n")
    settings = load_settings(path, environment={})
    found = deadline_of(settings, open_store(str(tmp_path)), datetime.fromisoformat(f"{began}:00+00:00"))
    assert found is not None
    assert datetime.fromtimestamp(found.at, UTC).isoformat() == f"{due}:00+00:00"


def test_the_forecast_counts_what_comes_after_the_last_block() -> None:
    deadline = Deadline(at=1000.0, finishing=100.0, partial_when_late=True)
    assert deadline.forecast(700.0, None) is None
    assert not deadline.is_at_risk(700.0, None)
    assert not deadline.is_at_risk(700.0, 200.0)
    assert deadline.is_at_risk(700.0, 200.5)
    assert deadline.is_at_risk(1000.0, None)
    assert deadline.cut_off() == 900.0


def test_a_signal_stops_what_is_not_late_too() -> None:
    signals = StopSignal()
    stop = DeadlineWatch(signals)
    assert not stop.requested
    signals.request(15)
    assert stop.requested
    assert not stop.immediate


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("deadline: '25:00'", "a time of day"),
        ("finish_within: soon", "a duration above zero"),
        ("finish_within: 0min", "a duration above zero"),
        ("deadline: '05:30'\nfinish_within: 2h", "one of deadline and finish_within, not both"),
        ("too_late: panic", "one of go_on, publish_partial"),
    ],
)
def test_faults(tmp_path: Path, line: str, fault: str) -> None:
    path = tmp_path / "riskpipe.yaml"
    path.write_text(f"as_of: 2026-11-20\ninputs: {{portfolio: p, market: m}}\n{line}\n")
    with pytest.raises(ConfigurationError) as caught:
        load_settings(path, environment={})
    assert fault in str(caught.value)
