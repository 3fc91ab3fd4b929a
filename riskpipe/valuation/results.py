"""A block's parts as result tables, each sorted by book and trade, and as what makes its exact sums per book."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import compress

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.errors import Failure, Reason
from riskpipe.measures.catalogue import valuation_measures
from riskpipe.measures.measure_names import FIGURES
from riskpipe.measures.pnl_sets import pnl_sets
from riskpipe.plan.block import Block
from riskpipe.products.agreed_terms import AgreedTerms
from riskpipe.products.cash_flows import CashFlows
from riskpipe.products.trades import Trades
from riskpipe.store.pieces import cuts_at_books, makes_piece, slices
from riskpipe.store.result_tables import ResultStatus
from riskpipe.store.sorted_merge import key_order
from riskpipe.store.table_schemas import SORT_KEYS
from riskpipe.valuation.flow_rows import flow_columns
from riskpipe.valuation.part import FAILED, NOT_APPLICABLE, OK, SEVERAL, Part, Sensitivity
from riskpipe.valuation.partial_sums import partial_sums
from riskpipe.valuation.reuse_terms import EarlierFile
from riskpipe.valuation.spec import ValuationSpec

# By status code: one of several values that are not given as one number is not applicable, too.
STATUS = pa.array([*ResultStatus, ResultStatus.NOT_APPLICABLE], pa.string())

# Why a trade has no such figure.
_LACKING = {figure: f"only {who} have {figure}" for figure, who in FIGURES.items()}

# Per block and trade, kept beside the results: what a retry of the failed trades needs.
TRADE_FAILURES = pa.schema(
    [
        ("trade_id", pa.string()),
        ("row", pa.int64()),
        ("stage", pa.string()),
        ("reason", pa.string()),
        ("message", pa.string()),
        ("retryable", pa.bool_()),
        ("ok", pa.int64()),
        ("failed", pa.int64()),
        ("not_applicable", pa.int64()),
        ("measures", pa.list_(pa.string())),  # those that failed; of P&L, the scenario sets
    ]
)


# Every table that a block may leave, in a file each, beside its vectors and its sums per book.
BLOCK_TABLES = ("trade_failures", "valuations", "sensitivities", "cashflows", "trade_terms", "trades")


class BlockTables(Struct, frozen=True):
    """A block's results by table name, and its numbers by outcome.

    :param vectors: its P&L vectors, in order, cut into the files that they are to lie in; some are an earlier run's.
    :param partials: makes the rows of its sums per book, a range of books after the other.
    :param taken_over: how many trades have numbers of an earlier run.
    """

    tables: Mapping[str, pa.Table]
    vectors: tuple[pa.Table | EarlierFile, ...]
    partials: Callable[[], Iterator[pa.Table]]
    ok: int
    failed: int
    not_applicable: int
    taken_over: int = 0


def failed_part(trades: Trades, stage: str, failures: Mapping[int, Failure]) -> Part:
    """Trades that are not priced at all, for reasons known before; by position."""
    part = Part(trades, [None] * len(trades), np.full(len(trades), np.nan))
    part.failures.update({position: (stage, failure) for position, failure in failures.items()})
    return part


def block_tables(
    spec: ValuationSpec,
    block: Block,
    parts: Sequence[tuple[Part, NDArray[np.int64]]],
    pnl_first: Mapping[str, int],
) -> BlockTables:
    """Tables of one block.

    :param parts: with the file's row of each of their trades.
    :param pnl_first: scenario set of which the block has columns -> position within the set of the first of them.
    """
    counts = np.zeros(3, np.int64)
    failures, valuations, sensitivities, flows, terms, carried = [], [], [], [], [], []
    for part, rows in parts:
        status = _statuses(part, block)
        counts += np.bincount(status.ravel(), minlength=3)
        if part.failures:
            failures.append(_failures(block, part, rows, status, pnl_first))
        valuations += _with_taken("valuations", spec, block, part, _valuations(spec, block, part))
        if part.sensitivities or "sensitivities" in part.taken:
            sensitivities += _with_taken("sensitivities", spec, block, part, _sensitivities(spec, block, part))
        if part.flows is not None:
            flows.append(_flows(spec, block, part, part.flows))
        if "cashflows" in part.taken:
            flows += _with_taken("cashflows", spec, block, part)
        if part.terms is not None:
            terms.append(_terms(spec, block, part, part.terms))
        if part.carried is not None:
            carried.append(_carried(spec, block, part, part.carried))
    tables = {
        **({"trade_failures": pa.concat_tables(failures)} if failures else {}),
        "valuations": _sorted("valuations", valuations, is_in_order=len(parts) == 1 and not parts[0][0].taken),
        **({"sensitivities": _sorted("sensitivities", sensitivities)} if sensitivities else {}),
        **({"cashflows": _sorted("cashflows", flows)} if flows else {}),
        **({"trade_terms": _sorted("trade_terms", terms)} if terms else {}),
        **({"trades": _sorted("trades", carried)} if carried else {}),
    }
    kept = {name: table for name, table in tables.items() if table is not None and table.num_rows}
    valued = [part for part, _ in parts]
    vectors, partials = _vectors(spec, block, parts, pnl_first), partial(partial_sums, block, valued, pnl_first)
    taken_over = sum(len(part.trades) for part in valued if part.taken_measures)
    return BlockTables(kept, vectors, partials, int(counts[0]), int(counts[1]), int(counts[2]), taken_over)


def _with_taken(
    name: str, spec: ValuationSpec, block: Block, part: Part, made: pa.Table | None = None
) -> list[pa.Table]:
    """The rows that were made, and those that were taken over, as this run's."""
    table = part.taken.get(name)
    if table is None:
        return [] if made is None else [made]
    n = len(table)
    own = {"run_id": _constant(spec.run_id, n), "block_id": _constant(block.block_id, n)}
    names = table.column_names if made is None else made.column_names  # others are added when the day is put together
    table = pa.table({name: own.get(name, table[name]) for name in names})
    return [table] if made is None or not len(made) else [made, table]


def _statuses(part: Part, block: Block) -> NDArray[np.uint8]:
    """uint8[measures, n]: the outcome of every planned number; what was not even begun failed."""
    unknown = np.full(len(part.trades), FAILED)
    found = np.array([part.statuses.get(measure, unknown) for measure in block.measures], np.uint8)
    return np.minimum(found, NOT_APPLICABLE)


def _failures(
    block: Block, part: Part, rows: NDArray[np.int64], status: NDArray[np.uint8], sets: Iterable[str]
) -> pa.Table:
    failed = sorted(part.failures)
    noted = [part.failures[position] for position in failed]
    at = np.array(failed, np.int64)
    counts = [(status[:, at] == code).sum(axis=0) for code in (OK, FAILED, NOT_APPLICABLE)]
    pnl = [each for each in pnl_sets(sets) if each.measure in block.measures]
    of_pnl = {each.measure for each in pnl}
    names = [*(m for m in block.measures if m not in of_pnl), *(each.name for each in pnl)]
    lost = [(status[k] == FAILED)[at] for k, m in enumerate(block.measures) if m not in of_pnl]
    lost += [~part.has_pnl(each.name)[at] for each in pnl]
    return pa.table(
        [
            part.trades.trade_ids.take(pa.array(at)),
            pa.array(rows[at]),
            pa.array([stage for stage, _ in noted], pa.string()),
            pa.array([failure.reason.value for _, failure in noted], pa.string()),
            pa.array([failure.message for _, failure in noted], pa.string()),
            pa.array([failure.reason.retryable for _, failure in noted], pa.bool_()),
            *(pa.array(count, pa.int64()) for count in counts),
            pa.array(
                [list(compress(names, of_trade)) for of_trade in np.array(lost, np.bool_).T], pa.list_(pa.string())
            ),
        ],
        schema=TRADE_FAILURES,
    )


def _sorted(name: str, tables: list[pa.Table], is_in_order: bool = False) -> pa.Table | None:
    """:param is_in_order: one part has made all of the rows. Those that it has taken over may be of several files."""
    whole = pa.concat_tables(map(_all_coded, tables) if len(tables) > 1 else tables).unify_dictionaries()
    if is_in_order:
        return whole
    return whole.take(pa.array(key_order(whole, SORT_KEYS[name]))) if whole.num_rows else whole


def _all_coded(table: pa.Table) -> pa.Table:
    """Strings as dictionaries: what is read has more of them than what is made."""
    columns = {name: table[name] for name in table.column_names}
    return pa.table({name: c.dictionary_encode() if pa.types.is_string(c.type) else c for name, c in columns.items()})


def _constant(value: str, size: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(size, np.int32)), pa.array([value]))


def _coded(values: pa.Array, positions: pa.Array) -> pa.DictionaryArray:
    """values[positions] as a dictionary column, which takes far less to write than strings."""
    encoded = values.dictionary_encode()
    return pa.DictionaryArray.from_arrays(encoded.indices.take(positions), encoded.dictionary)


def _common(spec: ValuationSpec, block: Block, trades: pa.Table, positions: NDArray[np.integer]) -> dict[str, pa.Array]:
    n = len(positions)
    index = pa.array(positions)
    return {
        "as_of_date": pa.repeat(pa.scalar(spec.as_of, pa.date32()), n),
        "run_id": _constant(spec.run_id, n),
        "book": _coded(trades.column("book").combine_chunks(), index),
        "trade_id": _coded(trades.column("trade_id").combine_chunks(), index),
        "product": _constant(block.product, n),
    }


def _order(trades: pa.Table) -> NDArray[np.int64]:
    keys = [("book", "ascending"), ("trade_id", "ascending")]
    return np.asarray(pc.sort_indices(trades.select(["book", "trade_id"]), keys).to_numpy(), np.int64)


def _valuations(spec: ValuationSpec, block: Block, part: Part) -> pa.Table:
    """Rows by book, trade, measure: the order in which they are published."""
    known = valuation_measures()
    measures = sorted(m for m in block.measures if m in known and m not in part.taken_measures)
    order = _order(part.trades.table)
    n, width = len(order), len(measures)
    positions = np.repeat(order, width)
    unknown = np.full(n, FAILED)
    nothing = np.full(n, np.nan)
    value = np.stack([part.values.get(m, nothing)[order] for m in measures], 1).ravel() if measures else np.empty(0)
    status = np.stack([part.statuses.get(m, unknown)[order] for m in measures], 1).ravel() if measures else nothing[:0]
    is_ok = status == OK
    is_money = np.tile(np.array([m not in FIGURES for m in measures], np.bool_), n)
    currency = _coded(pa.array(part.currency, pa.string()), pa.array(positions, mask=~is_money))
    return pa.table(
        {
            **_common(spec, block, part.trades.table, positions),
            "measure": pa.DictionaryArray.from_arrays(
                pa.array(np.tile(np.arange(width, dtype=np.int32), n)), pa.array(measures, pa.string())
            ),
            "value": pa.array(value, mask=~is_ok),
            "currency": currency,
            "value_base": pa.array(value * part.conversion[positions], mask=~(is_ok & is_money)),
            "status": _coded(STATUS, pa.array(status.astype(np.int8))),
            **_reasons(part, positions, status, measures),
            "block_id": _constant(block.block_id, len(positions)),
        }
    )


def _reasons(
    part: Part, positions: NDArray[np.int64], status: NDArray[np.uint8], measures: list[str]
) -> dict[str, pa.Array]:
    """Reason and message of rows that have no number."""
    width = len(measures)
    missing = [_LACKING.get(measure, f"the trade depends on nothing that {measure} shifts") for measure in measures]
    missing += [f"{measure} to each of the trade's several factors is in sensitivities" for measure in measures]
    texts = {(Reason.NOT_APPLICABLE.value, message): k for k, message in enumerate(missing)}
    which = np.tile(np.arange(width, dtype=np.int32), len(positions) // max(width, 1))
    reason = np.where(status == NOT_APPLICABLE, which, np.where(status == SEVERAL, which + width, -1)).astype(np.int32)
    for place in np.flatnonzero(status == FAILED):
        failure = part.failures[int(positions[place])][1]
        reason[place] = texts.setdefault((failure.reason.value, failure.message), len(texts))
    index = pa.array(reason, mask=reason < 0)
    return {
        "reason": _coded(pa.array([r for r, _ in texts], pa.string()), index),
        "message": _coded(pa.array([m for _, m in texts], pa.string()), index),
    }


def _sensitivities(spec: ValuationSpec, block: Block, part: Part) -> pa.Table:
    chunks: list[Sensitivity] = part.sensitivities
    sizes = [len(c.positions) for c in chunks]
    positions = np.concatenate([c.positions for c in chunks]) if chunks else np.empty(0, np.int32)
    value = np.concatenate([c.value for c in chunks]) if chunks else np.empty(0)
    value_base = np.concatenate([c.value_base for c in chunks]) if chunks else np.empty(0)
    broken = ~np.isfinite(value_base)
    which = pa.array(np.repeat(np.arange(len(chunks), dtype=np.int32), sizes))
    return pa.table(
        {
            **_common(spec, block, part.trades.table, positions),
            "factor": _coded(pa.array([c.factor for c in chunks], pa.string()), which),
            "measure": _coded(pa.array([c.measure for c in chunks], pa.string()), which),
            "shift": pa.array([c.shift for c in chunks], pa.float64()).take(which),
            "shift_type": _coded(pa.array([c.shift_type for c in chunks], pa.string()), which),
            "value": pa.array(value, mask=broken),
            "currency": _coded(pa.array(part.currency, pa.string()), pa.array(positions)),
            "value_base": pa.array(value_base, mask=broken),
            "status": _coded(STATUS, pa.array(np.where(broken, FAILED, OK).astype(np.int8))),
        }
    )


def _flows(spec: ValuationSpec, block: Block, part: Part, flows: CashFlows) -> pa.Table:
    common = _common(spec, block, part.trades.table, flows.trade)
    return pa.table({**common, **flow_columns(flows, spec, part.currency)})


def _terms(spec: ValuationSpec, block: Block, part: Part, terms: AgreedTerms) -> pa.Table:
    dated = terms.last_date != Trades.NO_DATE
    return pa.table(
        {
            **_common(spec, block, part.trades.table, np.arange(len(part.trades))),
            "terms": pa.array(terms.digest.view(np.int64)),
            "last_date": pa.array(terms.last_date, mask=~dated).cast(pa.date32()),
        }
    )


def _carried(spec: ValuationSpec, block: Block, part: Part, carried: pa.Table) -> pa.Table:
    common = _common(spec, block, part.trades.table, np.arange(len(part.trades)))
    return pa.table({**common, **{name: carried[name] for name in carried.column_names}})


def _vectors(
    spec: ValuationSpec,
    block: Block,
    valued: Sequence[tuple[Part, NDArray[np.int64]]],
    in_block: Container[str],
) -> tuple[pa.Table | EarlierFile, ...]:
    """P&L vectors by book, trade and scenario set. They are most of a block's memory: laid out once, in order.

    Where the trades of the file are in that order, no other block is likely to have rows in between: then they are cut
    at books, into pieces that can be published as they are. A piece of an earlier run between whose first and last
    trade no other has come is one again.
    """
    parts = [part for part, _ in valued]
    sets = sorted(name for name in spec.stored_pnl if name in in_block)
    if not sets:
        return ()
    trades = pa.concat_tables([part.trades.table.select(["book", "trade_id"]) for part in parts])
    order = _order(trades)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    widths = np.array([max((p.pnl[s].shape[1] for p in parts if s in p.pnl), default=0) for s in sets])
    pieces = _standing(parts, place, tuple(sets), 8 * int(widths.sum()))
    made = np.ones(len(order), np.bool_)
    for piece in pieces:
        made[piece.start : piece.stop] = False
    table = _vector_rows(spec, block, parts, trades, sets, widths, order, place, made)
    in_order = np.array_equal(order, np.argsort(np.concatenate([rows for _, rows in valued])))
    found: list[pa.Table | EarlierFile] = []
    before = 0
    for start, stop, file in [*((p.start, p.stop, p.file) for p in pieces), (len(order), len(order), None)]:
        if before < start:
            first = np.count_nonzero(made[:before]) * len(sets)
            found += _cut(table.slice(first, (start - before) * len(sets)), at_books=in_order)
        found += [] if file is None else [file]
        before = stop
    return tuple(found)


class _Standing(Struct, frozen=True):
    """A file of an earlier run, and which of the block's trades, in order, it has: half open."""

    start: int
    stop: int
    file: EarlierFile


def _standing(
    parts: Sequence[Part], place: NDArray[np.int64], sets: tuple[str, ...], trade_bytes: int
) -> list[_Standing]:
    """Files, ascending, that have all vectors of trades that follow each other.

    Too few trades after one of them, or before all, to make a piece are joined with it.

    :param place: int64[n], of each trade of the parts in the order.
    """
    found, first = [], 0
    for part in parts:
        for taken in part.taken_files:
            at = place[first + taken.trades]
            start, stop = int(at.min()), int(at.max()) + 1
            if stop - start == len(at) and taken.sets == sets:
                found.append(_Standing(start, stop, taken.file))
        first += len(part.trades)
    found.sort(key=lambda each: each.start)
    gaps = [0, *(each.stop for each in found)], [*(each.start for each in found), len(place)]
    sizes = [(stop - start) * trade_bytes for start, stop in zip(*gaps, strict=True)]
    is_small = [size > 0 and not makes_piece(size) for size in sizes]
    return [each for k, each in enumerate(found) if not is_small[k + 1] and not (k == 0 and is_small[0])]


def _vector_rows(
    spec: ValuationSpec,
    block: Block,
    parts: Sequence[Part],
    trades: pa.Table,
    sets: Sequence[str],
    widths: NDArray[np.int64],
    order: NDArray[np.int64],
    place: NDArray[np.int64],
    made: NDArray[np.bool_],
) -> pa.Table:
    """Those of some trades, in order.

    :param widths: int64[sets]. :param order, place: int64[n], of the trades. :param made: bool[n], which, in order.
    """
    row, n = np.cumsum(made) - 1, int(made.sum())
    is_ok = np.zeros((n, len(sets)), np.bool_)
    matrix = np.empty((n, int(widths.sum())))
    first = 0
    for part in parts:
        at = place[first : first + len(part.trades)]
        first += len(part.trades)
        mine = made[at]
        some = slice(None) if mine.all() else np.flatnonzero(mine)
        for k, stop in enumerate(np.cumsum(widths)):
            if sets[k] in part.pnl:
                is_ok[row[at[some]], k] = part.has_pnl(sets[k])[some]
                matrix[row[at[some]], stop - widths[k] : stop] = part.pnl[sets[k]][some]
    values = matrix.ravel() if is_ok.all() else matrix[np.repeat(is_ok, widths, axis=1)]
    offsets = np.concatenate([[0], np.cumsum(is_ok * widths)]).astype(np.int32)
    status = np.where(is_ok.ravel(), OK, FAILED).astype(np.int8)
    return pa.table(
        {
            **_common(spec, block, trades, np.repeat(order[made], len(sets))),
            "scenario_set": pa.array(np.tile(np.array(sets, object), n), pa.string()),
            "pnl": pa.ListArray.from_arrays(pa.array(offsets), pa.array(values), mask=pa.array(~is_ok.ravel())),
            "status": _coded(STATUS, pa.array(status)),
        }
    )


def _cut(rows: pa.Table, *, at_books: bool) -> Iterator[pa.Table]:
    """The files that vectors are to lie in."""
    books = rows.column("book").combine_chunks().indices.to_numpy()
    yield from slices(rows, cuts_at_books(books, rows.nbytes / len(rows)) if at_books else ())
