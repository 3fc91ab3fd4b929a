"""Names and labels of a run's clusters: short, unique, and enough to find them again."""

from __future__ import annotations

import hashlib
import re

from riskpipe.clusters.kind import ClusterIdentity

# The operator makes names of Deployments, Services and pods from a cluster's: longer ones break those.
MAX_NAME = 30

MANAGED_BY = "app.kubernetes.io/managed-by"
RUN_ID = "riskpipe.io/run-id"
OUTPUT = "riskpipe.io/output"
SHARD = "riskpipe.io/shard"
ATTEMPT = "riskpipe.io/attempt"
SESSION = "riskpipe.io/session"
DRIVER = "riskpipe.io/driver"


def cluster_name(identity: ClusterIdentity, suffix: str) -> str:
    """`rp-193055-3f9a1c-s0-1-9e2f`: the run's time and digits, shard, attempt, and a suffix.

    :param suffix: four digits that no other cluster of the run has: one that is being deleted keeps its name.
    """
    run = "-".join(identity.run_id.split("-")[1:3])
    if not re.fullmatch(r"[0-9]{6}-[0-9a-f]{6}", run):
        run = hashlib.sha256(identity.run_id.encode()).hexdigest()[:13]
    return f"rp-{run}-s{identity.shard}-{identity.attempt}-{suffix}"


def output_label(output: str) -> str:
    """A label for an output that cannot show its place."""
    return hashlib.sha256(output.encode()).hexdigest()[:16]


def labels(identity: ClusterIdentity, session: str) -> dict[str, str]:
    """Of the DaskCluster; the operator hands them on to all that it makes of it."""
    return {
        "app.kubernetes.io/name": "riskpipe",
        MANAGED_BY: "riskpipe",
        RUN_ID: identity.run_id,
        OUTPUT: output_label(identity.output),
        SHARD: str(identity.shard),
        ATTEMPT: str(identity.attempt),
        SESSION: session,
    }


def selector(output: str | None = None) -> str:
    """The label selector of all clusters of riskpipe, or of those of one output."""
    found = f"{MANAGED_BY}=riskpipe"
    return found if output is None else f"{found},{OUTPUT}={output_label(output)}"


def selector_of(identity: ClusterIdentity) -> str:
    """The label selector of the clusters of a shard of a run: one at a time, unless its driver has died."""
    wanted = {SESSION: identity.session, RUN_ID: identity.run_id, SHARD: str(identity.shard)}
    return ",".join([selector(identity.output), *(f"{label}={value}" for label, value in wanted.items())])
