"""Observers: what is written, when, and in which form."""

from __future__ import annotations

import io
import json
import os
import pty
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace
from rich.console import Console

from riskpipe.cli.invocation import Invocation
from riskpipe.cli.messages import LogFormat, Messages
from riskpipe.cli.progress import Bar, Heartbeat, Quiet, observer, progress_line
from riskpipe.plan.accounting import RunLifecycle, RunStatus


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


LINE = "118/400 blocks, 3 failed numbers, 1.20M/4.00M numbers, 2 running, 1:20 elapsed, about 2:40 left"


def test_the_line(running: RunStatus) -> None:
    assert progress_line(running) == LINE


def test_phase_and_kernels_by_name(running: RunStatus) -> None:
    assert progress_line(replace(running, phase="value")) == f"value: {LINE}"
    compiling = replace(running, phase="value", compiling=(12, 42))
    assert progress_line(compiling) == f"value: {LINE} and compiling kernels: 12 of 42 products have theirs"
    unknown = replace(compiling, remaining_seconds=None)
    assert progress_line(unknown).endswith("1:20 elapsed, compiling kernels: 12 of 42 products have theirs")


def test_a_heartbeat_every_30_seconds(running: RunStatus, capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    heart = Heartbeat(Messages(), clock=clock)
    beats = []
    for _ in range(91):
        heart.update(running)
        beats.append(capsys.readouterr().err)
        clock.now += 1.0
    assert [second for second, text in enumerate(beats) if text] == [0, 30, 60, 90]
    assert beats[30] == LINE + "\n"


def test_json_lines_carry_the_counts(running: RunStatus, capsys: pytest.CaptureFixture[str]) -> None:
    now = datetime(2026, 11, 20, 19, 30, tzinfo=UTC)
    heart = Heartbeat(Messages(LogFormat.json, now=lambda: now), clock=Clock())
    heart.update(running)
    heart.message("warning", "a worker was lost")
    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert first["event"] == "progress"
    assert first["message"] == LINE
    assert first["status"]["blocks"]["planned"] == 400
    assert second == {
        "time": "2026-11-20T19:30:00.000+00:00",
        "level": "warning",
        "message": "a worker was lost",
        "run_id": running.run_id,
    }
    heart.update(replace(running, state=RunLifecycle.COMPLETE))
    (last,) = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (last["event"], last["message"], last["run_id"]) == ("end", "complete", running.run_id)


def test_quiet_keeps_warnings(running: RunStatus, capsys: pytest.CaptureFixture[str]) -> None:
    with observer(Invocation(quiet=True)) as quiet:
        assert type(quiet) is Quiet
        quiet.update(running)
        quiet.message("info", "planned")
        quiet.message("warning", "slow")
    captured = capsys.readouterr()
    assert captured.err == "warning: slow\n"
    assert captured.out == ""


@pytest.mark.parametrize(("verbose", "text"), [(False, ""), (True, "detail\n")])
def test_debug_messages_only_with_v(verbose: bool, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    Messages(verbose=verbose).write("debug", "detail")
    assert capsys.readouterr().err == text


@pytest.mark.parametrize(
    ("log_format", "terminal", "kind"),
    [
        (LogFormat.auto, True, Bar),
        (LogFormat.auto, False, Heartbeat),
        (LogFormat.text, True, Heartbeat),
        (LogFormat.json, True, Heartbeat),
    ],
)
def test_a_bar_on_a_terminal_only(
    log_format: LogFormat, terminal: bool, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as stream, open(os.devnull, "w") as nowhere, monkeypatch.context() as patch:
        patch.setattr("sys.stderr", stream if terminal else nowhere)
        with observer(Invocation(log_format=log_format)) as watching:
            assert type(watching) is kind
    os.close(ours)


def test_the_bar_shows_counts_and_the_time_left(running: RunStatus) -> None:
    sink = io.StringIO()
    console = Console(file=sink, force_terminal=True, width=160, legacy_windows=False, _environ={})
    with Bar(Messages(), console) as bar:
        bar.update(running)
    assert "118/400 blocks, 3 failed numbers" in sink.getvalue()
    assert "about 2:40 left" in sink.getvalue()
