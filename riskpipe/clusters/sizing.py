"""How many workers keep a deadline."""

from __future__ import annotations

import math

from riskpipe.clusters.kind import Sizing

# The part of a deadline that is planned for pricing; the rest is for starting, stragglers and publishing.
PRICING_PART = 0.75


def needed_workers(deadline: float, projected_seconds: float) -> int:
    """As many as keep a deadline, if blocks are short against it.

    :param deadline: seconds for the whole run.
    :param projected_seconds: of all blocks, on one worker.
    """
    return max(math.ceil(projected_seconds / (PRICING_PART * deadline)), 1)


def workers_for_deadline(sizing: Sizing, projected_seconds: float) -> int:
    """Between the least and the most that are allowed; without a deadline as many as are configured."""
    if sizing.deadline is None:
        return sizing.workers
    return min(max(needed_workers(sizing.deadline, projected_seconds), sizing.min_workers), sizing.max_workers)
