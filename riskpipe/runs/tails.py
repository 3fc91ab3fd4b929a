"""What is priced again, or read, for trades' components of figures of the tail, when the books' vectors are known."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.measures.summed_columns import Summed
from riskpipe.measures.tail_definition import TailDefinition, scenarios_needed
from riskpipe.measures.tail_risk import tail_weights
from riskpipe.plan.block import Block, BlockState, digest_id
from riskpipe.plan.costs import SECONDS_PER_BLOCK, CostModel
from riskpipe.plan.neighbours import FAN_IN
from riskpipe.plan.stored_plan import StoredPlan
from riskpipe.runs.book_totals import BookTotals
from riskpipe.runs.folded import FoldedRun
from riskpipe.runs.outputs import failed_sets, failed_trades_of, pnl_groups, replaced_rows, rows_of
from riskpipe.store.parquet import read_parquet, write_parquet
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.written_files import WrittenFile
from riskpipe.valuation.context import open_context
from riskpipe.valuation.priced_again import RecordedFile, recorded
from riskpipe.valuation.recent_vectors import TAIL_SET
from riskpipe.valuation.tail_components import TAILS, LargestPayload, TailBlock, TailPayload, largest

MEASURE = "historical_var"
# Weights that are smaller than this against the largest move no bit of a figure.
_NOTHING = 1e-18
# Of stored vectors, with their checksum: what a core does at least.
READ_BYTES_A_SECOND = 380e6
# Of a task: long against what the driver does for one, short against the end of a run, where the last keep few busy.
_TASK_SECONDS = 0.5
_GROUPS_AT_A_TIME = 1_000


class Tails(Struct, frozen=True):
    """Figures of books. :param scenarios: how many these are made of in all."""

    file: RecordedFile
    scenarios: int


def has_vectors(totals: BookTotals) -> bool:
    """Whether there are any of the history; none where it has no day that can be used."""
    return Summed(TAIL_SET, MEASURE) in totals.summed


def books_of(totals: BookTotals, patterns: Sequence[str]) -> tuple[list[int], list[str]]:
    """Nodes that the patterns name, the root among them, in order; and the patterns that name none."""
    named = {pattern: [k for k, path in enumerate(totals.paths) if fnmatchcase(path, pattern)] for pattern in patterns}
    nodes = {k for k, path in enumerate(totals.paths) if not path}.union(*named.values())
    return sorted(nodes), [pattern for pattern, found in named.items() if not found]


def write_tails(
    folder: RunFolder, totals: BookTotals, nodes: Sequence[int], definitions: Iterable[TailDefinition]
) -> Tails | None:
    """The scenarios of each figure of some nodes of the book tree; None: there is no figure."""
    rows = []
    for node in nodes:
        found = totals.of(Summed(TAIL_SET, MEASURE), range(node, node + 1))
        pnl = found.values[found.is_known]
        for definition in definitions:
            if len(pnl) and definition.applies_to(TAIL_SET) and scenarios_needed(definition) <= pnl.shape[1]:
                (weights,) = tail_weights(pnl, definition)
                kept = np.flatnonzero(np.abs(weights) > _NOTHING * np.max(np.abs(weights)))
                row = (definition.text, totals.paths[node], kept.tolist(), weights[kept].tolist())
                rows.append(dict(zip(TAILS.names, row, strict=True)))
    if not rows:
        return None
    path = folder.combined_file(digest_id("tails", rows))
    written = write_parquet(folder.store, path, pa.Table.from_pylist(rows, TAILS))
    return Tails(recorded(written), len(set().union(*(row["scenarios"] for row in rows))))


def blocks_with_vectors(run: FoldedRun, set_name: str) -> Iterator[tuple[Block, tuple[int, ...]]]:
    """One block for every range of trades that has P&L vectors of a set, and its rows without, or of other blocks."""
    scenarios, plain = open_context(*run.folder.place).scenarios, _without_failures(run)
    for group in _read(run.plan, pnl_groups(run.plan, scenarios, [set_name])):
        if all(plain[index] for index, _ in group):
            yield group[0][1], ()
            continue
        leaves = [leaf for index, block in group for leaf in run.state.leaves(index, block)]
        lost: set[int] = set()
        for leaf in leaves:
            failed = failed_trades_of(run, leaf.block.block_id, ["row", "measures"])
            if failed:
                lost |= rows_of(leaf) & {row["row"] for row in failed if set_name in failed_sets(row["measures"])}
        for leaf in leaves:
            if leaf.block.scenario_start == leaves[0].block.scenario_start and leaf.status == BlockState.DONE:
                yield leaf.block, tuple(sorted(lost | replaced_rows(leaf)))


def _without_failures(run: FoldedRun) -> NDArray[np.bool_]:
    """bool[n]: blocks of the plan that have all numbers of all their trades."""
    found = (run.state.status == BlockState.DONE) & ~run.state.files.has("trade_failures", 0, len(run.plan))
    for block_id in run.state.children:
        index = run.plan.index_of(block_id)
        if index is not None:
            found[index] = False
    return np.asarray(found)


def _read(plan: StoredPlan, groups: Iterator[list[int]]) -> Iterator[list[tuple[int, Block]]]:
    """The blocks at some positions, many read at a time."""
    while some := list(itertools.islice(groups, _GROUPS_AT_A_TIME)):
        blocks = dict(plan.blocks_at(np.unique(np.concatenate(some))))
        yield from ([(index, blocks[index]) for index in group] for group in some)


def projected_seconds(costs: CostModel, block: Block, columns: int) -> float:
    """What pricing a block's trades under so many columns may take, with today's; reading and preparing them takes what
    it took.

    :param costs: that the block was projected by.
    """
    fixed = min(SECONDS_PER_BLOCK + block.trades * costs.seconds_per_trade(block.product), block.projected_seconds)
    share = (columns + 1) / (block.scenario_stop - block.scenario_start)
    return fixed + (block.projected_seconds - fixed) * min(share, 1.0)


def tail_payloads(run: FoldedRun, tails: Tails, most: int) -> Iterator[TailPayload]:
    """For all ranges of trades that have vectors: one for neighbours that take little time together."""
    costs = CostModel(run.plan.header.cost_factors)
    group: list[TailBlock] = []
    seconds = 0.0
    for block, without in blocks_with_vectors(run, TAIL_SET):
        mine = projected_seconds(costs, block, tails.scenarios)
        vectors = () if without else _stored_vectors(run, block)
        reading = sum(file.bytes for file in vectors) / READ_BYTES_A_SECOND
        if mine <= reading:
            vectors = ()
        elif vectors:
            mine = reading
        if group and (len(group) == FAN_IN or seconds + mine > _TASK_SECONDS):
            yield _payload(run.folder, tuple(group), tails, most, seconds)
            group, seconds = [], 0.0
        group.append(TailBlock(block, without, tuple(map(recorded, vectors))))
        seconds += mine
    if group:
        yield _payload(run.folder, tuple(group), tails, most, seconds)


def _stored_vectors(run: FoldedRun, block: Block) -> tuple[WrittenFile, ...]:
    """The files of a block's vectors, if it has them under the whole set, on this machine."""
    context = open_context(*run.folder.place)
    if TAIL_SET not in context.spec.stored_pnl:
        return ()
    if not context.has_whole_set(TAIL_SET, block.scenario_start, block.scenario_stop):
        return ()
    files = run.state.files.vectors(run.state.place(block.block_id))
    return files if all(run.folder.store.local_path(file.path) is not None for file in files) else ()


def _payload(folder: RunFolder, blocks: tuple[TailBlock, ...], tails: Tails, most: int, seconds: float) -> TailPayload:
    of = [(each.block.block_id, each.block.inputs, each.without) for each in blocks]
    name = digest_id("components", of, tails.file.sha256, most)
    return TailPayload(*folder.place, name, blocks, tails.file, most, seconds)


def largest_payloads(folder: RunFolder, files: Sequence[WrittenFile], most: int) -> list[LargestPayload]:
    """What workers join so that the driver has few files to read; to be asked for until there is nothing."""
    if len(files) <= FAN_IN:
        return []
    groups = [tuple(map(recorded, files[k : k + FAN_IN])) for k in range(0, len(files), FAN_IN)]
    return [
        LargestPayload(*folder.place, digest_id("largest", [file.sha256 for file in group], most), group, most)
        for group in groups
    ]


def write_components(folder: RunFolder, files: Sequence[WrittenFile], most: int) -> WrittenFile:
    """The components that are the largest of all."""
    found = folder.store.overlapped(lambda file: read_parquet(folder.store, file.path, sha256=file.sha256), files)
    return write_parquet(folder.store, folder.trade_components, largest(pa.concat_tables(found), most))
