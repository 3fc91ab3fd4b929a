"""Statuses of runs as the workflows report them, and a configuration to read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from riskpipe.plan.accounting import Counts, RunLifecycle, RunStatus

MakeStatus = Callable[..., RunStatus]

CONFIG = """\
as_of: 2026-11-20
inputs:
  portfolio: data/portfolio
  market: data/market.parquet
"""


@pytest.fixture
def status() -> MakeStatus:
    """Makes the status of a complete, published run of 120 blocks, with changes."""

    def make(**changes: Any) -> RunStatus:
        values: dict[str, Any] = {
            "run_id": "20261120-193055-3f9a1c",
            "as_of": "2026-11-20",
            "state": "complete",
            "blocks": Counts(planned=120, ok=118, reused=2),
            "numbers": Counts(planned=1_200_000, ok=1_199_000, not_applicable=1000),
            "trades": 200_000,
            "valuations": 100_000_000,
            "elapsed_seconds": 80.0,
            "published": True,
            "output": "/srv/output/runs/20261120-193055-3f9a1c",
        }
        values |= changes
        return RunStatus(**{**values, "state": RunLifecycle(values["state"])})

    return make


@pytest.fixture
def running(status: MakeStatus) -> RunStatus:
    return status(
        state="running",
        blocks=Counts(planned=400, ok=118, cancelled=282),
        numbers=Counts(planned=4_000_000, ok=1_199_997, failed=3, cancelled=2_800_000),
        running=2,
        remaining_seconds=160.0,
        published=False,
    )


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "riskpipe.yaml"
    path.write_text(CONFIG)
    return path
