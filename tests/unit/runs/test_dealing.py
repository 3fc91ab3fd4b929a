"""Every pending block is dealt once, however drivers ask, give back and are lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskpipe.plan.neighbours import FAN_IN
from riskpipe.runs.dealing import MOST_AT_ONCE, Dealer, share


def every(count: int) -> Dealer:
    return Dealer(np.ones(count, np.bool_))


def test_blocks_are_dealt_in_the_plan_s_order_and_by_groups() -> None:
    dealer = every(300)
    assert dealer.deal(0, FAN_IN + 1).tolist() == list(range(2 * FAN_IN)), "the group is whole"
    assert dealer.deal(1, 3).tolist() == [128, 129, 130]
    assert dealer.deal(0, 2).tolist() == [131, 132]
    assert dealer.left == 300 - 133


def test_many_blocks_are_dealt_by_groups_of_groups() -> None:
    dealer = every(40_000)
    assert len(dealer.deal(0, FAN_IN)) == FAN_IN
    dealt = dealer.deal(1, MOST_AT_ONCE)
    assert (dealt[0], len(dealt)) == (FAN_IN, 3 * FAN_IN**2 - FAN_IN)
    assert dealt.nbytes < 1 << 16, "what a pipe holds"


def test_what_is_done_is_not_dealt() -> None:
    pending = np.zeros(200, np.bool_)
    pending[[3, 70, 199]] = True
    dealer = Dealer(pending)
    assert dealer.deal(0, 100).tolist() == [3, 70, 199]
    assert dealer.left == 0
    assert dealer.deal(1, 100).tolist() == []


def test_of_a_lost_driver_s_blocks_others_do_what_it_has_not_done() -> None:
    dealer = every(10)
    dealer.deal(0, 4)
    dealer.deal(1, 6)
    pending = np.ones(10, np.bool_)
    pending[[0, 2]] = False
    assert dealer.lose(0, pending) == 2
    assert dealer.deal(1, 10).tolist() == [1, 3]
    assert dealer.lose(0, pending) == 0


@given(st.data())
def test_everything_is_done_once(data: st.DataObject) -> None:
    count = data.draw(st.integers(0, 400))
    pending = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)), np.bool_)
    dealer, todo = Dealer(pending), pending.copy()
    hands: dict[int, list[int]] = {0: [], 1: [], 2: []}
    for _ in range(data.draw(st.integers(0, 30))):
        driver = data.draw(st.sampled_from([0, 1, 2]))
        match data.draw(st.sampled_from(["deal", "do", "give back", "lose"])):
            case "deal":
                hands[driver] += dealer.deal(driver, data.draw(st.integers(0, 200))).tolist()
            case "do":
                for _ in range(min(7, len(hands[driver]))):
                    block = hands[driver].pop(0)
                    assert todo[block], "nobody has done it"
                    todo[block] = False
            case "give back":
                dealer.give_back(np.sort(np.array(hands[driver][5:], np.int32)))
                del hands[driver][5:]
            case "lose":
                assert dealer.lose(driver, todo) == len(hands[driver])
                hands[driver].clear()
        held = [block for hand in hands.values() for block in hand]
        assert len(held) == len(set(held))
        assert dealer.left + len(held) == todo.sum()
    rest = [block for hand in hands.values() for block in hand]
    while dealer.left:
        rest += dealer.deal(0, 64).tolist()
    assert sorted(rest) == np.flatnonzero(todo).tolist()


@pytest.mark.parametrize(
    ("left", "slots", "all_slots", "idle", "expected"),
    [
        (1_000_000, 1_000, 10_000, 1_000, MOST_AT_ONCE),
        (100_000, 1_000, 10_000, 0, 2_500),
        (10_001, 1_000, 10_000, 0, 1_000),
        (10_000, 1_000, 10_000, 0, 0),
        (10_000, 1_000, 10_000, 7, 7),
        (3, 1_000, 10_000, 7, 3),
        (0, 1_000, 10_000, 7, 0),
    ],
)
def test_shares_grow_smaller_and_the_last_go_to_idle_workers(
    left: int, slots: int, all_slots: int, idle: int, expected: int
) -> None:
    assert share(left, slots, all_slots, idle) == expected
