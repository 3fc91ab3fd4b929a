"""A run that is asked to stop through its output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fault_runs import at_point

from riskpipe.config import Settings
from riskpipe.errors import UsageError
from riskpipe.fault_points import FaultPoint
from riskpipe.plan.selection import Selection
from riskpipe.runs import session
from riskpipe.workflows.run import run
from riskpipe.workflows.runs import stop


def test_it_drains_and_is_resumed(
    settings_of: Callable[..., Settings], recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "LOOKS_A_LEASE", 1e9)  # at every tick
    settings = settings_of("measures=[pv]", "partition.max_trades=50")
    with at_point(FaultPoint.EVENT, lambda _: stop(settings, "latest"), times=3):
        status = run(settings, Selection(), observer=recorder)
    assert (status.state, status.exit_code) == ("interrupted", 143)
    assert status.blocks.ok
    assert any(text.startswith("stopped by ") for _, text in recorder.messages)
    resumed = run(settings, Selection(), observer=recorder)
    assert (resumed.run_id, resumed.state) == (status.run_id, "complete")
    with pytest.raises(UsageError, match="nobody is at work"):
        stop(settings, "latest")
