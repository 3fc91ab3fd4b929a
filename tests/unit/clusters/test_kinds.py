"""Kinds of clusters: how many workers a run gets, and that one more is a class and a line of the catalogue."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
from pydantic import Field, ValidationError

from riskpipe.clusters.catalogue import CLUSTERS
from riskpipe.clusters.kind import ClusterKind, ClusterRequest, Options
from riskpipe.clusters.sizing import needed_workers
from riskpipe.config.models import Cluster, with_keys_of


@pytest.mark.parametrize(
    ("deadline", "seconds", "expected"),
    [(100.0, 0.0, 1), (100.0, 75.0, 1), (100.0, 75.1, 2), (5400.0, 900_000_000.0, 222_223)],
)
def test_as_many_as_a_deadline_needs(deadline: float, seconds: float, expected: int) -> None:
    assert needed_workers(deadline, seconds) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"kind": "serial", "workers": 9}, 1),
        ({"workers": 9}, 9),
        ({"kind": "local", "workers": 9}, 9),
        ({"kind": "local", "workers": 9, "deadline": 1.0}, 9),
        ({"kind": "kubernetes", "workers": 9}, 9),
        ({"kind": "kubernetes", "workers": 9, "deadline": 100.0}, 20),
        ({"kind": "kubernetes", "deadline": 100.0, "max_workers": 7}, 7),
        ({"kind": "kubernetes", "deadline": 1e6, "min_workers": 3}, 3),
    ],
)
def test_within_what_is_configured(given: dict[str, Any], expected: int) -> None:
    assert Cluster(**given).planned_workers(1500.0) == expected


@pytest.mark.parametrize(
    ("seconds", "isolated", "workers", "described"),
    [
        (5.0, False, None, "auto: as serial, in this process"),
        (5.0, True, 1, "auto: as serial, in this process"),  # what dies or has to be ended is seen only as it runs
        (5.1, False, 2, "auto: as local, 2 workers"),
    ],
)
def test_auto_is_serial_while_the_work_is_small(
    seconds: float, isolated: bool, workers: int | None, described: str
) -> None:
    section = Cluster()
    planned = section.planned_workers(seconds)
    assert section.runs_on.describe(section.sizing, seconds) == described
    with section.runs_on.open(ClusterRequest(workers=planned, projected_seconds=seconds, isolated=isolated)) as client:
        assert (client and len(client.nthreads())) == workers


def test_a_run_that_will_be_late_is_told() -> None:
    section = Cluster(kind="kubernetes", deadline=100.0, max_workers=7)

    (warning,) = section.runs_on.size_warnings(section.sizing, 1500.0)

    assert warning == "cluster.deadline of 100 s needs 20 workers, cluster.max_workers allows 7: the run will be late"
    assert not list(section.runs_on.size_warnings(section.sizing, 500.0))


class SlurmOptions(Options):
    partition: str | None = None
    nodes: int = Field(default=1, ge=1)


class Slurm(ClusterKind):
    name = "slurm"
    summary = "a job of its own for each run"
    key = (SlurmOptions, Field(default_factory=SlurmOptions, description="Its job."))

    def faults(self, section: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        if "partition" not in section.get("slurm", {}):
            yield "kind", "slurm needs cluster.slurm.partition"

    def open(self, request: ClusterRequest) -> AbstractContextManager[None]:
        return nullcontext()


def test_a_kind_of_ones_own_brings_its_section(monkeypatch: pytest.MonkeyPatch) -> None:
    slurm = Slurm()
    monkeypatch.setitem(CLUSTERS, slurm.name, slurm)
    section = with_keys_of([*CLUSTERS.values()])

    found = section.model_validate({"workers": 4, "slurm": {"partition": "night", "nodes": 2}})

    assert found.options_of(slurm) == SlurmOptions(partition="night", nodes=2)
    assert section().options_of(slurm) == SlurmOptions()
    assert section().options_of(CLUSTERS["serial"]) is None
    with pytest.raises(ValidationError, match=r"slurm\.nodes"):
        section.model_validate({"slurm": {"nodes": 0}})


def test_settings_are_read_without_dask() -> None:
    code = "import sys, riskpipe.config; print({'dask', 'distributed', 'kr8s'} & set(sys.modules))"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"
