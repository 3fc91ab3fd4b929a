"""A run of which nothing is left to do: it is left as it stands."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from riskpipe.config import Settings
from riskpipe.plan.accounting import PublishRule, RunStatus
from riskpipe.runs.folded import FoldedRun, fold
from riskpipe.runs.losses import missing_outputs
from riskpipe.runs.outputs import whole_failures
from riskpipe.runs.publication import Publication, allowed, was_published
from riskpipe.runs.status import as_seen_now, read_status
from riskpipe.store.ledger import read_ledger
from riskpipe.store.published import read_current
from riskpipe.store.run_folder import RunFolder

Repeats = Callable[[FoldedRun], bool]


def settled(folder: RunFolder, settings: Settings, publication: Publication, repeats: Repeats) -> RunStatus | None:
    """The run's status, when a session would neither value nor publish anything; None when there is something to do.

    :param repeats: whether something of what is done or has failed is to be done again.
    :raises StorageError: the run's files are damaged.
    """
    records = list(read_ledger(folder))
    status = read_status(folder, records)
    if status is None or not status.state.ended:
        return None
    run = fold(folder, records)
    if any(next(found, None) is not None for found in (run.state.pending(), missing_outputs(run))) or repeats(run):
        return None
    days = read_current(folder.store)
    stands = days.get(status.as_of, {}).get("run_id") == folder.run_id and was_published(records)
    done = stands if publication.rule is not None else was_published(records)
    rule = publication.rule or settings.publish
    wanted = rule == PublishRule.ALWAYS or (rule == PublishRule.COMPLETE and not whole_failures(run.state))
    if wanted and not done:
        decision = allowed(folder, run.plan.header, publication)
        if decision.publish:
            return None
        if decision.refused:
            status = replace(status, refused=True, messages=(f"not published: {decision.why}",))
    return as_seen_now(status, days)
