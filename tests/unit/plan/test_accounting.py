"""One status object: counts that balance, the exit code, and JSON that comes back as it went."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict

from riskpipe.plan.accounting import SUMMARY_VERSION, Counts, RunLifecycle, RunStatus

counts = st.builds(Counts, *[st.integers(0, 10**9)] * 6)


@given(counts)
def test_balanced_when_every_planned_one_is_settled(found: Counts) -> None:
    whole = Counts(found.settled, found.ok, found.reused, found.failed, found.not_applicable, found.cancelled)

    assert whole.balanced
    assert found.balanced == (found.planned == found.settled)
    for name in ("ok", "reused", "failed", "not_applicable", "cancelled"):
        assert not Counts(**{**asdict(whole), name: getattr(whole, name) + 1}).balanced


@given(counts, counts)
def test_counts_add_up(one: Counts, other: Counts) -> None:
    total = one + other

    assert asdict(total) == {name: value + asdict(other)[name] for name, value in asdict(one).items()}
    assert total.settled == one.settled + other.settled


@pytest.mark.parametrize(
    ("state", "signal", "code"),
    [
        ("complete", None, 0),
        ("running", None, 0),
        ("partial", None, 4),
        ("interrupted", None, 130),
        ("interrupted", 2, 130),
        ("interrupted", 15, 143),
        ("complete", 15, 0),
        ("partial", 15, 4),
    ],
)
def test_exit_codes(state: str, signal: int | None, code: int) -> None:
    status = RunStatus("r", "2026-11-20", RunLifecycle(state), Counts(), Counts(), signal_number=signal)

    assert status.exit_code == code


@given(counts, counts)
def test_json_round_trip(blocks: Counts, numbers: Counts) -> None:
    status = RunStatus(
        "r",
        "2026-11-20",
        RunLifecycle.PARTIAL,
        blocks,
        numbers,
        trades=3,
        elapsed_seconds=1.5,
        failures_by_reason={"NUMERICAL": 2},
        messages=("not published",),
        phases={"value": 1.0},
    )
    text = json.dumps(status.to_json())

    assert RunStatus.from_json(json.loads(text)) == status
    assert json.loads(text)["schema_version"] == SUMMARY_VERSION
    assert json.loads(text)["exit_code"] == 4
