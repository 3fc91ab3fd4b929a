"""How many worker processes a run gets."""

from __future__ import annotations

import math

from riskpipe.config.models import Cluster

# The part of a deadline that is planned for pricing; the rest is for starting, stragglers and publishing.
PRICING_PART = 0.75


def planned_workers(cluster: Cluster, projected_seconds: float) -> int:
    """Worker processes for so much projected pricing.

    Fixed for the whole run: taking workers away while they work costs what they work on.

    :param projected_seconds: of all blocks that are to be priced, on one worker.
    """
    if cluster.kind == "serial":
        return 1
    if cluster.kind != "kubernetes" or cluster.deadline is None:
        return cluster.workers
    return min(max(needed_workers(cluster.deadline, projected_seconds), cluster.min_workers), cluster.max_workers)


def needed_workers(deadline: float, projected_seconds: float) -> int:
    """As many as keep a deadline, if blocks are short against it.

    :param deadline: seconds for the whole run.
    """
    return max(math.ceil(projected_seconds / (PRICING_PART * deadline)), 1)
