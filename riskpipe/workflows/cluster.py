"""`riskpipe cluster`: what would be made on Kubernetes, and what was left behind there."""

from __future__ import annotations

from dataclasses import replace

from riskpipe.clusters.catalogue import ClusterOptions
from riskpipe.clusters.kubernetes.api import Kube
from riskpipe.clusters.kubernetes.names import SESSION_ID
from riskpipe.clusters.kubernetes.options import Driver, Json, own_namespace
from riskpipe.clusters.kubernetes.reaper import reap
from riskpipe.clusters.kubernetes.resource import dask_cluster
from riskpipe.config.models import Settings
from riskpipe.errors import UsageError
from riskpipe.runs.clusters import cluster_options

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
