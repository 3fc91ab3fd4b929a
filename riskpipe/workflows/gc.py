"""`riskpipe runs gc` and `riskpipe du`: which runs are kept whole, which keep what is small, and which go."""

from __future__ import annotations

from collections.abc import Sequence, Set
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct

from riskpipe.config import Settings
from riskpipe.errors import StorageError
from riskpipe.plan.accounting import RunLifecycle
from riskpipe.runs.freed import CAN, Left, free, left_of
from riskpipe.runs.status import status_of
from riskpipe.store.filesystem import Store
from riskpipe.store.lease import Lease
from riskpipe.store.location import open_store
from riskpipe.store.published import read_current
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.run_ids import list_runs
from riskpipe.store.usage import Usage, usage_of
from riskpipe.structs import asdict
from riskpipe.valuation.spec import read_spec

KEPT, FREED_NOW, DELETED = "kept", "freed", "deleted"
ACCOUNTS = 30
"""How many freed runs keep their account: six weeks of nights."""
_OF_BLOCKS = ("blocks", "combined", "staged")


class Retention(Struct, frozen=True):
    """Which runs stay whole: the newest `keep`, those of the last `days`, as long as all take at most `max_bytes`.

    None: no such rule; of several, a run stays that any of the first two keeps. Of the others that a day is published
    from, the newest `accounts` keep their account.
    """

    keep: int | None = None
    days: float | None = None
    max_bytes: int | None = None
    accounts: int = ACCOUNTS


class RunFacts(Struct, frozen=True):
    """What decides over a run, oldest first in lists.

    :param published: it is what stands for its day. :param left: of it, before. :param of_blocks: bytes of what blocks
        left. :param inputs: bytes of what they are valued with. :param previous: the run whose day its P&L is explained
        from.
    """

    run_id: str
    as_of: str
    created: datetime
    published: bool
    complete: bool
    left: Left
    bytes: int
    of_blocks: int
    inputs: int
    previous: str | None = None


class RunFate(Struct, frozen=True):
    """What becomes of a run.

    :param frees, left: bytes. :param keeps: None: nothing. :param can: what it can be used for afterwards.
    """

    run_id: str
    as_of: str
    action: str
    frees: int
    left: int
    keeps: Left | None
    can: tuple[str, ...]
    why: str


def fates(runs: Sequence[RunFacts], retention: Retention, now: datetime) -> list[RunFate]:
    """What becomes of each run: a pure function.

    A run that is not kept is deleted; of one that a day is published from, its account stays, and of the newest
    `accounts` of these. The newest run and the last complete one are whole whatever the rules say: they are resumed,
    and reused.
    """
    always = {run.run_id for run in (*runs[-1:], *[r for r in runs if r.complete][-1:])}
    whole = {run.run_id for run in runs if _is_kept(run, runs, retention, now)}
    days = {run.as_of for run in runs if run.run_id in whole}
    for day in days:  # the last complete run of a day that is kept: today's may have failed
        whole.update(run.run_id for run in [r for r in runs if r.as_of == day and r.complete][-1:])
    whole |= always
    accounts = retention.accounts
    by_rule = found = _all_left(runs, whole, accounts)
    most = float("inf") if retention.max_bytes is None else retention.max_bytes
    while sum(_bytes_left(run, left) for run, left in zip(runs, found, strict=True)) > most:
        oldest = next((run.run_id for run in runs if run.run_id in whole - always), None)
        if oldest is None and not accounts:
            break
        whole.discard(oldest or "")
        accounts -= oldest is None
        found = _all_left(runs, whole, accounts)
    return [
        _fate(run, left, "--max-size" if left is not without_size else "" if run.run_id in whole else _why(run, left))
        for run, left, without_size in zip(runs, found, by_rule, strict=True)
    ]


def _is_kept(run: RunFacts, runs: Sequence[RunFacts], retention: Retention, now: datetime) -> bool:
    if retention.keep is None and retention.days is None:
        return True
    if retention.keep is not None and run in runs[-retention.keep :]:
        return True
    return retention.days is not None and run.created >= now - timedelta(days=retention.days)


def _all_left(runs: Sequence[RunFacts], whole: Set[str], accounts: int) -> list[Left | None]:
    """How much of each run is to be left; None: nothing."""
    explained_from = _explained_from(runs, whole)
    found: list[Left | None] = []
    for run in reversed(runs):
        if run.run_id in whole:
            found.append(run.left)
        elif not run.published:
            found.append(None)
        elif run.run_id in explained_from:
            found.append(max(run.left, Left.INPUTS, key=lambda left: left.rank))
        else:
            found.append(Left.ACCOUNT if accounts > 0 else None)
            accounts -= 1
    return found[::-1]


def _explained_from(runs: Sequence[RunFacts], whole: Set[str]) -> set[str]:
    """Runs whose market the P&L of the next day, or of one that is whole, is explained from."""
    published = sorted((run for run in runs if run.published), key=lambda run: run.as_of)
    found = {run.run_id for run in published[-1:]}
    for each in (run for run in runs if run.run_id in whole):
        found.update(run.run_id for run in [p for p in published if p.as_of < each.as_of][-1:])
        found.update(filter(None, [each.previous]))
    return found


def _bytes_left(run: RunFacts, left: Left | None) -> int:
    if left is None:
        return 0
    of_blocks = 0 if left is Left.WHOLE else run.of_blocks
    return run.bytes - of_blocks - (run.inputs if left is Left.ACCOUNT else 0)


def _why(run: RunFacts, left: Left | None) -> str:
    if not run.published:
        return ""
    return {Left.INPUTS: "the next day is explained from it", Left.ACCOUNT: "published"}.get(
        left or Left.WHOLE, "beyond --keep-accounts"
    )


def _fate(run: RunFacts, left: Left | None, why: str) -> RunFate:
    stays, can = _bytes_left(run, left), () if left is None else CAN[left]
    action = DELETED if left is None else KEPT if left is run.left and stays == run.bytes else FREED_NOW
    return RunFate(run.run_id, run.as_of, action, run.bytes - stays, stays, left, can, why)


def collect(settings: Settings, retention: Retention, *, dry_run: bool = False) -> list[RunFate]:
    """Free what the rules do not keep; what is published can be read at every moment.

    :raises LeaseError: a run is at work.
    """
    store = open_store(settings.output)
    if dry_run:
        return fates(_facts(store, usage_of(store)), retention, datetime.now(UTC))
    with Lease(store, "gc", settings.lease_seconds) as lease:
        now = datetime.now(UTC)
        found = fates(_facts(store, usage_of(store)), retention, now)
        for fate in found:
            folder = RunFolder(store, fate.run_id)
            if fate.action != KEPT:
                lease.check()
            if fate.keeps is None:
                store.delete_tree(folder.root)
            elif fate.action == FREED_NOW:
                free(folder, fate.keeps, now, fate.frees)
    return found


def _facts(store: Store, usage: Usage) -> list[RunFacts]:
    published = {day["run_id"] for day in read_current(store).values()}
    found = []
    for run_id in list_runs(store):
        folder, parts = RunFolder(store, run_id), usage.runs.get(run_id, {})
        try:
            status = status_of(folder)
            as_of, complete = status.as_of, status.state in (RunLifecycle.COMPLETE, RunLifecycle.PARTIAL)
            previous = read_spec(folder).previous if store.exists(folder.valuation) else None
        except StorageError:  # damaged: nobody can go on with it
            as_of, complete, previous = "", False, None
        found.append(
            RunFacts(
                run_id,
                as_of,
                datetime.strptime(run_id[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC),
                run_id in published,
                complete,
                left_of(folder),
                sum(parts.values()),
                sum(parts.get(part, 0) for part in _OF_BLOCKS),
                parts.get("inputs", 0),
                None if previous is None else previous[1],
            )
        )
    return found


class UsageReport(Struct, frozen=True):
    """:param published: bytes by table. :param parts: of all runs, by part. :param would_free: what gc would do."""

    output: str
    total: int
    published: dict[str, int]
    parts: dict[str, int]
    other: int
    runs: tuple[RunFate, ...]

    @property
    def freeable(self) -> int:
        return sum(fate.frees for fate in self.runs)

    def to_json(self) -> dict[str, Any]:
        return {"schema_version": 1, **asdict(self), "freeable": self.freeable}


def disk_usage(settings: Settings, retention: Retention) -> UsageReport:
    """What the output takes, and what `runs gc` would free by these rules. Takes no lease."""
    store = open_store(settings.output)
    usage = usage_of(store)
    would = fates(_facts(store, usage), retention, datetime.now(UTC))
    published = dict(sorted(usage.published.items()))
    return UsageReport(store.root, usage.total, published, dict(usage.by_part()), usage.other, tuple(would))
