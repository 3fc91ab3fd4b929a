"""Second starts as the ledger tells them, and which attempt came too late."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from plans import block, done, failed, stored

from riskpipe.plan.second_starts import SecondStarts
from riskpipe.plan.state import RunState
from riskpipe.store.records import BlockDone, BlockStartedAgain, Record, SessionStarted

SESSION = SessionStarted("20261120T193055Z-3f9a1c", 1.0, "host", 42, "0.1")
BLOCK, OTHER = block(0), block(1)
AGAIN = BlockStartedAgain(BLOCK.block_id, 2, "w0", 40.0, 3.0)


def brought_by(attempt: int) -> BlockDone:
    return replace(done(BLOCK, 10), attempt=attempt)


@pytest.mark.parametrize(
    ("records", "outrun", "won"),
    [
        ([AGAIN, brought_by(2)], {1: "w0"}, 1),
        ([AGAIN, brought_by(1)], {2: None}, 0),
        ([AGAIN, done(OTHER, 10), replace(failed(BLOCK, final=False), attempt=1), brought_by(2)], {}, 1),
        ([AGAIN, replace(failed(BLOCK, final=False), attempt=2), brought_by(1)], {}, 0),
        # Both failed, and the third is no second start.
        ([AGAIN, *(replace(failed(BLOCK, final=False), attempt=n) for n in (1, 2)), brought_by(3)], {}, 0),
        # Killed while both ran: the next session's attempt 2 is a retry.
        ([AGAIN, SESSION, brought_by(2)], {}, 0),
    ],
)
def test_the_attempt_that_was_given_up(records: list[Record], outrun: dict[int, str | None], won: int) -> None:
    starts = SecondStarts()
    *before, last = records
    assert [starts.apply(record) for record in before] == [{}] * len(before)
    assert starts.apply(last) == outrun
    assert (starts.started, starts.won, starts.running) == (1, won, {})


def test_the_state_counts_the_block_once(tmp_path: Path) -> None:
    state = RunState(stored(tmp_path / "plan.parquet", [BLOCK, OTHER]))
    state.fold([SESSION, AGAIN, done(OTHER, 10)])
    assert [each.block_id for each in state.pending()] == [BLOCK.block_id], "a resume does it"
    state.fold([brought_by(2)])
    assert (state.blocks_counts().ok, state.numbers_counts(20).ok) == (2, 20)
    assert (state.second_starts.started, state.second_starts.won) == (1, 1)
