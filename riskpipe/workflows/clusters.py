"""From settings to what a cluster is opened with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from riskpipe.clusters.catalogue import ClusterOptions
from riskpipe.clusters.kubernetes.api import Kube
from riskpipe.clusters.kubernetes.names import SESSION_ID
from riskpipe.clusters.kubernetes.options import (
    ClusterIdentity,
    Driver,
    Json,
    KubernetesOptions,
    PodOptions,
    own_namespace,
)
from riskpipe.clusters.kubernetes.reaper import reap
from riskpipe.clusters.kubernetes.resource import dask_cluster
from riskpipe.config import Settings
from riskpipe.config.kubernetes import Kubernetes
from riskpipe.errors import UsageError
from riskpipe.workflows.sizing import planned_workers


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


EXAMPLE_RUN, EXAMPLE_SESSION = "19700101-000000-000000", "00000000"
EXAMPLE_SUFFIX = "0000"


def render(settings: Settings, projected_seconds: float) -> list[Json]:
    """The resources that a run would make, with an example of a run id in their names; needs no cluster.

    :raises UsageError: settings that make no cluster.
    """
    if settings.cluster.kind != "kubernetes":
        raise UsageError(f"cluster.kind is {settings.cluster.kind}, which makes no resources; kubernetes does")
    options = cluster_options(settings, run_id=EXAMPLE_RUN, projected_seconds=projected_seconds)
    shards = settings.cluster.shards_of(options.workers)
    return [_example(replace(options, shard=shard, shards=shards)) for shard in range(shards)]


def _example(options: ClusterOptions) -> Json:
    return dask_cluster(
        options.kubernetes,
        replace(options.identity, shard=options.shard),
        namespace=options.kubernetes.namespace or own_namespace() or "default",
        session=EXAMPLE_SESSION,
        suffix=EXAMPLE_SUFFIX,
        workers=options.workers_here,
        memory_limit=options.memory_limit,
        driver=Driver.here(),
    )


def collect_orphans(settings: Settings, *, everywhere: bool) -> list[str]:
    """Delete DaskClusters whose driver is gone; their names.

    :param everywhere: of any output, not of this one alone.
    :raises ClusterError: no API server answers, or a right is missing.
    """
    options = settings.cluster.kubernetes
    return reap(Kube(options.namespace), SESSION_ID, Driver.here(), None if everywhere else settings.output)


def import_kernels() -> None:
    """On a worker, before its first block: the slow imports."""
    import riskpipe.products.catalogue
    import riskpipe.valuation.run_block

    riskpipe.products.catalogue.catalogue()
