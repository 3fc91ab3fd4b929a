"""`riskpipe report`: a run as one HTML page that needs nothing else, for people who were not there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jinja2
import pyarrow as pa
import pyarrow.compute as pc

from riskpipe import __version__
from riskpipe.config import Settings
from riskpipe.errors import UsageError
from riskpipe.measures.catalogue import ADDITIVE_MEASURES
from riskpipe.plan.accounting import RunStatus
from riskpipe.results.find import Results, find_results
from riskpipe.results.timings import read_timings
from riskpipe.runs.status import as_seen_now, published_days, status_of
from riskpipe.runs.stored import open_plan
from riskpipe.store.filesystem import Store
from riskpipe.store.location import open_store, store_of_file
from riskpipe.store.parquet import open_parquet, read_parquet
from riskpipe.store.result_tables import ResultStatus
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.run_ids import resolve_run

MOST_BOOKS = 300
MOST_DESKS = 10
MOST_ROWS = 50
SAMPLES = 5
_LOOKED_AT = 1_000
_TRADE = ["reason", "product", "trade_id"]
TAIL = ("var_99", "es_97_5")


@dataclass(frozen=True)
class ReportWritten:
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
    page = render(content(folder)).encode()
    target, name = (store, folder.report) if path is None else store_of_file(path)
    target.write_bytes(name, page)
    return ReportWritten(folder.run_id, target.full_path(name), len(page))


def render(values: dict[str, Any]) -> str:
    """The page; every value that comes from outside is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("riskpipe.workflows"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": _count, "money": _money, "seconds": _seconds, "size": _size, "share": _share}
    return environment.get_template("report.html.j2").render(values)


def content(folder: RunFolder) -> dict[str, Any]:
    """All that the template shows."""
    status = as_seen_now(status_of(folder), published_days(folder.store))
    return {
        "status": status,
        "now": datetime.now(UTC),
        "version": __version__,
        "run": folder.described(),
        "header": _header(folder),
        "failures": _failures(folder, status),
        "risk": _risk(folder, status),
        "timings": read_timings(folder),
        "inputs": _inputs(folder),
        "checks": _checks(folder),
        "config": _text(folder.store, folder.config),
        "most_rows": MOST_ROWS,
    }


def _header(folder: RunFolder) -> Any:
    if not folder.planned():
        return None
    return open_plan(folder).header


def _text(store: Store, path: str) -> str:
    return store.read_bytes(path).decode() if store.exists(path) else ""


def _inputs(folder: RunFolder) -> list[tuple[str, str]]:
    text = _text(folder.store, folder.inputs)
    return sorted(json.loads(text).items()) if text else []


def _checks(folder: RunFolder) -> list[dict[str, Any]]:
    return list(read_parquet(folder.store, folder.checks).to_pylist()) if folder.store.exists(folder.checks) else []


# -- failures


def _failures(folder: RunFolder, status: RunStatus) -> list[dict[str, Any]]:
    """Trades by reason, the most frequent first, with the first few of each."""
    found: dict[str, dict[str, Any]] = {
        reason: {"reason": reason, "trades": trades, "products": {}, "sample": []}
        for reason, trades in status.failures_by_reason.items()
    }
    if folder.store.exists(folder.failures):
        columns = ["trade_id", "product", "stage", "reason", "message", "retryable"]
        trades: pa.Table | None = None
        with open_parquet(folder.store, folder.failures) as file:
            for batch in file.iter_batches(65_536, columns=columns):
                rows = pa.Table.from_batches([batch])
                _add_samples(found, rows)
                mine = rows.select(_TRADE)
                trades = (mine if trades is None else pa.concat_tables([trades, mine])).group_by(_TRADE).aggregate([])
        if trades is not None:
            _add_products(found, trades)
    return sorted(found.values(), key=lambda row: (-row["trades"], row["reason"]))


def _add_products(found: dict[str, dict[str, Any]], trades: pa.Table) -> None:
    """:param trades: each once for every reason; of blocks that were not reached there is none."""
    counts = trades.group_by(["reason", "product"], use_threads=False).aggregate([("trade_id", "count")])
    for row in counts.to_pylist():
        found[row["reason"]]["products"][row["product"]] = row["trade_id_count"]


def _add_samples(found: dict[str, dict[str, Any]], rows: pa.Table) -> None:
    """The first trades of each reason and product, each once: it may have failed in several blocks."""
    for row in rows.group_by(["reason", "product"], use_threads=False).aggregate([]).to_pylist():
        entry = found.setdefault(row["reason"], {"reason": row["reason"], "trades": 0, "products": {}, "sample": []})
        shown = {sample["trade_id"] for sample in entry["sample"]}
        if len(shown) >= SAMPLES:
            continue
        some = rows.filter(pc.and_(pc.equal(rows["reason"], row["reason"]), pc.equal(rows["product"], row["product"])))
        for failure in some.slice(0, _LOOKED_AT).to_pylist():
            if failure["trade_id"] not in shown and len(shown) < SAMPLES:
                shown.add(failure["trade_id"])
                entry["sample"].append(failure)


# -- risk


def _risk(folder: RunFolder, status: RunStatus) -> dict[str, Any]:
    """Aggregates by book, stresses, pv by product; `missing` says why there are none."""
    try:
        results = find_results(folder.store, folder.run_id, datetime.fromisoformat(status.as_of).date())
    except UsageError as error:
        return {"missing": str(error)}
    rows = results.aggregates()
    rows = rows.filter(pc.less_equal(rows["level"], 2)).to_pylist()
    books = _books(rows)
    present = {row["measure"] for row in rows}
    return {
        "missing": "",
        "measures": [m for m in ("pv", *TAIL, *ADDITIVE_MEASURES[1:]) if m in present],
        "books": books[:MOST_BOOKS],
        "more_books": max(len(books) - MOST_BOOKS, 0),
        "root": books[0] if books else None,
        "stress": _stresses(rows),
        "products": list(_products(results)),
        "origin": results.origin,
    }


def _books(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
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


def _products(results: Results) -> Iterator[dict[str, Any]]:
    """pv in base currency and trades by outcome, by product."""
    found: dict[str, dict[str, Any]] = {}
    columns = ["trade_id", "product", "measure", "value_base", "status"]
    for rows in results.rows("valuations", columns):
        rows = rows.filter(pc.equal(rows["measure"], "pv"))
        grouped = rows.group_by(["product", "status"], use_threads=False)
        for row in grouped.aggregate([("value_base", "sum"), ("trade_id", "count")]).to_pylist():
            entry = found.setdefault(row["product"], {"product": row["product"], "pv": None, "ok": 0, "failed": 0})
            if row["status"] == ResultStatus.OK:
                entry["ok"] += row["trade_id_count"]
                entry["pv"] = (entry["pv"] or 0.0) + row["value_base_sum"]
            else:
                entry["failed"] += row["trade_id_count"]
    yield from sorted(found.values(), key=lambda entry: entry["product"])


# -- how numbers are written


def _count(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"


def _money(value: float | None) -> str:
    if value is None:
        return "–"
    text = f"{value:,.0f}" if abs(value) >= 1 or value == 0 else f"{value:,.2g}"
    return re.sub("^-", "−", text)


def _seconds(value: float | None) -> str:
    if value is None:
        return "–"
    if value >= 60:
        minutes, seconds = divmod(round(value), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02} min"
    return f"{value * 1000:.0f} ms" if 0 < value < 0.1 else f"{value:.1f} s" if value < 10 else f"{value:.0f} s"


def _size(value: float | None) -> str:
    if value is None:
        return "–"
    for unit in ("B", "KiB", "MiB"):
        if abs(value) < 1024:
            return f"{value:.0f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"
