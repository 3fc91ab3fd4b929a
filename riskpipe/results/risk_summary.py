"""What a published day says of the whole book's risk, for people: figures, vector, components, explanation, limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from riskpipe.measures.measure_names import PNL_SETS, WHOLE_RISK
from riskpipe.results.find import Results
from riskpipe.store.parquet import open_parquet
from riskpipe.store.table_schemas import SCHEMAS

HISTORICAL = PNL_SETS["historical_var"]
BINS = 40
WORST = 10
MOST_DESKS = 10


class Vector(Struct, frozen=True):
    """The root's P&L under the history.

    :param scenarios: their names, in order. :param worst: positions, the largest loss first.
    :param edges: of the histogram's bins, one more than `counts`.
    :param desks: of the books right below the root, those of the largest P&L on the worst days.
    :param desk_pnl: of these on the worst days.
    """

    scenarios: Sequence[str]
    pnl: Sequence[float]
    worst: Sequence[int]
    edges: Sequence[float]
    counts: Sequence[int]
    desks: Sequence[str]
    desk_pnl: Sequence[Sequence[float]]


class RiskSummary(Struct, frozen=True):
    """Rows as the tables have them; empty where the day has no such table.

    :param trades: components of each figure, the largest trades first.
    :param own: each book's own figures, by name, of the whole risk under the history.
    """

    figures: list[dict[str, Any]]
    by_class: list[dict[str, Any]]
    vector: Vector | None
    components: list[dict[str, Any]]
    trades: list[dict[str, Any]]
    explained: list[dict[str, Any]]
    limits: list[dict[str, Any]]
    limits_by_status: dict[str, int]
    backtests: list[dict[str, Any]]
    own: Mapping[str, Mapping[str, float]]

    def by_book(self, figure: str) -> Mapping[str, float]:
        """A figure of every book that has it."""
        return self.own.get(figure, {})


def risk_summary(results: Results) -> RiskSummary:
    """Of the root of what is published.

    :raises StorageError: a table cannot be read.
    """
    figures = list(_of_root(results, "var"))
    limits = [row for table in _pieces(results, "limit_checks") for row in _urgent(table)]
    status = [value for table in _pieces(results, "limit_checks") for value in table["status"].to_pylist()]
    components = list(_of_root(results, "var_components"))
    explained = [row for row in _of_root(results, "pnl_explain") if row["trade_id"] is None]
    return RiskSummary(
        figures=[row for row in figures if row["risk_class"] == WHOLE_RISK],
        by_class=[row for row in figures if row["risk_class"] != WHOLE_RISK],
        vector=_vector(results),
        components=[row for row in components if row["component_kind"] == "book"],
        trades=[row for row in components if row["component_kind"] == "trade"],
        explained=[row for row in explained if not row["line"].startswith("sensitivity_")],
        limits=sorted(limits, key=lambda row: (row["status"], -abs(row["use"] or 0.0), row["book"])),
        limits_by_status={name: status.count(name) for name in ("ok", "warning", "breach")} if status else {},
        backtests=list(_of_root(results, "backtests")),
        own=_own(results),
    )


def _pieces(results: Results, table: str, size: int = 65_536) -> Iterator[pa.Table]:
    for source in results.files.get(table, ()):
        with open_parquet(results.store, source.path, sha256=source.sha256) as file:
            for batch in file.iter_batches(size):
                yield pa.Table.from_batches([batch])


def _of_root(results: Results, table: str) -> Iterator[dict[str, Any]]:
    """Rows of the root; tables begin with them."""
    for rows in _pieces(results, table):
        mine = rows.filter(pc.equal(rows["book"], ""))
        yield from mine.to_pylist()
        if mine.num_rows < rows.num_rows and table != "pnl_explain":
            return


def _urgent(rows: pa.Table) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = rows.filter(pc.not_equal(rows["status"], "ok")).to_pylist()
    return found


def _own(results: Results) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for rows in _pieces(results, "var"):
        kept = pc.and_(pc.equal(rows["scenario_set"], HISTORICAL), pc.equal(rows["risk_class"], WHOLE_RISK))
        kept = rows.filter(pc.and_(kept, pc.is_valid(rows["value_base"])))
        columns = (kept[name].to_pylist() for name in ("name", "book", "value_base"))
        for name, book, value in zip(*columns, strict=True):
            found.setdefault(name, {})[book] = value
    return found


def _vector(results: Results) -> Vector | None:
    levels = _first_levels(results)
    root = next(levels, None)
    if root is None or root["level"]:
        return None
    names = pa.concat_tables([SCHEMAS["scenarios"].empty_table(), *_pieces(results, "scenarios")])
    names = names.filter(pc.equal(names["scenario_set"], HISTORICAL)).sort_by("index")
    pnl = np.array(root["pnl"])
    counts, edges = np.histogram(pnl, min(BINS, len(pnl)))
    worst = np.argsort(pnl, kind="stable")[:WORST]
    on_worst = {row["book"]: [row["pnl"][k] for k in worst] for row in levels}
    desks = sorted(sorted(on_worst, key=lambda desk: -max(map(abs, on_worst[desk])))[:MOST_DESKS])
    return Vector(
        scenarios=names["scenario"].to_pylist(),
        pnl=pnl.tolist(),
        worst=worst.tolist(),
        edges=edges.tolist(),
        counts=counts.tolist(),
        desks=desks,
        desk_pnl=[on_worst[desk] for desk in desks],
    )


def _first_levels(results: Results) -> Iterator[dict[str, Any]]:
    """Of `book_pnl`, the root and then the books right below it, those that have a P&L under the history."""
    for rows in _pieces(results, "book_pnl", 2_048):
        wanted = pc.and_(pc.equal(rows["scenario_set"], HISTORICAL), pc.equal(rows["risk_class"], WHOLE_RISK))
        wanted = pc.and_(wanted, pc.and_(pc.less_equal(rows["level"], 1), pc.is_valid(rows["pnl"])))
        yield from rows.filter(wanted).select(["level", "book", "pnl"]).to_pylist()
        if pc.max(rows["level"]).as_py() > 1:  # sorted by level
            return
