"""Longest first, to whom it is soonest done."""

import pytest

from riskpipe.execute.load_balancing import ShardLoad, assign
from riskpipe.execute.task import Task


def tasks(*seconds):
    return [Task(f"w{n}", n, projected_seconds=cost) for n, cost in enumerate(seconds)]


def seconds(assigned):
    return {number: [task.projected_seconds for task in given] for number, given in assigned.items()}


def test_the_longest_are_assigned_first_to_the_least_loaded():
    loads = [ShardLoad(0, 1, 0.0, 9), ShardLoad(1, 1, 0.0, 9)]
    assert seconds(assign(tasks(1.0, 2.0, 3.0, 4.0), loads)) == {0: [4.0, 1.0], 1: [3.0, 2.0]}


def test_what_is_outstanding_and_the_number_of_workers_count():
    loads = [ShardLoad(0, 1, 6.0, 9), ShardLoad(1, 2, 6.0, 9), ShardLoad(2, 2, 0.0, 9)]
    assert seconds(assign(tasks(2.0, 2.0, 2.0, 2.0, 2.0), loads)) == {1: [2.0], 2: [2.0, 2.0, 2.0, 2.0]}


def test_nobody_gets_more_than_it_asks_for_while_others_have_room():
    loads = [ShardLoad(0, 1, 0.0, 1), ShardLoad(1, 1, 100.0, 3), ShardLoad(2, 1, 0.0, 0)]
    assert seconds(assign(tasks(1.0, 2.0, 3.0, 4.0), loads)) == {0: [4.0], 1: [3.0, 2.0, 1.0]}


def test_what_exceeds_all_room_is_assigned_all_the_same():
    assigned = assign(tasks(*[1.0] * 10), [ShardLoad(0, 1, 0.0, 0), ShardLoad(1, 1, 0.0, 0)])
    assert seconds(assigned) == {0: [1.0] * 5, 1: [1.0] * 5}


def test_tasks_without_a_projection_are_spread_evenly():
    assigned = assign(tasks(*[0.0] * 9), [ShardLoad(n, 4, 0.0, 99) for n in range(3)])
    assert [len(given) for given in assigned.values()] == [3, 3, 3]


@pytest.mark.parametrize("order", [1, -1])
def test_a_shard_without_workers_comes_last(order):
    loads = [ShardLoad(0, 0, 0.0, 3), ShardLoad(1, 1, 50.0, 2)][::order]
    assert seconds(assign(tasks(1.0, 2.0, 3.0), loads)) == {0: [1.0], 1: [3.0, 2.0]}


def test_the_same_tasks_are_assigned_the_same_way():
    loads = [ShardLoad(n, 2, float(n), 40) for n in range(3)]
    many = tasks(*(1.0 + n % 7 for n in range(100)))
    assert assign(many, loads) == assign(many, loads)
    assert sorted(task.payload for given in assign(many, loads).values() for task in given) == list(range(100))
