"""The kinds that `cluster.kind` may name."""

from __future__ import annotations

from riskpipe.clusters.address import Address
from riskpipe.clusters.auto import Auto
from riskpipe.clusters.kind import ClusterKind
from riskpipe.clusters.kubernetes.kind import Kubernetes
from riskpipe.clusters.local import Local
from riskpipe.clusters.serial import Serial

CLUSTERS: dict[str, ClusterKind] = {kind.name: kind for kind in (Auto(), Local(), Address(), Kubernetes(), Serial())}
