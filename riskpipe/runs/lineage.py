"""OpenLineage events of a run, by its own client (the extra `lineage`), which finds its settings itself."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from riskpipe import __version__
from riskpipe.config import Settings
from riskpipe.errors import RiskpipeError
from riskpipe.plan.accounting import RunLifecycle, RunStatus

PRODUCER = f"riskpipe/{__version__}"
_NAMES = uuid.UUID("6f0c8d4e-3a0f-5d0b-9a58-6c1f1a2b7e55")
_ENDS = {RunLifecycle.COMPLETE: "COMPLETE", RunLifecycle.PARTIAL: "COMPLETE", RunLifecycle.INTERRUPTED: "ABORT"}


def emit_lineage(kind: str, status: RunStatus, settings: Settings) -> None:
    """One event of a run.

    :param kind: START, FAIL, or END: COMPLETE or ABORT as the run ended. :raises RiskpipeError: without the client.
    """
    try:
        from openlineage.client import OpenLineageClient
        from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
    except ImportError as error:
        raise RiskpipeError("openlineage-python is not installed: pip install 'riskpipe[lineage]'") from error
    inputs = [place for place in _inputs(settings) if place]
    state = _ENDS.get(status.state, "FAIL") if kind == "END" else kind
    event = RunEvent(
        eventType=RunState[state],
        eventTime=datetime.now(UTC).isoformat(),
        run=Run(runId=str(uuid.uuid5(_NAMES, status.run_id))),
        job=Job(namespace=settings.lineage.namespace, name="riskpipe.run"),
        producer=PRODUCER,
        inputs=[InputDataset(*_named(place)) for place in inputs],
        outputs=[OutputDataset(*_named(f"{settings.output}/published"))],
    )
    client = OpenLineageClient()
    client.emit(event)
    client.close()


def _inputs(settings: Settings) -> list[str | None]:
    given = settings.inputs
    return [given.portfolio, given.market, given.history, given.scenarios, given.limits]


def _named(place: str) -> tuple[str, str]:
    """Namespace and name of a dataset, as OpenLineage names files: `s3://bucket` and the path; `file` and the path."""
    scheme, found, rest = place.partition("://")
    if not found:
        return "file", place
    host, _, path = rest.partition("?")[0].partition("/")
    return (f"{scheme}://{host}", path) if host else ("file", f"/{path}")
