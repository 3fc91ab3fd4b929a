"""Numbers of trades that an earlier run of the day made and nothing has changed since: read, not made again.

Which trades of a block these are, and of which earlier blocks' files they are read, was found when the run was planned,
and is stored with the plan. A file that is missing or another, or that lacks a number, takes nothing from the result:
its trades are priced.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.measures.catalogue import families, valuation_measures
from riskpipe.measures.measure_names import CASH_FLOWS
from riskpipe.measures.pnl_sets import PnlSet, pnl_sets
from riskpipe.plan.block import Block
from riskpipe.products.dependencies import dependencies
from riskpipe.products.trades import Trades
from riskpipe.store.filesystem import MissingFileError
from riskpipe.store.parquet import ChangedFileError, open_parquet, read_parquet
from riskpipe.store.result_tables import ResultStatus
from riskpipe.store.table_schemas import SCHEMAS
from riskpipe.valuation.context import Context
from riskpipe.valuation.part import NOT_APPLICABLE, OK, Part, TakenFile
from riskpipe.valuation.reuse_terms import EarlierFile, Reuse

_COPIED = ("valuations", "sensitivities", "cashflows")
_VECTORS = "scenario_pnl"
_OUTCOMES = {ResultStatus.OK.value: OK, ResultStatus.NOT_APPLICABLE.value: NOT_APPLICABLE}
_UNKNOWN = np.uint8(255)


class TakenOver(Struct, frozen=True):
    """Numbers of some trades of a block.

    :param measures: those that have been taken over.
    :param rows: table -> its rows of these trades and measures, but for the columns that name run and block.
    :param partials: rows of sums of those measures whose sums alone were kept; None where there are none.
    :param files: of P&L vectors, all of which are taken over.
    """

    trades: Trades
    measures: tuple[str, ...]
    statuses: Mapping[str, NDArray[np.uint8]]
    values_base: Mapping[str, FloatArray]
    pnl: Mapping[str, FloatArray]
    rows: Mapping[str, pa.Table]
    partials: pa.Table | None = None
    files: Sequence[TakenFile] = ()

    def put_into(self, part: Part, first: int) -> None:
        """Complete a part that has the other measures of some of these trades. :param first: of them."""
        some = slice(first, first + len(part.trades))
        part.statuses.update({name: found[some] for name, found in self.statuses.items()})
        part.values_base.update({name: found[some] for name, found in self.values_base.items()})
        part.pnl.update({name: found[some] for name, found in self.pnl.items()})
        ids = part.trades.trade_ids
        whole = len(part.trades) == len(self.trades)
        for name, table in self.rows.items():
            mine = table if whole else table.filter(pc.is_in(table["trade_id"], value_set=ids))
            part.taken[name] = mine
        part.taken_measures, part.taken_sums = self.measures, self.partials
        part.taken_files = self.files if whole else ()


def take_over(
    context: Context, block: Block, trades: Trades, rows: NDArray[np.int64]
) -> tuple[TakenOver | None, NDArray[np.bool_]]:
    """What a block's sound trades take over, and bool[n] of which of them.

    :param rows: int64[n], of the trades, as the block counts them.
    """
    reuse = context.reuse
    wanted = np.zeros(len(trades), np.bool_) if reuse is None else reuse.rows(block)[rows - block.row_start]
    if reuse is None or not wanted.any():
        return None, wanted
    alone = bool(wanted.all()) and len(trades) == block.trades
    some = trades if wanted.all() else trades.take(np.flatnonzero(wanted))
    found, known = _Takeover(context, reuse, block, some, alone).read()
    wanted[np.flatnonzero(wanted)[~known]] = False
    return found, wanted


class _Takeover:
    """The reading of one block's."""

    def __init__(self, context: Context, reuse: Reuse, block: Block, trades: Trades, alone: bool) -> None:
        """:param trades: those that are to be taken over. :param alone: the block has no others."""
        self._context, self._store, self._scenarios = context, context.store, context.scenarios
        self._reuse, self._block, self._alone = reuse, block, alone
        self._trades = trades
        self._ids = trades.trade_ids

    def read(self) -> tuple[TakenOver | None, NDArray[np.bool_]]:
        """What can be taken over, and of which of the trades bool[n]; they all lack a number where a file does."""
        nothing = np.zeros(len(self._trades), np.bool_)
        try:
            return self._read()
        except (MissingFileError, ChangedFileError):
            return None, nothing

    def _read(self) -> tuple[TakenOver | None, NDArray[np.bool_]]:
        measures, sums_alone = self._measures()
        partials = self._sums(sums_alone) if sums_alone else None
        if partials is not None:
            measures = tuple(m for m in self._block.measures if m in measures or m in sums_alone)
        statuses, values_base, rows, known = self._valued(measures)
        pnl = {}
        for each in self._sets(measures):
            if each.name in self._reuse.terms.stored:
                pnl[each.name], has = self._vectors(each.name)
                known &= has
        for measure in {each.measure for each in self._sets(measures)} | ({CASH_FLOWS} & set(measures)):
            statuses[measure] = np.full(len(known), OK)
        statuses |= self._by_subject(measures)
        if not known.all():
            return self._of(known)
        files = tuple(self._whole_files([each for each in self._sets(measures) if each.name in pnl]))
        found = TakenOver(self._trades, measures, statuses, values_base, pnl, rows, partials, files)
        return (found if measures else None), known

    def _of(self, known: NDArray[np.bool_]) -> tuple[TakenOver | None, NDArray[np.bool_]]:
        """Some have not what they should: the others once more."""
        if not known.any():
            return None, known
        some = self._trades.take(np.flatnonzero(known))
        again = _Takeover(self._context, self._reuse, self._block, some, alone=False)
        found, still = again._read()
        all_of_them = np.zeros(len(known), np.bool_)
        all_of_them[np.flatnonzero(known)[still]] = True
        return found, all_of_them

    # -- measures

    def _sets(self, measures: Sequence[str]) -> list[PnlSet]:
        """Sets of P&L of some measures that have columns in the block."""
        return [each for each in pnl_sets(self._scenarios.sets) if each.measure in measures and len(self._within(each))]

    def _within(self, each: PnlSet) -> range:
        """The block's columns of a set, counted from the set's first."""
        columns = self._scenarios.columns_of(each.name)
        start = max(columns.start, self._block.scenario_start)
        return range(start - columns.start, max(min(columns.stop, self._block.scenario_stop), start) - columns.start)

    def _measures(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Those that are taken over trade by trade, and those of which sums per book alone can be."""
        wanted = [m for m in self._block.measures if m in self._reuse.terms.measures]
        unstored = {each.measure for each in self._sets(wanted) if each.name not in self._reuse.terms.stored}
        return tuple(m for m in wanted if m not in unstored), tuple(m for m in wanted if m in unstored)

    def _sums(self, measures: tuple[str, ...]) -> pa.Table | None:
        """Sums of measures whose trades are all taken over: the earlier block's, where it had the same trades."""
        files = self._reuse.files(self._block, "partials")
        if not self._alone or len({file.scenario_start for file in files}) != len(files):
            return None
        tables = [read_parquet(self._store, file.path, sha256=file.sha256) for file in files]
        found = pa.concat_tables([SCHEMAS["partials"].empty_table(), *tables])
        names = pa.array([each.name for each in self._sets(measures)], pa.string())
        found = found.filter(pc.is_in(found["scenario_set"], value_set=names))
        trades = pc.sum(found.filter(pc.equal(found["scenario_set"], names[0]))["trades"]).as_py()
        if trades != len(self._trades) or not self._cut_alike(found, measures):
            return None
        return found

    def _cut_alike(self, partials: pa.Table, measures: tuple[str, ...]) -> bool:
        """Whether the sums are of the block's very columns, and of all of them."""
        for each in self._sets(measures):
            mine, within = partials.filter(pc.equal(partials["scenario_set"], each.name)), self._within(each)
            widths = pc.unique(pc.list_value_length(mine["high"])).to_pylist()
            if pc.unique(mine["first"]).to_pylist() != [within.start] or widths != [len(within)]:
                return False
        return True

    # -- numbers

    def _by_subject(self, measures: tuple[str, ...]) -> dict[str, NDArray[np.uint8]]:
        """Of measures that have rows by factor alone: whether a trade depends on any of their factors."""
        wanted = [family for family in families(measures) if family.total == "none"]
        if not wanted:
            return {}
        context, groups = self._context, len(self._context.snapshot.groups)
        product = context.products[self._block.product]
        base_currency = context.spec.conventions.base_currency
        needs = dependencies(product, self._trades, context.model(), base_currency, checked=True)
        found = {}
        for family in wanted:
            bumped = context.bumped_groups(family, self._block.scenario_start, self._block.scenario_stop)
            touched = needs.touched(bumped, groups, converted=family.translated)
            status = np.where(touched, OK, NOT_APPLICABLE)
            found.update({measure: status for measure in family.measures if measure in measures})
        return found

    def _valued(
        self, measures: tuple[str, ...]
    ) -> tuple[dict[str, NDArray[np.uint8]], dict[str, FloatArray], dict[str, pa.Table], NDArray[np.bool_]]:
        n = len(self._trades)
        rows = {table: found for table in _COPIED if (found := self._rows(table, measures)) is not None}
        statuses, values_base, known = {}, {}, np.ones(n, np.bool_)
        table = rows.get("valuations", SCHEMAS["valuations"].empty_table())
        at, base_of = self._position(table), table["value_base"].to_numpy()
        (measure_of, names), (status_of, texts) = _coded(table["measure"]), _coded(table["status"])
        outcome = np.array([_OUTCOMES.get(text, _UNKNOWN) for text in texts], np.uint8)[status_of]
        for measure in [m for m in measures if m in valuation_measures()]:
            status, base = np.full(n, _UNKNOWN), np.full(n, np.nan)
            if measure in names:
                mine = np.flatnonzero(measure_of == names.index(measure))
                status[at[mine]], base[at[mine]] = outcome[mine], base_of[mine]
            known &= status != _UNKNOWN
            statuses[measure], values_base[measure] = status, base
        return statuses, values_base, rows, known

    def _rows(self, table: str, measures: tuple[str, ...]) -> pa.Table | None:
        """The rows of the trades and measures; None: there is no such table."""
        if table == "cashflows" and CASH_FLOWS not in measures:
            return None
        tables = []
        names = [field.name for field in SCHEMAS[table] if pa.types.is_string(field.type)]
        for file in self._reuse.files(self._block, table):
            with open_parquet(self._store, file.path, names, file.sha256) as parquet:
                found = parquet.read()
            keep = pc.is_in(found["trade_id"], value_set=self._ids)
            if "measure" in found.column_names:
                keep = pc.and_(keep, pc.is_in(found["measure"], value_set=pa.array(measures, pa.string())))
            if "factor" in found.column_names:
                keep = pc.and_(keep, self._own_subjects(found, measures))
            tables.append(found if pc.all(keep).as_py() else found.filter(keep))
        return pa.concat_tables(tables) if tables else None

    def _own_subjects(self, sensitivities: pa.Table, measures: tuple[str, ...]) -> pa.ChunkedArray | pa.Scalar:
        """bool[rows]: of a subject whose columns the block has. The earlier run may have cut a measure's elsewhere."""
        own: pa.ChunkedArray | pa.Scalar = pa.scalar(True)
        where = self._block.scenario_start, self._block.scenario_stop
        for family in families(measures):
            columns = self._context.set_columns(family.name, *where)
            if not len(columns) or self._context.has_whole_set(family.name, *where):
                continue
            labels = self._scenarios.names.take(pa.array(columns[:: family.width]))
            others = pc.invert(pc.is_in(sensitivities["measure"], value_set=pa.array(family.measures)))
            own = pc.and_(own, pc.or_(others, pc.is_in(sensitivities["factor"], value_set=labels)))
        return own

    def _position(self, table: pa.Table) -> NDArray[np.int64]:
        """int64[rows]: which of the trades each row is of."""
        return np.asarray(pc.index_in(table["trade_id"].cast(pa.string()), value_set=self._ids).to_numpy(), np.int64)

    def _vectors(self, set_name: str) -> tuple[FloatArray, NDArray[np.bool_]]:
        """float64[n, columns of the block], and of which trades there are all of them."""
        n, within = (
            len(self._trades),
            self._within(next(s for s in self._sets(self._block.measures) if s.name == set_name)),
        )
        found, counted = np.empty((n, len(within))), np.zeros(n, np.int64)
        for file, batches in self._vector_files:
            start = self._start(file, set_name)
            for batch in batches:
                lists, at = batch.of(set_name)
                if not len(at):
                    continue
                low, high = max(start, within.start), min(start + lists.shape[1], within.stop)
                if low >= high:
                    continue
                known = at >= 0
                found[at[known], low - within.start : high - within.start] = lists[known, low - start : high - start]
                counted[at[known]] += high - low
        return found, counted == len(within)

    def _start(self, file: EarlierFile, set_name: str) -> int:
        """The first of a file's columns of a set, counted from the set's first."""
        return max(file.scenario_start - self._reuse.terms.sets[set_name], 0)

    def _whole_files(self, sets: Sequence[PnlSet]) -> Iterator[TakenFile]:
        """Files in which every row is of these trades, and which have the block's very columns."""
        wanted = {each.name: self._within(each) for each in sets}
        for file, batches in self._vector_files:
            found = [(batch.of(name)[0].shape[1], self._start(file, name)) for batch in batches for name in batch.names]
            columns = [wanted.get(name, range(0)) for batch in batches for name in batch.names]
            if found != [(len(within), within.start) for within in columns]:
                continue
            at = np.concatenate([np.empty(0, np.int64), *(batch.at for batch in batches)])
            trades, names = np.unique(at), sorted({name for batch in batches for name in batch.names})
            if len(at) and trades[0] >= 0 and len(at) == len(trades) * len(names) and file.first is not None:
                yield TakenFile(file, trades, tuple(names))

    @cached_property
    def _vector_files(self) -> list[tuple[EarlierFile, list[_Vectors]]]:
        columns = ["trade_id", "scenario_set", "pnl"]
        found = []
        for file in self._reuse.files(self._block, _VECTORS):
            table = read_parquet(self._store, file.path, columns, file.sha256)
            found.append((file, [_Vectors(batch, self._places(batch["trade_id"])) for batch in table.to_batches()]))
        return found

    def _places(self, ids: pa.Array) -> NDArray[np.int64]:
        """int64[n]: which of the trades each is; -1: none."""
        position = pc.index_in(ids.cast(pa.string()), value_set=self._ids)
        return np.asarray(pc.fill_null(position, -1).to_numpy(zero_copy_only=False), np.int64)


def _coded(column: pa.ChunkedArray) -> tuple[NDArray[np.int32], list[str]]:
    """int32[n]: which of the texts each row has."""
    coded = column.dictionary_encode().unify_dictionaries().combine_chunks()
    return coded.indices.to_numpy(), coded.dictionary.to_pylist()


class _Vectors:
    """Some rows of vectors. :ivar at: int64[n], the trade of each; -1: another."""

    def __init__(self, rows: pa.RecordBatch, at: NDArray[np.int64]) -> None:
        coded = rows["scenario_set"].dictionary_encode()
        self.at, self.names = at, coded.dictionary.to_pylist()
        self._codes, self._pnl = coded.indices.to_numpy(), rows["pnl"]

    def of(self, set_name: str) -> tuple[FloatArray, NDArray[np.int64]]:
        """float64[k, columns] of the rows of a set that have P&L, not to be written to; and the trade of each."""
        mine = self._codes == (self.names.index(set_name) if set_name in self.names else -1)
        rows = np.flatnonzero(mine & self._pnl.is_valid().to_numpy(zero_copy_only=False))
        if not len(rows):
            return np.empty((0, 0)), self.at[:0]
        begins = self._pnl.offsets.to_numpy()
        first, values = begins[rows], self._pnl.values.to_numpy()
        width, step = int(begins[rows[0] + 1] - first[0]), int(first[1] - first[0]) if len(rows) > 1 else 0
        if (np.diff(first) == step).all():  # as every trade has the same sets
            size = values.itemsize
            evenly = as_strided(values[first[0] :], (len(rows), width), (step * size, size), writeable=False)
            return evenly, self.at[rows]
        return values[first[:, None] + np.arange(width)], self.at[rows]
