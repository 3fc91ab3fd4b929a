"""Figures of a run at a Pushgateway: Debian's, on a free port; and at one that is not there, or does not answer.

Tests with the real one are skipped where `prometheus-pushgateway` is not installed (apt-get install it).
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from riskpipe.errors import RiskpipeError
from riskpipe.plan.accounting import Counts, RunLifecycle, RunStatus
from riskpipe.plan.selection import Selection
from riskpipe.runs import metrics
from riskpipe.workflows.run import run

parser = pytest.importorskip("prometheus_client.parser", reason="the extra metrics is not installed")

BINARY = shutil.which("prometheus-pushgateway") or shutil.which("pushgateway")
BOOK = ("measures=[pv]", "inputs.history=null", "inputs.limits=null")
STATUS = RunStatus("20261120-193055-3f9a1c-7", "2026-11-20", RunLifecycle.COMPLETE, Counts(4, 4), Counts(40, 40))


@pytest.fixture(scope="module")
def gateway() -> Iterator[str]:
    """The address of a real one, which keeps nothing on disk and ends with the tests."""
    if BINARY is None:
        pytest.skip("prometheus-pushgateway is not installed")
    command = [BINARY, "--web.listen-address=127.0.0.1:0", "--persistence.file="]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=os.sep) as process:
        assert process.stderr is not None
        try:
            said = []
            for line in process.stderr:
                said.append(line)
                if found := re.search(r'Listening on" address=(127\.0\.0\.1:\d+)', line):
                    break
            else:
                pytest.fail(f"the Pushgateway ended: {''.join(said)}")
            yield f"http://{found[1]}"
        finally:
            process.terminate()
            process.communicate()


def _at(gateway: str, job: str) -> dict[tuple[str, ...], float]:
    """What Prometheus would scrape of a job, by name and labels."""
    with urllib.request.urlopen(f"{gateway}/metrics", timeout=30) as answer:
        families = list(parser.text_string_to_metric_families(answer.read().decode()))
    return {
        (s.name, *(value for label, value in sorted(s.labels.items()) if label not in ("instance", "job"))): s.value
        for family in families
        for s in family.samples
        if s.labels.get("job") == job
    }


def test_the_run_is_there_to_be_scraped(gateway: str, settings_of: Any, recorder: Any) -> None:
    settings = settings_of(*BOOK, f"metrics.pushgateway={gateway}", "metrics.job=night")
    status = run(settings, Selection(), observer=recorder)

    assert {level for level, _ in recorder.messages} == {"info"}
    found = _at(gateway, "night")
    assert found["riskpipe_run_exit_code",] == status.exit_code == 0
    assert found["riskpipe_run_published",] == 1
    assert found["riskpipe_run_trades",] == status.trades == 400
    assert found["riskpipe_run_state", "complete"] == 1
    assert found["riskpipe_run_numbers", "ok"] == status.numbers.ok
    assert {name[1] for name in found if name[0] == "riskpipe_run_phase_seconds"} == set(status.phases)


def test_the_next_run_takes_its_place(gateway: str, settings_of: Any) -> None:
    """A reason that the run before had and this one has not is gone, too."""
    settings = settings_of(f"metrics.pushgateway={gateway}", "metrics.job=again").metrics
    before = RunStatus(
        STATUS.run_id, STATUS.as_of, RunLifecycle.PARTIAL, Counts(4, 4), Counts(40, 30, 0, 10),
        failures_by_reason={"NUMERICAL": 10},
    )  # fmt: skip
    metrics.write_metrics(before, settings)
    assert _at(gateway, "again")["riskpipe_run_failures", "NUMERICAL"] == 10
    metrics.write_metrics(STATUS, settings)
    after = _at(gateway, "again")
    assert after["riskpipe_run_numbers", "failed"] == 0
    assert ("riskpipe_run_failures", "NUMERICAL") not in after


def test_one_that_refuses_is_told_with_its_answer(gateway: str, settings_of: Any) -> None:
    settings = settings_of(f"metrics.pushgateway={gateway}/no/such/place").metrics
    with pytest.raises(RiskpipeError, match=r"^the Pushgateway answered 404$"):
        metrics.write_metrics(STATUS, settings)


def test_one_that_does_not_answer_is_given_up(settings_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "PUSH_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = settings_of(f"metrics.pushgateway=http://127.0.0.1:{silent.getsockname()[1]}").metrics
        with pytest.raises(RiskpipeError, match=r"^the Pushgateway cannot be reached: TimeoutError$"):
            metrics.write_metrics(STATUS, settings)


def test_one_that_is_not_there_is_told_once_and_nothing_else(settings_of: Any, recorder: Any, tmp_path: Path) -> None:
    with socket.socket() as there:  # a port that is taken, on which nobody listens
        there.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{there.getsockname()[1]}"
        file = tmp_path / "riskpipe.prom"
        settings = settings_of(*BOOK, f"metrics.pushgateway={url}", f"metrics.textfile={file}")
        status = run(settings, Selection(), observer=recorder)

    assert (status.exit_code, status.state, status.published) == (0, "complete", True)
    told = [message for level, message in recorder.messages if level == "warning"]
    assert told == ["metrics was not told: the Pushgateway cannot be reached: ConnectionRefusedError"]
    assert "riskpipe_run_exit_code 0.0" in file.read_text()
