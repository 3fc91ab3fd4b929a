"""What is overdue and who is silent, by a clock that stands still while nobody looks."""

import math

from riskpipe.execute.liveness import LOOK_SECONDS, LivenessMonitor

MARGIN_SECONDS = 2.0


class Time:
    def __init__(self):
        self.now = 1_000.0

    def __call__(self):
        return self.now


class Watch:
    """A monitor that is looked at as its scheduler does."""

    def __init__(self):
        self.time = Time()
        self.monitor = LivenessMonitor(MARGIN_SECONDS, self.time)
        self.signs = {}

    def after(self, seconds, silent=60.0):
        """Everything told within so many seconds: tasks, workers."""
        tasks, workers = [], []
        for _ in range(round(seconds / LOOK_SECONDS)):
            self.time.now += LOOK_SECONDS
            tasks += self.monitor.look()
            workers += self.monitor.silent(self.signs, silent)
        return tasks, workers


def test_a_task_is_overdue_once_beyond_its_margin():
    watch = Watch()
    watch.monitor.started("short", 3.0)
    watch.monitor.started("long", 100.0)
    watch.monitor.started("done", 3.0)
    watch.monitor.started("endless", math.inf)
    assert watch.after(3.0 + MARGIN_SECONDS - LOOK_SECONDS) == ([], [])
    watch.monitor.ended("done")
    watch.monitor.ended("never started")
    assert watch.after(5.0) == (["short"], [])
    assert watch.after(200.0) == (["long"], [])


def test_a_margin_grows_with_the_time():
    watch = Watch()
    watch.monitor.started("task", 100.0)
    assert watch.after(109.0) == ([], [])
    assert watch.after(2.0) == (["task"], [])


def test_the_time_of_a_batch_begins_anew_with_each_of_its_tasks():
    watch = Watch()
    watch.monitor.started("batch", 3.0)
    for _ in range(4):
        assert watch.after(3.0) == ([], [])
        watch.monitor.goes_on("batch", 3.0)
    assert watch.after(6.0) == (["batch"], [])
    watch.monitor.goes_on("batch", 3.0)  # a word that comes late
    assert watch.after(9.0) == ([], [])


def test_a_worker_is_silent_when_its_sign_does_not_change():
    watch = Watch()
    watch.signs = {"a": 5.0, "b": 5.0}
    assert watch.after(50.0) == ([], [])
    watch.signs["a"] = 1.0  # clocks of machines jump: any change is a sign
    assert watch.after(20.0) == ([], ["b"])
    assert watch.after(20.0) == ([], [])
    del watch.signs["b"]
    assert watch.after(30.0) == ([], ["a"])


def test_nobody_is_blamed_for_what_passed_while_nobody_looked():
    """A scheduler that was stopped has read no heartbeat meanwhile."""
    watch = Watch()
    watch.signs = {"a": 5.0}
    watch.monitor.started("task", 10.0)
    watch.after(1.0)
    watch.time.now += 3_600.0
    assert watch.after(5.0) == ([], [])
    assert watch.after(10.0) == (["task"], [])


def test_how_long_each_has_been_under_way():
    watch = Watch()
    watch.monitor.started("one", math.inf)
    watch.after(3.0)
    watch.monitor.started("two", 60.0)
    watch.after(2.0)
    assert [watch.monitor.seconds(task) for task in ("one", "two", "none")] == [5.0, 2.0, 0.0]
    watch.monitor.goes_on("one", math.inf)
    watch.monitor.ended("two")
    watch.after(1.0)
    assert [watch.monitor.seconds(task) for task in ("one", "two")] == [1.0, 0.0]
