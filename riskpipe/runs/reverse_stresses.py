"""The moves of `risk.reverse_stress`, found when the books' vectors are known, and every trade priced under them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from riskpipe.analyses.delta_gamma_var import is_whole
from riskpipe.analyses.risk_terms import ReverseStress
from riskpipe.measures.reverse_move import DELTA_GAMMA, factor_moves, reverse_move
from riskpipe.measures.summed_columns import Summed
from riskpipe.plan.block import digest_id
from riskpipe.plan.costs import CostModel
from riskpipe.plan.neighbours import FAN_IN
from riskpipe.runs.book_totals import BookTotals
from riskpipe.runs.folded import FoldedRun
from riskpipe.runs.tails import blocks_with_vectors, projected_seconds
from riskpipe.store.parquet import write_parquet
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.written_files import WrittenFile
from riskpipe.valuation.context import open_context
from riskpipe.valuation.priced_again import RecordedFile, recorded
from riskpipe.valuation.revaluation import MOVES, RevaluationPayload, RevaluedPayload, revalued_of

MEASURE = "delta_gamma_var"


def write_moves(folder: RunFolder, totals: BookTotals, asked: Iterable[ReverseStress]) -> RecordedFile | None:
    """Where each book's factors are moved to; None: there is no move."""
    context = open_context(*folder.place)
    columns = context.scenarios.columns_of(DELTA_GAMMA)
    if not is_whole(context.scenarios.names[columns].to_pylist()):
        return None
    rows = []
    for each in sorted(asked, key=lambda stress: stress.name):
        node = totals.paths.index(each.book) if each.book in totals.paths else None
        found = None if node is None else totals.of(Summed(DELTA_GAMMA, MEASURE), range(node, node + 1))
        pnl = np.empty((0, 0)) if found is None else found.values[found.is_known]
        move = reverse_move(pnl[0], each.loss) if len(pnl) else None
        if move is not None:
            moves = factor_moves(context.snapshot, context.scenarios, move.weights)
            levels = moves.levels(context.snapshot.x0)
            row = (each.name, each.book, each.loss, moves.factors.tolist(), levels.tolist())
            rows.append(dict(zip(MOVES.names, row, strict=True)))
    if not rows:
        return None
    path = folder.combined_file(digest_id("moves", rows))
    return recorded(write_parquet(folder.store, path, pa.Table.from_pylist(rows, MOVES)))


def revaluation_payloads(run: FoldedRun, moves: RecordedFile, asked: int) -> Iterator[RevaluationPayload]:
    """One for every range of trades that has vectors. :param asked: how many moves there are at most."""
    costs = CostModel(run.plan.header.cost_factors)
    for block, without in blocks_with_vectors(run, DELTA_GAMMA):
        name = digest_id("revaluation", block.block_id, block.inputs, without, moves.sha256)
        seconds = projected_seconds(costs, block, asked)
        yield RevaluationPayload(*run.folder.place, name, block, without, moves, seconds)


def revalued_payloads(folder: RunFolder, files: Sequence[WrittenFile]) -> list[RevaluedPayload]:
    """What workers add up so that the driver has few files to read; to be asked for until there is nothing."""
    if len(files) <= FAN_IN:
        return []
    groups = [tuple(map(recorded, files[k : k + FAN_IN])) for k in range(0, len(files), FAN_IN)]
    return [
        RevaluedPayload(*folder.place, digest_id("revalued", [file.sha256 for file in group]), group)
        for group in groups
    ]


def write_revaluations(folder: RunFolder, files: Sequence[WrittenFile]) -> WrittenFile:
    """What the books lose in all."""
    table = revalued_of(folder, map(recorded, files)).table()
    return write_parquet(folder.store, folder.revaluations, table)
