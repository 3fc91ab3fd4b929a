"""How many workers a run gets."""

from __future__ import annotations

from typing import Any

import pytest

from riskpipe.config.models import Cluster
from riskpipe.runs.sizing import needed_workers, planned_workers


@pytest.mark.parametrize(
    ("deadline", "seconds", "expected"),
    [(100.0, 0.0, 1), (100.0, 75.0, 1), (100.0, 75.1, 2), (5400.0, 900_000_000.0, 222_223)],
)
def test_as_many_as_a_deadline_needs(deadline: float, seconds: float, expected: int) -> None:
    assert needed_workers(deadline, seconds) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"kind": "serial", "workers": 9}, 1),
        ({"kind": "local", "workers": 9}, 9),
        ({"kind": "local", "workers": 9, "deadline": 1.0}, 9),
        ({"kind": "kubernetes", "workers": 9}, 9),
        ({"kind": "kubernetes", "workers": 9, "deadline": 100.0}, 20),
        ({"kind": "kubernetes", "deadline": 100.0, "max_workers": 7}, 7),
        ({"kind": "kubernetes", "deadline": 1e6, "min_workers": 3}, 3),
    ],
)
def test_within_what_is_configured(given: dict[str, Any], expected: int) -> None:
    assert planned_workers(Cluster(**given), 1500.0) == expected
