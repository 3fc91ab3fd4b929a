"""`riskpipe retry`: only what failed, from the stored plan."""

from __future__ import annotations

from riskpipe.config import Settings
from riskpipe.errors import UsageError
from riskpipe.plan.accounting import Observer, RunStatus
from riskpipe.plan.block import Block
from riskpipe.plan.selection import Selection
from riskpipe.plan.state import DONE, FAILED
from riskpipe.store.layout import resolve_run
from riskpipe.store.lease import Lease
from riskpipe.valuation.context import open_context
from riskpipe.valuation.run_block import read_trades
from riskpipe.workflows.outputs import failed_trades_of, unfinished
from riskpipe.workflows.parts import failed_trades
from riskpipe.workflows.run import _Opened, open_output, refuse_changed_inputs, with_session
from riskpipe.workflows.session import Session


def retry(
    settings: Settings,
    run: str,
    selection: Selection,
    observer: Observer,
    *,
    fail_fast: bool = False,
    publish: str | None = None,
    wait: float = 0.0,
) -> RunStatus:
    """Failed blocks again, failed trades alone, and whatever was not reached; what is done stays.

    :param run: an id, a unique prefix of one, or "latest". :param wait: as of `run`.
    :raises UsageError: no such run, or one without a plan. :raises InputError: an input file has changed since.
    """
    store = open_output(settings)
    layout = resolve_run(store, run)
    if not store.exists(layout.plan):
        raise UsageError(f"run {layout.run_id} was stopped before it had a plan: `riskpipe run` starts a new one")
    refuse_changed_inputs(store, layout, settings)

    def opened(log: Observer, lease: Lease) -> _Opened:
        return _Opened(layout, {}, lambda session: reopen(session, selection))

    return with_session(store, settings, opened, fail_fast, publish, observer, wait)


def reopen(session: Session, selection: Selection) -> None:
    """Make what failed pending: blocks by state, trades as parts of their blocks."""
    state, plan = session.state, session.plan
    if not selection.value("status", "failed"):
        return
    failed = [leaf for leaf in unfinished(state) if leaf.status == FAILED and _rows(session, selection, leaf.block)]
    state.reopen_failed({leaf.block.block_id for leaf in failed})
    wanted = (state.numbers[:, 1] > 0) & (state.status == DONE)
    for block_id in state.children:
        index = plan.index_of(block_id)
        if index is not None:
            wanted[index] = True
    splits = 0
    for index, block in plan.blocks(wanted):
        for leaf in list(state.leaves(index, block)):
            if leaf.status != DONE or not (rows := _rows(session, selection, leaf.block)):
                continue
            failures = failed_trades_of(session.store, session.layout, state, leaf.block.block_id)
            numbers, taken = state.numbers_of(leaf.block.block_id), state.repeats_of(leaf.block.block_id)
            split = failed_trades(failures, leaf.block, taken, numbers, rows)
            if split is not None:
                session.record(split)
                splits += 1
    session.observer.message("info", f"{len(failed)} failed blocks, {splits} blocks with failed trades to repeat")


def _rows(session: Session, selection: Selection, block: Block) -> set[int]:
    """Rows of the block's trades that are selected; of a block that failed as a whole, any brings all of it back."""
    named = selection.value("block", block.block_id) or selection.value("block", block.parent or "")
    if not named or not selection.any_product(block.product):
        return set()
    trades, rows = read_trades(open_context(session.store.root, session.layout.run_id), block)
    selected = selection.trades(block.product, trades.books, trades.trade_ids.to_pylist)
    return set(rows[selected].tolist())
