"""Published rows against what they were made of: blocks' outputs, exact sums, the analyses' tables."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from msgspec.structs import replace

from riskpipe.analyses.analysis import Analysis, Day
from riskpipe.analyses.catalogue import ANALYSES
from riskpipe.analyses.risk_terms import RiskTerms
from riskpipe.errors import RiskpipeError, UsageError
from riskpipe.measures.pnl_sets import pnl_sets
from riskpipe.results.find import summed_files
from riskpipe.results.soundness import Findings
from riskpipe.runs.aggregate import aggregates, book_pnl, scenarios_table
from riskpipe.runs.analysed import todays_tables
from riskpipe.runs.book_totals import BookTotals
from riskpipe.runs.folded import FoldedRun
from riskpipe.runs.outputs import table_sources
from riskpipe.store.filesystem import Store
from riskpipe.store.parquet import open_parquet
from riskpipe.store.result_tables import schema_of
from riskpipe.store.sorted_merge import Source, merge_sorted
from riskpipe.store.table_schemas import SORT_KEYS
from riskpipe.store.written_files import WrittenFile
from riskpipe.valuation.book_sums import read_sums
from riskpipe.valuation.context import open_context
from riskpipe.valuation.factor_columns import factors_table
from riskpipe.valuation.merge_files import added_columns

SOURCES_SAMPLED = 8
TRADES_SAMPLED = 50
_CONSTANT = ("as_of_date", "run_id")


class _LooksBackError(UsageError):
    """An analysis reads days that may have been published anew since."""


class PublishedDay(Struct, frozen=True):
    """A run that is published: its ledger, and the tables as meta/CURRENT.json has them."""

    run: FoldedRun
    tables: Mapping[str, Sequence[WrittenFile]]

    @property
    def store(self) -> Store:
        return self.run.folder.store

    def groups(self, table: str, columns: Sequence[str]) -> Iterator[tuple[WrittenFile, int, pa.Table]]:
        """File, number and rows of every row group."""
        for written in self.tables[table]:
            with open_parquet(self.store, written.path) as file:
                for group in range(file.metadata.num_row_groups):
                    yield written, group, file.read_row_group(group, list(columns))


def published_day_of(run: FoldedRun, entry: Mapping[str, Any]) -> PublishedDay:
    """:param entry: of meta/CURRENT.json."""
    tables = {name: [WrittenFile(**file) for file in each["files"]] for name, each in entry["tables"].items()}
    return PublishedDay(run, tables)


# -- rows of trades


def verify_rows(found: Findings, day: PublishedDay, every: bool) -> None:
    """Rows of blocks' outputs are in the published tables, with the same values.

    :param every: all of them, and no others; else those of a random sample of trades, and as many in all.
    """
    for table in SORT_KEYS:
        if table not in day.tables:
            continue
        path = day.tables[table][0].path
        with found.looking_at(path):
            sources = table_sources(day.run, table)
            if every:
                scratch = f"{day.run.folder.root}/scratch-verify"
                schema = _varying(day, table)
                windows = merge_sorted(day.store, sources, schema, SORT_KEYS[table], scratch)
                _hold(found, day, table, (_completed(day, table, window).cast(schema) for window in windows))
            else:
                _hold_sample(found, day, table, sources)


def _varying(day: PublishedDay, table: str) -> pa.Schema:
    """The columns of the day's files, but for what is the same in all rows."""
    with open_parquet(day.store, day.tables[table][0].path) as file:
        found = file.schema_arrow.remove_metadata()
    schema = schema_of(table, found)
    return pa.schema([each for each in schema if each.name in found.names and each.name not in _CONSTANT])


def _completed(day: PublishedDay, table: str, rows: pa.Table) -> pa.Table:
    """With the columns that were added when the day was put together, as far as the day's files have them."""
    added = added_columns(open_context(*day.run.folder.place), table)
    for name, column in () if added is None else added.of(rows).items():
        if name in rows.column_names:
            rows = rows.set_column(rows.column_names.index(name), name, column)
    return rows


def _hold_sample(found: Findings, day: PublishedDay, table: str, sources: Sequence[Source]) -> None:
    names = _varying(day, table).names
    count = 0
    for source in random.sample(sources, min(SOURCES_SAMPLED, len(sources))):
        expected = _completed(day, table, _sampled(day.store, source, names))
        if not expected.num_rows:
            continue
        count += expected.num_rows
        standing = _published_rows(day, table, names, expected)
        # Where scenarios are cut, other blocks have rows of these trades, too.
        standing = standing.filter(pc.is_in(_named(standing, table), value_set=_named(expected, table)))
        keys = [(key, "ascending") for key in SORT_KEYS[table]]
        difference = _difference(standing.sort_by(keys), expected.sort_by(keys))
        if difference is not None:
            row, column = difference
            which = expected.sort_by(keys).slice(min(row, expected.num_rows - 1), 1).select(list(SORT_KEYS[table]))
            place = " ".join(str(value) for value in which.to_pylist()[0].values())
            path = day.tables[table][0].path
            found.damaged(path, f"the row of {place} is not what {source.path} has", column=column)
    found.compared[table] = count


def _named(rows: pa.Table, table: str) -> pa.ChunkedArray:
    """What names each row, as one text."""
    return pc.binary_join_element_wise(*(rows[key].cast(pa.string()) for key in SORT_KEYS[table]), "\0")


def _sampled(store: Store, source: Source, names: Sequence[str]) -> pa.Table:
    """Rows of a few trades that lie beside each other in a file, all of theirs."""
    with open_parquet(store, source.path, sha256=source.sha256) as file:
        wanted = [name for name in file.read(["trade_id"])["trade_id"].unique().to_pylist() if name not in source.drop]
        start = random.randrange(max(len(wanted) - TRADES_SAMPLED, 0) + 1)
        some = pa.array(wanted[start : start + TRADES_SAMPLED], pa.string())
        there = [name for name in names if name in file.schema_arrow.names]
        rows = file.read(there)
    rows = rows.filter(pc.is_in(rows["trade_id"], value_set=some))
    for name in names:
        if name not in there:
            rows = rows.append_column(name, pa.nulls(rows.num_rows, pa.null()))
    return rows.select(names)


def _published_rows(day: PublishedDay, table: str, names: Sequence[str], of: pa.Table) -> pa.Table:
    """The published rows of some trades."""
    ids, books = pc.unique(of["trade_id"]), pc.unique(of["book"])
    low, high = pc.min(books).as_py(), pc.max(books).as_py()
    found = [of.schema.empty_table()]
    for written in day.tables[table]:
        with open_parquet(day.store, written.path) as file:
            place = file.schema_arrow.names.index("book")
            for group in range(file.metadata.num_row_groups):
                known = file.metadata.row_group(group).column(place).statistics
                if known is not None and known.has_min_max and (known.max < low or known.min > high):
                    continue
                rows = file.read_row_group(group, list(names))
                found.append(rows.filter(pc.is_in(rows["trade_id"], value_set=ids)).cast(of.schema))
    return pa.concat_tables(found)


# -- tables that are made anew


def verify_sums(found: Findings, day: PublishedDay) -> None:
    """Aggregates and P&L vectors of books, from the exact sums; scenarios and factors, from the run's inputs."""
    context = open_context(*day.run.folder.place)
    totals = BookTotals(context.scenarios, read_sums(context, summed_files(day.run)))
    made: dict[str, Callable[[], Iterable[pa.Table]]] = {
        "aggregates": lambda: aggregates(context.spec, context.scenarios, totals),
        "scenarios": lambda: [scenarios_table(context.spec, context.scenarios)],
        "factors": lambda: [factors_table(context.snapshot, context.spec.derived)],
    }
    if pnl_sets(what.scenario_set for what in totals.summed):
        made["book_pnl"] = lambda: book_pnl(context.spec, totals)
    for table, rows in made.items():
        if table in day.tables and _hold(found, day, table, rows()):
            found.recomputed.append(table)


def verify_analyses(found: Findings, day: PublishedDay, terms: Sequence[RiskTerms]) -> None:
    """Tables of riskpipe's own analyses, made once more of the day's.

    :param terms: what they may have been asked for: as the run was configured, and as it is now.
    """
    folder = day.run.folder
    tables = dict(day.tables)
    for name, path in folder.beside.items():
        sha256 = day.run.files.get(path.removeprefix(f"{folder.root}/"))
        if sha256 is not None:
            tables[name] = [WrittenFile(path, 0, 0, sha256)]
    for name in ANALYSES:
        if name not in day.tables or not all(table in tables for table in ANALYSES[name].reads):
            continue
        tried: list[Findings] = []
        for asked in terms:
            tried.append(Findings(folder))
            try:
                if _hold(tried[-1], day, name, _made(day, ANALYSES[name], tables, asked)):
                    break
            except _LooksBackError:
                found.notes.append(f"{name} is not made once more: days that it looks back on may have changed since")
                tried.clear()
                break
            except RiskpipeError as error:
                tried[-1].damaged(day.tables[name][0].path, f"it cannot be made once more: {error}")
        if tried and tried[-1].damages:
            found.damages += tried[0].damages
        elif tried:
            found.recomputed.append(name)


def _made(
    day: PublishedDay, analysis: Analysis, tables: Mapping[str, Sequence[WrittenFile]], terms: RiskTerms
) -> Iterator[pa.Table]:
    spec = open_context(*day.run.folder.place).spec

    def earlier() -> NoReturn:
        raise _LooksBackError("looks back")

    today: Day = replace(todays_tables(day.store, tables, terms, spec.provenance), earlier=earlier)
    return analysis.compute(today)


# -- comparing


def _hold(found: Findings, day: PublishedDay, table: str, expected: Iterable[pa.Table]) -> bool:
    """Whether a published table has just these rows, in this order; the first that is another is told."""
    made = _Rows(expected)
    names: list[str] | None = None
    rows = 0
    for written, group, standing in day.groups(table, _varying(day, table).names):
        names = standing.column_names
        wanted = made.take(standing.num_rows, standing.schema)
        difference = _difference(standing, wanted)
        if difference is not None:
            row, column = difference
            why = "a row is not what it is made of"
            found.damaged(written.path, why, row_group=group, column=column, row=row)
            return False
        rows += standing.num_rows
    if made.left() and names is not None:
        found.damaged(day.tables[table][-1].path, "rows are missing at its end")
        return False
    found.compared[table] = rows
    return True


def _difference(standing: pa.Table, expected: pa.Table) -> tuple[int, str] | None:
    """Row and column of the first difference; None: there is none."""
    rows = min(standing.num_rows, expected.num_rows)
    firsts = []
    for name in standing.column_names:
        a, b = standing[name].slice(0, rows).combine_chunks(), expected[name].slice(0, rows).combine_chunks()
        b = b.cast(a.type)
        if not a.equals(b):
            low, high = 0, rows  # the first `low` are equal, the first `high` are not
            while high - low > 1:
                middle = (low + high) // 2
                same = a.slice(low, middle - low).equals(b.slice(low, middle - low))
                low, high = (middle, high) if same else (low, middle)
            firsts.append((low, name))
    if firsts:
        return min(firsts)
    return None if standing.num_rows == expected.num_rows else (rows, standing.column_names[0])


class _Rows:
    """Rows that come in tables of any size, taken in others."""

    def __init__(self, tables: Iterable[pa.Table]) -> None:
        self._tables = iter(tables)
        self._waiting: list[pa.Table] = []
        self._rows = 0

    def take(self, rows: int, schema: pa.Schema) -> pa.Table:
        """The next so many, or as many as there are."""
        while self._rows < rows and (table := next(self._tables, None)) is not None:
            self._waiting.append(table.select(schema.names).cast(schema))
            self._rows += table.num_rows
        whole = pa.concat_tables([schema.empty_table(), *self._waiting])
        taken = whole.slice(0, rows)
        self._waiting = [whole.slice(taken.num_rows)]
        self._rows -= taken.num_rows
        return taken

    def left(self) -> bool:
        return self._rows > 0 or any(table.num_rows for table in self._tables)
