"""Which runs stay whole, which keep what is small, and which go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from inspect import signature

import pytest
from msgspec.structs import replace

from riskpipe.cli.runs import collect as command
from riskpipe.runs.freed import Left
from riskpipe.workflows.gc import Retention, RunFacts, fates

NOW = datetime(2026, 11, 30, 6, tzinfo=UTC)
BYTES = {Left.WHOLE: 100, Left.INPUTS: 10, Left.ACCOUNT: 1}


def _runs(*described: str) -> list[RunFacts]:
    """A night each, the last one today's: p published, c complete, i and a freed already; else it failed."""
    found = []
    for k, text in enumerate(described):
        left = Left.INPUTS if "i" in text else Left.ACCOUNT if "a" in text else Left.WHOLE
        nights = len(described) - 1 - k
        day, created = f"2026-11-{30 - nights:02d}", NOW - timedelta(days=nights, hours=1)
        of_blocks, inputs = (90 if left is Left.WHOLE else 0), (0 if left is Left.ACCOUNT else 9)
        published, complete = "p" in text, "p" in text or "c" in text
        found.append(RunFacts(f"run-{k}", day, created, published, complete, left, BYTES[left], of_blocks, inputs))
    return found


@pytest.mark.parametrize(
    ("retention", "runs", "left"),
    [
        # The market of the day before the oldest that is whole stays: its P&L is explained from it.
        (Retention(keep=2), ("p", "p", "p", "p"), "account inputs whole whole"),
        (Retention(keep=2), ("p", "c", "-", "p", "p"), "inputs - - whole whole"),
        (Retention(days=2.0), ("p", "c", "p", "c"), "inputs - whole whole"),
        (Retention(keep=1, days=2.0), ("p", "p", "c", "p", "c"), "account inputs - whole whole"),
        (Retention(keep=1), ("pa", "pi", "p"), "account inputs whole"),
        (Retention(keep=1), ("pi", "p", "p"), "account inputs whole"),
        (Retention(keep=1), ("p", "p", "-", "-"), "inputs whole - whole"),  # what can be reused
        (Retention(keep=3), ("pa", "pi", "p"), "account inputs whole"),  # what is gone does not come back
        (Retention(max_bytes=250), ("p", "c", "p", "p"), "inputs - whole whole"),
        (Retention(max_bytes=1), ("p", "c", "p", "-"), "inputs - whole whole"),
        (Retention(keep=3, max_bytes=1000), ("p", "p", "p"), "whole whole whole"),
        (Retention(keep=1, accounts=2), ("p", "p", "p", "p", "p"), "- account account inputs whole"),
        (Retention(keep=1, accounts=0), ("p", "p", "p"), "- inputs whole"),
        (Retention(keep=1, max_bytes=111), ("p", "p", "p", "p"), "- account inputs whole"),
    ],
)
def test_what_becomes_of_runs(retention: Retention, runs: tuple[str, ...], left: str) -> None:
    facts = _runs(*runs)
    found = fates(facts, retention, NOW)
    assert " ".join(fate.keeps or "-" for fate in found) == left
    for fate, run in zip(found, facts, strict=True):
        assert fate.frees + fate.left == run.bytes
        assert fate.left == (0 if fate.keeps is None else BYTES[fate.keeps])
        assert fate.action == ("deleted" if fate.keeps is None else "freed" if fate.frees else "kept")
        assert ("reuse" in fate.can) == (fate.keeps is Left.WHOLE)
        assert bool(fate.can) == (fate.action != "deleted")


def test_the_command_keeps_as_many_accounts_as_the_rules_do() -> None:
    assert signature(command).parameters["keep_accounts"].default == Retention().accounts


def test_what_a_crash_left_of_a_freed_run_is_freed_by_the_next_gc() -> None:
    old, day_before, today = _runs("pa", "p", "p")
    found = fates([replace(old, bytes=100, of_blocks=90, inputs=9), day_before, today], Retention(keep=1), NOW)
    assert [(fate.action, fate.left) for fate in found] == [("freed", 1), ("freed", 10), ("kept", 100)]


def test_the_market_that_a_whole_run_names_stays() -> None:
    named, between, day_before, today = _runs("p", "p", "p", "p")
    found = fates([named, between, day_before, replace(today, previous=named.run_id)], Retention(keep=1), NOW)
    assert [fate.keeps for fate in found] == [Left.INPUTS, Left.ACCOUNT, Left.INPUTS, Left.WHOLE]


def test_the_last_complete_run_of_a_day_that_is_kept_is_whole() -> None:
    first, failed, last = _runs("p", "-", "-")
    same_day = [first, *(replace(run, as_of=first.as_of) for run in (failed, last))]
    found = fates(same_day, Retention(keep=1), NOW)
    assert [fate.action for fate in found] == ["kept", "deleted", "kept"]
