"""Worker processes on this machine."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from riskpipe.clusters.kind import ClusterKind, ClusterRequest
from riskpipe.clusters.settings import NANNY_SETTINGS, SETTINGS
from riskpipe.errors import ClusterError, described

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

    from riskpipe.clusters.initialise import Initialise

HEAL_SECONDS = 2.0

logger = logging.getLogger(__name__)


class Local(ClusterKind):
    name = "local"
    summary = "worker processes on this machine"
    shardable = True

    def faults(self, section: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        shards, workers = section["shards"], section["workers"]
        if isinstance(shards, int) and isinstance(workers, int) and shards > workers > 0:
            yield "shards", f"{shards} shards need {shards} workers or more, cluster.workers is {workers}"

    def open(self, request: ClusterRequest) -> AbstractContextManager[Client | None]:
        from distributed.system import MEMORY_LIMIT

        limit = request.memory_limit
        if limit is None and request.shards > 1:  # dask's "auto" knows of no other cluster on the machine
            limit = MEMORY_LIMIT // request.workers
        return local(request.workers_here, limit or "auto", initialise=request.initialise)

    def join(self, options: None, address: str) -> AbstractContextManager[Client]:
        from riskpipe.clusters.address import joined

        return joined(address)


@contextmanager
def local(
    workers: int,
    memory_limit: str | int = "auto",
    deadline: float = 60.0,
    initialise: Initialise | None = None,
) -> Iterator[Client]:
    """A client on `workers` single-threaded processes behind nannies, on loopback and free ports.

    :param memory_limit: of each worker: bytes, "2GiB", or "auto" for its share of the machine.
    :param deadline: seconds for all workers to be up.
    :param initialise: see `initialise_workers`.
    :raises ClusterError: the workers did not come up.
    """
    import dask
    from distributed import Client

    from riskpipe.clusters.initialise import initialise_workers

    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="riskpipe-", ignore_cleanup_errors=True))
        stack.enter_context(dask.config.set({**SETTINGS, **NANNY_SETTINGS}))
        try:
            cluster = stack.enter_context(_closing(_cluster(workers, memory_limit, deadline, directory)))
            client = stack.enter_context(Client(cluster, timeout=deadline, set_as_default=False))
            client.wait_for_workers(workers, timeout=deadline)
        except Exception as error:  # a setting of Dask's own that means nothing raises whatever it likes
            told = described(error)
            raise ClusterError(f"{workers} local workers did not start in {deadline:g} s: {told}") from error
        initialise_workers(client, initialise)
        cluster.loop.add_callback(_heal, cluster, workers)
        yield client


@contextmanager
def _closing(cluster: LocalCluster) -> Iterator[LocalCluster]:
    """Close the cluster, whatever state deaths have left it in: by now the works have their outcomes."""
    try:
        yield cluster
    finally:
        try:
            cluster.close()
        except Exception as error:
            logger.warning("the local cluster did not close cleanly: %s: %s", type(error).__name__, error)


async def _heal(cluster: LocalCluster, workers: int) -> None:
    """Replace nannies that gave up, or that dask has put away.

    One whose worker dies while it starts does not start another. And dask looks a while after each death whether the
    worker is back; if it has just died again, its nanny is closed and forgotten.
    """
    import asyncio

    from distributed import Status

    ended = (Status.closed, Status.failed)
    while cluster.status == Status.running:
        for name in [name for name, nanny in cluster.workers.items() if nanny.status in ended]:
            del cluster.workers[name]
        if len(cluster.workers) < workers:
            cluster.scale(workers)
        await asyncio.sleep(HEAL_SECONDS)


def _cluster(workers: int, memory_limit: str | int, deadline: float, directory: str) -> LocalCluster:
    from distributed import LocalCluster

    return LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        protocol="tcp://",
        dashboard_address=None,
        # Without a dashboard the scheduler still serves HTTP, and on a fixed port unless told otherwise.
        scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
        worker_dashboard_address=None,
        memory_limit=memory_limit,
        local_directory=directory,
        death_timeout=deadline,
        # Deaths of workers are told by the executor, with the block that they hit.
        silence_logs=logging.CRITICAL,
    )
