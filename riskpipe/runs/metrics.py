"""Figures of a run for Prometheus, by prometheus-client (the extra `metrics`)."""

from __future__ import annotations

import time
from http.client import HTTPException
from typing import TYPE_CHECKING

from riskpipe.config.telling_section import MetricsSettings
from riskpipe.errors import RiskpipeError
from riskpipe.plan.accounting import RunLifecycle, RunStatus

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

PUSH_SECONDS = 10.0
"""A run's end waits so long for a Pushgateway that does not answer."""


def write_metrics(status: RunStatus, settings: MetricsSettings) -> None:
    """Put a run's figures where Prometheus finds them. :raises RiskpipeError: they do not get there."""
    try:
        from prometheus_client import push_to_gateway, write_to_textfile
    except ImportError as error:
        raise RiskpipeError("prometheus-client is not installed: pip install 'riskpipe[metrics]'") from error
    registry, wrong = run_metrics(status), list[str]()
    if settings.textfile is not None:
        try:
            write_to_textfile(settings.textfile, registry)  # under another name first, then in place
        except OSError as error:
            wrong.append(f"{settings.textfile} cannot be written: {error.strerror or error}")
    if settings.pushgateway is not None:
        try:
            push_to_gateway(settings.pushgateway, job=settings.job, registry=registry, timeout=PUSH_SECONDS)
        except (OSError, HTTPException) as error:
            wrong.append(f"the Pushgateway {_refusal(error)}")
    if wrong:
        raise RiskpipeError("; ".join(wrong))


def _refusal(error: Exception) -> str:
    """In words without the URL."""
    code = getattr(error, "code", None)
    if code is not None:
        return f"answered {code}"
    return f"cannot be reached: {type(getattr(error, 'reason', error)).__name__}"


def run_metrics(status: RunStatus) -> CollectorRegistry:
    """The figures of a run that has ended, all gauges."""
    from prometheus_client import CollectorRegistry, Gauge

    registry = CollectorRegistry()

    def gauge(name: str, help_: str, value: float) -> None:
        Gauge(f"riskpipe_{name}", help_, registry=registry).set(value)

    def gauges(name: str, help_: str, label: str, values: dict[str, float]) -> None:
        family = Gauge(f"riskpipe_{name}", help_, [label], registry=registry)
        for key, value in values.items():
            family.labels(key).set(value)

    gauge("run_end_timestamp_seconds", "When the last session of a run ended.", time.time())
    gauge("run_exit_code", "How it ended, as riskpipe exits.", status.exit_code)
    gauge("run_duration_seconds", "What the session took.", status.elapsed_seconds)
    gauge("run_published", "Whether the run is what is published for its day.", status.published)
    gauge("run_trades", "Trades of the run.", status.trades)
    gauge("run_valuations", "Valuations that were planned.", status.valuations)
    states = {state.value: float(status.state is state) for state in RunLifecycle}
    gauges("run_state", "1 for the state that the run is in.", "state", states)
    for name, counts in (("blocks", status.blocks), ("numbers", status.numbers)):
        found = {
            "ok": counts.ok,
            "reused": counts.reused,
            "failed": counts.failed,
            "not_applicable": counts.not_applicable,
            "cancelled": counts.cancelled,
        }
        gauges(f"run_{name}", f"The run's {name} by what became of them.", "outcome", dict(found))
    gauge("run_second_starts", "Blocks that took too long and were started a second time.", status.second_starts)
    gauge("run_second_starts_won", "Those whose second attempt came first.", status.second_starts_won)
    gauges("run_failures", "Failed numbers by reason.", "reason", dict(status.failures_by_reason))
    gauges("run_phase_seconds", "What the phases took.", "phase", dict(status.phases))
    return registry
