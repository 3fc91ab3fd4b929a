"""`riskpipe analyse`: an analysis over a published day, again, with the terms that the configuration has now."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from msgspec.structs import replace

from riskpipe.analyses.analysis import Analysis
from riskpipe.analyses.catalogue import analyses
from riskpipe.analyses.limit_terms import Limit
from riskpipe.analyses.risk_terms import RiskTerms
from riskpipe.config import Settings
from riskpipe.errors import InputError, UsageError
from riskpipe.inputs.faults import explain
from riskpipe.inputs.inspection import Inspection
from riskpipe.inputs.limit_input import open_limits
from riskpipe.measures.measure_names import EXPLAIN, PNL_SETS
from riskpipe.products.catalogue import catalogue
from riskpipe.runs.analysed import analysed
from riskpipe.runs.engine import engines_of
from riskpipe.runs.limits import read_limits
from riskpipe.runs.recorded_files import recorded_files
from riskpipe.store.checksums import content_sha256
from riskpipe.store.filesystem import Store
from riskpipe.store.layout import published_day
from riskpipe.store.lease import Lease
from riskpipe.store.location import open_store
from riskpipe.store.parquet import read_parquet
from riskpipe.store.published import read_current, replace_table
from riskpipe.store.result_tables import Provenance, metadata
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.run_ids import resolve_run
from riskpipe.store.written_files import WrittenFile
from riskpipe.structs import asdict

OWNER = "analyse"


class AnalyseReport(Struct, frozen=True):
    """The table that was made, of which day and run."""

    table: str
    as_of: str
    run_id: str
    rows: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def analyse(settings: Settings, name: str, day: str) -> AnalyseReport:
    """Make an analysis' table of a published day; the day's other tables are not touched.

    :param day: YYYY-MM-DD, or a run (an id, a unique prefix of one, `latest`) that is published.
    :raises UsageError: there is no such analysis, day or run; or the day lacks what the analysis reads.
    :raises LeaseError: a run is at work on the output.
    """
    analysis = _analysis(name)
    store = open_store(settings.output)
    scratch = RunFolder(store, OWNER)
    with Lease(store, OWNER, settings.lease_seconds) as lease:
        as_of, entry = _published(store, day)
        tables = {
            table: [WrittenFile(**file) for file in described["files"]] for table, described in entry["tables"].items()
        }
        run = RunFolder(store, entry["run_id"])
        known = recorded_files(run)
        for table, path in run.beside.items():
            if store.exists(path):
                tables[table] = [WrittenFile(path, 0, 0, known.of(path) or content_sha256(store, path))]
        missing = [table for table in analysis.reads if table not in tables]
        if missing:
            raise UsageError(f"{as_of} has no {' and no '.join(missing)}, which {name} is made of: run it again")
        terms = replace(settings.risk.terms(), limits=_limits(settings, run))
        if analysis.measure == "historical_var":
            _check_days(store, terms, tables)
        store.delete_tree(scratch.root)
        first = tables[analysis.reads[0]][0]
        made = Provenance.of_footer(metadata(store, first.path, first.sha256), as_of)
        provenance = replace(made, run_id=entry["run_id"], engine_version=engines_of(made.engine_version.split(", ")))
        files = analysed(scratch, analysis, tables, terms, provenance)
        if not files:
            needed = " and ".join(filter(None, (analysis.measure, analysis.key)))
            raise UsageError(f"{as_of} has nothing that {name} could be made of: it needs {needed}")
        lease.check(confirm=True)
        standing = [entry.path for entry in store.list_files(published_day(name, as_of))]
        replace_table(scratch, as_of, name, files, (entry["run_id"], datetime.now(UTC)), standing)
        store.delete_tree(scratch.root)
    return AnalyseReport(name, as_of.isoformat(), entry["run_id"], sum(file.rows for file in files))


def _analysis(name: str) -> Analysis:
    known = analyses()
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    raise UsageError("; ".join([f"no analysis is called {name!r}: {hint}", *known.broken.values()]))


def _published(store: Store, day: str) -> tuple[date, dict[str, Any]]:
    current = read_current(store)
    try:
        as_of = date.fromisoformat(day)
    except ValueError:
        run_id = resolve_run(store, day).run_id
        found = [key for key, entry in current.items() if entry["run_id"] == run_id]
        if not found:
            raise UsageError(f"run {run_id} is not published: `riskpipe publish {run_id}`") from None
        as_of = date.fromisoformat(found[0])
    if as_of.isoformat() not in current:
        known = ", ".join(list(current)[-5:]) or "none"
        raise UsageError(f"nothing is published for {as_of} in {store.root}; the last days there are: {known}")
    return as_of, current[as_of.isoformat()]


def _limits(settings: Settings, run: RunFolder) -> tuple[Limit, ...]:
    """As the configuration has them now; where it has none, those that the run was planned with."""
    if settings.inputs.limits is None:
        return read_limits(run)
    inspection = Inspection(settings, catalogue(), open_store(settings.inputs.portfolio))
    limits = open_limits(inspection, None)
    if inspection.blocking:
        raise InputError(explain(inspection.blocking))
    return limits


def _check_days(store: Store, terms: RiskTerms, tables: Mapping[str, Sequence[WrittenFile]]) -> None:
    columns = ["scenario_set", "date"]
    rows = pa.concat_tables(read_parquet(store, file.path, columns, file.sha256) for file in tables["scenarios"])
    dated = pc.value_counts(rows.filter(pc.is_valid(rows["date"]))["scenario_set"]).to_pylist()
    short = terms.wanting({each["values"]: each["counts"] for each in dated if each["values"] != PNL_SETS[EXPLAIN]})
    if short:
        raise UsageError("; ".join(message for messages in short.values() for message in messages))
