"""Parts of blocks: halves after a mishap, and the failed trades for a retry."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

from riskpipe.plan.block import Block
from riskpipe.store.records import BlockSplit
from riskpipe.store.run_folder import RunFolder
from riskpipe.valuation.context import open_context
from riskpipe.valuation.run_block import read_trades


def halves(folder: RunFolder, block: Block) -> list[Block]:
    """Two blocks that together do what `block` does; fewer when it has one trade."""
    if block.trades < 2:
        return []
    if block.rows is not None:
        middle = len(block.rows) // 2
        return [block.part(block.rows[:middle]), block.part(block.rows[middle:])]
    _, rows = read_trades(open_context(*folder.place), block)
    middle = len(rows) // 2
    cut = int(rows[middle])
    return [
        block.range_part(block.row_start, cut, middle),
        block.range_part(cut, block.row_stop, len(rows) - middle),
    ]


def failed_trades(
    failures: Sequence[Mapping[str, Any]],
    block: Block,
    taken: Sequence[Block],
    numbers: tuple[int, int, int],
    selected: Container[int],
) -> BlockSplit | None:
    """What a retry does of a block that is done but for some trades; None when nothing can be retried.

    Trades of which every number failed are repeated alone. Where a trade has some numbers, the sums of its block hold
    them, so the whole block is repeated.

    :param failures: rows of the block's table trade_failures.
    :param taken: parts of the block that repeat trades already, done or not: no trade may be in two of them.
    :param numbers: ok, failed and not-applicable numbers of the block's own output.
    :param selected: rows that may be repeated.
    """
    if not numbers[1]:
        return None
    replaced = {row for part in taken for row in _rows(part)}
    rows = [row for row in failures if row["retryable"] and row["row"] not in replaced]
    rows = [row for row in rows if row["row"] in selected]
    if not rows:
        return None
    partly = any(row["ok"] or row["not_applicable"] for row in rows)
    if partly or len(rows) == block.trades:
        whole = (
            block.part(block.rows)
            if block.rows is not None
            else block.range_part(block.row_start, block.row_stop, block.trades)
        )
        child = {"block": whole.to_json(), "replaces": list(numbers)}
        return BlockSplit(block.block_id, (child,), "retry")
    part = block.part(tuple(sorted(row["row"] for row in rows)))
    failed = sum(row["failed"] for row in rows)
    return BlockSplit(block.block_id, ({"block": part.to_json(), "replaces": [0, failed, 0]},), "retry")


def _rows(block: Block) -> Iterator[int]:
    yield from block.rows if block.rows is not None else range(block.row_start, block.row_stop)
