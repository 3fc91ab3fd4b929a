"""The clusters that `cluster.kind` may name."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from distributed import Client
from distributed.system import MEMORY_LIMIT

from riskpipe.clusters.address import TlsFiles, at_address
from riskpipe.clusters.initialise import Initialise
from riskpipe.clusters.local import local
from riskpipe.errors import UsageError


@dataclass(frozen=True)
class ClusterOptions:
    """What is needed to open a cluster; each kind looks at its own part.

    :param workers: local: how many to start, over all shards; address: how many must be there.
    :param shard: which of the run's clusters this is, from 0.
    :param shards: over how many clusters the workers are spread.
    :param memory_limit: local: of each worker.
    :param deadline: seconds for the cluster to be ready.
    :param initialise: run on every worker before its first block.
    """

    kind: str = "local"
    workers: int = 1
    shard: int = 0
    shards: int = 1
    memory_limit: str | int = "auto"
    deadline: float = 60.0
    address: str = ""
    tls: TlsFiles | None = None
    allow_plaintext: bool = False
    initialise: Initialise | None = None

    @property
    def workers_here(self) -> int:
        """Workers of this shard: its even share, the first shards one more."""
        return self.workers // self.shards + (self.shard < self.workers % self.shards)


def _local(options: ClusterOptions) -> AbstractContextManager[Client]:
    limit = options.memory_limit
    if limit == "auto" and options.shards > 1:  # dask's "auto" knows of no other cluster on the machine
        limit = MEMORY_LIMIT // options.workers
    return local(options.workers_here, limit, options.deadline, options.initialise)


def _address(options: ClusterOptions) -> AbstractContextManager[Client]:
    return at_address(
        options.address,
        workers=options.workers,
        deadline=options.deadline,
        tls=options.tls,
        allow_plaintext=options.allow_plaintext,
        initialise=options.initialise,
    )


CLUSTERS: dict[str, Callable[[ClusterOptions], AbstractContextManager[Client]]] = {
    "local": _local,
    "address": _address,
}


def open_cluster(options: ClusterOptions) -> AbstractContextManager[Client]:
    """The context manager that yields the client.

    :raises UsageError: no such kind.
    """
    if options.kind not in CLUSTERS:
        raise UsageError(f"cluster kind {options.kind!r}: choose one of {', '.join(CLUSTERS)}")
    return CLUSTERS[options.kind](options)
