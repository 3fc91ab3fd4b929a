"""`reverse_stress`: the most plausible moves of the market that lose given amounts, and what they lose in full."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from riskpipe.analyses.analysis import Analysis, Day
from riskpipe.analyses.delta_gamma_var import is_whole
from riskpipe.analyses.risk_terms import ReverseStress
from riskpipe.arrays import FloatArray
from riskpipe.kernels.sums import to_floats
from riskpipe.measures.measure_names import WHOLE_RISK
from riskpipe.measures.reverse_move import DELTA_GAMMA, FactorMoves, ReverseMove, factor_moves, reverse_move
from riskpipe.store.layout import REVALUATIONS
from riskpipe.store.table_schemas import SCHEMAS

ROOT = ""


class ReverseStressTest(Analysis):
    """By Mahalanobis distance of the history's covariance, from each book's delta and gamma; and what each move loses
    when every trade of the book is priced under it, which workers did when the run was combined.

    Rows are those of a scenarios' file, for other books or later days. One row without a factor where the book is not
    there, all of its trades failed, or no move loses as much to second order.
    """

    name = "reverse_stress"
    version = 2
    measure = "delta_gamma_var"
    reads = ("book_pnl", "scenarios")

    def compute(self, day: Day) -> Iterator[pa.Table]:
        asked = sorted(day.terms.reverse_stresses, key=lambda each: each.name)
        scenarios = day.table("scenarios", ["index", "scenario"], _is_of_set).sort_by("index")
        if asked and is_whole(scenarios["scenario"].to_pylist()):
            vectors = _vectors_of(day, {ROOT, *(each.book for each in asked)})
            revalued = _revalued(day)
            if ROOT in vectors:
                yield from (_scenario(day, each, vectors.get(each.book), revalued.get(each)) for each in asked)


def _is_of_set(piece: pa.Table) -> pa.Array:
    return pc.equal(piece["scenario_set"], DELTA_GAMMA)


def _vectors_of(day: Day, books: set[str]) -> Mapping[str, FloatArray | None]:
    """Of those of the books that are there; None where every trade failed."""

    def wanted(piece: pa.Table) -> pa.Array:
        ours = pc.and_(_is_of_set(piece), pc.equal(piece["risk_class"], WHOLE_RISK))
        return pc.and_(ours, pc.is_in(piece["book"], pa.array(sorted(books))))

    rows = day.table("book_pnl", ["book", "pnl"], wanted)
    names, vectors = (rows[name].to_pylist() for name in ("book", "pnl"))
    return {book: None if pnl is None else np.array(pnl) for book, pnl in zip(names, vectors, strict=True)}


def _revalued(day: Day) -> Mapping[ReverseStress, tuple[float, int]]:
    """P&L in full, and how many trades it lacks."""
    found = {}
    for table in day.read(REVALUATIONS):
        limbs = np.stack([table[name].to_numpy() for name in ("high", "middle", "low")], axis=1)
        pnl = to_floats(np.ascontiguousarray(limbs[:, :, None]))[:, 0].tolist()
        for value, row in zip(pnl, table.to_pylist(), strict=True):
            found[ReverseStress(row["scenario"], row["book"], row["loss_base"])] = (value, row["failed_trades"])
    return found


def _scenario(day: Day, asked: ReverseStress, pnl: FloatArray | None, revalued: tuple[float, int] | None) -> pa.Table:
    move = None if pnl is None else reverse_move(pnl, asked.loss)
    shifts = {"factor": [None], "shift_type": [None], "shift": [None]} if move is None else _shifts(day, move)
    n = len(shifts["factor"])
    columns = {
        **day.constants(n),
        "scenario": [asked.name] * n,
        **shifts,
        "level": [asked.book.count("/") + 1 if asked.book else 0] * n,
        "book": [asked.book] * n,
        "loss_base": [asked.loss] * n,
        "distance": [None if move is None else move.distance] * n,
        "revalued_base": [None if revalued is None else -revalued[0]] * n,
        "failed_trades": [None if revalued is None else revalued[1]] * n,
    }
    return pa.table([columns[field.name] for field in SCHEMAS["reverse_stress"]], SCHEMAS["reverse_stress"])


def _shifts(day: Day, move: ReverseMove) -> dict[str, list[object]]:
    """Factor by factor; what is made of others follows these."""
    snapshot = day.market().snapshot
    moves: FactorMoves = factor_moves(snapshot, day.scenarios(), move.weights)
    kept = [k for k, factor in enumerate(moves.factors) if not snapshot.kind_of_factor[factor].made]
    return {
        "factor": [snapshot.factor_ids[moves.factors[k]] for k in kept],
        "shift_type": moves.types[kept].tolist(),
        "shift": moves.shifts[kept].tolist(),
    }
