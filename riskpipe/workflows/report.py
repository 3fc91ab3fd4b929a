"""`riskpipe report`: a run as one HTML page that needs nothing else, for people who were not there."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import yaml
from msgspec import Struct

from riskpipe import __version__
from riskpipe.config import Settings
from riskpipe.config.risk_section import RiskSettings
from riskpipe.errors import UsageError
from riskpipe.measures.catalogue import additive_measures
from riskpipe.measures.measure_names import PNL_SETS
from riskpipe.measures.tail_definition import TailDefinition
from riskpipe.plan.accounting import RunStatus
from riskpipe.results.book_map import BookMap, book_map
from riskpipe.results.bottleneck import PART_NAMES
from riskpipe.results.day_change import day_change, previous_results
from riskpipe.results.failure_causes import failure_causes
from riskpipe.results.find import PUBLISHED, Results, find_results
from riskpipe.results.lanes import read_timelines
from riskpipe.results.risk_summary import RiskSummary, risk_summary
from riskpipe.results.sensitivity_ladders import sensitivity_ladders
from riskpipe.results.time_spent import TimeSpent, read_time_spent
from riskpipe.results.valued_trades import ValuedTrades, valued_trades
from riskpipe.runs.recorded_files import RecordedFiles, recorded_files
from riskpipe.runs.status import as_seen_now, published_days, status_of
from riskpipe.runs.stored import open_plan
from riskpipe.store.location import open_store, store_of_file
from riskpipe.store.parquet import read_parquet
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.run_ids import resolve_run
from riskpipe.store.sealed import sealed_page
from riskpipe.structs import asdict
from riskpipe.workflows.report_charts import charts
from riskpipe.workflows.report_page import render

MOST_BOOKS = 300
MOST_DESKS = 10
MOST_ROWS = 50
MOST_DAYS = 2_600
MOST_COMPONENTS = 400
TAIL = ("var_99", "es_97_5")


class ReportWritten(Struct, frozen=True):
    """:param path: where the page is, as a person opens it."""

    run_id: str
    path: str
    bytes: int

    def to_json(self) -> dict[str, Any]:
        return {"run_id": self.run_id, "path": self.path, "bytes": self.bytes}


def report(settings: Settings, run: str, path: str | None = None) -> ReportWritten:
    """Write the page of a run as it is now.

    :param run: an id, a unique prefix of one, or "latest".
    :param path: where to; None: report.html in the run.
    :raises UsageError: no such run. :raises StorageError: it cannot be read, or the page not written.
    """
    store = open_store(settings.output)
    folder = resolve_run(store, run)
    values, drawn = content(folder, settings)
    page = sealed_page(render(values, drawn))
    target, name = (store, folder.report) if path is None else store_of_file(path)
    target.write_bytes(name, page)
    return ReportWritten(folder.run_id, target.full_path(name), len(page))


def content(folder: RunFolder, settings: Settings) -> tuple[dict[str, Any], dict[str, Any]]:
    """All that the template shows, and all that its scripts draw.

    :param settings: what advice on the time that the run took, and its price, go by.
    """
    status = as_seen_now(status_of(folder), published_days(folder.store))
    files = recorded_files(folder)
    before = previous_results(folder.store, status.as_of)
    header = open_plan(folder).header if folder.planned() else None
    results, missing = _results(folder, status)
    aggregates = None if results is None else results.aggregates()
    tail = risk_summary(results) if results is not None and results.origin == PUBLISHED else None
    valued = None if results is None else valued_trades(results, _named(tail))
    ladders = None if results is None else sensitivity_ladders(results)
    books = None if results is None or tail is None or valued is None else _books(folder, results, tail, valued)
    change = None if aggregates is None or before is None else day_change(aggregates, before)
    risk: dict[str, Any] = {"missing": missing} if aggregates is None or valued is None else _risk(aggregates, valued)
    values = {
        "status": status,
        "now": datetime.now(UTC),
        "version": __version__,
        "run": folder.described(),
        "header": header,
        "before": before,
        "failures": failure_causes(files, status, before),
        "risk": risk,
        "tail": tail,
        "map": books,
        "change": change,
        "ladders": ladders,
        **_time(folder, settings, status),
        "inputs": _inputs(files),
        "checks": _checks(files),
        "config": _text(files, folder.config),
        "most_rows": MOST_ROWS,
        "most_days": MOST_DAYS,
        "most_components": MOST_COMPONENTS,
    }
    currency = header.base_currency if header is not None else ""
    return values, charts(currency, tail, books, change, risk.get("stress", {}), ladders)


def _time(folder: RunFolder, settings: Settings, status: RunStatus) -> dict[str, Any]:
    spent = read_time_spent(folder, settings, status.phases)
    return {
        "spent": spent,
        "spent_parts": [] if spent is None else _parts(spent),
        "lines": None if spent is None else read_timelines(folder, spent),
        "price": settings.cluster.price_per_core_hour,
    }


def _parts(spent: TimeSpent) -> list[tuple[str, float]]:
    """What it is, and worker seconds; the largest first, without those that are nothing."""
    parts = [(PART_NAMES[name], seconds) for name, seconds in asdict(spent.parts).items() if seconds]
    return sorted(parts, key=lambda part: -part[1])


def _results(folder: RunFolder, status: RunStatus) -> tuple[Results | None, str]:
    """The results; or why there are none."""
    try:
        return find_results(folder.store, folder.run_id, date.fromisoformat(status.as_of)), ""
    except UsageError as error:
        return None, str(error)


def _text(files: RecordedFiles, path: str) -> str:
    return (files.read(path) or b"").decode()


def _inputs(files: RecordedFiles) -> list[tuple[str, str]]:
    text = _text(files, files.folder.inputs)
    return sorted(json.loads(text).items()) if text else []


def _checks(files: RecordedFiles) -> list[dict[str, Any]]:
    store, path = files.folder.store, files.folder.checks
    return list(read_parquet(store, path, sha256=files.of(path)).to_pylist()) if store.exists(path) else []


# -- the whole book's tail


def _named(tail: RiskSummary | None) -> list[str]:
    return [] if tail is None else [row["component"] for row in tail.trades]


def _headline(folder: RunFolder, tail: RiskSummary) -> TailDefinition | None:
    """The figure that is taken apart: the first value at risk of the run's configuration that has a number."""
    configured = (yaml.safe_load(_text(recorded_files(folder), folder.config)) or {}).get("risk")
    if configured is None:
        return None
    wanted = RiskSettings.model_validate(configured).terms().tails
    known = {row["name"] for row in tail.figures if row["value_base"] is not None}
    usable = [each for each in wanted if each.applies_to(PNL_SETS["historical_var"]) and each.name in known]
    return min(usable, key=lambda each: (each.kind != "var", each.horizon_days), default=None)


def _books(folder: RunFolder, results: Results, tail: RiskSummary, valued: ValuedTrades) -> BookMap | None:
    definition = _headline(folder, tail)
    if definition is None:
        return None
    trades = [
        (valued.books[row["component"]], row["component"], row["component_base"])
        for row in tail.trades
        if row["name"] == definition.name and row["component"] in valued.books
    ]
    return book_map(results, definition, trades, tail.by_book(definition.name))


# -- risk by book


def _risk(aggregates: pa.Table, valued: ValuedTrades) -> dict[str, Any]:
    """Aggregates by book, stresses, pv by product; `missing` says why there are none."""
    table = aggregates.filter(pc.less_equal(aggregates["level"], 2))
    chosen, more = _largest(table)
    rows = table.filter(pc.is_in(table["book"], value_set=chosen)).to_pylist()
    books = _by_book(rows)
    present = {row["measure"] for row in rows}
    return {
        "missing": "",
        "measures": [m for m in ("pv", *TAIL, *additive_measures()[1:]) if m in present],
        "books": books,
        "more_books": more,
        "root": books[0] if books else None,
        "stress": _stresses(rows),
        "products": list(valued.products),
    }


def _largest(table: pa.Table) -> tuple[pa.Array, int]:
    """The root and the books of the largest pv; how many others there are."""
    pv = table.filter(pc.equal(table["measure"], "pv"))
    books, size = pv["book"].combine_chunks(), pc.fill_null(pc.abs(pv["value_base"]), 0.0)
    size = pc.if_else(pc.equal(books, ""), float("inf"), size).combine_chunks()
    order = pc.sort_indices(size, sort_keys=[("", "descending")])
    return books.take(order[:MOST_BOOKS]), max(len(books) - MOST_BOOKS, 0)


def _by_book(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Root, then each book with those under it; value by measure."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        book = found.setdefault(
            row["book"],
            {"book": row["book"], "level": row["level"], "name": row["book"].rpartition("/")[2] or "all books",
             "trades": 0, "failed": 0, "values": {}},
        )  # fmt: skip
        book["trades"] = max(book["trades"], row["trades"])
        book["failed"] = max(book["failed"], row["failed_trades"])
        if row["scenario"] is None:
            book["values"][row["measure"]] = row["value_base"]
    return [found[name] for name in sorted(found, key=lambda name: name.split("/") if name else [])]


def _stresses(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Scenarios x (root and first-level books), in the scenarios' order."""
    stress = [row for row in rows if row["measure"] == "stress" and row["level"] <= 1]
    scenarios = list(dict.fromkeys(row["scenario"] for row in stress))
    values = {(row["scenario"], row["book"]): row["value_base"] for row in stress}
    desks = list(dict.fromkeys(row["book"] for row in stress if row["level"] == 1))
    largest = {desk: max((abs(values.get((s, desk)) or 0.0) for s in scenarios), default=0.0) for desk in desks}
    shown = sorted(desks, key=lambda desk: -largest[desk])[:MOST_DESKS]
    shown = [desk for desk in desks if desk in shown]
    return {
        "desks": shown,
        "more_desks": len(desks) - len(shown),
        "rows": [(s, [values.get((s, book)) for book in ("", *shown)]) for s in scenarios],
    }
