"""Analyses of a day that is put together, or that is published: each makes one more table of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from itertools import chain
from typing import Any

import pyarrow as pa

from riskpipe.analyses.analysis import Analysis, Day
from riskpipe.analyses.risk_terms import RiskTerms
from riskpipe.market.model import MarketModel
from riskpipe.market.scenarios import ScenarioSet
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.runs.freed import Left, refuse_freed
from riskpipe.store.filesystem import Store
from riskpipe.store.local_files import local_file
from riskpipe.store.parquet import ROW_GROUP_ROWS, open_parquet
from riskpipe.store.published import read_current
from riskpipe.store.result_tables import Provenance
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.stage import stage
from riskpipe.store.written_files import WrittenFile
from riskpipe.valuation.spec import ValuationSpec, read_spec

# Of a table at a time: what an analysis makes of books' vectors takes some ten times as much.
PIECE_BYTES = 8 << 20


def analysed(
    folder: RunFolder,
    analysis: Analysis,
    tables: Mapping[str, Sequence[WrittenFile]],
    terms: RiskTerms,
    provenance: Provenance,
) -> list[WrittenFile]:
    """The staged files of an analysis; none where the day lacks what it reads.

    :param tables: of the day, by name, wherever they lie now.
    :raises UsageError: the configuration asks for what the day's tables cannot give.
    """
    if any(name not in tables for name in analysis.reads):
        return []
    made = analysis.compute(todays_tables(folder.store, tables, terms, provenance))
    first = next(made, None)
    return [] if first is None else stage(folder, analysis.name, chain([first], made), provenance)


def todays_tables(
    store: Store, tables: Mapping[str, Sequence[WrittenFile]], terms: RiskTerms, provenance: Provenance
) -> Day:
    """The day as an analysis sees it."""
    current = read_current(store)
    as_of, run_id = provenance.as_of_date, provenance.run_id

    def published(day: str) -> Day:
        return _published(store, day, current[day], terms)

    def earlier() -> Iterator[Day]:
        return (published(day) for day in sorted(current, reverse=True) if date.fromisoformat(day) < as_of)

    named = previous_of(store, run_id)
    is_there = named is not None and current.get(named[0], {}).get("run_id") == named[1]
    previous = published(named[0]) if named is not None and is_there else None
    read = partial(_read, store, tables)
    market, scenarios = partial(_market, store, run_id), partial(_scenarios, store, run_id)
    return Day(as_of, run_id, terms, read, market, previous, earlier, scenarios)


def _published(store: Store, day: str, entry: Mapping[str, Any], terms: RiskTerms) -> Day:
    """A published day as others look back on it."""
    tables = {name: [WrittenFile(**file) for file in described["files"]] for name, described in entry["tables"].items()}
    run_id = entry["run_id"]
    read, market = partial(_read, store, tables), partial(_market, store, run_id)
    return Day(date.fromisoformat(day), run_id, terms, read, market)


def previous_of(store: Store, run_id: str) -> tuple[str, str] | None:
    """Date and run of the published day that a run explains P&L from."""
    folder = RunFolder(store, run_id)
    return read_spec(folder).previous if store.exists(folder.valuation) else None


def _market(store: Store, run_id: str) -> MarketModel:
    folder = _with_inputs(store, run_id)
    spec = read_spec(folder)
    return MarketModel(MarketSnapshot.open(_local(store, spec, folder.market)), spec.conventions)


def _scenarios(store: Store, run_id: str) -> ScenarioSet:
    folder = _with_inputs(store, run_id)
    return ScenarioSet.open(_local(store, read_spec(folder), folder.scenarios))


def _with_inputs(store: Store, run_id: str) -> RunFolder:
    """:raises UsageError: market and scenarios of the run were freed."""
    folder = RunFolder(store, run_id)
    refuse_freed(folder, "analysed by what it was valued with", Left.INPUTS)
    return folder


def _local(store: Store, spec: ValuationSpec, path: str) -> str:
    return local_file(store, path, spec.files_sha256.get(path.rpartition("/")[2], ""))


def _read(store: Store, tables: Mapping[str, Sequence[WrittenFile]], name: str) -> Iterator[pa.Table]:
    return _rows(store, tables.get(name, ()))


def _rows(store: Store, files: Sequence[WrittenFile]) -> Iterator[pa.Table]:
    for written in files:
        with open_parquet(store, written.path, sha256=written.sha256) as file:
            metadata = file.metadata
            size = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
            rows = min(max(PIECE_BYTES * metadata.num_rows // max(size, 1), 1), ROW_GROUP_ROWS)
            yield from (pa.Table.from_batches([batch]) for batch in file.iter_batches(batch_size=rows))
