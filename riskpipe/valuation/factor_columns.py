"""What a risk factor is: the table `factors`, and the columns of it that rows of sensitivities carry."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from riskpipe.market.snapshot import NO_DATE, MarketSnapshot
from riskpipe.store.table_schemas import FACTOR_COLUMNS, SCHEMAS

_COPIED = ("factor", "kind", "name", "currency", "tenor", "underlying_tenor", "strike", "strike_type")


def factors_table(snapshot: MarketSnapshot, derived: Iterable[tuple[int, int]]) -> pa.Table:
    """All points of a day's market, in order of their ids, as the table `factors` has them but for run and date.

    :param derived: first and last (exclusive) positions in the snapshot of points that were made of quotes.
    """
    quoted = np.ones(len(snapshot), np.bool_)
    for start, stop in derived:
        quoted[start:stop] = False
    columns = {name: snapshot.factors.column(name) for name in _COPIED}
    table = pa.table({**columns, "days": _days(snapshot), "level": snapshot.factors.column("value"), "quoted": quoted})
    in_order = table.take(pc.sort_indices(table, [("factor", "ascending")]))
    return in_order.select([name for name in SCHEMAS["factors"].names if name in in_order.column_names])


def ranges_of(positions: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Ascending positions as ranges: first and last (exclusive)."""
    ranges: list[tuple[int, int]] = []
    for position in positions:
        if ranges and ranges[-1][1] == position:
            ranges[-1] = (ranges[-1][0], position + 1)
        else:
            ranges.append((position, position + 1))
    return tuple(ranges)


class FactorColumns:
    """Adds kind, name, tenor, days and strike of the factor to rows of sensitivities.

    They follow from the factor, so blocks do not write them: they are looked up for each distinct factor of some rows
    when the day is put together. Of what is no single point (a currency's curves, a surface, a pair, of which it is
    the first) there are kind and name.
    """

    def __init__(self, snapshot: MarketSnapshot) -> None:
        self._points = snapshot.factors.column("factor").combine_chunks()
        known = {"kind": "kind", "name": "name", "tenor": "tenor", "strike": "strike"}
        columns = {name: snapshot.factors.column(of).combine_chunks() for name, of in known.items()}
        self._columns = {**columns, "days": _days(snapshot)}

    def __call__(self, rows: pa.Table) -> dict[str, pa.ChunkedArray]:
        """:param rows: with the column `factor`, which may be a dictionary of strings."""
        factor = rows["factor"]
        coded = factor if pa.types.is_dictionary(factor.type) else factor.dictionary_encode()
        chunks = [self._of(chunk) for chunk in coded.chunks]
        types = {name: SCHEMAS["sensitivities"].field(name).type for name in FACTOR_COLUMNS}
        return {name: pa.chunked_array([c[name] for c in chunks], types[name]) for name in FACTOR_COLUMNS}

    def _of(self, factor: pa.DictionaryArray) -> dict[str, pa.Array]:
        names = factor.dictionary
        point = pc.index_in(names, value_set=self._points)
        found = {column: values.take(point) for column, values in self._columns.items()}
        for name, part in (("kind", 0), ("name", 2)):
            text = [each.partition(" x ")[0].partition(":")[part] for each in names.to_pylist()]
            found[name] = pc.coalesce(found[name], pa.array(text, pa.string()))
        return {name: found[name].take(factor.indices) for name in FACTOR_COLUMNS}


def _days(snapshot: MarketSnapshot) -> pa.Array:
    """int32: calendar days from the valuation date to the pillar; null where there is none."""
    return pa.array(snapshot.days - np.int32(snapshot.as_of), mask=snapshot.days == NO_DATE)
