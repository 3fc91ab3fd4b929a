"""Whose cluster is an orphan: only one whose driver is certainly gone."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from msgspec.structs import asdict, replace

from riskpipe.clusters.kubernetes.cluster_options import Driver
from riskpipe.clusters.kubernetes.names import DRIVER, SESSION
from riskpipe.clusters.kubernetes.reaper import why_orphan
from riskpipe.store.process import ProcessIdentity

MINE, OTHERS = "aaaaaaaa", "bbbbbbbb"
HERE = Driver("rerun-1", "uid-1", "risk")
THERE = Driver("nightly-1", "uid-2", "risk")


def cluster(driver: Any, session: str = OTHERS, **metadata: Any) -> dict[str, Any]:
    annotations = {} if driver is None else {DRIVER: driver if isinstance(driver, str) else json.dumps(driver)}
    return {"metadata": {"name": "rp", "labels": {SESSION: session}, "annotations": annotations, **metadata}}


def of_pod(driver: Driver = THERE, **more: Any) -> dict[str, Any]:
    return cluster({"pod": asdict(driver)}, **more)


def pods(**statuses: Any) -> Any:
    """find_pod of a namespace with one pod, THERE."""
    found = {"metadata": {"name": THERE.name, "uid": THERE.uid, **statuses.pop("metadata", {})}, "status": statuses}
    return lambda name, namespace: found if (name, namespace) == (THERE.name, THERE.namespace) else None


@pytest.mark.parametrize("phase", ["Pending", "Running", "Unknown"])
def test_the_cluster_of_a_living_driver_is_left_alone(phase: str) -> None:
    assert why_orphan(of_pod(), MINE, HERE, pods(phase=phase)) is None


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_driver_that_has_ended(phase: str) -> None:
    assert why_orphan(of_pod(), MINE, HERE, pods(phase=phase)) == f"its driver, pod nightly-1, has ended ({phase})"


def test_a_driver_that_is_not_there_or_another_of_its_name() -> None:
    gone = "its driver, pod nightly-1, is gone"
    assert why_orphan(of_pod(), MINE, HERE, lambda name, namespace: None) == gone
    assert why_orphan(of_pod(), MINE, HERE, pods(phase="Running", metadata={"uid": "uid-3"})) == gone


def test_an_earlier_container_of_this_pod() -> None:
    left = of_pod(HERE)
    assert why_orphan(left, MINE, HERE, pods()) == "it was left by an earlier container of this pod"
    assert why_orphan(of_pod(HERE, session=MINE), MINE, HERE, pods()) is None


def test_what_is_being_deleted_or_tells_nothing_is_left_alone() -> None:
    def no_pods(name: str, namespace: str) -> None:
        return None

    assert why_orphan(of_pod(deletionTimestamp="now"), MINE, HERE, no_pods) is None
    for driver in (None, "", "no JSON", "[]", {"pod": {}}, {"process": {"host": "a"}}, {}):
        assert why_orphan(cluster(driver), MINE, HERE, no_pods) is None


def test_drivers_outside_of_the_cluster_are_known_by_their_process() -> None:
    alive = ProcessIdentity.current()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        gone = replace(alive, pid=process.pid, started=alive.started - 1)
        assert why_orphan(cluster({"process": asdict(gone)}), MINE, None, pods()) is not None
    assert why_orphan(cluster({"process": asdict(alive)}), MINE, None, pods()) is None
    elsewhere = replace(gone, boot_id="another machine")
    assert why_orphan(cluster({"process": asdict(elsewhere)}), MINE, None, pods()) is None
