"""`riskpipe cluster`: what would be made on Kubernetes, and what was left behind there."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from riskpipe.clusters.catalogue import CLUSTERS
from riskpipe.config.models import Settings
from riskpipe.errors import UsageError
from riskpipe.runs.clusters import cluster_request

EXAMPLE_RUN = "19700101-000000-000000"


def render(settings: Settings, projected_seconds: float) -> list[dict[str, Any]]:
    """The resources that a run would make, with an example of a run id in their names; needs no cluster.

    :raises UsageError: settings that make no cluster.
    """
    cluster = settings.cluster
    if not cluster.runs_on.has_resource:
        others = " and ".join(kind.name for kind in CLUSTERS.values() if kind.has_resource)
        raise UsageError(f"cluster.kind is {cluster.kind}, which makes no resources; {others} does")
    request = cluster_request(settings, run_id=EXAMPLE_RUN, projected_seconds=projected_seconds)
    shards = cluster.shards_of(request.workers)
    return [cluster.runs_on.resource(replace(request, shard=shard, shards=shards)) for shard in range(shards)]


def collect_orphans(settings: Settings, *, everywhere: bool) -> list[str]:
    """Delete clusters, of whatever kind, whose driver is gone; their names.

    :param everywhere: of any output, not of this one alone.
    :raises ClusterError: no API server answers, or a right is missing.
    """
    output = None if everywhere else settings.output
    return [name for kind in CLUSTERS.values() for name in kind.collect(settings.cluster.options_of(kind), output)]
