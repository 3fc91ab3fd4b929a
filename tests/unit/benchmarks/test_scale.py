"""The benchmark of schedulers and drivers still runs: what it stands on changes often, and it is run seldom."""

from __future__ import annotations

import pytest

from benchmarks import scale


@pytest.mark.slow
def test_two_small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale, "SETTLING_SECONDS", 0.5)
    monkeypatch.setattr(scale, "IDLE_SECONDS", 3.0)
    found = scale.one(2, 5, 40, 0.1)
    assert found["driver_ms"] > 0.0
    assert found["scheduler_all_ms"] > 0.0


def test_what_the_first_driver_learns_is_measured() -> None:
    assert scale.learning(500) > 0.0
