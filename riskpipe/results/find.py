"""The results of a run as streams of rows in order: from what is published, or from the run's own block files."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from riskpipe.analyses.catalogue import ANALYSES
from riskpipe.errors import UsageError
from riskpipe.runs.aggregate import aggregates
from riskpipe.runs.book_totals import BookTotals
from riskpipe.runs.folded import FoldedRun, fold
from riskpipe.runs.outputs import correction_payloads, table_sources
from riskpipe.store.filesystem import Store
from riskpipe.store.ledger import read_ledger
from riskpipe.store.parquet import open_parquet, read_parquet
from riskpipe.store.published import read_current
from riskpipe.store.records import BlockDone, Record
from riskpipe.store.result_tables import metadata
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.run_ids import resolve_run
from riskpipe.store.sorted_merge import WINDOW_BYTES, Source, merge_sorted
from riskpipe.store.table_schemas import SCHEMAS, SORT_KEYS
from riskpipe.valuation.book_sums import PartialFile, read_sums
from riskpipe.valuation.context import open_context

PUBLISHED = "published"
STREAMED = tuple(SORT_KEYS)
ROWS_AT_A_TIME = 131_072


class Results(Struct, frozen=True):
    """Where the results of a run are.

    :param origin: "published", or "blocks".
    :param folder: None: of the run nothing but what is published is left.
    :param files: of the streamed tables, and of the published `aggregates`.
    :param sums: the files of the run's sums; unused when it is published.
    """

    store: Store
    run_id: str
    as_of: str
    origin: str
    folder: RunFolder | None
    files: Mapping[str, Sequence[Source]]
    sums: tuple[PartialFile, ...] = ()

    def stream(self, table: str, columns: Sequence[str], window_bytes: int = WINDOW_BYTES) -> Iterator[pa.Table]:
        """Rows in the order of SORT_KEYS[table], in windows that hold whole trades; see `merge_sorted`.

        :param columns: those wanted, the table's keys among them; a column's type is string or a dictionary of them.
        """
        found = self.files.get(table, ())
        if found:
            schema = pa.schema([SCHEMAS[table].field(name) for name in columns])
            scratch = f"runs/{self.run_id}/scratch-{uuid.uuid4().hex}"
            yield from merge_sorted(self.store, found, schema, SORT_KEYS[table], scratch, window_bytes)

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Rows file by file, in no order worth knowing; cheaper than `stream`.

        :param columns: those wanted, trade_id among them.
        """
        for source in self.files.get(table, ()):
            drop = pa.array(sorted(source.drop), pa.string())
            with open_parquet(self.store, source.path, sha256=source.sha256) as file:
                for batch in file.iter_batches(ROWS_AT_A_TIME, columns=list(columns)):
                    rows = pa.Table.from_batches([batch])
                    yield rows.filter(pc.invert(pc.is_in(rows["trade_id"], value_set=drop))) if len(drop) else rows

    def aggregates(self) -> pa.Table:
        """All rows of the table `aggregates`."""
        if self.origin == PUBLISHED:
            found = self.files.get("aggregates", ())
            parts = [read_parquet(self.store, source.path, sha256=source.sha256) for source in found]
            return pa.concat_tables(parts) if parts else SCHEMAS["aggregates"].empty_table()
        context = open_context(self.store.root, self.run_id)
        totals = BookTotals(context.scenarios, read_sums(context, self.sums))
        return pa.concat_tables(
            [SCHEMAS["aggregates"].empty_table(), *aggregates(context.spec, context.scenarios, totals)]
        )

    def whole(self, table: str) -> pa.Table:
        """All rows of a published table of an analysis."""
        parts = [read_parquet(self.store, source.path) for source in self.files.get(table, ())]
        return pa.concat_tables([SCHEMAS[table].empty_table(), *parts])

    def described(self) -> dict[str, Any]:
        """What the run was made of: run.json, or where the run is gone the footer of what it published."""
        if self.folder is not None and self.folder.opened():
            return self.folder.described()
        first = next((source for found in self.files.values() for source in found), None)
        footer = {} if first is None else metadata(self.store, first.path, first.sha256)
        return {"run_id": self.run_id, "as_of": self.as_of} | footer


def find_results(store: Store, run: str, as_of: date) -> Results:
    """The results that a person means.

    :param run: an id, a unique prefix of one, `latest`, or `published` (of `as_of`), `published:YYYY-MM-DD`.
    :raises UsageError: there is no such run, it is not done, or its block files were cleared away.
    """
    name, _, day = run.partition(":")
    if name == PUBLISHED:
        return _published(store, day or as_of.isoformat())
    folder = resolve_run(store, run)
    opened = folder.described()
    if read_current(store).get(opened["as_of"], {}).get("run_id") == folder.run_id:
        return _published(store, opened["as_of"])
    return _of_blocks(folder, opened["as_of"])


def analysed_tables(a: Results, b: Results) -> list[str]:
    """Tables of riskpipe's own analyses that both have published: of blocks' results they are not made yet."""
    if a.origin != PUBLISHED or b.origin != PUBLISHED:
        return []
    return [name for name in ("book_pnl", *ANALYSES) if a.files.get(name) or b.files.get(name)]


def _published(store: Store, day: str) -> Results:
    current = read_current(store)
    if day not in current:
        known = ", ".join(list(current)[-5:]) or "none"
        raise UsageError(f"nothing is published for {day} in {store.root}; the last days there are: {known}")
    entry = current[day]
    files = {
        table: [Source(file["path"], sha256=file["sha256"]) for file in described["files"]]
        for table, described in entry["tables"].items()
    }
    folder = RunFolder(store, entry["run_id"])
    return Results(store, entry["run_id"], day, PUBLISHED, folder if folder.opened() else None, files)


def _noting(outputs: set[str], records: Iterable[Record]) -> Iterator[Record]:
    """The records; paths of the files that blocks wrote are added to `outputs`."""
    for record in records:
        if isinstance(record, BlockDone):
            outputs.update(file.path for file in (*record.outputs.values(), *record.vectors))
        yield record


def _of_blocks(folder: RunFolder, as_of: str) -> Results:
    if not folder.planned():
        raise UsageError(f"run {folder.run_id} has no plan, so no results: it was stopped early, or cleared away")
    outputs: set[str] = set()
    run = fold(folder, _noting(outputs, read_ledger(folder)))
    if next(run.state.pending(), None) is not None:
        raise UsageError(f"run {folder.run_id} is not done: go on with `riskpipe run --resume {folder.run_id}`")
    _refuse_cleared(folder, outputs)
    files = {table: table_sources(run, table) for table in STREAMED}
    sums = summed_files(run)
    vectors = {source.path for found in files.values() for source in found if source.path.startswith(folder.combined)}
    _refuse_uncombined(folder, vectors.union(file.path for file in sums))
    return Results(folder.store, folder.run_id, as_of, "blocks", folder, files, sums)


def summed_files(run: FoldedRun) -> tuple[PartialFile, ...]:
    """The files that together hold the run's sums, as the end of its session named them."""
    run.combined.begin(run.state)
    for level in run.combined.levels(run.state):
        for _ in level:  # what is left to sum shows below, as a file that is not there
            pass
    corrections = (task.name for task in correction_payloads(run))
    return tuple(map(run.combined.sums, (*run.combined.roots, *corrections)))


def _refuse_cleared(folder: RunFolder, outputs: set[str]) -> None:
    missing = outputs - {entry.path for entry in folder.store.list_files(folder.block_outputs)}
    if missing:
        raise UsageError(
            f"run {folder.run_id} is not what is published, and {len(missing)} of its {len(outputs)} block files are "
            "gone (cleared away): name a run that has its files, or `published`"
        )


def _refuse_uncombined(folder: RunFolder, paths: Set[str]) -> None:
    if paths - {entry.path for entry in folder.store.list_files(folder.combined)}:
        raise UsageError(
            f"the sums of run {folder.run_id} are not in place: `riskpipe run --resume {folder.run_id}` makes them"
        )
