"""Commands, webhooks, metrics and lineage: what they get, and that a run never dies of them."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from riskpipe.config import Settings, load_settings
from riskpipe.errors import ConfigurationError, LeaseError
from riskpipe.plan.accounting import Counts, RunLifecycle, RunStatus
from riskpipe.runs.telling import Telling

STATUS = RunStatus(
    "20261120-193055-3f9a1c-7",
    "2026-11-20",
    RunLifecycle.PARTIAL,
    Counts(4, 3, 0, 1),
    Counts(40, 30, 0, 10),
    failures_by_reason={"NUMERICAL": 10},
)
SECRET = "s3cr3t-token"


def _settings(directory: Path, **values: Any) -> Settings:
    path = directory / "riskpipe.yaml"
    inputs = {"portfolio": "p", "market": "m"}
    path.write_text(json.dumps({"as_of": "2026-11-20", "inputs": inputs, **values}))
    return load_settings(path, environment={})


class _Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, self.headers.get("Authorization"), body))  # type: ignore[attr-defined]
        code = {"/moved": 302, "/broken": 500}.get(self.path, 200)
        self.send_response(code)
        if code == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[Any]:
    server = HTTPServer(("127.0.0.1", 0), _Hook)
    server.got = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_commands_get_the_summary_and_a_failure_is_told(tmp_path: Path, recorder: Any) -> None:
    keep = "import sys; open(sys.argv[1], 'ab').write(sys.stdin.buffer.read() + b'\\n')"
    command = [sys.executable, "-c", keep, str(tmp_path / "told")]
    broken = [sys.executable, "-c", "import sys; sys.exit('no pager')"]
    waits = [sys.executable, "-c", "import threading; threading.Event().wait()"]
    notify = [
        {"on": ["start", "at_risk", "end"], "command": command},
        {"on": ["end"], "command": broken},
        {"on": ["end"], "command": waits, "timeout": 0.5},
        {"on": ["end"], "command": [str(tmp_path / "nothing")]},
    ]
    with Telling(_settings(tmp_path, notify=notify), recorder) as telling:
        telling.start(STATUS)
        telling.at_risk(STATUS)
        telling.end(STATUS)
    told = [json.loads(line) for line in (tmp_path / "told").read_text().splitlines()]
    assert [each["event"] for each in told] == ["start", "at_risk", "end"]
    assert told[2]["status"]["run_id"] == STATUS.run_id
    assert told[2]["status"]["exit_code"] == 4
    risk, *failures = [text for _, text in recorder.messages]
    assert "is at risk" in risk
    assert failures[0].startswith("notify[1] was not told: ")
    assert failures[0].endswith("ended with 1: no pager")
    assert failures[1].endswith("took more than 0.5 s and was ended")
    assert "cannot be started: No such file" in failures[2]


def test_webhooks_and_their_secrets(tmp_path: Path, recorder: Any, hook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    place = f"http://127.0.0.1:{hook.server_port}"
    monkeypatch.setenv("HOOK_TOKEN", SECRET)
    monkeypatch.setenv("HOOK_URL", f"{place}/{SECRET}")
    monkeypatch.setenv("PLAIN_URL", f"http://risk.example/{SECRET}")
    notify = [
        {"webhook": f"{place}/hook", "token_env": "HOOK_TOKEN"},
        {"webhook_env": "HOOK_URL"},
        {"webhook": f"{place}/moved", "token_env": "HOOK_TOKEN"},
        {"webhook": f"{place}/broken"},
        {"webhook_env": "PLAIN_URL"},
        {"webhook_env": "NO_URL"},
    ]
    with Telling(_settings(tmp_path, notify=notify), recorder) as telling:
        telling.end(STATUS)
    assert [(path, token) for path, token, _ in hook.got] == [
        ("/hook", f"Bearer {SECRET}"),
        (f"/{SECRET}", None),
        ("/moved", f"Bearer {SECRET}"),
        ("/broken", None),
    ]
    assert json.loads(hook.got[0][2])["event"] == "end"
    failures = [text for _, text in recorder.messages]
    assert failures == [
        "notify[2] was not told: 127.0.0.1 answered 302",
        "notify[3] was not told: 127.0.0.1 answered 500",
        "notify[4] was not told: the variable PLAIN_URL does not hold an https URL",
        "notify[5] was not told: the environment variable NO_URL is not set",
    ]


def test_a_run_that_ends_in_an_error_is_told(tmp_path: Path, recorder: Any, hook: Any) -> None:
    notify = [{"webhook": f"http://127.0.0.1:{hook.server_port}/hook"}]
    with pytest.raises(LeaseError), Telling(_settings(tmp_path, notify=notify), recorder):
        raise LeaseError("another run is writing")
    (status,) = (json.loads(body)["status"] for _, _, body in hook.got)
    assert status == {
        "as_of": "2026-11-20",
        "state": "failed",
        "exit_code": 75,
        "messages": ["another run is writing"],
    }


def test_metrics_and_lineage(tmp_path: Path, recorder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openlineage.client")  # extras, both
    parser = pytest.importorskip("prometheus_client.parser")
    transport = {"type": "file", "log_file_path": str(tmp_path / "lineage"), "append": True}
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT", json.dumps(transport))
    settings = _settings(tmp_path, metrics={"textfile": "riskpipe.prom"}, lineage={"enabled": True})
    with Telling(settings, recorder) as telling:
        telling.start(STATUS)
        telling.end(STATUS)
    assert recorder.messages == []
    families = parser.text_string_to_metric_families((tmp_path / "riskpipe.prom").read_text())
    found = {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}
    assert found["riskpipe_run_exit_code",] == 4
    assert found["riskpipe_run_numbers", "failed"] == 10
    assert found["riskpipe_run_failures", "NUMERICAL"] == 10
    assert found["riskpipe_run_state", "partial"] == 1
    events = [json.loads(line) for line in (tmp_path / "lineage").read_text().splitlines()]
    assert [event["eventType"] for event in events] == ["START", "COMPLETE"]
    assert events[0]["run"]["runId"] == events[1]["run"]["runId"]


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ({"webhook": "http://risk.example/hook"}, "a URL that begins with https://"),
        ({"webhook": "https://user:pass@risk.example"}, "a URL without credentials"),
        ({"webhook": "https://risk.example", "command": ["page"]}, "command, webhook or webhook_env, one of them"),
        ({}, "command, webhook or webhook_env, one of them"),
        ({"command": ["page"], "on": ["begin"]}, "one of start, at_risk, end"),
    ],
)
def test_faults(tmp_path: Path, entry: dict[str, Any], fault: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        _settings(tmp_path, notify=[entry])
    assert fault in str(caught.value)
    assert "pass@" not in str(caught.value)
