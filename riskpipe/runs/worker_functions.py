"""What a worker is asked to do, by name: the link between the executors, which know no finance, and the valuation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from riskpipe.clusters.kind import ClusterRequest
from riskpipe.config import Settings
from riskpipe.execute.executor import Executor, Function
from riskpipe.execute.serial_executor import SerialExecutor
from riskpipe.execute.task import Task
from riskpipe.fault_points import FaultPoint, fault_point
from riskpipe.store.written_files import WrittenFile
from riskpipe.valuation.book_sums import sum_partials
from riskpipe.valuation.concatenate import concatenate_pnl
from riskpipe.valuation.correct import correct_sums
from riskpipe.valuation.merge_files import make_part, merge_files
from riskpipe.valuation.revaluation import add_revalued, revalue
from riskpipe.valuation.run_block import BlockResult, run_block
from riskpipe.valuation.tail_components import largest_components, tail_components

if TYPE_CHECKING:
    from distributed import Client


def value(task: Task) -> BlockResult:
    fault_point(FaultPoint.VALUE, task)
    return run_block(task.payload)


def sum_up(task: Task) -> WrittenFile:
    fault_point(FaultPoint.SUM, task)
    return sum_partials(task.payload)


def concatenate(task: Task) -> WrittenFile:
    fault_point(FaultPoint.CONCATENATE, task)
    return concatenate_pnl(task.payload)


def correct(task: Task) -> WrittenFile:
    return correct_sums(task.payload)


def merge(task: Task) -> WrittenFile:
    fault_point(FaultPoint.MERGE, task)
    return merge_files(task.payload)


def part(task: Task) -> WrittenFile:
    fault_point(FaultPoint.PART, task)
    return make_part(task.payload)


def tail(task: Task) -> WrittenFile:
    return tail_components(task.payload)


def largest(task: Task) -> WrittenFile:
    return largest_components(task.payload)


def revaluation(task: Task) -> WrittenFile:
    return revalue(task.payload)


def revalued(task: Task) -> WrittenFile:
    return add_revalued(task.payload)


FUNCTIONS: Mapping[str, Function] = {
    "value": value,
    "sum": sum_up,
    "concatenate": concatenate,
    "correct": correct,
    "merge": merge,
    "part": part,
    "tail": tail,
    "largest": largest,
    "revaluation": revaluation,
    "revalued": revalued,
}


@contextmanager
def open_executor(settings: Settings, request: ClusterRequest) -> Iterator[Executor]:
    """The executor that `cluster` asks for, ready for work.

    :param request: of one cluster; of a run's shards, of one of them.
    :raises ClusterError: the cluster does not come up. :raises UsageError: an address that must not be used.
    """
    with settings.cluster.runs_on.open(request) as client, closing(executor_on(client, settings)) as executor:
        yield executor


def executor_on(client: Client | None, settings: Settings) -> Executor:
    """:param client: None: blocks run in this very process. :raises ClusterError: the cluster refuses the set-up."""
    if client is None:
        return SerialExecutor(FUNCTIONS)
    # Dask needs /proc and the like, and more than a second: whoever has no client does without.
    from riskpipe.execute.dask_executor import DaskExecutor

    return DaskExecutor(client, FUNCTIONS, silent_seconds=settings.cluster.silent_seconds)
