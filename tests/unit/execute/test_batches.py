"""Which tasks share a batch."""

import pytest

from riskpipe.execute.batches import BATCH_SECONDS, LARGEST_BATCH, batch_size, in_batches
from riskpipe.execute.task import Task


def tasks(*seconds, **options):
    return [Task(f"w{n}", None, projected_seconds=each, **options) for n, each in enumerate(seconds)]


def sizes(cut):
    return [len(batch) for batch in cut]


def test_a_batch_has_as_many_as_are_done_in_its_time():
    short = tasks(*[BATCH_SECONDS / 5] * 12)
    cut = in_batches(short, slots=1)
    assert sizes(cut) == [5, 5, 2]
    assert [task for batch in cut for task in batch] == short
    assert batch_size(short) == 5


def test_a_long_task_is_alone():
    assert sizes(in_batches(tasks(2.0, 2.0, 0.01, 0.01), slots=1)) == [1, 1, 2]
    assert batch_size(tasks(2.0, 0.01)) == 1


def test_not_even_tasks_of_no_length_make_an_endless_batch():
    assert sizes(in_batches(tasks(*[1e-9] * (LARGEST_BATCH + 1)), slots=1)) == [LARGEST_BATCH, 1]
    assert batch_size(tasks(1e-9)) == LARGEST_BATCH


def test_each_slot_gets_its_share_first():
    assert sizes(in_batches(tasks(*[0.001] * 9), slots=4)) == [3, 3, 3]
    assert sizes(in_batches(tasks(*[0.001] * 4), slots=0)) == [4]


@pytest.mark.parametrize(
    "other",
    [{"attempt": 2}, {"function": "sum"}, {"timeout_seconds": 5.0}],
)
def test_tasks_of_other_kinds_are_apart(other):
    short = [*tasks(0.001, 0.001), *tasks(0.001, **other), *tasks(0.001)]
    assert sizes(in_batches(short, slots=1)) == [2, 1, 1]


def test_a_task_that_nobody_has_projected_is_alone():
    assert sizes(in_batches(tasks(0.0, 0.0, 0.001, 0.001, 0.0), slots=1)) == [1, 1, 2, 1]
    assert batch_size(tasks(0.0)) == 1
    assert batch_size([]) == 1
