"""The last blocks of a plan are cut finer, so that the workers of a run end at about the same time.

After factoring (Hummel, Schonberg and Flynn, 1992, "Factoring: a method for scheduling parallel loops"): of R blocks
that are left for P workers, R < 2 P, each is cut into 2 P / R, so that what a worker takes is half of its share of what
is left. Cut when the plan is made, the parts are blocks like others: nothing is cut or told while the run goes on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pyarrow as pa

from riskpipe.plan.block import digest_id
from riskpipe.plan.costs import SECONDS_PER_BLOCK
from riskpipe.plan.planned_blocks import PlanTotals
from riskpipe.plan.stored_plan import SCHEMA

LEAST_PART_SECONDS = 5.0
"""Below, what a block costs besides pricing begins to show."""
MOST_PARTS = 8
SHARES = 2
"""Of what is left, that each worker's part of it is taken in."""
_HELD_BLOCKS = 250_000


def tapered(tables: Iterator[pa.Table], workers: Callable[[], int], totals: PlanTotals) -> Iterator[pa.Table]:
    """The blocks in the same order, the last ones in parts.

    :param tables: in the order in which they are handed out; of one range of scenarios, since blocks of the same trades
        under others would have to be cut alike.
    :param workers: asked when all blocks are known. :param totals: is added to.
    """
    held: deque[pa.Table] = deque()
    rows = 0
    for table in tables:
        held.append(table)
        rows += len(table)
        while rows - len(held[0]) >= _HELD_BLOCKS:
            rows -= len(held[0])
            yield held.popleft()
    shares = SHARES * workers()
    if not rows or shares <= SHARES:
        yield from held
        return
    count = min(shares, rows)
    blocks = pa.concat_tables(held)
    yield blocks.slice(0, rows - count)
    last = blocks.slice(rows - count).to_pylist()
    finer = [part for place, block in enumerate(last) for part in _parts(block, shares / (count - place), totals)]
    yield pa.Table.from_pylist(finer, SCHEMA)


def _parts(block: dict[str, Any], shares: float, totals: PlanTotals) -> list[dict[str, Any]]:
    """A block, or what it is cut into. :param shares: about so many."""
    start, stop, trades = block["row_start"], block["row_stop"], block["trades"]
    seconds = block["projected_seconds"] - SECONDS_PER_BLOCK
    count = 1
    while count < min(shares, MOST_PARTS) and seconds / (2 * count) >= LEAST_PART_SECONDS:
        count *= 2
    count = min(count, trades)
    if count < 2 or trades != stop - start:  # a selection: where its trades are is not known here
        return [block]
    bounds = [start + trades * k // count for k in range(count + 1)]
    totals.blocks += count - 1
    totals.projected_seconds += (count - 1) * SECONDS_PER_BLOCK
    totals.products[block["product"]]["blocks"] += count - 1
    totals.products[block["product"]]["seconds"] += (count - 1) * SECONDS_PER_BLOCK
    return [
        block
        | {
            "block_id": _id({**block, "row_start": first, "row_stop": last}),
            "row_start": first,
            "row_stop": last,
            "trades": last - first,
            "projected_seconds": seconds * (last - first) / trades + SECONDS_PER_BLOCK,
        }
        for first, last in pairwise(bounds)
    ]


def _id(block: dict[str, Any]) -> str:
    names = ("product", "path", "inputs", "row_start", "row_stop", "scenario_start", "scenario_stop", "measures")
    return digest_id(*(block[name] for name in names))
