"""What every executor promises, and what the dask one adds."""

import gc
import tracemalloc
from itertools import pairwise

import pytest

from riskpipe.errors import ClusterError, Reason
from riskpipe.execute.dask_executor import DaskExecutor
from riskpipe.execute.serial_executor import SerialExecutor
from riskpipe.execute.task import Cancelled, Done, Raised, Task


@pytest.fixture(params=["serial", "dask"])
def executor(request, functions):
    if request.param == "serial":
        executor = SerialExecutor(functions)
    else:
        executor = DaskExecutor(request.getfixturevalue("client"), functions)
    yield executor
    executor.close()


@pytest.fixture
def dask_executor(client, functions):
    executor = DaskExecutor(client, functions)
    yield executor
    executor.close()


def collect(executor, rounds=200):
    """Everything in flight, in the order in which it ends; gives up after `rounds` empty waits."""
    ended = []
    while executor.running():
        outcomes = executor.outcomes(0.5)
        ended.extend(outcomes)
        rounds -= not outcomes
        assert rounds > 0, f"{executor.running()} tasks never ended"
    return ended


def test_results_are_complete_and_carry_their_task(executor):
    tasks = [Task(f"w{n}", n) for n in range(10)]
    executor.submit(tasks)
    assert executor.running() == 10
    ended = collect(executor)
    assert {outcome.task.key: outcome.result for outcome in ended} == {f"w{n}": 2 * n for n in range(10)}
    assert sorted((o.task for o in ended), key=lambda w: w.payload) == tasks
    assert all(isinstance(outcome, Done) and outcome.worker for outcome in ended)


def test_a_thousand_tasks_within_the_window(executor):
    waiting = [Task(f"w{n}", n) for n in reversed(range(1_000))]
    seen = []
    while waiting or executor.running():
        free = executor.capacity - executor.running()
        if waiting and free > 0:
            executor.submit([waiting.pop() for _ in range(min(free, len(waiting)))])
        seen.extend(outcome.result for outcome in executor.outcomes(5.0))
    assert sorted(seen) == [2 * n for n in range(1_000)]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("nan"), Reason.PRICING_ERROR),
        (OSError("disk"), Reason.STORAGE),
        (MemoryError("big"), Reason.OUT_OF_MEMORY),
        (SystemExit(1), Reason.PRICING_ERROR),
    ],
)
def test_exceptions_come_back_typed(executor, error, reason):
    executor.submit([Task("bad", ("raise", error)), Task("good", 4)])
    ended = {outcome.task.key: outcome for outcome in collect(executor)}
    assert ended["good"].result == 8
    bad = ended["bad"]
    assert isinstance(bad, Raised)
    assert (bad.reason, bad.message) == (reason, f"{type(error).__name__}: {error}")
    assert "in value" in bad.traceback_text


def test_the_function_is_chosen_by_name(executor):
    executor.submit([Task("k", (1, 2, 3), function="merge"), Task("k", 5)])
    assert sorted(outcome.result for outcome in collect(executor)) == [6, 10]


def test_an_unknown_function_fails_or_is_refused(executor):
    with pytest.raises(KeyError):
        executor.submit([Task("k", 1, function="nope")])
    assert executor.running() == 0


def test_a_second_attempt_is_another_task(executor):
    task = Task("k", 21)
    executor.submit([task])
    collect(executor)
    executor.submit([task.again()])
    (ended,) = collect(executor)
    assert (ended.task.attempt, ended.result) == (2, 42)


def test_what_has_ended_before_can_be_submitted_again(executor):
    for _ in range(2):
        executor.submit([Task("k", 1)])
        assert [outcome.result for outcome in collect(executor)] == [2]


def test_cancelled_tasks_end_once_each(executor):
    executor.submit([Task(f"w{n}", n) for n in range(40)])
    executor.cancel_all()
    ended = collect(executor)
    assert sorted(outcome.task.payload for outcome in ended) == list(range(40))
    assert any(isinstance(outcome, Cancelled) for outcome in ended)
    executor.submit([Task("after", 3)])
    assert [outcome.result for outcome in collect(executor)] == [6]


def test_nothing_in_flight_nothing_ends(executor):
    assert executor.outcomes(0.0) == []


def test_two_executors_on_one_cluster(client, functions):
    first, second = DaskExecutor(client, functions), DaskExecutor(client, functions)
    first.submit([Task("k", 1)])
    second.submit([Task("k", 2)])
    assert [collect(first)[0].result, collect(second)[0].result] == [2, 4]
    first.close()
    second.submit([Task("again", 3)])
    assert collect(second)[0].result == 6
    second.close()


def test_the_same_task_twice_in_flight_is_refused(dask_executor):
    with pytest.raises(ValueError, match="in flight"):
        dask_executor.submit([Task("k", 1), Task("k", 2)])
    assert dask_executor.running() == 0


def test_an_unpicklable_result_is_a_typed_failure(dask_executor):
    dask_executor.submit([Task("k", ("lambda",))])
    (ended,) = collect(dask_executor)
    assert ended.reason is Reason.PRICING_ERROR
    assert "cannot be pickled" in ended.message


def test_an_unpicklable_payload_is_refused_and_forgotten(dask_executor):
    with pytest.raises(TypeError):
        dask_executor.submit([Task("k", (n for n in ()))])
    assert dask_executor.running() == 0
    dask_executor.submit([Task("k", 1)])
    assert collect(dask_executor)[0].result == 2


def test_capacity_follows_the_threads(client, functions, dask_executor):
    assert dask_executor.capacity == 6
    wide = DaskExecutor(client, functions, in_flight_per_thread=10)
    assert wide.capacity == 20
    wide.close()


def shorts(count):
    return [Task(f"w{n}", n, projected_seconds=0.02) for n in range(count)]


def test_short_tasks_share_what_dask_does_for_one(client, dask_executor):
    def known(dask_scheduler):
        return len(dask_scheduler.transition_log)

    before = client.run_on_scheduler(known)
    dask_executor.submit(shorts(120))
    ended = collect(dask_executor)
    assert sorted(outcome.result for outcome in ended) == [2 * n for n in range(120)]
    assert client.run_on_scheduler(known) - before < 120


def test_the_window_holds_as_many_batches_of_short_tasks(dask_executor):
    dask_executor.submit(shorts(6))
    assert dask_executor.capacity == 6 * 12
    assert dask_executor.refill() == 5 * 12
    collect(dask_executor)
    dask_executor.submit([Task("long", 1, projected_seconds=60.0)])
    assert dask_executor.capacity == 6
    collect(dask_executor)


def test_each_task_of_a_batch_has_its_own_end(dask_executor):
    bad = Task("bad", ("raise", ValueError("nan")), projected_seconds=0.02)
    unreadable = Task("none", ("lambda",), projected_seconds=0.02)
    dask_executor.submit([*shorts(5), bad, unreadable])
    ended = {outcome.task.key: outcome for outcome in collect(dask_executor)}
    assert [ended[f"w{n}"].result for n in range(5)] == [0, 2, 4, 6, 8]
    assert (ended["bad"].message, ended["bad"].reason) == ("ValueError: nan", Reason.PRICING_ERROR)
    assert "cannot be pickled" in ended["none"].message


def test_exactly_so_many_are_withdrawn_and_the_rest_is_done(dask_executor):
    short = shorts(200)
    dask_executor.submit(short)
    withdrawn = dask_executor.withdraw(5)
    assert len(withdrawn) == 5
    done = {outcome.task.key for outcome in collect(dask_executor)}
    assert done.isdisjoint(task.key for task in withdrawn)
    assert len(done) == 195


def test_batches_that_wait_are_cancelled_task_by_task(dask_executor):
    dask_executor.submit(shorts(200))
    dask_executor.cancel_queued()
    ended = collect(dask_executor)
    assert sorted(outcome.task.payload for outcome in ended) == list(range(200))
    assert any(isinstance(outcome, Cancelled) for outcome in ended)


def test_functions_that_cannot_travel_are_a_cluster_error(client):
    with pytest.raises(ClusterError, match="set up"):
        DaskExecutor(client, {"value": (n for n in ())})


def test_each_worker_has_at_most_one_task(client):
    """Also with fewer tasks than dask's own heuristics want before it queues: a death blames one task."""

    def most_processing(dask_scheduler):
        return max(len(worker.processing) for worker in dask_scheduler.workers.values())

    def hold(task):
        import threading

        threading.Event().wait(0.1)

    executor = DaskExecutor(client, {"few": hold})
    executor.submit([Task(f"w{n}", n, function="few") for n in range(4)])
    seen = set()
    while executor.running():
        seen.add(client.run_on_scheduler(most_processing))
        executor.outcomes(0.01)
    assert max(seen) == 1
    executor.close()


KEEPERS = [tracemalloc.Filter(True, f"*/{place}") for place in ("riskpipe/execute/*", "distributed/client.py")]


def kept_bytes():
    gc.collect()
    snapshot = tracemalloc.take_snapshot().filter_traces(KEEPERS)
    return sum(statistic.size for statistic in snapshot.statistics("filename"))


def run_through(executor, first, count):
    numbers = range(first, first + count)
    for start in range(0, count, 50):
        executor.submit([Task(f"flat{n}", n) for n in numbers[start : start + 50]])
        while executor.running() > 50:
            executor.outcomes(5.0)
    collect(executor)


def settled(client, executor):
    """Whether the client's loop is through with what was handed over; it gets some round trips for it."""
    for _ in range(1_000):
        if len(client.futures) == 0 and len(executor._following) <= 1:
            return True
        client.run_on_scheduler(int)
    return False


@pytest.mark.chaos
def test_nothing_is_kept_per_finished_task(client, dask_executor):
    """Tables that grow once and messages on their way are 20 KB more or less; what tasks leave grows in every round."""
    run_through(dask_executor, 0, 300)
    each = 4_000
    tracemalloc.start()
    kept = []
    for start in range(300, 300 + 5 * each, each):
        run_through(dask_executor, start, each)
        assert settled(client, dask_executor)
        kept.append(kept_bytes())
    tracemalloc.stop()
    assert min(after - before for before, after in pairwise(kept)) < 8 * each, (
        "a reference alone would be 8 bytes for each"
    )


def test_the_scheduler_forgets_what_is_done_before_the_driver_asks(client, dask_executor):
    dask_executor.submit([Task(f"w{n}", n) for n in range(20)])
    known = (client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)) for _ in range(10_000))
    assert 0 in known
    assert len(client.futures) == 20, "the driver has let go of nothing"
    assert sorted(outcome.result for outcome in collect(dask_executor)) == [2 * n for n in range(20)]


def test_tasks_of_others_are_left_alone(client, dask_executor):
    other = client.submit(int, "42", key=("value", "another's"), _data_producer=True)
    dask_executor.submit([Task("w", 1)])
    collect(dask_executor)
    assert other.result(timeout=30) == 42
    other.release()


def test_a_worker_hears_of_a_task_in_one_message(client, dask_executor):
    """Of the next to do and the last to forget together; and the driver not of each outcome in a message of its own."""

    def messages(dask_scheduler):
        streams = dask_scheduler.stream_comms.values()
        return sum(s.batch_count for s in streams), dask_scheduler.client_comms[of].batch_count

    of, count = client.id, 300
    run_through(dask_executor, 0, 100)
    to_workers, to_driver = client.run_on_scheduler(messages)
    run_through(dask_executor, 100, count)
    after_workers, after_driver = client.run_on_scheduler(messages)
    assert after_workers - to_workers < 1.2 * count
    assert after_driver - to_driver < 0.8 * count


def test_nothing_of_a_closed_executor_is_left_on_the_scheduler(client, functions):
    def plugins(dask_scheduler):
        return set(dask_scheduler.plugins)

    before = client.run_on_scheduler(plugins)
    executor = DaskExecutor(client, functions)
    assert client.run_on_scheduler(plugins) > before
    executor.close()
    assert client.run_on_scheduler(plugins) == before


def test_an_executor_whose_scheduler_was_replaced_closes(client, functions):
    executor = DaskExecutor(client, functions)
    client.unregister_scheduler_plugin(executor._name)
    executor.close()
    assert executor.running() == 0


def test_the_scheduler_forgets_what_was_handed_over(client, dask_executor):
    run_through(dask_executor, 0, 100)
    known = (client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)) for _ in range(1_000))
    assert 0 in known, "the last releases may be on their way, for some round trips"
