"""When a run is to be done, when it will be by the look of it, and what is done when it is late."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct

from riskpipe.config import Settings
from riskpipe.errors import Reason, StorageError
from riskpipe.execute.signals import StopSignal
from riskpipe.plan.accounting import RunStatus
from riskpipe.plan.block import Block
from riskpipe.runs.status import read_summary
from riskpipe.store.filesystem import Store
from riskpipe.store.records import BlockFailed
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.run_ids import list_runs

_BEFORE_FINISHING = frozenset({"plan", "cluster", "value"})
_LOOKED_AT = 5
"""Runs in whose summaries finishing is looked for."""


class Deadline(Struct):
    """Of a session. Times are seconds since 1970, UTC.

    :param finishing: seconds from the last block to the published day, as the last complete run took.
    :ivar told: that it is at risk, which is told once.
    """

    at: float
    finishing: float
    partial_when_late: bool
    told: bool = False

    def forecast(self, now: float, remaining: float | None) -> float | None:
        """When the day will be published, from the pace of the blocks; None before the first is done."""
        return None if remaining is None else now + remaining + self.finishing

    def is_at_risk(self, now: float, remaining: float | None) -> bool:
        found = self.forecast(now, remaining)
        return now >= self.at or (found is not None and found > self.at)

    def cut_off(self) -> float:
        """Until when blocks are valued, where what is complete is to be published in time."""
        return self.at - self.finishing


class DeadlineWatch:
    """Looks at a session's deadline, and is the stop of its drive: the signals', or that it is late for more blocks.

    :ivar tell: who hears that the deadline is at risk.
    """

    def __init__(self, signals: StopSignal) -> None:
        self._signals = signals
        self._late = False
        self.deadline: Deadline | None = None
        self.tell: Callable[[RunStatus], None] = lambda status: None

    @property
    def requested(self) -> bool:
        return self._late or self._signals.requested

    @property
    def immediate(self) -> bool:
        return self._signals.immediate

    def look(self, now: float, remaining: float | None, status: Callable[[], RunStatus]) -> None:
        """While blocks are valued. Tells once that the deadline is at risk; too late, no further block is started."""
        deadline = self.deadline
        if deadline is None:
            return
        if not deadline.told and deadline.is_at_risk(now, remaining):
            deadline.told = True
            self.tell(status())
        self._late = deadline.partial_when_late and now >= deadline.cut_off()

    def ended_drive(self) -> bool:
        """Whether it was too late; what follows the blocks is not stopped by that."""
        late, self._late = self._late, False
        return late

    def facts(self, now: float, remaining: float | None) -> dict[str, Any]:
        """What a status says of it. :param remaining: None: nothing is valued."""
        deadline = self.deadline
        if deadline is None:
            return {}
        finishes = iso(deadline.forecast(now, remaining))
        return {
            "deadline": iso(deadline.at),
            "finishes_at": finishes,
            "at_risk": deadline.is_at_risk(now, remaining),
        }


def deadline_of(settings: Settings, store: Store, began: datetime) -> Deadline | None:
    """What the settings ask for; None: nothing.

    A time of day is the next one, in `dates.time_zone`, after the session began.
    """
    if settings.deadline is None and settings.finish_within is None:
        return None
    if settings.finish_within is not None:
        at = began.astimezone(UTC) + timedelta(seconds=settings.finish_within)
    else:
        at = _next(settings, began)
    return Deadline(at.timestamp(), finishing_seconds(store), settings.too_late == "publish_partial")


def _next(settings: Settings, began: datetime) -> datetime:
    hour, minute = divmod(settings.deadline or 0, 60)
    here = settings.dates.here(began)
    today = here.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if today <= here:  # tomorrow by the clock on the wall, also where the clocks change between
        today = (today + timedelta(days=1)).replace(hour=hour, minute=minute)
    return today.astimezone(UTC)


def finishing_seconds(store: Store) -> float:
    """What the last published run took after its last block: combining, accounting, publishing; 0: there is none."""
    for phases in _phases(store):
        return sum(seconds for phase, seconds in phases.items() if phase not in _BEFORE_FINISHING)
    return 0.0


def _phases(store: Store) -> Iterator[dict[str, float]]:
    for run_id in reversed(list_runs(store)[-_LOOKED_AT:]):
        folder = RunFolder(store, run_id)
        with suppress(StorageError):
            status = read_summary(folder) if store.exists(folder.summary) else None
            if status is not None and "publish" in status.phases:
                yield dict(status.phases)


def late_failures(blocks: Iterable[Block]) -> Iterator[BlockFailed]:
    """Of blocks that there is no time for."""
    for block in blocks:
        yield BlockFailed(
            block_id=block.block_id,
            parent_block_id=block.parent,
            attempt=1,
            reason=Reason.CANCELLED.value,
            message="there was no time for it before the deadline",
            worker="",
            retryable=True,
            final=True,
        )


def iso(moment: float | None) -> str | None:
    """Of seconds since 1970; None stays."""
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
