"""What a worker does with one block: open, read, price, reduce, write; and a small record of it."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from riskpipe.errors import Failure
from riskpipe.measures.catalogue import PNL_SETS
from riskpipe.plan.block import Block
from riskpipe.products.base import COMMON_COLUMNS, Product
from riskpipe.products.trades import Trades
from riskpipe.products.validation import all_columns, canonical
from riskpipe.store.parquet import WrittenFile, write_parquet
from riskpipe.store.pieces import Piece, write_piece
from riskpipe.store.portfolio import read_rows
from riskpipe.store.result_tables import SCHEMAS, write_result, write_result_stream
from riskpipe.store.trade_rows import gathered
from riskpipe.valuation.context import Context, open_context
from riskpipe.valuation.part import Part
from riskpipe.valuation.peak_memory import PeakMemory
from riskpipe.valuation.price import isolate, value_trades
from riskpipe.valuation.results import BLOCK_TABLES, BlockTables, block_tables, failed_part


@dataclass(frozen=True)
class BlockPayload:
    """All that crosses the scheduler: where the run is, and the block."""

    root: str
    run_id: str
    block: Block


@dataclass(frozen=True)
class BlockResult:
    """All that comes back.

    :param fetch_s, price_s, write_s: wall seconds; cpu_s: of the process, all threads.
    :param rows: result rows written; bytes_in: of the trades as read (in memory); bytes_out: of the files.
    :param outputs: by table; vectors: the files of P&L vectors, in order.
    """

    host: str
    started_at: float
    ended_at: float
    fetch_s: float
    price_s: float
    write_s: float
    cpu_s: float
    peak_rss_bytes: int
    rows: int
    bytes_in: int
    bytes_out: int
    ok: int
    failed: int
    not_applicable: int
    outputs: dict[str, WrittenFile]
    vectors: tuple[Piece, ...]


def run_block(payload: BlockPayload) -> BlockResult:
    """Value one block and put its tables in place.

    :raises InputChangedError: a trade file is not the planned one.
    :raises StorageError: something cannot be read or written.
    """
    return _run(payload, None)


def _run(payload: BlockPayload, failure: Failure | None) -> BlockResult:
    block = payload.block
    memory = PeakMemory()
    started_at, start, cpu = time.time(), time.perf_counter(), time.process_time()
    context = open_context(payload.root, payload.run_id)
    trades, rows = read_trades(context, block)
    fetched = time.perf_counter()
    results = value_block(context, block, trades, rows, failure)
    priced = time.perf_counter()
    outputs, vectors = _write(context, block, results)
    written = time.perf_counter()
    files = [*outputs.items(), *(("scenario_pnl", piece) for piece in vectors)]
    return BlockResult(
        host=socket.gethostname(),
        started_at=started_at,
        ended_at=time.time(),
        fetch_s=fetched - start,
        price_s=priced - fetched,
        write_s=written - priced,
        cpu_s=time.process_time() - cpu,
        peak_rss_bytes=memory.peak(),
        rows=sum(file.rows for name, file in files if name in SCHEMAS and name != "partials"),
        bytes_in=int(trades.table.nbytes),
        bytes_out=sum(file.bytes for _, file in files),
        ok=results.ok,
        failed=results.failed,
        not_applicable=results.not_applicable,
        outputs=outputs,
        vectors=vectors,
    )


def void_block(payload: BlockPayload, failure: Failure) -> BlockResult:
    """Give every trade of a block that failed as a whole its rows, with the block's reason."""
    return _run(payload, failure)


def read_trades(context: Context, block: Block) -> tuple[Trades, NDArray[np.int64]]:
    """The block's trades and their rows, as the block counts them: its range, less what was not selected."""
    trades = Trades(_read(context, block))
    if block.rows is not None:
        rows = np.array(block.rows, np.int64)
        return _named(context, trades.take(rows - block.row_start), block, rows), rows
    rows = np.arange(block.row_start, block.row_stop)
    product = context.products[block.product]
    selected = context.selection.trades(product.name, trades.books, trades.trade_ids.to_pylist)
    if not selected.all():
        trades, rows = trades.take(np.flatnonzero(selected)), rows[selected]
    return _named(context, trades, block, rows), rows


def _read(context: Context, block: Block) -> pa.Table:
    """The block's rows, of all its files, in canonical form."""
    product = context.products[block.product]
    # What is only carried in the portfolio (counterparty, netting set) has no part in the numbers.
    columns = [column.name for column in all_columns(product) if column.required or column not in COMMON_COLUMNS]
    first = context.first_row(block)
    pieces = context.rows_of(block.product).pieces(first + block.row_start, first + block.row_stop)
    tables = context.portfolio.overlapped(
        lambda piece: (piece, read_rows(context.portfolio, piece.file, piece.start, piece.stop, columns)), pieces
    )
    read = [canonical(table, product) for _, table in gathered(tables)]
    # Files may lack optional columns: a column of nulls says the same.
    return read[0] if len(read) == 1 else pa.concat_tables(read, promote_options="default").combine_chunks()


def _named(context: Context, trades: Trades, block: Block, rows: NDArray[np.int64]) -> Trades:
    """Quarantined trades that their id or book do not name get a place to stand in the results.

    Without id: file#row; with an id that other rows have too: id#file#row; without book: the root.
    """
    ids, books = trades.table.column("trade_id"), trades.table.column("book")
    doubled = np.isin(rows, context.doubled(block))
    if not (ids.null_count or books.null_count or doubled.any()):
        return trades
    places = pa.array(context.rows_of(block.product).places(context.first_row(block) + rows), pa.string())
    ids = pc.if_else(pa.array(doubled), pc.binary_join_element_wise(ids, places, "#"), ids)
    table = trades.table.set_column(trades.table.column_names.index("trade_id"), "trade_id", pc.coalesce(ids, places))
    return Trades(table.set_column(table.column_names.index("book"), "book", pc.fill_null(books, "")))


def value_block(
    context: Context, block: Block, trades: Trades, rows: NDArray[np.int64], failure: Failure | None = None
) -> BlockTables:
    """Every planned number of the block, as tables; each is a value or has a reason.

    :param failure: the reason of all trades; nothing is priced.
    """
    product = context.products[block.product]
    known = context.quarantined(block)
    if failure is not None:
        known = {row: known.get(row, failure) for row in rows.tolist()}
    good = np.array([row not in known for row in rows.tolist()], np.bool_) if known else np.ones(len(rows), np.bool_)
    parts: list[tuple[Part, NDArray[np.int64]]] = []
    if good.any():
        parts += _priced(
            context, block, product, trades if good.all() else trades.take(np.flatnonzero(good)), rows[good]
        )
    if not good.all():
        bad = np.flatnonzero(~good)
        failures: dict[int, Failure] = {k: known[int(rows[row])] for k, row in enumerate(bad)}
        parts.append((failed_part(trades.take(bad), "check" if failure is None else "run", failures), rows[bad]))
    tables = block_tables(context.spec, block, parts, _pnl_first(context, block))
    planned = len(trades) * len(block.measures)
    settled = tables.ok + tables.failed + tables.not_applicable
    if len(trades) != block.trades or planned != settled:
        raise AssertionError(
            f"block {block.block_id}: planned {block.numbers} numbers, found {planned}, made {settled}"
        )
    return tables


def _priced(
    context: Context, block: Block, product: Product, trades: Trades, rows: NDArray[np.int64]
) -> list[tuple[Part, NDArray[np.int64]]]:
    parts = []
    first = 0
    measures, columns = block.measures, (block.scenario_start, block.scenario_stop)
    for part in isolate(trades, lambda some: value_trades(context, product, some, measures, *columns)):
        parts.append((part, rows[first : first + len(part.trades)]))
        first += len(part.trades)
    return parts


def _pnl_first(context: Context, block: Block) -> dict[str, int]:
    """Where the block's columns of each P&L set begin within that set."""
    first = {}
    for set_name in PNL_SETS.values():
        if set_name in context.scenarios.sets:
            within = context.set_columns(set_name, block.scenario_start, block.scenario_stop)
            first[set_name] = within.start - context.scenarios.columns_of(set_name).start
    return first


def _write(context: Context, block: Block, results: BlockTables) -> tuple[dict[str, WrittenFile], tuple[Piece, ...]]:
    """Each file under a temporary name, then renamed; side by side where most of it is waiting."""

    def write(name: str) -> WrittenFile:
        path = context.folder.block_output(name, block.block_id)
        if name == "partials":
            return write_result_stream(context.store, path, name, results.partials(), context.spec.provenance)
        table = results.tables[name]
        if name in SCHEMAS:
            return write_result(context.store, path, name, table, context.spec.provenance)
        return write_parquet(context.store, path, table)

    def write_vectors(number: int) -> Piece:
        path = context.folder.block_output(
            "scenario_pnl", f"{block.block_id}-{number:03d}" if number else block.block_id
        )
        return write_piece(context.store, path, "scenario_pnl", results.vectors[number], context.spec.provenance)

    for name in BLOCK_TABLES:
        if name not in results.tables:  # an earlier attempt, or the rows of a failure, may have left one
            context.store.delete(context.folder.block_output(name, block.block_id))
    vectors = tuple(context.store.overlapped(write_vectors, range(len(results.vectors))))
    # Adding up reads the sums of every block, also where nothing of it adds up.
    names = [*results.tables, "partials"]
    return dict(zip(names, context.store.overlapped(write, names), strict=True)), vectors
