"""failures.parquet: every trade without its numbers and why, block by block; and how many trades that are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from riskpipe.plan.block import Block
from riskpipe.runs.block_facts import BlockFacts
from riskpipe.runs.outputs import sources
from riskpipe.runs.session import Session
from riskpipe.store.parquet import read_parquet
from riskpipe.store.result_tables import table_sink
from riskpipe.store.table_schemas import SCHEMAS
from riskpipe.valuation.context import Context, open_context
from riskpipe.valuation.run_block import read_trades

_COLUMNS = ["trade_id", "row", "stage", "reason", "message", "retryable"]


class DistinctTrades:
    """Trades by reason, each once, however many blocks it failed in: a byte for each row of a product that has some."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._failed: dict[tuple[str, str], NDArray[np.bool_]] = {}

    def add(self, reason: str, product: str, path: str, rows: NDArray[np.int64]) -> None:
        """:param rows: counted from the first one of the trade file `path`, as blocks do."""
        every = self._context.rows_of(product)
        key = (reason, product)
        if key not in self._failed:
            self._failed[key] = np.zeros(len(every), np.bool_)
        self._failed[key][every.first_of(path) + rows] = True

    def counts(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for (reason, _), failed in self._failed.items():
            found[reason] = found.get(reason, 0) + int(failed.sum())
        return found


def write_failures(session: Session) -> dict[str, int]:
    """A row for each trade and block that it has no numbers of, or for each block that was not done; trades by reason.

    :raises StorageError: an output is missing or changed.
    """
    folder, store = session.folder, session.folder.store
    context = open_context(*folder.place)
    trades = DistinctTrades(context)
    facts = BlockFacts(session.state)
    with table_sink(store, folder.failures, "failures", context.spec.provenance) as sink:
        for source in sources(session.run, "trade_failures"):
            block_id = source.path.rpartition("/")[2].removesuffix(".parquet")
            table = read_parquet(store, source.path, _COLUMNS, source.sha256)
            if source.drop:
                dropped = pc.is_in(table.column("trade_id"), value_set=pa.array(source.drop, pa.string()))
                table = table.filter(pc.invert(dropped))
            if not len(table):
                continue
            product = facts.of(block_id)["product"]
            for reason in pc.unique(table.column("reason")).to_pylist():
                rows = table.filter(pc.equal(table.column("reason"), reason)).column("row").to_numpy()
                trades.add(reason, product, facts.path(block_id), rows)
            constants = {"run_id": folder.run_id, "block_id": block_id, "product": product}
            table = table.drop_columns(["row"])
            for name, value in constants.items():
                table = table.append_column(name, pa.repeat(pa.scalar(value, pa.string()), len(table)))
            sink.write(table)
        pending = list(session.state.pending())
        if pending:
            sink.write(
                pa.Table.from_pylist([_cancelled(folder.run_id, block) for block in pending], SCHEMAS["failures"])
            )
        for block in pending:
            trades.add("CANCELLED", block.product, block.path, _rows(session, block))
    session.wrote(folder.failures, sink.written.sha256)
    return trades.counts()


def _cancelled(run_id: str, block: Block) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "block_id": block.block_id,
        "product": block.product,
        "stage": "run",
        "reason": "CANCELLED",
        "message": "the run was stopped before this block was done",
        "retryable": True,
    }


def _rows(session: Session, block: Block) -> NDArray[np.int64]:
    """The trades of a block; they are read where a selection leaves some of its rows out."""
    if block.rows is not None:
        return np.array(block.rows, np.int64)
    if block.trades == block.row_stop - block.row_start:
        return np.arange(block.row_start, block.row_stop)
    return read_trades(open_context(*session.folder.place), block)[1]
