"""Whether every planned number is accounted for, counted in the files that blocks left."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from riskpipe.measures.catalogue import valuation_measures
from riskpipe.plan.accounting import Counts
from riskpipe.plan.block import BlockState
from riskpipe.plan.state import Leaf
from riskpipe.results.soundness import Findings
from riskpipe.runs.folded import FoldedRun
from riskpipe.runs.outputs import replaced_rows
from riskpipe.runs.status import read_status
from riskpipe.store.ledger import read_ledger
from riskpipe.store.parquet import open_parquet, read_parquet
from riskpipe.store.result_tables import ResultStatus


def verify_numbers(found: Findings, run: FoldedRun) -> None:
    """planned = ok + failed + not applicable + cancelled: by block in its files, and in all as the summary has it."""
    counted = dict.fromkeys(("planned", "failed", "cancelled"), 0)
    for index, block in run.plan.blocks(np.ones(len(run.plan), np.bool_)):
        for leaf in run.state.leaves(index, block):
            planned, failed = _of_leaf(found, run, leaf)
            counted["planned"] += planned
            if leaf.status == BlockState.PENDING:
                counted["cancelled"] += planned
            else:
                counted["failed"] += failed
    folded = run.state.numbers_counts(run.state.planned_numbers)
    told = {"planned": folded.planned, "failed": folded.failed, "cancelled": folded.cancelled}
    if not folded.balanced:
        found.damaged(run.folder.ledger, f"the numbers do not add up: {folded}")
    if counted != told:
        found.damaged(run.folder.ledger, f"the blocks' files have {_text(counted)}, the ledger {_text(told)}")
    found.numbers = {"ok": folded.ok + folded.reused, "not_applicable": folded.not_applicable, **counted}
    _hold_summary(found, folded)


def _of_leaf(found: Findings, run: FoldedRun, leaf: Leaf) -> tuple[int, int]:
    """Numbers that an output speaks for, and how many of them failed, by its files."""
    block, state = leaf.block, run.state
    planned = block.numbers - sum(part.trades for part in leaf.replaced_by) * len(block.measures)
    if leaf.status != BlockState.DONE:
        return planned, planned
    recorded = state.numbers_of(block.block_id)
    path = run.folder.block_output("trade_failures", block.block_id)
    failed = replaced = 0
    sha256 = state.sha256("trade_failures", block.block_id)
    if sha256 is not None:
        rows = read_parquet(run.folder.store, path, ["row", "failed"], sha256)
        of_parts = pc.is_in(rows["row"], value_set=pa.array(sorted(replaced_rows(leaf)), pa.int64()))
        failed = pc.sum(rows["failed"]).as_py() or 0
        replaced = pc.sum(rows.filter(of_parts)["failed"]).as_py() or 0
    if (sum(recorded), recorded[1]) != (block.numbers, failed):
        why = f"block {block.block_id} has {block.numbers} numbers of which {failed} failed; recorded are {recorded}"
        found.damaged(path, why)
    _hold_valuations(found, run, leaf)
    return planned, failed - replaced


def _hold_valuations(found: Findings, run: FoldedRun, leaf: Leaf) -> None:
    """A row for each trade and measure, by status no more than there are numbers."""
    block = leaf.block
    measures = [measure for measure in block.measures if measure in valuation_measures()]
    sha256 = run.state.sha256("valuations", block.block_id)
    if not measures or sha256 is None:
        return
    path = run.folder.block_output("valuations", block.block_id)
    with open_parquet(run.folder.store, path, sha256=sha256) as file:
        status = file.read(["status"])["status"]
    counts: Mapping[str, int] = {row["values"]: row["counts"] for row in pc.value_counts(status).to_pylist()}
    most = dict(zip((ResultStatus.OK, ResultStatus.FAILED, ResultStatus.NOT_APPLICABLE),
                    run.state.numbers_of(block.block_id), strict=True))  # fmt: skip
    if len(status) != block.trades * len(measures) or any(counts.get(name, 0) > most[name] for name in most):
        found.damaged(path, f"{len(status)} rows of {block.trades} trades and {len(measures)} measures: {counts}")


def _hold_summary(found: Findings, folded: Counts) -> None:
    status = read_status(found.folder, read_ledger(found.folder))
    if status is None:
        return
    told = (status.numbers.planned, status.numbers.failed, status.numbers.not_applicable)
    if told != (folded.planned, folded.failed, folded.not_applicable):
        found.damaged(found.folder.summary, f"it has {told} numbers planned, failed, not applicable: not the files'")


def _text(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counts.items())
