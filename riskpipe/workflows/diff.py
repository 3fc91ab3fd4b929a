"""`riskpipe diff`: two runs, number by number, and what they were made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import yaml
from msgspec import Struct

from riskpipe.config import Settings, leaves
from riskpipe.errors import ExitCode, GateError, UsageError
from riskpipe.results.alignment import LeftOver, aligned
from riskpipe.results.comparison import Comparison
from riskpipe.results.differences import (
    AGGREGATES,
    CASHFLOWS,
    SCENARIO_PNL,
    SENSITIVITIES,
    VALUATIONS,
    Bounds,
    Compared,
    TableDiff,
    compared_whole,
)
from riskpipe.results.find import Results, analysed_tables, find_results
from riskpipe.runs.recorded_files import RecordedFiles, planned_files
from riskpipe.store.location import open_store
from riskpipe.store.table_schemas import SCHEMAS
from riskpipe.structs import asdict

WINDOW_BYTES = 64 << 20
_FACTS = ("as_of", "engine_version")


class Difference(Struct, frozen=True):
    """One thing that the runs were made of; None: one of them does not have it."""

    name: str
    a: str | None
    b: str | None


class DiffReport(Struct, frozen=True):
    """What differs.

    :param a, b: run, day and origin ("published" or "blocks") of either side.
    :param facts: day and engine; :param config: keys; :param inputs: files by their SHA-256.
    """

    a: Mapping[str, str]
    b: Mapping[str, str]
    tolerance: Bounds
    facts: tuple[Difference, ...]
    config: tuple[Difference, ...]
    inputs: tuple[Difference, ...]
    tables: Mapping[str, TableDiff]

    @property
    def equal(self) -> bool:
        """Whether all numbers are, within the tolerance; what they were made of may differ."""
        return all(table.equal for table in self.tables.values())

    @property
    def exit_code(self) -> ExitCode:
        return ExitCode.DONE if self.equal else GateError.exit_code

    def to_json(self) -> dict[str, Any]:
        return {
            "schema_version": 1,
            "equal": self.equal,
            "a": dict(self.a),
            "b": dict(self.b),
            "tolerance": asdict(self.tolerance.default),
            "tolerances": [asdict(rule) for rule in self.tolerance.rules],
            "facts": [asdict(d) for d in self.facts],
            "config": [asdict(d) for d in self.config],
            "inputs": [asdict(d) for d in self.inputs],
            "tables": {name: table.to_json() for name, table in self.tables.items()},
            "exit_code": self.exit_code,
        }


def diff(
    settings: Settings,
    run_a: str,
    run_b: str,
    *,
    output_b: str | None = None,
    tolerance: Bounds | None = None,
    largest: int = 10,
    window_bytes: int = WINDOW_BYTES,
) -> DiffReport:
    """Compare the results of two runs, in memory bounded by the windows.

    :param run_a, run_b: an id, a unique prefix of one, `latest`, `published` or `published:DAY`.
    :param output_b: where the second run is; None: where the first is.
    :param largest: changes to keep of each table.
    :raises UsageError: see `results.find_results`; a negative tolerance.
    """
    tolerance = tolerance or Bounds()
    if not (tolerance.default.absolute >= 0.0 and tolerance.default.relative >= 0.0):
        raise UsageError("tolerances are not negative")
    a = find_results(open_store(settings.output), run_a, settings.as_of)
    b = find_results(open_store(settings.output if output_b is None else output_b), run_b, settings.as_of)
    tables = {
        compared.name: _streamed(a, b, compared, tolerance, largest, window_bytes)
        for compared in (VALUATIONS, SENSITIVITIES, CASHFLOWS, SCENARIO_PNL)
        if a.files.get(compared.name) or b.files.get(compared.name)
    }
    tables["aggregates"] = _whole(AGGREGATES, a.aggregates(), b.aggregates(), tolerance, largest)
    for name in analysed_tables(a, b):
        tables[name] = _whole(compared_whole(name), a.whole(name), b.whole(name), tolerance, largest)
    return DiffReport(
        a=_side(a),
        b=_side(b),
        tolerance=tolerance,
        facts=_facts(a, b),
        config=_named(a, b, "config"),
        inputs=_named(a, b, "inputs"),
        tables=tables,
    )


def _streamed(
    a: Results, b: Results, compared: Compared, tolerance: Bounds, largest: int, window_bytes: int
) -> TableDiff:
    comparison = Comparison(compared, tolerance, largest)
    schema = pa.schema([SCHEMAS[compared.name].field(name) for name in compared.columns])
    streams = [side.stream(compared.name, compared.columns, window_bytes) for side in (a, b)]
    with LeftOver(schema, compared.keys) as left_over:
        for pair in aligned(streams[0], streams[1], left_over.empty()):
            for side, rows in enumerate(comparison.compare(*pair)):
                left_over.put(side, rows)
        for pair in left_over.pairs(window_bytes):
            comparison.compare_moved(*pair)
    return comparison.finish()


def _whole(compared: Compared, a: pa.Table, b: pa.Table, tolerance: Bounds, largest: int) -> TableDiff:
    """A table that is held in memory, as those of books are."""
    comparison = Comparison(compared, tolerance, largest)
    comparison.count_single(*comparison.compare(a.select(compared.columns), b.select(compared.columns)))
    return comparison.finish()


# -- what the runs were made of


def _side(results: Results) -> dict[str, str]:
    return {
        "run_id": results.run_id,
        "as_of": results.as_of,
        "origin": results.origin,
        "output": results.store.root,
    }


def _facts(a: Results, b: Results) -> tuple[Difference, ...]:
    found = [{name: str(side.described().get(name)) for name in _FACTS} for side in (a, b)]
    return _differences(found[0], found[1])


def _config(results: Results) -> dict[str, str] | None:
    """Key -> value; None where the run is gone."""
    text = _read(results, "config")
    if text is None:
        return None
    return {
        ".".join(map(str, path)): json.dumps(value, default=str) for path, value in leaves(yaml.safe_load(text), ())
    }


def _inputs(results: Results) -> dict[str, str] | None:
    """Name of the input -> SHA-256; None where the run is gone."""
    text = _read(results, "inputs")
    return None if text is None else dict(json.loads(text))


def _named(a: Results, b: Results, what: str) -> tuple[Difference, ...]:
    """Where one of the runs is gone, the hashes that its published files keep."""
    found = [_config(side) if what == "config" else _inputs(side) for side in (a, b)]
    if found[0] is not None and found[1] is not None:
        return _differences(found[0], found[1])
    hashes = [{f"all of {what}": str(side.described().get(f"{what}_sha256"))} for side in (a, b)]
    return _differences(hashes[0], hashes[1])


def _read(results: Results, what: str) -> str | None:
    if results.folder is None:
        return None
    content = RecordedFiles(results.folder, planned_files(results.folder)).read(getattr(results.folder, what))
    return None if content is None else content.decode()


def _differences(a: Mapping[str, str], b: Mapping[str, str]) -> tuple[Difference, ...]:
    names = [*a, *(name for name in b if name not in a)]
    return tuple(Difference(name, a.get(name), b.get(name)) for name in names if a.get(name) != b.get(name))
