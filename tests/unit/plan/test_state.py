"""The ledger folded: where every number is, whatever happened, in whatever order it was told."""

from __future__ import annotations

from pathlib import Path

import pytest
from plans import block, done, failed, split, stored

from riskpipe.errors import Failure, Reason
from riskpipe.plan.accounting import Counts
from riskpipe.plan.block import Block
from riskpipe.plan.state import RunState
from riskpipe.plan.stored_plan import StoredPlan
from riskpipe.store.records import Record, SessionStarted

TWO = ("pv", "vega")
FIRST, SECOND, THIRD = block(1, measures=TWO), block(2, measures=TWO, trades=5), block(3)


@pytest.fixture
def plan(tmp_path: Path) -> StoredPlan:
    return stored(tmp_path / "plan.parquet", [FIRST, SECOND, THIRD])


def fold(plan: StoredPlan, *records: Record) -> RunState:
    return RunState(plan).fold(records)


def numbers(state: RunState) -> Counts:
    return state.numbers_counts(state.planned_numbers)


def leaves(state: RunState) -> dict[str, tuple[bool, tuple[str, ...]]]:
    """Id of each leaf -> repeats, ids of what replaces rows of it."""
    return {
        leaf.block.block_id: (leaf.repeats, tuple(part.block_id for part in leaf.replaced_by))
        for index, planned in state.plan.blocks()
        for leaf in state.leaves(index, planned)
    }


def pending(state: RunState) -> list[str]:
    return [todo.block_id for todo in state.pending()]


def test_nothing_happened(plan: StoredPlan) -> None:
    state = fold(plan)

    assert state.planned_numbers == 40
    assert numbers(state) == Counts(40, cancelled=40)
    assert state.blocks_counts() == Counts(3, cancelled=3)
    assert pending(state) == [FIRST.block_id, SECOND.block_id, THIRD.block_id]
    assert set(leaves(state)) == {FIRST.block_id, SECOND.block_id, THIRD.block_id}
    assert state.why(FIRST.block_id).reason is Reason.CANCELLED


def test_all_done(plan: StoredPlan) -> None:
    state = fold(plan, done(FIRST, 15, 2, 3), done(SECOND, 10), done(THIRD, 0, 10))

    assert numbers(state) == Counts(40, ok=25, failed=12, not_applicable=3)
    assert state.blocks_counts() == Counts(3, ok=3)
    assert pending(state) == []
    assert state.numbers_of(FIRST.block_id) == (15, 2, 3)


def test_a_block_that_failed_counts_all_of_its_numbers(plan: StoredPlan) -> None:
    state = fold(plan, done(FIRST, 20), failed(SECOND, "TIMEOUT"))

    assert numbers(state) == Counts(40, ok=20, failed=10, cancelled=10)
    assert state.blocks_counts() == Counts(3, ok=1, failed=1, cancelled=1)
    assert pending(state) == [THIRD.block_id]
    assert state.why(SECOND.block_id) == Failure(Reason.TIMEOUT, "it was so")


def test_an_attempt_that_was_not_the_last_changes_nothing(plan: StoredPlan) -> None:
    state = fold(plan, failed(FIRST, final=False))

    assert numbers(state) == Counts(40, cancelled=40)
    assert pending(state)[0] == FIRST.block_id


def test_done_after_failed_is_done(plan: StoredPlan) -> None:
    state = fold(plan, failed(FIRST), done(FIRST, 20))

    assert numbers(state) == Counts(40, ok=20, cancelled=20)
    assert state.failed_reason == {}


def test_what_an_earlier_session_did_is_reused(plan: StoredPlan) -> None:
    state = fold(plan, SessionStarted("a", 0.0, "h", 1, "v"), done(FIRST, 18, 1, 1), failed(THIRD))
    state.start_session()
    state.apply(done(SECOND, 10))

    assert state.sessions == 1
    # Failed and not-applicable numbers are what they are; only good ones count as reused.
    assert numbers(state) == Counts(40, ok=10, reused=18, failed=11, not_applicable=1)
    assert state.blocks_counts() == Counts(3, ok=1, reused=1, failed=1)


def test_failed_blocks_are_pending_again_when_wanted(plan: StoredPlan) -> None:
    for wanted, expected in ((None, [1, 3]), ({THIRD.block_id}, [3]), (set(), [])):
        state = fold(plan, failed(FIRST), done(SECOND, 10), failed(THIRD))
        state.reopen_failed(wanted)
        assert pending(state) == [block(k).block_id for k in expected]
        assert numbers(state).balanced


def halves_of(whole: Block) -> tuple[Block, Block]:
    middle = whole.trades // 2
    cut = whole.row_start + middle
    return whole.range_part(whole.row_start, cut, middle), whole.range_part(cut, whole.row_stop, whole.trades - middle)


def test_split_block(plan: StoredPlan) -> None:
    one, other = halves_of(FIRST)
    state = fold(plan, split(FIRST, (one, None), (other, None)))
    assert pending(state) == [SECOND.block_id, THIRD.block_id, one.block_id, other.block_id]
    assert numbers(state) == Counts(40, cancelled=40)

    state.apply(done(one, 9, 1))
    assert numbers(state) == Counts(40, ok=9, failed=1, cancelled=30)
    assert state.blocks_counts() == Counts(3, cancelled=3)
    state.apply(failed(other))
    assert numbers(state) == Counts(40, ok=9, failed=11, cancelled=20)
    assert state.blocks_counts() == Counts(3, failed=1, cancelled=2)
    state.apply(done(other, 10))
    assert numbers(state) == Counts(40, ok=19, failed=1, cancelled=20)
    assert state.blocks_counts() == Counts(3, ok=1, cancelled=2)
    assert set(leaves(state)) == {one.block_id, other.block_id, SECOND.block_id, THIRD.block_id}


def test_split_again_down_to_one_trade(plan: StoredPlan) -> None:
    one, other = halves_of(SECOND)
    left, right = halves_of(one)
    state = fold(
        plan,
        split(SECOND, (one, None), (other, None)),
        split(one, (left, None), (right, None), reason="POISON"),
        done(other, 6),
        failed(left, "POISON"),
        done(right, 2),
    )

    assert numbers(state) == Counts(40, ok=8, failed=2, cancelled=30)
    assert state.blocks_counts() == Counts(3, failed=1, cancelled=2)
    assert {one.block_id, SECOND.block_id} & set(leaves(state)) == set()
    assert state.why(left.block_id).reason is Reason.POISON


def test_failed_trades_repeated(plan: StoredPlan) -> None:
    """Until the part has output the parent's rows stand; then each trade is in one leaf, counted once."""
    part = THIRD.part((302, 307))
    state = fold(plan, done(THIRD, 7, 3), split(THIRD, (part, (0, 2, 0)), reason="retry"))
    assert numbers(state) == Counts(40, ok=7, failed=3, cancelled=30)
    assert leaves(state)[THIRD.block_id] == (False, ())
    assert part.block_id in pending(state)

    state.start_session()
    state.apply(done(part, 2))
    assert numbers(state) == Counts(40, ok=2, reused=7, failed=1, cancelled=30)
    assert leaves(state)[THIRD.block_id] == (False, (part.block_id,))
    assert leaves(state)[part.block_id] == (True, ())
    assert state.repeats_of(THIRD.block_id) == (part,)


def test_a_repetition_that_fails_as_a_whole_leaves_the_first_result(plan: StoredPlan) -> None:
    part = THIRD.part((302, 307))
    state = fold(plan, done(THIRD, 7, 3), split(THIRD, (part, (0, 2, 0)), reason="retry"), failed(part))

    assert numbers(state) == Counts(40, ok=7, failed=3, cancelled=30)
    assert THIRD.block_id in leaves(state)
    assert part.block_id not in leaves(state)


def test_block_repeated_whole(plan: StoredPlan) -> None:
    again = THIRD.range_part(THIRD.row_start, THIRD.row_stop, THIRD.trades)
    records = [done(THIRD, 7, 3), split(THIRD, (again, (7, 3, 0)), reason="retry"), done(again, 9, 0, 1)]

    state = fold(plan, *records)

    assert again.block_id != THIRD.block_id
    assert numbers(state) == Counts(40, ok=9, not_applicable=1, cancelled=30)
    assert leaves(state)[again.block_id] == (False, ())
    assert THIRD.block_id not in leaves(state)


def test_whole_repetition_comes_before_one_of_some_trades(plan: StoredPlan) -> None:
    """Both done: every trade is in the whole one, and counted there alone."""
    part = THIRD.part((302,))
    again = THIRD.range_part(THIRD.row_start, THIRD.row_stop, THIRD.trades)
    records = [
        done(THIRD, 7, 3),
        split(THIRD, (part, (0, 1, 0)), reason="retry"),
        done(part, 1),
        split(THIRD, (again, (7, 3, 0)), reason="retry"),
    ]
    state = fold(plan, *records)
    assert numbers(state) == Counts(40, ok=8, failed=2, cancelled=30)

    state.apply(done(again, 10))
    assert numbers(state) == Counts(40, ok=10, cancelled=30)
    assert {again.block_id, FIRST.block_id, SECOND.block_id} == set(leaves(state))


def test_repetition_that_is_split(plan: StoredPlan) -> None:
    part = THIRD.part((301, 302, 307))
    one, other = part.part((301,)), part.part((302, 307))
    state = fold(
        plan,
        done(THIRD, 7, 3),
        split(THIRD, (part, (0, 3, 0)), reason="retry"),
        split(part, (one, None), (other, None)),
        done(one, 1),
    )
    assert numbers(state) == Counts(40, ok=7, failed=3, cancelled=30), "half a repetition replaces nothing"
    assert set(leaves(state)) == {FIRST.block_id, SECOND.block_id, THIRD.block_id}

    state.apply(done(other, 1, 1))
    assert numbers(state) == Counts(40, ok=9, failed=1, cancelled=30)
    assert {k: v for k, v in leaves(state).items() if v[0]} == {one.block_id: (True, ()), other.block_id: (True, ())}


def test_repetition_of_a_repetition(plan: StoredPlan) -> None:
    part = THIRD.part((301, 302))
    last = part.part((302,))
    state = fold(
        plan,
        done(THIRD, 7, 3),
        split(THIRD, (part, (0, 2, 0)), reason="retry"),
        done(part, 1, 1),
        split(part, (last, (0, 1, 0)), reason="retry"),
        done(last, 1),
    )

    assert numbers(state) == Counts(40, ok=9, failed=1, cancelled=30)
    assert leaves(state)[part.block_id] == (True, (last.block_id,))
    assert leaves(state)[last.block_id] == (True, ())


def test_the_same_split_told_twice_is_one(plan: StoredPlan) -> None:
    one, other = halves_of(FIRST)
    record = split(FIRST, (one, None), (other, None))

    state = fold(plan, record, done(one, 10), record)

    assert len(state.children[FIRST.block_id]) == 2
    assert numbers(state) == Counts(40, ok=10, cancelled=30)


def test_a_record_of_another_plan(plan: StoredPlan) -> None:
    with pytest.raises(KeyError, match="not in the plan"):
        fold(plan, done(block(9), 10))
