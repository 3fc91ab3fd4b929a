"""What the first driver and the driver of a shard tell each other, through a pipe between their two processes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.clusters.kind import ClusterRequest
from riskpipe.config import Settings


class ShardOrder(Struct, frozen=True):
    """What a shard's driver is started with.

    :param request: of its own cluster. :param merged_tables: see `Session`.
    """

    settings: Settings
    run_id: str
    request: ClusterRequest
    fail_fast: bool
    merged_tables: tuple[str, ...] = ()


# -- from the first driver


class Deal(Struct, frozen=True):
    """Blocks to do.

    :param indices: their positions in the plan, ascending.
    :param parts: of blocks that an earlier driver has cut; each with the block that it is a part of, as `BlockSplit`
        describes it.
    """

    indices: NDArray[np.int32]
    parts: tuple[tuple[str, Mapping[str, Any]], ...] = ()


class WantedBack(Struct, frozen=True):
    """Others have nothing to do: so many blocks that no worker has begun are wanted back."""

    most: int


class NoMore(Struct, frozen=True):
    """Nothing will be dealt any more: end when all is done."""


class Stop(Struct, frozen=True):
    """Drain; a second one: end at once."""

    signal_number: int


class Close(Struct, frozen=True):
    """The cluster is not needed any more."""


# -- from the driver of a shard


class Began(Struct, frozen=True):
    """It writes under this name into the ledger from here on."""

    session: str


class Report(Struct, frozen=True):
    """How it stands.

    :param deals, wishes: `Deal`s and `WantedBack`s that it has seen to.
    :param slots: tasks that run at a time. :param idle: of these, how many have nothing.
    :param waiting: tasks that it has and no worker has begun. :param under_way: tasks that it has not finished, those
        included; what has ended is in the ledger where it is 0.
    :param wants: more blocks would be welcome.
    """

    deals: int = 0
    wishes: int = 0
    slots: int = 0
    idle: int = 0
    waiting: int = 0
    under_way: int = 0
    wants: bool = False


class GivenBack(Struct, frozen=True):
    """Blocks that it has no more."""

    indices: NDArray[np.int32]


class Written(Struct, frozen=True):
    """Records that are in the ledger now. :param lines: one each."""

    session: str
    sequence: int
    lines: bytes


class Said(Struct, frozen=True):
    """For the observer. :param note: it is also one of the run's messages at its end."""

    level: str
    text: str
    note: bool = False


class Over(Struct, frozen=True):
    """It has done what it could, and it is all in the ledger.

    :param failed_fast: a block failed, and that was to end the run.
    :param error: what kept it from going on; None: nothing.
    :param address: of its scheduler, which stays until `Close`; None: it is gone.
    """

    failed_fast: bool = False
    error: str | None = None
    address: str | None = None


ToShard = Deal | WantedBack | NoMore | Stop | Close
FromShard = Began | Report | GivenBack | Written | Said | Over
