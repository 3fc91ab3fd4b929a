"""What a worker is asked to do, by name: the link between the executors, which know no finance, and the valuation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace

from riskpipe.clusters.catalogue import ClusterOptions, open_cluster
from riskpipe.clusters.settings import settings_of_all
from riskpipe.config import Settings
from riskpipe.execute.dask_executor import DaskExecutor
from riskpipe.execute.executor import Executor, Function
from riskpipe.execute.serial import SerialExecutor
from riskpipe.execute.sharded import ShardedExecutor
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
def open_executor(settings: Settings, tell: Callable[[str], None] = lambda text: None) -> Iterator[Executor]:
    """The executor that `cluster` asks for, ready for work.

    :param tell: hears what becomes of shards.
    :raises ClusterError: the cluster does not come up. :raises UsageError: an address that must not be used.
    """
    shards = settings.cluster.shards_of(settings.cluster.workers)
    if settings.cluster.kind == "serial":
        with closing(SerialExecutor(FUNCTIONS)) as serial:
            yield serial
    elif shards == 1:
        with _on_cluster(cluster_options(settings)) as executor:
            yield executor
    else:
        options = cluster_options(settings)

        def open_shard(number: int, wake: Callable[[], None]) -> AbstractContextManager[DaskExecutor]:
            return _on_cluster(replace(options, shard=number, shards=shards), wake)

        with settings_of_all(), closing(ShardedExecutor(open_shard, shards, tell=tell)) as sharded:
            yield sharded


def cluster_options(settings: Settings) -> ClusterOptions:
    """What the settings say of the cluster, in the words of `clusters`."""
    cluster = settings.cluster
    return ClusterOptions(
        kind=cluster.kind,
        workers=cluster.workers,
        memory_limit="auto" if cluster.memory_limit is None else cluster.memory_limit,
        address=cluster.address or "",
        initialise=import_kernels,
    )


@contextmanager
def _on_cluster(options: ClusterOptions, wake: Callable[[], None] = lambda: None) -> Iterator[DaskExecutor]:
    with open_cluster(options) as client, closing(DaskExecutor(client, FUNCTIONS, wake=wake)) as executor:
        yield executor


def import_kernels() -> None:
    """On a worker, before its first block: the slow imports."""
    import riskpipe.products.catalogue
    import riskpipe.valuation.run_block

    riskpipe.products.catalogue.catalogue()
