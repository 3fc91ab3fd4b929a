"""`riskpipe retry`: only what failed, from the stored plan."""

from __future__ import annotations

from collections.abc import Iterator

from riskpipe.config import Settings
from riskpipe.errors import UsageError
from riskpipe.plan.accounting import Observer, RunStatus
from riskpipe.plan.block import Block, BlockState
from riskpipe.plan.selection import Selection
from riskpipe.runs.engine import refuse_other_engine
from riskpipe.runs.folded import FoldedRun
from riskpipe.runs.freed import refuse_freed
from riskpipe.runs.opening import Opened, open_output, with_session
from riskpipe.runs.outputs import failed_trades_of, unfinished
from riskpipe.runs.parts import failed_trades
from riskpipe.runs.planned_inputs import refuse_changed_inputs
from riskpipe.runs.publication import FOR_A_RUN, Publication
from riskpipe.runs.session import Session
from riskpipe.runs.settled import settled
from riskpipe.runs.stored import open_plan
from riskpipe.store.records import BlockSplit
from riskpipe.store.result_tables import ResultStatus
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.run_ids import resolve_run
from riskpipe.store.shared_lease import Hold
from riskpipe.valuation.context import open_context
from riskpipe.valuation.run_block import read_trades


def retry(
    settings: Settings,
    run: str,
    selection: Selection,
    observer: Observer,
    *,
    fail_fast: bool = False,
    publication: Publication = FOR_A_RUN,
    wait: float = 0.0,
    accept_engine: bool = False,
) -> RunStatus:
    """Failed blocks again, failed trades alone, and whatever was not reached; what is done stays.

    :param run: an id, a unique prefix of one, or "latest". :param publication, wait: as of `run`.
    :raises UsageError: no such run, or one without a plan. :raises InputError: an input file has changed since.
    """
    store = open_output(settings)
    folder = resolve_run(store, run)
    if not folder.planned():
        raise UsageError(f"run {folder.run_id} was stopped before it had a plan: `riskpipe run` starts a new one")
    refuse_freed(folder, "retried")
    refuse_changed_inputs(folder, settings)
    refuse_other_engine(open_plan(folder).header, folder.run_id, accept_engine)

    def again(run: FoldedRun) -> bool:
        return next(_repeats(run, selection), None) is not None

    def opened(log: Observer, lease: Hold) -> Opened:
        status = settled(folder, settings, publication, again)
        return Opened(folder, {}, lambda session: reopen(session, selection), status)

    return with_session(store, settings, opened, fail_fast, publication, observer, wait)


def reopen(session: Session, selection: Selection) -> None:
    """Make what failed pending: blocks by state, trades as parts of their blocks."""
    repeats = list(_repeats(session.run, selection))
    failed = {found for found in repeats if isinstance(found, str)}
    splits = [found for found in repeats if isinstance(found, BlockSplit)]
    session.state.reopen_failed(failed)
    for split in splits:
        session.record(split)
    text = f"{len(failed)} failed blocks, {len(splits)} blocks with failed trades to repeat"
    session.observer.message("info", text)


def _repeats(run: FoldedRun, selection: Selection) -> Iterator[str | BlockSplit]:
    """What a retry does again: ids of blocks that failed as a whole, and parts of blocks with failed trades."""
    if not selection.value("status", ResultStatus.FAILED):
        return

    def rows_of(block: Block) -> set[int]:
        return _rows(run.folder, selection, block)

    state = run.state

    for leaf in unfinished(state):
        if leaf.status == BlockState.FAILED and rows_of(leaf.block):
            yield leaf.block.block_id
    wanted = (state.numbers[:, 1] > 0) & (state.status == BlockState.DONE)
    for block_id in state.children:
        index = run.plan.index_of(block_id)
        if index is not None:
            wanted[index] = True
    for index, block in run.plan.blocks(wanted):
        for leaf in list(state.leaves(index, block)):
            if leaf.status != BlockState.DONE or not (rows := rows_of(leaf.block)):
                continue
            failures = failed_trades_of(run, leaf.block.block_id)
            numbers, taken = state.numbers_of(leaf.block.block_id), state.repeats_of(leaf.block.block_id)
            split = failed_trades(failures, leaf.block, taken, numbers, rows)
            if split is not None:
                yield split


def _rows(folder: RunFolder, selection: Selection, block: Block) -> set[int]:
    """Rows of the block's trades that are selected; of a block that failed as a whole, any brings all of it back."""
    named = selection.value("block", block.block_id) or selection.value("block", block.parent or "")
    if not named or not selection.any_product(block.product):
        return set()
    trades, rows = read_trades(open_context(*folder.place), block)
    selected = selection.trades(block.product, trades.books, trades.trade_ids.to_pylist)
    return set(rows[selected].tolist())
