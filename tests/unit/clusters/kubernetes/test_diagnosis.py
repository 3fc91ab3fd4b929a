"""From pods' statuses, as the API gives them, to why they do not run."""

from __future__ import annotations

import re
from typing import Any

import pytest

from riskpipe.clusters.kubernetes.diagnosis import described, hopeless, is_ready, quiet, stuck, troubles, without_pods


def pod(name: str, component: str, **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": {"dask.org/component": component}}, "status": status}


def waiting(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    return {"name": "worker", "state": {"waiting": {"reason": reason, "message": message}}, **more}


READY = pod("s", "scheduler", conditions=[{"type": "Ready", "status": "True"}], phase="Running")
PULL = pod("w1", "worker", phase="Pending", containerStatuses=[waiting("ImagePullBackOff", "Back-off pulling x:1")])
CRASH = pod(
    "w2",
    "worker",
    phase="Running",
    containerStatuses=[
        waiting(
            "CrashLoopBackOff",
            "back-off 10s restarting",
            restartCount=3,
            lastState={"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
        )
    ],
)
UNSCHEDULABLE = pod(
    "w3",
    "worker",
    phase="Pending",
    conditions=[
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "0/3 nodes are free.",
        }
    ],
)
RESTARTED = pod(
    "s3",
    "scheduler",
    containerStatuses=[
        {"state": {"running": {}}, "restartCount": 1, "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}}
    ],
)
STARTING = pod("w4", "worker", phase="Pending", containerStatuses=[waiting("ContainerCreating")])
EVICTED = pod("w5", "worker", phase="Failed", reason="Evicted", message="The node was low on memory")
ENDED = pod("s2", "scheduler", containerStatuses=[{"state": {"terminated": {"exitCode": 1, "reason": "Error"}}}])


@pytest.mark.parametrize(
    ("found", "reason", "message", "crashed"),
    [
        (PULL, "ImagePullBackOff", "Back-off pulling x:1", False),
        (CRASH, "CrashLoopBackOff", "its container ended with exit code 137 (OOMKilled), 3 restarts", True),
        (UNSCHEDULABLE, "Unschedulable", "0/3 nodes are free.", False),
        (EVICTED, "Evicted", "The node was low on memory", False),
        (ENDED, "Error", "its container ended with exit code 1 (Error)", True),
        (RESTARTED, "Restarted", "its container ended with exit code 1 (Error), 1 restarts", True),
    ],
)
def test_one_trouble(found: dict[str, Any], reason: str, message: str, crashed: bool) -> None:
    (trouble,) = troubles([found])
    assert (trouble.reason, trouble.message, trouble.crashed) == (reason, message, crashed)


def test_what_runs_or_only_starts_is_no_trouble() -> None:
    assert troubles([READY, STARTING, pod("w", "worker")]) == []
    assert is_ready(READY)
    assert not is_ready({**READY, "metadata": {**READY["metadata"], "deletionTimestamp": "now"}})


def test_the_scheduler_comes_first() -> None:
    assert [trouble.pod for trouble in troubles([PULL, CRASH, ENDED])] == ["s2", "w1", "w2"]


def test_what_no_waiting_cures() -> None:
    bad_name = pod("w", "worker", containerStatuses=[waiting("InvalidImageName", "couldn't parse a::b")])
    assert hopeless(troubles([PULL, bad_name])).reason == "InvalidImageName"  # type: ignore[union-attr]
    assert hopeless(troubles([PULL, CRASH, UNSCHEDULABLE])) is None
    assert stuck(troubles([PULL, CRASH, UNSCHEDULABLE, STARTING])) == {"w1", "w2"}


def test_the_log_that_may_say_why() -> None:
    found = {trouble.pod: trouble.before_restart for trouble in troubles([CRASH, ENDED, RESTARTED])}
    assert found == {"w2": True, "s2": False, "s3": True}
    (running,) = quiet([pod("w6", "worker", phase="Running")])
    assert (running.crashed, running.before_restart) == (True, False)
    (pending,) = quiet([pod("w7", "worker")])
    assert not pending.crashed


def test_the_words_about_a_pod() -> None:
    (trouble,) = troubles([CRASH])
    events = [
        {"type": "Normal", "reason": "Pulled", "message": "already there"},
        {"type": "Warning", "reason": "BackOff", "message": "Back-off restarting failed container", "count": 7},
    ]
    assert described(trouble, events, ["Traceback", "", "MemoryError"]) == [
        "worker w2: CrashLoopBackOff: its container ended with exit code 137 (OOMKilled), 3 restarts",
        "    BackOff: Back-off restarting failed container (7 times)",
        "    log: Traceback",
        "    log: MemoryError",
    ]


@pytest.mark.parametrize(
    ("cluster", "words"),
    [
        (None, "gone"),
        ({}, "is the dask-kubernetes operator running"),
        ({"status": {"phase": "Created"}}, r"made no pods \(phase Created\)"),
    ],
)
def test_no_pods_at_all(cluster: dict[str, Any] | None, words: str) -> None:
    assert re.search(words, without_pods(cluster))
