"""Sensitivities of the whole book, summed by curve, surface and point: what ladders and heat maps are drawn from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from riskpipe.market.factors import days_of, pillar_days
from riskpipe.results.find import Results
from riskpipe.store.result_tables import ResultStatus

MOST_NAMES = 25
MOST_COLUMNS = 40
MOST_SURFACES = 12

LADDERS = ("bucketed_zero", "bucketed_delta")
BY_NAME = ("curve_dv01", "dv01", "cs01", "vega", "bucketed_delta")
SURFACES = "bucketed_vega"


class Bars(Struct, frozen=True):
    """One measure by curve, surface or underlying, the largest first. :param more: how many are left out."""

    measure: str
    names: Sequence[str]
    values: Sequence[float]
    more: int


class Grid(Struct, frozen=True):
    """A measure by two coordinates. :param cells: (column, row, value). :param more: rows that are left out."""

    measure: str
    title: str
    columns: Sequence[str]
    rows: Sequence[str]
    cells: Sequence[tuple[int, int, float]]
    more: int = 0


class Ladders(Struct, frozen=True):
    """:param grids: curves by tenor, then surfaces by expiry and strike. :param more_surfaces: left out."""

    bars: Sequence[Bars]
    grids: Sequence[Grid]
    more_surfaces: int


def sensitivity_ladders(results: Results) -> Ladders:
    """All sums in the base currency, from one pass over the table, a batch at a time.

    :raises StorageError: the table cannot be read.
    """
    as_of = days_of(date.fromisoformat(results.as_of))
    found: dict[str, dict[str, float]] = {}
    for measure, factor, value in zip(*(column.to_pylist() for column in _sums(results).columns), strict=True):
        found.setdefault(measure, {})[factor] = value
    bars = [_bars(measure, found[measure]) for measure in BY_NAME if found.get(measure)]
    grids = [grid for measure in LADDERS if (grid := _ladder(measure, found.get(measure, {}), as_of)) is not None]
    surfaces = list(_surfaces(found.get(SURFACES, {}), as_of))
    surfaces.sort(key=lambda grid: -sum(abs(value) for _, _, value in grid.cells))
    return Ladders(bars, [*grids, *surfaces[:MOST_SURFACES]], max(len(surfaces) - MOST_SURFACES, 0))


def _sums(results: Results) -> pa.Table:
    """measure, factor, sum."""
    wanted = pa.array(sorted({*LADDERS, *BY_NAME, SURFACES}))
    total = pa.table({"measure": pa.array([], pa.string()), "factor": pa.array([], pa.string()),
                      "value_base": pa.array([], pa.float64())})  # fmt: skip
    for rows in results.rows("sensitivities", ["trade_id", "measure", "factor", "value_base", "status"]):
        keep = pc.and_(pc.is_in(rows["measure"], value_set=wanted), pc.equal(rows["status"], ResultStatus.OK))
        rows = rows.filter(pc.and_(keep, pc.is_valid(rows["value_base"]))).select(total.column_names)
        columns = [pc.cast(rows[name], total.schema.field(name).type) for name in total.column_names]
        both = pa.concat_tables([total, pa.table(columns, names=total.column_names)])
        summed = both.group_by(["measure", "factor"], use_threads=False).aggregate([("value_base", "sum")])
        total = summed.rename_columns(["measure", "factor", "value_base"])
    return total.sort_by([("measure", "ascending"), ("factor", "ascending")])


def name_of(factor: str) -> str:
    """`zero_rate:USD.SOFR:5Y` -> `zero_rate:USD.SOFR`: the curve, surface or underlying with its kind."""
    return ":".join(factor.split(":")[:2])


def _bars(measure: str, sums: Mapping[str, float]) -> Bars:
    found: dict[str, float] = {}
    for factor, value in sums.items():
        found[name_of(factor)] = found.get(name_of(factor), 0.0) + value
    largest = sorted(found, key=lambda name: -abs(found[name]))
    shown = largest[:MOST_NAMES]
    return Bars(measure, shown, [found[name] for name in shown], len(largest) - len(shown))


def _ladder(measure: str, sums: Mapping[str, float], as_of: int) -> Grid | None:
    """Curves by tenor; None: no point has one."""
    cells: dict[tuple[str, str], float] = {}
    for factor, value in sums.items():
        coordinates = factor.split(":")
        if len(coordinates) > 2 and pillar_days(coordinates[2], as_of) is not None:
            key = name_of(factor), coordinates[2]
            cells[key] = cells.get(key, 0.0) + value
    return _grid(measure, "", cells, as_of) if cells else None


def _surfaces(sums: Mapping[str, float], as_of: int) -> Iterator[Grid]:
    found: dict[str, dict[tuple[str, str], float]] = {}
    for factor, value in sums.items():
        coordinates = factor.split(":")
        if len(coordinates) > 2:
            key = ":".join(coordinates[3:]) or "–", coordinates[2]
            cells = found.setdefault(name_of(factor), {})
            cells[key] = cells.get(key, 0.0) + value
    for name, cells in sorted(found.items()):
        yield _grid(SURFACES, name, cells, as_of)


def _grid(measure: str, title: str, cells: Mapping[tuple[str, str], float], as_of: int) -> Grid:
    """:param cells: (row, column) -> value."""
    weight: dict[str, float] = {}
    for (row, _), value in cells.items():
        weight[row] = weight.get(row, 0.0) + abs(value)
    rows = sorted(weight, key=lambda row: -weight[row])[:MOST_NAMES]
    rows.sort(key=_in_order)
    columns = sorted({column for row, column in cells if row in weight}, key=lambda each: _days(each, as_of))
    columns = columns[:MOST_COLUMNS]
    places = [(columns.index(c), rows.index(r), v) for (r, c), v in cells.items() if r in rows and c in columns]
    return Grid(measure, title, columns, rows, sorted(places), len(weight) - len(rows))


def _days(tenor: str, as_of: int) -> tuple[int, str]:
    days = pillar_days(tenor, as_of)
    return (1 << 30 if days is None else days), tenor


def _in_order(name: str) -> tuple[str, float, str]:
    """Strikes by number, deltas and names by text."""
    head, number = re.fullmatch(r"(.*?)(-?\d+(?:\.\d+)?)?", name, re.DOTALL).groups()  # type: ignore[union-attr]
    return head, float(number or 0.0), name
