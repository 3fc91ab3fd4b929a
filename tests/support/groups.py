"""Few blocks in groups, so that small books have groups of groups."""

from __future__ import annotations

import pytest

MODULES = ("plan.neighbours", "runs.combined_files", "runs.groups", "runs.outputs")


def small_groups(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """In this process: so many neighbours of the plan are a group, and so many files are merged at once."""
    monkeypatch.setattr("riskpipe.store.sorted_merge.MOST_SOURCES", size)
    for module in MODULES:
        monkeypatch.setattr(f"riskpipe.{module}.FAN_IN", size)
