"""Who is told of a run: commands and webhooks, metrics, lineage; in the background, and never to the run's harm."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from riskpipe.config import Settings
from riskpipe.config.telling_section import NotifySettings, safe_url
from riskpipe.errors import RiskpipeError, described
from riskpipe.plan.accounting import Observer, RunStatus
from riskpipe.runs.lineage import emit_lineage
from riskpipe.runs.metrics import write_metrics

TELLING_VERSION = 1


class Telling:
    """Tells of one run, in order, from a thread of its own; a context manager whose end waits for what is on its way.

    What fails is told by the observer, from the driver's thread. Each takes no longer than its own `timeout`.
    """

    def __init__(self, settings: Settings, observer: Observer) -> None:
        self._settings = settings
        self._observer = observer
        self._thread = ThreadPoolExecutor(1, "riskpipe-telling")
        self._failures: list[str] = []
        self._last: RunStatus | None = None

    def start(self, status: RunStatus) -> None:
        self._last = status
        self._send("start", status.to_json())
        if self._settings.lineage.enabled:
            self._do("lineage", partial(emit_lineage, "START", status, self._settings))

    def at_risk(self, status: RunStatus) -> None:
        """That the deadline is; also to the observer."""
        by = "" if status.finishes_at is None else f": by its pace the run is done at {status.finishes_at}"
        self._observer.message("warning", f"the deadline, {status.deadline}, is at risk{by}")
        self._send("at_risk", status.to_json())

    def end(self, status: RunStatus) -> None:
        """Of a session that ended in order."""
        self._last = None
        self._send("end", status.to_json())
        metrics = self._settings.metrics
        if metrics.textfile is not None or metrics.pushgateway is not None:
            self._do("metrics", partial(write_metrics, status, metrics))
        if self._settings.lineage.enabled:
            self._do("lineage", partial(emit_lineage, "END", status, self._settings))

    def failed(self, error: BaseException) -> None:
        """Of what ended in an error: nothing was priced, or the run can be resumed."""
        code = error.exit_code if isinstance(error, RiskpipeError) else None
        message = str(error) if isinstance(error, RiskpipeError) else described(error)
        run = {} if self._last is None else {"run_id": self._last.run_id}
        ended = {"as_of": self._settings.as_of.isoformat(), **run, "state": "failed", "exit_code": code}
        self._send("end", {**ended, "messages": [message]})
        if self._settings.lineage.enabled and self._last is not None:
            self._do("lineage", partial(emit_lineage, "FAIL", self._last, self._settings))

    def tell_failures(self) -> None:
        """What was not told, to the observer."""
        while self._failures:
            self._observer.message("warning", self._failures.pop(0))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.failed(error)
        self._thread.shutdown(wait=True)
        self.tell_failures()

    def _send(self, event: str, status: dict[str, Any]) -> None:
        content = {
            "schema_version": TELLING_VERSION,
            "event": event,
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "host": socket.gethostname(),
            "status": status,
        }
        body = json.dumps(content, default=str).encode()
        for number, each in enumerate(self._settings.notify):
            if event in each.on:
                self._do(f"notify[{number}]", partial(_notify, each, body))

    def _do(self, name: str, act: Callable[[], None]) -> None:
        def safely() -> None:
            try:
                act()
            except Exception as error:  # whatever it is, the run goes on
                self._failures.append(f"{name} was not told: {_without_secrets(error)}")

        self._thread.submit(safely)


def _without_secrets(error: Exception) -> str:
    """A URL may be a secret, and libraries put it into their messages."""
    return str(error) if isinstance(error, RiskpipeError) else type(error).__name__


def _notify(settings: NotifySettings, body: bytes) -> None:
    if settings.command:
        _run(settings.command, body, settings.timeout)
    else:
        _post(settings, body)


def _run(command: tuple[str, ...], body: bytes, timeout: float) -> None:
    """:raises RiskpipeError: it cannot be started, takes too long, or ends with another code than 0."""
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
        )
    except OSError as error:
        raise RiskpipeError(f"{command[0]} cannot be started: {error.strerror or error}") from error
    with process:
        try:
            _, errors = process.communicate(body, timeout)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):  # what it has started, too
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise RiskpipeError(f"{command[0]} took more than {timeout:g} s and was ended") from None
    if process.returncode:
        last = errors.decode(errors="replace").strip().splitlines()[-1:]
        raise RiskpipeError(": ".join([f"{command[0]} ended with {process.returncode}", *last]))


def _post(settings: NotifySettings, body: bytes) -> None:
    """:raises RiskpipeError: in words without the URL's path and without the token."""
    from riskpipe.runs.webhook import post  # TLS takes as long to import as ten modules

    url = settings.webhook or _variable(settings.webhook_env)
    headers = {"Content-Type": "application/json", "User-Agent": "riskpipe"}
    if settings.token_env is not None:
        headers["Authorization"] = f"Bearer {_variable(settings.token_env)}"
    try:
        safe_url(url)
    except ValueError as error:
        raise RiskpipeError(f"the variable {settings.webhook_env} does not hold an https URL") from error
    where = urlsplit(url).hostname
    try:
        refused = post(url, headers, body, settings.timeout)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise RiskpipeError(f"{where} cannot be reached: {type(reason).__name__}") from None
    if refused is not None:
        raise RiskpipeError(f"{where} answered {refused}")


def _variable(name: str | None) -> str:
    value = os.environ.get(name or "", "")
    if not value:
        raise RiskpipeError(f"the environment variable {name} is not set")
    return value
