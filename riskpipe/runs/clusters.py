"""From settings to what a cluster is opened with."""

from __future__ import annotations

from collections.abc import Callable

from riskpipe.clusters.kind import ClusterIdentity, ClusterRequest
from riskpipe.config import Settings


def cluster_request(
    settings: Settings,
    *,
    run_id: str,
    projected_seconds: float,
    attempt: int = 1,
    isolated: bool = False,
    stopped: Callable[[], bool] | None = None,
) -> ClusterRequest:
    """What opens the cluster that the settings name, for one run.

    :param projected_seconds: of what is to be priced there, on one worker.
    :param attempt: from 1; a cluster that replaces a lost one has the next.
    :param isolated: a process of this run has died: blocks are not to be priced in the driver's own.
    :param stopped: whether to give up a cluster that is still starting.
    """
    cluster = settings.cluster
    return ClusterRequest(
        options=cluster.options_of(cluster.runs_on),
        workers=cluster.planned_workers(projected_seconds),
        memory_limit=cluster.memory_limit,
        initialise=import_kernels,
        identity=ClusterIdentity(run_id, settings.output, attempt=attempt),
        projected_seconds=projected_seconds,
        isolated=isolated or cluster.block_timeout is not None,
        stopped=stopped,
    )


def import_kernels() -> None:
    """On a worker, before its first block: the slow imports."""
    import riskpipe.products.catalogue
    import riskpipe.valuation.run_block

    riskpipe.products.catalogue.catalogue()
