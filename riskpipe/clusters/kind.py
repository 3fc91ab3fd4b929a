"""What a kind of cluster is. A new one is a file with a subclass of `ClusterKind` and a line in `catalogue.py`."""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, ClassVar

from msgspec import Struct, field
from pydantic import BaseModel, ConfigDict

from riskpipe.clusters.findings import Finding

if TYPE_CHECKING:
    from distributed import Client

    from riskpipe.clusters.initialise import Initialise


SESSION = secrets.token_hex(4)
"""Of this process: its clusters are told from those that others left behind."""


class Options(BaseModel):
    """Base of a section `cluster.<kind>` of the configuration: frozen, no unknown keys, no silent conversions.

    A validator that refuses raises ValueError with what is wanted; place and value are added.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)


class Sizing(Struct, frozen=True):
    """What the configuration says of the number of workers.

    :param deadline: seconds for the whole run; None: `workers`, however long it takes.
    """

    workers: int
    deadline: float | None = None
    min_workers: int = 1
    max_workers: int = 1000


class ClusterIdentity(Struct, frozen=True):
    """Whose cluster it is: names and labels follow.

    :param output: the output's root, which may be long or hold secrets: only its hash is shown.
    :param shard: of a run that is spread over several clusters, from 0.
    :param attempt: from 1; a cluster that replaces a lost one has the next.
    :param session: of the first driver; those of its shards say the same.
    """

    run_id: str
    output: str
    shard: int = 0
    attempt: int = 1
    session: str = SESSION


class ClusterRequest(Struct, frozen=True):
    """One cluster that is to be opened.

    :param options: the value of the kind's own key.
    :param workers: how many to start, or how many must be there; over all shards.
    :param shard: which of the run's clusters this is, from 0.
    :param shards: over how many clusters the workers are spread.
    :param memory_limit: bytes of each worker; None: its share of the machine or the pod.
    :param initialise: run on every worker before its first block.
    :param projected_seconds: of what is to be priced there, on one worker.
    :param isolated: a block may have to be ended, or may end its process: not in the driver's own.
    :param stopped: asked while the cluster starts, whether to give it up.
    """

    options: Any = None
    workers: int = 1
    shard: int = 0
    shards: int = 1
    memory_limit: int | None = None
    initialise: Initialise | None = None
    identity: ClusterIdentity = field(default_factory=lambda: ClusterIdentity("", ""))
    projected_seconds: float = 0.0
    isolated: bool = False
    stopped: Callable[[], bool] | None = None

    @property
    def workers_here(self) -> int:
        """Workers of this shard: its even share, the first shards one more."""
        return self.workers // self.shards + (self.shard < self.workers % self.shards)


class ClusterKind(ABC):
    """Where blocks can be priced: what `cluster.kind` names. Its module imports Dask when a cluster is opened.

    :cvar name: in the configuration.
    :cvar summary: in the documentation of `cluster.kind`.
    :cvar key: type and `pydantic.Field` of its own key `cluster.<name>`; None: it has none.
    :cvar shardable: whether a run can be spread over several clusters of the kind.
    :cvar standing: whether its workers are there before a run is, so that they can plan it.
    :cvar has_resource: whether `resource` shows what a cluster is made from.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    key: ClassVar[tuple[Any, Any] | None] = None
    shardable: ClassVar[bool] = False
    standing: ClassVar[bool] = False
    has_resource: ClassVar[bool] = False

    def faults(self, section: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """What no single key shows: a key of `cluster`, and what is wrong.

        :param section: `cluster` as it was given, types unchecked, with the defaults of plain keys that were not.
        """
        return iter(())

    def check(self, options: Any) -> None:  # noqa: B027  # most kinds have nothing to refuse
        """Before anything of a run is done. :raises UsageError: options that must not be used."""

    def planned_workers(self, sizing: Sizing, projected_seconds: float) -> int:
        """Worker processes for a whole run; taking workers away while they work costs what they work on.

        :param projected_seconds: of all blocks that are to be priced, on one worker.
        """
        return sizing.workers

    def describe(self, sizing: Sizing, projected_seconds: float) -> str:
        """Where a plan of so many seconds would be priced."""
        workers = self.planned_workers(sizing, projected_seconds)
        return f"{self.name}, {workers} worker{'' if workers == 1 else 's'}"

    def size_warnings(self, sizing: Sizing, projected_seconds: float) -> Iterator[str]:
        """What a plan of so many seconds should be told of its workers."""
        return iter(())

    @abstractmethod
    def open(self, request: ClusterRequest) -> AbstractContextManager[Client | None]:
        """A client of a cluster that serves as long as the context; None: blocks run in this very process.

        :raises UsageError: options that make no cluster. :raises ClusterError: it does not come up in time.
        """

    def join(self, options: Any, address: str) -> AbstractContextManager[Client]:
        """A further client of a cluster that another process of the run has opened. Only of shardable kinds.

        :param address: of its scheduler. :raises ClusterError: it does not answer.
        """
        raise NotImplementedError

    def discard(self, request: ClusterRequest) -> None:  # noqa: B027  # what has a parent goes with it
        """Delete what is left of a shard's cluster, whose driver has died."""

    def findings(self, options: Any) -> Iterator[Finding]:
        """What `riskpipe doctor` says of this machine and the kind."""
        return iter(())

    def resource(self, request: ClusterRequest) -> dict[str, Any]:
        """What the cluster would be made from; needs no cluster. Only with `has_resource`."""
        raise NotImplementedError

    def collect(self, options: Any, output: str | None) -> list[str]:
        """Delete clusters whose driver is gone; their names.

        :param output: of runs of this output; None: of any.
        :raises ClusterError: whoever knows the clusters does not answer, or a right is missing.
        """
        return []
