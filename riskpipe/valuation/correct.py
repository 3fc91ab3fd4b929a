"""Trades that failed under some scenarios only, when the set was cut: taken out of the sums of the other ranges.

A trade whose P&L is not a number under one scenario is left out of its books' P&L as a whole. Cut along the scenarios,
a block cannot know of the others; so the trade is valued once more in the ranges where it had numbers, and its exact
contribution is subtracted.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from riskpipe.plan.block import Block
from riskpipe.store.result_tables import write_result_stream
from riskpipe.store.table_schemas import SCHEMAS
from riskpipe.store.written_files import WrittenFile
from riskpipe.valuation.context import open_context
from riskpipe.valuation.run_block import read_trades, value_block

LIMB_COLUMNS = ("high", "middle", "low")


class CorrectionPayload(Struct, frozen=True):
    """Parts of blocks (with their rows) whose trades failed under another range of the same scenario set.

    :param parts: each with the scenario sets whose sums it is to be taken out of.
    """

    root: str
    run_id: str
    name: str
    parts: tuple[tuple[Block, tuple[str, ...]], ...]


def correct_sums(payload: CorrectionPayload) -> WrittenFile:
    """Write partial sums that, added to the run's, take the trades out."""
    context = open_context(payload.root, payload.run_id)
    tables = []
    for block, sets in payload.parts:
        trades, rows = read_trades(context, block)
        made = value_block(context, block, trades, rows).partials()
        partials = pa.concat_tables([SCHEMAS["partials"].empty_table(), *made])
        wanted = pc.is_in(partials.column("scenario_set"), value_set=pa.array(sets, pa.string()))
        tables.append(negated(partials.filter(wanted)))
    path = context.folder.combined_file(payload.name)
    ordered = pa.concat_tables(tables).sort_by("book")
    return write_result_stream(context.store, path, "partials", [ordered], context.spec.provenance)


def negated(partials: pa.Table) -> pa.Table:
    """Sums with the opposite sign, that count no trades but those that had numbers as failed."""
    n = len(partials)
    failed = pc.subtract(partials.column("trades"), partials.column("failed_trades"))
    table = partials.set_column(partials.schema.get_field_index("failed_trades"), "failed_trades", failed)
    table = table.set_column(table.schema.get_field_index("trades"), "trades", pa.array(np.zeros(n, np.int64)))
    for name in LIMB_COLUMNS:
        lists = table.column(name).combine_chunks()
        opposite = pa.ListArray.from_arrays(lists.offsets, pc.negate(lists.values))
        table = table.set_column(table.schema.get_field_index(name), name, opposite)
    return table
