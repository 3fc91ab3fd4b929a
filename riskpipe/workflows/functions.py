"""What a worker is asked to do, by name: the link between the executors, which know no finance, and the valuation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from riskpipe.clusters.catalogue import ClusterOptions, open_cluster
from riskpipe.execute.dask_executor import DaskExecutor
from riskpipe.execute.executor import Executor, Function
from riskpipe.execute.serial import SerialExecutor
from riskpipe.execute.work import Work
from riskpipe.store.parquet import WrittenFile
from riskpipe.valuation.correct import correct_sums
from riskpipe.valuation.merge import merge_partials, stitch_pnl
from riskpipe.valuation.run_block import BlockResult, run_block


def value(work: Work) -> BlockResult:
    return run_block(work.payload)


def merge(work: Work) -> WrittenFile:
    return merge_partials(work.payload)


def stitch(work: Work) -> WrittenFile:
    return stitch_pnl(work.payload)


def correct(work: Work) -> WrittenFile:
    return correct_sums(work.payload)


FUNCTIONS: Mapping[str, Function] = {"value": value, "merge": merge, "stitch": stitch, "correct": correct}


@contextmanager
def open_executor(options: ClusterOptions) -> Iterator[Executor]:
    """The executor on the cluster that `cluster.kind` names, ready for work.

    :raises ClusterError: the cluster does not come up. :raises UsageError: an address that must not be used.
    """
    if options.kind == "serial":
        serial = SerialExecutor(FUNCTIONS)
        yield serial
        serial.close()
        return
    with open_cluster(options) as client:
        executor = DaskExecutor(client, FUNCTIONS)
        try:
            yield executor
        finally:
            executor.close()
