"""The clusters that `cluster.kind` may name; Dask is imported with the first that is opened."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from riskpipe.clusters.kubernetes.options import ClusterIdentity, KubernetesOptions
from riskpipe.errors import UsageError

if TYPE_CHECKING:
    from distributed import Client

    from riskpipe.clusters.address import TlsFiles
    from riskpipe.clusters.initialise import Initialise


@dataclass(frozen=True)
class ClusterOptions:
    """What is needed to open a cluster; each kind looks at its own part.

    :param workers: local, kubernetes: how many to start, over all shards; address: how many must be there.
    :param shard: which of the run's clusters this is, from 0.
    :param shards: over how many clusters the workers are spread.
    :param memory_limit: local, kubernetes: bytes of each worker; None: its share of the machine or the pod.
    :param deadline: local, address: seconds for the cluster to be ready.
    :param initialise: run on every worker before its first block.
    :param identity: kubernetes: whose cluster it is.
    :param stopped: kubernetes: asked while the cluster starts, whether to give it up.
    """

    kind: str = "local"
    workers: int = 1
    shard: int = 0
    shards: int = 1
    memory_limit: int | None = None
    deadline: float = 60.0
    address: str = ""
    tls: TlsFiles | None = None
    allow_plaintext: bool = False
    initialise: Initialise | None = None
    kubernetes: KubernetesOptions = field(default_factory=KubernetesOptions)
    identity: ClusterIdentity = field(default_factory=lambda: ClusterIdentity("", ""))
    stopped: Callable[[], bool] | None = None

    @property
    def workers_here(self) -> int:
        """Workers of this shard: its even share, the first shards one more."""
        return self.workers // self.shards + (self.shard < self.workers % self.shards)


def _local(options: ClusterOptions) -> AbstractContextManager[Client]:
    from distributed.system import MEMORY_LIMIT

    from riskpipe.clusters.local import local

    limit = options.memory_limit
    if limit is None and options.shards > 1:  # dask's "auto" knows of no other cluster on the machine
        limit = MEMORY_LIMIT // options.workers
    return local(options.workers_here, limit or "auto", options.deadline, options.initialise)


def _address(options: ClusterOptions) -> AbstractContextManager[Client]:
    from riskpipe.clusters.address import at_address

    return at_address(
        options.address,
        workers=options.workers,
        deadline=options.deadline,
        tls=options.tls,
        allow_plaintext=options.allow_plaintext,
        initialise=options.initialise,
    )


def _kubernetes(options: ClusterOptions) -> AbstractContextManager[Client]:
    from riskpipe.clusters.kubernetes.cluster import on_kubernetes

    return on_kubernetes(
        options.kubernetes,
        replace(options.identity, shard=options.shard),
        workers=options.workers_here,
        memory_limit=options.memory_limit,
        initialise=options.initialise,
        stopped=options.stopped,
    )


CLUSTERS: dict[str, Callable[[ClusterOptions], AbstractContextManager[Client]]] = {
    "local": _local,
    "address": _address,
    "kubernetes": _kubernetes,
}


def open_cluster(options: ClusterOptions) -> AbstractContextManager[Client]:
    """The context manager that yields the client.

    :raises UsageError: no such kind.
    """
    if options.kind not in CLUSTERS:
        raise UsageError(f"cluster kind {options.kind!r}: choose one of {', '.join(CLUSTERS)}")
    return CLUSTERS[options.kind](options)
