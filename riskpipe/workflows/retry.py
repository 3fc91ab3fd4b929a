"""`riskpipe retry`: only what failed, from the stored plan."""

from __future__ import annotations

from riskpipe.config import Settings
from riskpipe.errors import UsageError
from riskpipe.plan.accounting import Observer, RunStatus
from riskpipe.plan.selection import Selection
from riskpipe.plan.state import DONE
from riskpipe.store.filesystem import Store
from riskpipe.store.layout import resolve_run
from riskpipe.workflows.parts import failed_trades
from riskpipe.workflows.run import _Opened, refuse_changed_inputs, with_session
from riskpipe.workflows.session import Session


def retry(
    settings: Settings,
    run: str,
    selection: Selection,
    observer: Observer,
    *,
    fail_fast: bool = False,
    publish: str | None = None,
) -> RunStatus:
    """Failed blocks again, failed trades alone, and whatever was not reached; what is done stays.

    :param run: an id, a unique prefix of one, or "latest".
    :raises UsageError: no such run, or one without a plan. :raises InputError: an input file has changed since.
    """
    store = Store(settings.output)
    layout = resolve_run(store, run)
    if not store.exists(layout.plan):
        raise UsageError(f"run {layout.run_id} was stopped before it had a plan: `riskpipe run` starts a new one")
    refuse_changed_inputs(store, layout, settings)
    store.probe_writable()

    def opened(log: Observer) -> _Opened:
        return _Opened(layout, {}, lambda session: reopen(session, selection))

    return with_session(store, settings, layout.run_id, opened, fail_fast, publish, observer)


def reopen(session: Session, selection: Selection) -> None:
    """Make what failed pending: blocks by state, trades as parts of their blocks."""
    state, plan = session.state, session.plan
    if not selection.value("status", "failed"):
        return
    state.reopen_failed(None if not selection.uses("block") else _named(session, selection))
    wanted = (state.numbers[:, 1] > 0) & (state.status == DONE)
    for block_id in state.children:
        index = plan.index_of(block_id)
        if index is not None:
            wanted[index] = True
    splits = 0
    for index, block in plan.blocks(wanted):
        if not selection.value("block", block.block_id) or not selection.value("product", block.product):
            continue
        for leaf in list(state.leaves(index, block)):
            if leaf.status != DONE:
                continue
            numbers, taken = state.numbers_of(leaf.block.block_id), state.repeats_of(leaf.block.block_id)
            split = failed_trades(session.store, session.layout, leaf.block, taken, numbers, selection)
            if split is not None:
                session.record(split)
                splits += 1
    session.observer.message("info", f"{splits} blocks have failed trades to repeat")


def _named(session: Session, selection: Selection) -> set[str]:
    ids = (session.plan.id_at(index) for index in range(len(session.plan)))
    return {block_id for block_id in ids if selection.value("block", block_id)}
