"""The clusters that `cluster.kind` may name."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from distributed import Client

from riskpipe.clusters.address import TlsFiles, at_address
from riskpipe.clusters.initialise import Initialise
from riskpipe.clusters.local import local
from riskpipe.errors import UsageError


@dataclass(frozen=True)
class ClusterOptions:
    """What is needed to open a cluster; each kind looks at its own part.

    :param workers: local: how many to start; address: how many must be there.
    :param memory_limit: local: of each worker.
    :param deadline: seconds for the cluster to be ready.
    :param initialise: run on every worker before its first block.
    """

    kind: str = "local"
    workers: int = 1
    memory_limit: str | int = "auto"
    deadline: float = 60.0
    address: str = ""
    tls: TlsFiles | None = None
    allow_plaintext: bool = False
    initialise: Initialise | None = None


def _local(options: ClusterOptions) -> AbstractContextManager[Client]:
    return local(options.workers, options.memory_limit, options.deadline, options.initialise)


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
