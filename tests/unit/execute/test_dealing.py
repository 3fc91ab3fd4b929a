"""Longest first, to whom it is soonest done."""

import pytest

from riskpipe.execute.dealing import Hand, deal
from riskpipe.execute.work import Work


def works(*seconds):
    return [Work(f"w{n}", n, projected_seconds=cost) for n, cost in enumerate(seconds)]


def loads(dealt):
    return {number: [work.projected_seconds for work in given] for number, given in dealt.items()}


def test_the_longest_are_dealt_first_to_the_least_loaded():
    hands = [Hand(0, 1, 0.0, 9), Hand(1, 1, 0.0, 9)]
    assert loads(deal(works(1.0, 2.0, 3.0, 4.0), hands)) == {0: [4.0, 1.0], 1: [3.0, 2.0]}


def test_what_is_outstanding_and_the_number_of_workers_count():
    hands = [Hand(0, 1, 6.0, 9), Hand(1, 2, 6.0, 9), Hand(2, 2, 0.0, 9)]
    assert loads(deal(works(2.0, 2.0, 2.0, 2.0, 2.0), hands)) == {1: [2.0], 2: [2.0, 2.0, 2.0, 2.0]}


def test_nobody_gets_more_than_it_asks_for_while_others_have_room():
    hands = [Hand(0, 1, 0.0, 1), Hand(1, 1, 100.0, 3), Hand(2, 1, 0.0, 0)]
    assert loads(deal(works(1.0, 2.0, 3.0, 4.0), hands)) == {0: [4.0], 1: [3.0, 2.0, 1.0]}


def test_what_exceeds_all_room_is_dealt_all_the_same():
    dealt = deal(works(*[1.0] * 10), [Hand(0, 1, 0.0, 0), Hand(1, 1, 0.0, 0)])
    assert loads(dealt) == {0: [1.0] * 5, 1: [1.0] * 5}


def test_works_without_a_projection_are_spread_evenly():
    dealt = deal(works(*[0.0] * 9), [Hand(n, 4, 0.0, 99) for n in range(3)])
    assert [len(given) for given in dealt.values()] == [3, 3, 3]


@pytest.mark.parametrize("order", [1, -1])
def test_a_shard_without_workers_comes_last(order):
    hands = [Hand(0, 0, 0.0, 3), Hand(1, 1, 50.0, 2)][::order]
    assert loads(deal(works(1.0, 2.0, 3.0), hands)) == {0: [1.0], 1: [3.0, 2.0]}


def test_the_same_works_are_dealt_the_same_way():
    hands = [Hand(n, 2, float(n), 40) for n in range(3)]
    many = works(*(1.0 + n % 7 for n in range(100)))
    assert deal(many, hands) == deal(many, hands)
    assert sorted(work.payload for given in deal(many, hands).values() for work in given) == list(range(100))
