"""What a worker does with one block: open, read, price, reduce, write; and a small record of it."""

from __future__ import annotations

import socket
import time

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.errors import Failure
from riskpipe.measures.measure_names import EXPLAIN
from riskpipe.measures.pnl_sets import pnl_sets
from riskpipe.plan.block import Block
from riskpipe.products.agreed_terms import agreed_terms
from riskpipe.products.base import Product
from riskpipe.products.carried_columns import carried_columns, with_carried_types
from riskpipe.products.trades import Trades
from riskpipe.products.validation import all_columns, canonical
from riskpipe.store.parquet import write_parquet
from riskpipe.store.pieces import write_piece
from riskpipe.store.portfolio import read_rows
from riskpipe.store.result_tables import write_result, write_result_stream
from riskpipe.store.table_schemas import SCHEMAS
from riskpipe.store.trade_rows import gathered
from riskpipe.store.written_files import Piece, WrittenFile
from riskpipe.valuation.compile_time import compiled_seconds
from riskpipe.valuation.context import Context, open_context
from riskpipe.valuation.isolate import isolate
from riskpipe.valuation.linked_outputs import BlockOutputs, link_outputs, take_vectors, vectors_path
from riskpipe.valuation.part import Part, with_rows
from riskpipe.valuation.peak_memory import PeakMemory
from riskpipe.valuation.price import value_trades
from riskpipe.valuation.recent_vectors import TAIL_SET, vectors_of
from riskpipe.valuation.results import BLOCK_TABLES, BlockTables, block_tables, failed_part
from riskpipe.valuation.reuse_terms import EarlierFile
from riskpipe.valuation.taken_over import take_over


class BlockPayload(Struct, frozen=True):
    """All that crosses the scheduler: where the run is, and the block."""

    root: str
    run_id: str
    block: Block


class BlockResult(Struct, frozen=True):
    """All that comes back.

    :param fetch_s, price_s, write_s: wall seconds; cpu_s: of the process, all threads.
    :param compile_s: of price_s, what compiling kernels took, which a worker does once.
    :param rows: result rows written; bytes_in: of the trades as read (in memory); bytes_out: of the files.
    :param not_taken: trades that were to take numbers over of an earlier run, and could not.
    :param outputs: by table; vectors: the files of P&L vectors, in order.
    """

    host: str
    started_at: float
    ended_at: float
    fetch_s: float
    price_s: float
    compile_s: float
    write_s: float
    cpu_s: float
    peak_rss_bytes: int
    rows: int
    bytes_in: int
    bytes_out: int
    ok: int
    failed: int
    not_applicable: int
    not_taken: int
    outputs: dict[str, WrittenFile]
    vectors: tuple[Piece, ...]


def run_block(payload: BlockPayload) -> BlockResult:
    """Value one block and put its tables in place.

    :raises InputChangedError: a trade file is not the planned one.
    :raises StorageError: something cannot be read or written.
    """
    return _run(payload, None)


def _run(payload: BlockPayload, failure: Failure | None) -> BlockResult:
    block, clock = payload.block, _Clock()
    context = open_context(payload.root, payload.run_id)
    linked = None if failure is not None else link_outputs(context, block)
    if linked is not None:
        return clock.result(linked, fetched=clock.start, priced=clock.start)
    trades, rows = read_trades(context, block)
    fetched = time.perf_counter()
    results = value_block(context, block, trades, rows, failure)
    priced = time.perf_counter()
    numbers = (results.ok, results.failed, results.not_applicable)
    made = BlockOutputs(*numbers, *_write(context, block, results))
    not_taken = _planned_to_take(context, block, rows) - results.taken_over
    return clock.result(made, fetched=fetched, priced=priced, bytes_in=int(trades.table.nbytes), not_taken=not_taken)


class _Clock:
    """What the work on a block takes, from now on."""

    def __init__(self) -> None:
        self.start = time.perf_counter()
        self._memory, self._started_at = PeakMemory(), time.time()
        self._cpu, self._compiled = time.process_time(), compiled_seconds()

    def result(
        self, made: BlockOutputs, *, fetched: float, priced: float, bytes_in: int = 0, not_taken: int = 0
    ) -> BlockResult:
        """:param fetched, priced: when the trades had been read and valued, by `time.perf_counter`."""
        tables = sum(f.rows for name, f in made.outputs.items() if name in SCHEMAS and name != "partials")
        return BlockResult(
            host=socket.gethostname(),
            started_at=self._started_at,
            ended_at=time.time(),
            fetch_s=fetched - self.start,
            price_s=priced - fetched,
            compile_s=compiled_seconds() - self._compiled,
            write_s=time.perf_counter() - priced,
            cpu_s=time.process_time() - self._cpu,
            peak_rss_bytes=self._memory.peak(),
            rows=tables + sum(piece.rows for piece in made.vectors),
            bytes_in=bytes_in,
            bytes_out=sum(file.bytes for file in (*made.outputs.values(), *made.vectors)),
            ok=made.ok,
            failed=made.failed,
            not_applicable=made.not_applicable,
            not_taken=not_taken,
            outputs=made.outputs,
            vectors=made.vectors,
        )


def void_block(payload: BlockPayload, failure: Failure) -> BlockResult:
    """Give every trade of a block that failed as a whole its rows, with the block's reason."""
    return _run(payload, failure)


def read_trades(context: Context, block: Block) -> tuple[Trades, NDArray[np.int64]]:
    """The block's trades and their rows, as the block counts them: its range, less what was not selected."""
    trades = Trades(_read(context, block), context.spec.conventions.calendars)
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
    carried = context.spec.trade_columns
    columns = list(dict.fromkeys([*(column.name for column in all_columns(product)), *(name for name, _ in carried)]))
    first = context.first_row(block)
    pieces = context.rows_of(block.product).pieces(first + block.row_start, first + block.row_stop)
    if len(pieces) == 1:
        return with_carried_types(context.recent_rows.read(product, pieces[0], columns), carried, product)
    tables = context.portfolio.overlapped(
        lambda piece: (piece, read_rows(context.portfolio, piece.file, piece.start, piece.stop, columns)), pieces
    )
    read = [with_carried_types(canonical(table, product), carried, product) for _, table in gathered(tables)]
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
    return trades.with_column("trade_id", pc.coalesce(ids, places)).with_column("book", pc.fill_null(books, ""))


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
        sound = trades if good.all() else trades.take(np.flatnonzero(good))
        parts += _valued(context, block, product, sound, rows[good])
    if not good.all():
        bad = np.flatnonzero(~good)
        failures: dict[int, Failure] = {k: known[int(rows[row])] for k, row in enumerate(bad)}
        parts.append((failed_part(trades.take(bad), "check" if failure is None else "run", failures), rows[bad]))
    if EXPLAIN in context.spec.measures and block.scenario_start == 0:
        for part, _ in parts:
            part.terms = agreed_terms(product, part.trades)
    if block.scenario_start == 0:
        for part, _ in parts:
            currency = pa.array(part.currency, pa.string())
            part.carried = carried_columns(product, part.trades, currency, context.spec.trade_columns)
    tables = block_tables(context.spec, block, parts, _pnl_first(context, block))
    planned = len(trades) * len(block.measures)
    settled = tables.ok + tables.failed + tables.not_applicable
    if len(trades) != block.trades or planned != settled:
        raise AssertionError(
            f"block {block.block_id}: planned {block.numbers} numbers, found {planned}, made {settled}"
        )
    return tables


def _valued(
    context: Context, block: Block, product: Product, trades: Trades, rows: NDArray[np.int64]
) -> list[tuple[Part, NDArray[np.int64]]]:
    """Every measure of every trade: priced, or taken over of an earlier run."""
    parts = _taken_or_priced(context, block, product, trades, rows)
    whole = context.has_whole_set(TAIL_SET, block.scenario_start, block.scenario_stop)
    if whole and not any(part.summed_sets for part, _ in parts):
        context.recent_vectors.keep(block, vectors_of(parts))
    return parts


def _taken_or_priced(
    context: Context, block: Block, product: Product, trades: Trades, rows: NDArray[np.int64]
) -> list[tuple[Part, NDArray[np.int64]]]:
    found, mask = take_over(context, block, trades, rows)
    if found is None:
        return _priced(context, block, trades, rows, block.measures)
    others, kept = np.flatnonzero(~mask), found.trades
    parts = _priced(context, block, trades.take(others), rows[others], block.measures) if len(others) else []
    fresh = tuple(measure for measure in block.measures if measure not in found.measures)
    if fresh:
        completed = _priced(context, block, kept, rows[mask], fresh)
    else:
        completed = [(Part(kept, product.currency(kept).to_list(), np.ones(len(kept))), rows[mask])]
    first = 0
    for part, _ in completed:
        found.put_into(part, first)
        first += len(part.trades)
    return parts + completed


def _planned_to_take(context: Context, block: Block, rows: NDArray[np.int64]) -> int:
    """How many of the block's trades were to take numbers over."""
    return 0 if context.reuse is None else int(context.reuse.rows(block)[rows - block.row_start].sum())


def _priced(
    context: Context, block: Block, trades: Trades, rows: NDArray[np.int64], measures: tuple[str, ...]
) -> list[tuple[Part, NDArray[np.int64]]]:
    product, columns = context.products[block.product], (block.scenario_start, block.scenario_stop)
    return list(with_rows(isolate(trades, lambda some: value_trades(context, product, some, measures, *columns)), rows))


def _pnl_first(context: Context, block: Block) -> dict[str, int]:
    """Where the block's columns of each P&L set that has some begin within that set."""
    first = {}
    for each in pnl_sets(context.scenarios.sets):
        within = context.set_columns(each.name, block.scenario_start, block.scenario_stop)
        if len(within):
            first[each.name] = int(within[0]) - context.scenarios.columns_of(each.name).start
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
        rows = results.vectors[number]
        if isinstance(rows, EarlierFile):
            return take_vectors(context, block, rows, number)
        path = vectors_path(context, block, number)
        return write_piece(context.store, path, "scenario_pnl", rows, context.spec.provenance)

    for name in BLOCK_TABLES:
        if name not in results.tables:  # an earlier attempt, or the rows of a failure, may have left one
            context.store.delete(context.folder.block_output(name, block.block_id))
    vectors = tuple(context.store.overlapped(write_vectors, range(len(results.vectors))))
    # Adding up reads the sums of every block, also where nothing of it adds up.
    names = [*results.tables, "partials"]
    return dict(zip(names, context.store.overlapped(write, names), strict=True)), vectors
