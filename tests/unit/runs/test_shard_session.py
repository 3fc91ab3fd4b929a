"""What a shard's driver has, and gives back."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest

from riskpipe.config import load_settings
from riskpipe.execute.executor import SchedulerLostError
from riskpipe.execute.serial_executor import SerialExecutor
from riskpipe.execute.signals import StopSignal
from riskpipe.execute.task import Outcome, Task
from riskpipe.plan.accounting import SilentObserver
from riskpipe.plan.dealt_plan import DealtPlan
from riskpipe.plan.selection import Selection
from riskpipe.plan.state import RunState
from riskpipe.runs.combined_files import CombinedFiles
from riskpipe.runs.folded import FoldedRun
from riskpipe.runs.new_run import create
from riskpipe.runs.shard_driver import Line, ShardSession, new_writer
from riskpipe.runs.shard_messages import Deal, GivenBack, WantedBack
from riskpipe.runs.stored import open_plan
from riskpipe.store.location import open_store
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.shared_lease import SharedLease

RUN = "20261120-070000-00000a"


@dataclass
class Lost(SerialExecutor):
    """A cluster of one worker, whose scheduler is lost when blocks have been withdrawn of it.

    :ivar given: every task that it had. :ivar first: the first driver's end of the pipe.
    """

    first: Connection
    given: list[Task] = field(default_factory=list)
    withdrawn: list[Task] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__({"value": len, "merge": len})

    def refill(self) -> int:
        return 0 if self.running() else 8

    def submit(self, tasks: Sequence[Task]) -> None:
        super().submit(tasks)
        self.given += tasks

    def outcomes(self, timeout: float) -> list[Outcome]:
        if self.withdrawn:
            raise SchedulerLostError("the scheduler is gone")
        self.first.send(WantedBack(most=10))
        return []

    def withdraw(self, most: int) -> list[Task]:
        self.withdrawn = [self._waiting.pop() for _ in range(min(most, len(self._waiting) - 1))]
        return self.withdrawn


class Refusing(SerialExecutor):
    """A cluster that is lost as soon as it has all that there is."""

    def __init__(self) -> None:
        super().__init__({"value": len, "merge": len})
        self.given: list[Task] = []

    def refill(self) -> int:
        return 100

    def submit(self, tasks: Sequence[Task]) -> None:
        self.given += tasks

    def outcomes(self, timeout: float) -> list[Outcome]:
        raise SchedulerLostError("the scheduler is gone")


@pytest.fixture
def session(small_book: Path, tmp_path: Path) -> Iterator[tuple[ShardSession, Connection]]:
    """Of a run that is planned; and the first driver's end of its pipe."""
    assignments = (f"output={tmp_path}", "measures=[pv]", "partition.max_trades=10", "partition.max_scenarios=1")
    settings = load_settings(small_book / "riskpipe.yaml", assignments=assignments, environment={})
    store = open_store(settings.output)
    create(store, settings, Selection(), RUN, SilentObserver(), lambda: None)
    folder = RunFolder(store, RUN)
    plan = DealtPlan(open_plan(folder).path)
    run = FoldedRun(folder, RunState(plan), CombinedFiles(folder, len(plan)))
    first, pipe = multiprocessing.Pipe()
    line, started = Line(pipe, SharedLease(os.getppid(), lambda run_id: None)), time.monotonic()
    with first, pipe:
        yield (
            ShardSession(
                run, settings, new_writer(folder, started, line), "", line.lease, line, StopSignal(),
                started=started, merged_tables=(), dealt_plan=plan, line=line, shard=0,
            ),
            first,
        )  # fmt: skip


def test_blocks_that_are_withdrawn_as_the_cluster_is_lost_are_given_back_and_not_done(session) -> None:
    """They are another shard's from there on: what both did would be accounted twice."""
    shard, first = session
    plan, indices = shard.dealt_plan, np.arange(20, dtype=np.int32)
    first.send(Deal(indices))

    lost, next_one = Lost(first), Refusing()
    for executor in (lost, next_one):
        with pytest.raises(SchedulerLostError):
            shard.value(executor, fail_fast=False)

    said = []
    while first.poll():
        said.append(first.recv())
    given_back = [index for message in said if isinstance(message, GivenBack) for index in message.indices.tolist()]
    kept = [plan.index_of(task.key) for task in next_one.given]
    assert lost.withdrawn
    assert {plan.index_of(task.key) for task in lost.withdrawn} <= set(given_back)
    assert sorted(given_back + kept) == indices.tolist(), "each is either here or there"
