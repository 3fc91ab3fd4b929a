"""Published figures valued once more from the run's stored inputs and its trade files, and compared to the bit."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from riskpipe.measures.pnl_sets import pnl_sets
from riskpipe.measures.summed_columns import Summed
from riskpipe.measures.tail_definition import TailDefinition
from riskpipe.measures.tail_risk import tail_figures
from riskpipe.results.priced_trades import TradesOfRun
from riskpipe.runs.aggregate import aggregates

_OF_TRADES = {
    "valuations": (("measure",), ("value", "value_base", "status")),
    "sensitivities": (("measure", "factor"), ("value", "value_base", "status")),
}
_OF_BOOKS = (("measure", "scenario_set", "scenario"), ("value_base", "trades", "failed_trades"))


class Comparison(Struct, frozen=True):
    """One value. :param key: what it is of. :param published, recomputed: None where there is none."""

    table: str
    key: Mapping[str, Any]
    column: str
    published: Any
    recomputed: Any

    @property
    def same(self) -> bool:
        """To the last bit."""
        return bool(_bits(self.published) == _bits(self.recomputed))

    def to_json(self) -> dict[str, Any]:
        return {
            "table": self.table,
            **self.key,
            "column": self.column,
            "published": self.published,
            "recomputed": self.recomputed,
            "same": self.same,
        }


def _bits(value: Any) -> Any:
    return struct.pack("<d", value) if isinstance(value, float) else value


def trade_again(
    trades: TradesOfRun, product: str, trade_id: str, published: Mapping[str, Sequence[Mapping[str, Any]]]
) -> list[Comparison]:
    """A trade's published rows of `valuations` and `sensitivities` against a valuation of it alone."""
    made = trades.one(product, trade_id).valued(trades.context).tables
    found: list[Comparison] = []
    for table, rows in published.items():
        again = made[table].to_pylist() if table in made else []
        measures = {row["measure"] for row in rows}
        found += _compared(table, rows, [row for row in again if row["measure"] in measures], *_OF_TRADES[table])
    return found


def book_again(
    trades: TradesOfRun,
    book: str,
    published: Mapping[str, Sequence[Mapping[str, Any]]],
    definitions: Mapping[str, TailDefinition],
) -> list[Comparison]:
    """A book's published rows of `aggregates` and `var` against the sums of all its trades, valued anew."""
    totals, context = trades.totals(book), trades.context
    found: list[Comparison] = []
    rows = published.get("aggregates", ())
    if rows:
        made = pa.concat_tables(aggregates(context.spec, context.scenarios, totals))
        again = made.filter(pc.equal(made["book"], book)).to_pylist()
        measures = {row["measure"] for row in rows}
        found += _compared("aggregates", rows, [row for row in again if row["measure"] in measures], *_OF_BOOKS)
    node = totals.paths.index(book)
    for row in published.get("var", ()):
        whole = [
            each
            for each in pnl_sets(what.scenario_set for what in totals.summed)
            if (each.scenario_set, each.risk_class) == (row["scenario_set"], row["risk_class"])
        ]
        value = None
        if whole and row["name"] in definitions:
            vector = totals.of(Summed(whole[0].name, whole[0].measure), range(node, node + 1)).values
            value = float(tail_figures(np.ascontiguousarray(vector), definitions[row["name"]]).value[0])
        key = {name: row[name] for name in ("name", "scenario_set", "risk_class")}
        found.append(Comparison("var", key, "value_base", row["value_base"], value))
    return found


def _compared(
    table: str,
    published: Sequence[Mapping[str, Any]],
    again: Sequence[Mapping[str, Any]],
    keys: tuple[str, ...],
    columns: tuple[str, ...],
) -> Iterator[Comparison]:
    """Every row of either side."""
    sides = [{tuple(row[key] for key in keys): row for row in rows} for rows in (published, again)]
    for name in dict.fromkeys((*sides[0], *sides[1])):
        one, other = (side.get(name, {}) for side in sides)
        for column in columns:
            key = dict(zip(keys, name, strict=True))
            yield Comparison(table, key, column, one.get(column), other.get(column))
