"""Which files make up the results of a run: the leaves of the run's state, and what is replaced in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskpipe.market.scenarios import ScenarioSet
from riskpipe.measures.measure_names import PNL_SETS
from riskpipe.measures.pnl_sets import PnlSet, left_out_of, pnl_sets
from riskpipe.plan.block import Block, BlockState, digest_id
from riskpipe.plan.neighbours import FAN_IN, Group
from riskpipe.plan.recorded import VECTORS
from riskpipe.plan.state import Leaf, RunState
from riskpipe.plan.stored_plan import StoredPlan
from riskpipe.runs.day_parts import STANDS_FROM
from riskpipe.runs.folded import FoldedRun
from riskpipe.store.parquet import read_parquet
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.sorted_merge import Source, most_open
from riskpipe.store.table_schemas import SORT_KEYS
from riskpipe.valuation.concatenate import ConcatenationPayload
from riskpipe.valuation.context import open_context
from riskpipe.valuation.correct import CorrectionPayload
from riskpipe.valuation.merge_files import MergePayload

# Scenario range (its first column) -> row of the block -> sets of P&L that failed there.
Failed = dict[int, dict[int, set[str]]]


def unfinished(state: RunState) -> Iterator[Leaf]:
    """Leaves that failed as a whole, or were not reached."""
    wanted = state.status != BlockState.DONE
    for block_id in state.children:
        index = state.plan.index_of(block_id)
        if index is not None:
            wanted[index] = True
    for index, block in state.plan.blocks(wanted):
        yield from (leaf for leaf in state.leaves(index, block) if leaf.status != BlockState.DONE)


def whole_failures(state: RunState) -> int:
    """Leaves of more than one trade that failed as a whole: what keeps a run from counting as complete."""
    return sum(1 for leaf in unfinished(state) if leaf.status == BlockState.FAILED and leaf.block.trades > 1)


def dropped_ids(run: FoldedRun, leaf: Leaf) -> frozenset[str]:
    """Ids of the trades whose rows in this output are replaced by those of its parts."""
    if not leaf.replaced_by:
        return frozenset()
    rows = replaced_rows(leaf)
    failures = failed_trades_of(run, leaf.block.block_id, ["trade_id", "row"])
    return frozenset(row["trade_id"] for row in failures if row["row"] in rows)


def failed_trades_of(run: FoldedRun, block_id: str, columns: list[str] | None = None) -> list[dict[str, Any]]:
    """Rows of a block's trades without their numbers; none when it has all of them."""
    sha256 = run.state.sha256("trade_failures", block_id)
    if sha256 is None:
        return []
    path = run.folder.block_output("trade_failures", block_id)
    return list(read_parquet(run.folder.store, path, columns, sha256).to_pylist())


def table_sources(run: FoldedRun, table: str) -> list[Source]:
    """What a published table is merged from: the blocks' files, or whole vectors where scenarios were cut."""
    return _whole_vectors(run, table) or list(sources(run, table))


def sources_to_publish(run: FoldedRun, table: str) -> list[Source]:
    """Likewise, with what was merged of a group's files in their place."""
    return _whole_vectors(run, table) or list(_merged_sources(run, table))


def _whole_vectors(run: FoldedRun, table: str) -> list[Source]:
    payloads = concatenation_payloads(run) if table == VECTORS else ()
    return [run.combined.source(p.name, run.folder.combined_file(p.name)) for p in payloads]


def _merged_sources(run: FoldedRun, table: str) -> Iterator[Source]:
    split = _split(run)
    for group in run.combined.groups(run.combined.top):
        yield from _of_group(run, table, group, split)


def _of_group(run: FoldedRun, table: str, group: Group, split: frozenset[int]) -> Iterator[Source]:
    name = run.combined.of_group(table, group)
    if name is not None:
        yield run.combined.source(name, run.folder.merged_file(name))
    elif group.level == 0:
        yield from _sources(run, table, group.blocks(len(run.plan)), split)
    else:
        for member in group.members(len(run.plan)):
            yield from _of_group(run, table, member, split)


def tables_to_merge(run: FoldedRun) -> tuple[str, ...]:
    """Those whose rows are merged group by group while blocks are still valued: none where all blocks' files can be
    merged at once."""
    if len(run.plan) <= most_open(run.folder.store):
        return ()
    context = open_context(*run.folder.place)
    are_cut = next(_cut_groups(run.plan, context.scenarios, context.spec.stored_pnl), None) is not None
    return tuple(table for table in SORT_KEYS if table != VECTORS or not are_cut)


def group_merge(run: FoldedRun, table: str, group: Group) -> MergePayload | None:
    """What merges a table's rows of a group whose blocks are all done; None: there are none, or that is for the end."""
    found = tuple(_small_files(run, table, group) if group.level == 0 else _merged_below(run, table, group))
    return _merge_payload(run.folder, table, found, group) if found else None


def _small_files(run: FoldedRun, table: str, group: Group) -> Sequence[Source]:
    """The files of a group's blocks; none where one may stand in the day as it is."""
    found = list(_sources(run, table, group.blocks(len(run.plan)), frozenset()))
    return [] if table == VECTORS and any(source.bytes >= STANDS_FROM for source in found) else found


def _merged_below(run: FoldedRun, table: str, group: Group) -> Sequence[Source]:
    """What was merged of the groups of a group; none where one of these has rows, and they were not."""
    found = []
    for member in group.members(len(run.plan)):
        name, blocks = run.combined.of_group(table, member), member.blocks(len(run.plan))
        if name is not None:
            found.append(run.combined.source(name, run.folder.merged_file(name)))
        elif run.state.files.has(table, blocks.start, blocks.stop).any():
            return []
    return found


def merge_payloads(folder: RunFolder, table: str, found: Sequence[Source]) -> list[MergePayload]:
    """What workers merge so that a table lies in fewer files, `CombinedFiles.merged`; to be asked for until there is
    nothing.

    Nothing for most runs: a driver that merges thousands of blocks' files needs a millisecond for each, on its own.

    :param found: see `table_sources`.
    """
    if len(found) <= most_open(folder.store):
        return []
    groups = [tuple(found[k : k + FAN_IN]) for k in range(0, len(found), FAN_IN)]
    return [_merge_payload(folder, table, group) for group in groups]


def _merge_payload(
    folder: RunFolder, table: str, found: tuple[Source, ...], group: Group | None = None
) -> MergePayload:
    name = digest_id("merge", [table, *((source.path, sorted(source.drop), source.sha256) for source in found)])
    return MergePayload(*folder.place, name, table, found, group)


def sources(run: FoldedRun, table: str) -> Iterator[Source]:
    """The blocks' files that make up a table, in plan order: those of the ledger, whether they are there or not."""
    return _sources(run, table, range(len(run.plan)), _split(run))


def _split(run: FoldedRun) -> frozenset[int]:
    """Positions of the blocks that have parts."""
    found = (run.plan.index_of(block_id) for block_id in run.state.children)
    return frozenset(index for index in found if index is not None)


def _sources(run: FoldedRun, table: str, blocks: range, split: frozenset[int]) -> Iterator[Source]:
    """:param blocks: positions in the plan, that follow each other. :param split: see `_split`."""
    wanted = run.state.files.has(table, blocks.start, blocks.stop)
    wanted[[index - blocks.start for index in split if index in blocks]] = True
    for index in (np.flatnonzero(wanted) + blocks.start).tolist():
        if index not in split:
            yield from _files_of(run, table, run.plan.id_at(index), index)
            continue
        for leaf in run.state.leaves(index, run.plan.block(index)):
            block_id = leaf.block.block_id
            yield from _files_of(run, table, block_id, run.state.place(block_id), dropped_ids(run, leaf))


def _files_of(
    run: FoldedRun, table: str, block_id: str, place: int | str, drop: frozenset[str] = frozenset()
) -> Iterator[Source]:
    """A block's files of a table. Of runs of versions before pieces, vectors lie in one file like other tables."""
    files = run.state.files
    for piece in files.vectors(place) if table == VECTORS else ():
        keys = (piece.first, piece.last) if piece.of_run is None else None
        yield Source(piece.path, drop, piece.sha256, rows=(0, piece.rows), bytes=piece.bytes, keys=keys)
    if (sha256 := files.sha256(table, place)) is not None:
        yield Source(run.folder.block_output(table, block_id), drop, sha256, bytes=files.size(table, place))


def concatenation_payloads(run: FoldedRun) -> Iterator[ConcatenationPayload]:
    """One for every range of trades whose stored P&L vectors lie in more than one block; none when none do."""
    context = open_context(*run.folder.place)
    for group in _cut_groups(run.plan, context.scenarios, context.spec.stored_pnl):
        yield _concatenation_payload(run, group)


def correction_payloads(run: FoldedRun) -> Iterator[CorrectionPayload]:
    """One for every range of trades of which some failed under a part of the scenarios only."""
    scenarios = open_context(*run.folder.place).scenarios
    sets = pnl_sets(scenarios.sets)
    for group in _cut_groups(run.plan, scenarios, [each.name for each in sets]):
        failed: Failed = {}
        leaves = [leaf for index in group for leaf in run.state.leaves(index, run.plan.block(index))]
        for leaf in leaves:
            _add_failed(run, leaf, failed)
        parts = [part for leaf in leaves for part in _to_correct(leaf, failed, scenarios)] if failed else []
        if parts:
            sums = [run.state.sha256("partials", block.parent or "") for block, _ in parts]
            name = digest_id("correction", [(block.block_id, measures) for block, measures in parts], sums)
            yield CorrectionPayload(*run.folder.place, name, tuple(parts))


def _add_failed(run: FoldedRun, leaf: Leaf, failed: Failed) -> None:
    rows = failed_trades_of(run, leaf.block.block_id, ["row", "measures"])
    mine = rows_of(leaf) if rows else set()
    for row in rows:
        sets = failed_sets(row["measures"])
        if row["row"] in mine and sets:
            failed.setdefault(leaf.block.scenario_start, {})[row["row"]] = sets


def failed_sets(measures: Iterable[str]) -> set[str]:
    """The sets of P&L among what failed of a trade."""
    # Versions before sets had parts named the measure.
    return {each.name for each in pnl_sets(PNL_SETS.get(name, name) for name in measures)}


def rows_of(leaf: Leaf) -> set[int]:
    """Rows, as its block counts them, that a leaf's output speaks for."""
    block = leaf.block
    return set(block.rows or range(block.row_start, block.row_stop)) - replaced_rows(leaf)


def replaced_rows(leaf: Leaf) -> set[int]:
    """Rows for which other outputs speak in its place."""
    return {row for part in leaf.replaced_by for row in (part.rows or range(part.row_start, part.row_stop))}


def _to_correct(leaf: Leaf, failed: Failed, scenarios: ScenarioSet) -> Iterator[tuple[Block, tuple[str, ...]]]:
    """Parts of this output with the sets of P&L that failed in the outputs of other scenario ranges, and not here."""
    block, mine = leaf.block, rows_of(leaf)
    here = failed.get(block.scenario_start, {})
    elsewhere: dict[int, set[str]] = {}
    for start, rows in failed.items():
        for row in (rows.keys() & mine) if start != block.scenario_start else ():
            elsewhere.setdefault(row, set()).update(rows[row])
    found: dict[tuple[str, ...], list[int]] = {}
    in_block = [each for each in pnl_sets(scenarios.sets) if _has_columns(block, scenarios, each)]
    for row in sorted(elsewhere):
        sets = tuple(sorted(left_out_of(elsewhere[row], in_block) - here.get(row, set())))
        if sets:
            found.setdefault(sets, []).append(row)
    for sets, part in sorted(found.items()):
        yield block.part(tuple(part)), sets


def _has_columns(block: Block, scenarios: ScenarioSet, of: PnlSet) -> bool:
    columns = scenarios.columns_of(of.name)
    return bool(block.scenario_start < columns.stop and columns.start < block.scenario_stop)


def _cut_groups(plan: StoredPlan, scenarios: ScenarioSet, sets: Iterable[str]) -> Iterator[list[int]]:
    """Positions of the blocks of the same trades where the columns of some sets lie in several; or none."""
    if len(_starts_with(plan, scenarios, sets)) > 1:
        yield from pnl_groups(plan, scenarios, sets)


def pnl_groups(plan: StoredPlan, scenarios: ScenarioSet, sets: Iterable[str]) -> Iterator[list[int]]:
    """Positions of the blocks of the same trades that have columns of some sets, by scenarios."""
    table = plan.columns("path", "row_start", "scenario_start")
    starts = table.column("scenario_start").to_numpy()
    paths = table.column("path").combine_chunks().dictionary_encode()
    rows = table.column("row_start").to_numpy()
    codes = paths.indices.to_numpy()
    order = np.lexsort((starts, rows, codes))
    order = order[np.isin(starts[order], _starts_with(plan, scenarios, sets))]
    if len(order):
        for group in np.split(order, np.flatnonzero(np.diff(codes[order]) | np.diff(rows[order])) + 1):
            yield [int(index) for index in group]


def _starts_with(plan: StoredPlan, scenarios: ScenarioSet, sets: Iterable[str]) -> NDArray[np.int64]:
    """First columns, ascending, of the ranges of scenarios that hold any column of some sets."""
    table = plan.columns("scenario_start", "scenario_stop")
    starts, stops = (table.column(name).to_numpy() for name in ("scenario_start", "scenario_stop"))
    pnl = np.sort(np.concatenate([np.empty(0, np.int64), *(_positions(scenarios, name) for name in sets)]))
    return np.unique(starts[np.searchsorted(pnl, starts) < np.searchsorted(pnl, stops)])


def _positions(scenarios: ScenarioSet, name: str) -> NDArray[np.int64]:
    """Columns of a set, of which there may be none."""
    if name not in scenarios.sets:
        return np.empty(0, np.int64)
    columns = scenarios.columns_of(name)
    return np.arange(columns.start, columns.stop)


def _concatenation_payload(run: FoldedRun, group: list[int]) -> ConcatenationPayload:
    ranges = []
    content: list[object] = []
    for index in group:
        block_id = run.plan.id_at(index)
        if block_id not in run.state.children and run.state.status[index] == BlockState.DONE:
            found = [(block_id, frozenset[str](), True)]
        else:
            leaves = list(run.state.leaves(index, run.plan.block(index)))
            found = [
                (leaf.block.block_id, dropped_ids(run, leaf), bool(leaf.status == BlockState.DONE)) for leaf in leaves
            ]
        files = [
            (done, source)
            for name, drop, done in found
            for source in _files_of(run, VECTORS, name, run.state.place(name), drop)
        ]
        ranges.append(tuple(source for _, source in files))
        content.append([(source.path, sorted(source.drop), done, source.sha256) for done, source in files])
    return ConcatenationPayload(*run.folder.place, digest_id("concatenation", content), tuple(ranges))
