"""One result table of two runs, compared row by row: what is in one only, what changed, and by how much."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from riskpipe.arrays import FloatArray
from riskpipe.results.alignment import FORMER_BOOK, Pair, Positions, coded, matched, row_codes, together
from riskpipe.results.differences import Bounds, Compared, Mask, TableDiff, Total, additive, beyond

SAMPLES = 5
_LOOKED_AT = 500
_RANK = "_rank"


class Comparison:
    """Windows in, a TableDiff out.

    :param largest: how many changes to keep.
    """

    def __init__(self, compared: Compared, tolerance: Bounds, largest: int) -> None:
        self._compared = compared
        self._tolerance = tolerance
        self._largest = largest
        self.diff = TableDiff()

    def compare(self, a: pa.Table, b: pa.Table) -> Pair:
        """Compare the rows that both have; return those that only one has, which are not counted yet."""
        self.diff.rows_a += a.num_rows
        self.diff.rows_b += b.num_rows
        if self._compared.totals:
            self._totals(a, b)
        in_a, in_b, only_a, only_b = matched(a, b, self._compared.keys)
        self._pairs(a.take(pa.array(in_a)), b.take(pa.array(in_b)))
        return a.take(pa.array(only_a)), b.take(pa.array(only_b))

    def compare_moved(self, a: pa.Table, b: pa.Table) -> None:
        """What was left over: compare by trade whatever the book, and count what stays without a counterpart."""
        keys = [name for name in self._compared.keys if name != "book"]
        in_a, in_b, only_a, only_b = matched(a, b, keys)
        self.diff.moved += len(in_a)
        a, b = (t.set_column(0, "book", t[FORMER_BOOK]).drop([FORMER_BOOK]) for t in (a, b))
        self._pairs(a.take(pa.array(in_a)), b.take(pa.array(in_b)))
        self._sample("moved", lambda k: {**self._named(a, in_a[k]), "to": b["book"][in_b[k]].as_py()}, len(in_a))
        self.count_single(a.take(pa.array(only_a)), b.take(pa.array(only_b)))

    def count_single(self, a: pa.Table, b: pa.Table) -> None:
        """Rows that one side only has."""
        self.diff.only_a += a.num_rows
        self.diff.only_b += b.num_rows
        self._sample("only_a", lambda k: self._named(a, k), a.num_rows)
        self._sample("only_b", lambda k: self._named(b, k), b.num_rows)

    def finish(self) -> TableDiff:
        """What was found, after the last window."""
        for entry in self.diff.largest:
            entry.pop(_RANK, None)
        return self.diff

    def _pairs(self, left: pa.Table, right: pa.Table) -> None:
        """Rows of both sides that have the same keys, pair by pair."""
        other = self._statuses(left, right)
        if "pnl" in self._compared.numbers:
            numbers, changed = self._vectors(left, right)
        else:
            numbers = [(_numbers(left[name]), _numbers(right[name])) for name in self._compared.numbers]
            bounds = self._bounds(left)
            changed = np.logical_or.reduce([beyond(x, y, *bounds) for x, y in numbers])
        for name in self._compared.exact:
            x, y = row_codes(left, right, [name])
            changed |= x != y
        rows = np.flatnonzero(changed & ~other)
        self.diff.changed += len(rows)
        self._rank(left, right, numbers, rows)
        if self._compared.totals:
            self._count_changed(left.take(pa.array(rows)))

    def _bounds(self, rows: pa.Table) -> tuple[FloatArray, FloatArray]:
        """float64[n] each: what the numbers of rows may change by, absolutely and relatively."""
        n, default = rows.num_rows, self._tolerance.default
        if not self._tolerance.rules:
            return np.full(n, default.absolute), np.full(n, default.relative)
        named = self._compared.measure
        measures = [self._compared.name] * n if named is None else rows[named].to_pylist()
        books = rows["book"].to_pylist() if "book" in rows.column_names else [None] * n
        return self._tolerance.of_rows(measures, books)

    def _statuses(self, left: pa.Table, right: pa.Table) -> Mask:
        """Which rows have another status, or another reason for having no number."""
        if not self._compared.label:
            return np.zeros(left.num_rows, np.bool_)
        x, y = row_codes(left, right, self._compared.label)
        rows = np.flatnonzero(x != y)
        _, first, counts = np.unique(np.stack([x[rows], y[rows]]), axis=1, return_index=True, return_counts=True)
        for row, count in zip(rows[first], counts, strict=True):
            self.diff.statuses[self._label(left, row), self._label(right, row)] += int(count)
        self._sample("status", lambda k: self._relabelled(left, right, rows[k]), len(rows))
        return np.asarray(x != y, np.bool_)

    def _relabelled(self, left: pa.Table, right: pa.Table, row: int) -> dict[str, Any]:
        return {**self._named(left, row), "a": self._label(left, row), "b": self._label(right, row)}

    def _label(self, table: pa.Table, row: int) -> str:
        values = [table[name][int(row)].as_py() for name in self._compared.label]
        return " ".join(str(value) for value in values if value is not None)

    def _vectors(self, left: pa.Table, right: pa.Table) -> tuple[list[tuple[FloatArray, FloatArray]], Mask]:
        """Of each pair of vectors the elements that differ most, and whether any is beyond the tolerance."""
        n = left.num_rows
        worst_a, worst_b, changed = np.full(n, np.nan), np.full(n, np.nan), np.zeros(n, np.bool_)
        widths = [pc.fill_null(pc.list_value_length(t["pnl"]), -1).to_numpy() for t in (left, right)]
        changed |= widths[0] != widths[1]
        for width in np.unique(widths[0][~changed]):
            rows = np.flatnonzero(~changed & (widths[0] == width))
            if width <= 0:
                continue
            x, y = (_matrix(table["pnl"], rows, int(width)) for table in (left, right))
            at = np.argmax(np.where(x == y, 0.0, np.abs(x - y)), axis=1)
            every = np.arange(len(rows))
            worst_a[rows], worst_b[rows] = x[every, at], y[every, at]
            bounds = (np.repeat(bound[rows], width) for bound in self._bounds(left))
            changed[rows] = beyond(x.ravel(), y.ravel(), *bounds).reshape(x.shape).any(axis=1)
        return [(worst_a, worst_b)], changed

    def _rank(
        self, left: pa.Table, right: pa.Table, numbers: Sequence[tuple[FloatArray, FloatArray]], rows: Positions
    ) -> None:
        """Keep the largest changes of all so far; rows without a number in base currency come first, figures that are
        no money last."""
        x, y = numbers[-1]
        size = np.abs(y[rows] - x[rows])
        own = numbers[0][1][rows] - numbers[0][0][rows]
        size[np.isnan(x[rows]) & np.isnan(y[rows]) & ~np.isnan(own)] = 0.0
        size[np.isnan(size)] = np.inf
        kept = np.argsort(-size, kind="stable")[: self._largest]
        for row, rank in zip(rows[kept], size[kept], strict=True):
            entry = self._named(left, row)
            if "book" in left.column_names and left["book"][row].as_py() != right["book"][row].as_py():
                entry["book_b"] = right["book"][row].as_py()
            for name, (before, after) in zip(self._compared.numbers, numbers, strict=True):
                entry[f"{name}_a"], entry[f"{name}_b"] = _number(before[row]), _number(after[row])
            entry["change"] = _number(y[row] - x[row])
            others = {name: [t[name][int(row)].as_py() for t in (left, right)] for name in self._compared.exact}
            entry["also"] = {name: pair for name, pair in others.items() if pair[0] != pair[1]}
            self.diff.largest.append({_RANK: float(rank), **entry})
        self.diff.largest.sort(key=lambda entry: -entry[_RANK])
        del self.diff.largest[self._largest :]

    def _totals(self, a: pa.Table, b: pa.Table) -> None:
        both = together(a, b, ["measure", "product", "book"])
        measure, measures = coded(both["measure"])
        for name, totals in (("product", self.diff.by_product), ("book", self.diff.by_book)):
            group, texts = coded(both[name])
            codes = group * len(measures) + measure
            for side, table, own in (("a", a, codes[: a.num_rows]), ("b", b, codes[a.num_rows :])):
                numbers = np.nan_to_num(_numbers(table["value_base"]), nan=0.0)
                self._add(totals, own, numbers, side, texts, measures)

    def _count_changed(self, rows: pa.Table) -> None:
        measure, measures = coded(rows["measure"])
        for name, totals in (("product", self.diff.by_product), ("book", self.diff.by_book)):
            group, texts = coded(rows[name])
            for code, count in zip(*np.unique(group * len(measures) + measure, return_counts=True), strict=True):
                totals[_group(code, texts, measures)].changed += int(count)

    @staticmethod
    def _add(
        totals: dict[tuple[str, str], Total],
        codes: Positions,
        numbers: FloatArray,
        side: str,
        texts: list[str | None],
        measures: list[str | None],
    ) -> None:
        distinct, index, counts = np.unique(codes, return_inverse=True, return_counts=True)
        sums = np.bincount(index, weights=numbers, minlength=len(distinct))
        for code, count, number in zip(distinct, counts, sums, strict=True):
            name = _group(code, texts, measures)
            total = totals.setdefault(name, Total())
            setattr(total, f"rows_{side}", getattr(total, f"rows_{side}") + int(count))
            if name[1] in additive():
                setattr(total, side, (getattr(total, side) or 0.0) + float(number))

    def _sample(self, what: str, row: Callable[[int], dict[str, Any]], rows: int) -> None:
        """Keep the first row of each of the first trades (of the first rows, where there are no trades)."""
        found = self.diff.samples.setdefault(what, [])
        for k in range(min(rows, _LOOKED_AT)):
            if len(found) == SAMPLES:
                return
            entry = row(k)
            if "trade_id" not in entry or all(entry["trade_id"] != known["trade_id"] for known in found):
                found.append(entry)

    def _named(self, table: pa.Table, row: int) -> dict[str, Any]:
        shown = [*self._compared.keys, *(["product"] if "product" in table.column_names else [])]
        return {name: table[name][int(row)].as_py() for name in shown}


def _numbers(column: pa.ChunkedArray) -> FloatArray:
    """float64[n], NaN where null."""
    return np.ascontiguousarray(column.cast(pa.float64()).to_numpy(), np.float64)


def _matrix(column: pa.ChunkedArray, rows: Positions, width: int) -> FloatArray:
    flat = pc.list_flatten(column.take(pa.array(rows))).to_numpy()
    return np.asarray(flat, np.float64).reshape(-1, width)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _group(code: int, texts: list[str | None], measures: list[str | None]) -> tuple[str, str]:
    group, measure = divmod(int(code), len(measures))
    return str(texts[group]).split("/")[0], str(measures[measure])
