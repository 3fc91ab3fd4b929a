"""From settings to what a cluster is opened with."""

from __future__ import annotations

from collections.abc import Callable

from riskpipe.clusters.catalogue import ClusterOptions
from riskpipe.clusters.kubernetes.options import (
    ClusterIdentity,
    KubernetesOptions,
    PodOptions,
)
from riskpipe.config import Settings
from riskpipe.config.kubernetes import Kubernetes
from riskpipe.runs.sizing import planned_workers


def cluster_options(
    settings: Settings,
    *,
    run_id: str,
    projected_seconds: float,
    attempt: int = 1,
    stopped: Callable[[], bool] | None = None,
) -> ClusterOptions:
    """What opens the cluster that the settings name, for one run.

    :param projected_seconds: of what is to be priced there, on one worker.
    :param attempt: from 1; a cluster that replaces a lost one has the next.
    :param stopped: whether to give up a cluster that is still starting.
    """
    cluster = settings.cluster
    return ClusterOptions(
        kind=cluster.kind,
        workers=planned_workers(cluster, projected_seconds),
        memory_limit=cluster.memory_limit,
        address=cluster.address or "",
        initialise=import_kernels,
        kubernetes=kubernetes_options(cluster.kubernetes),
        identity=ClusterIdentity(run_id, settings.output, attempt=attempt),
        stopped=stopped,
    )


def kubernetes_options(section: Kubernetes) -> KubernetesOptions:
    """The section `cluster.kubernetes` as plain values."""
    pods = {name: PodOptions(**dict(getattr(section, name))) for name in ("pods", "scheduler", "worker")}
    return KubernetesOptions(**{**dict(section), **pods})


def import_kernels() -> None:
    """On a worker, before its first block: the slow imports."""
    import riskpipe.products.catalogue
    import riskpipe.valuation.run_block

    riskpipe.products.catalogue.catalogue()
