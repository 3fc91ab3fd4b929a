"""Rows of the market table as rules look at them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from riskpipe.arrays import FloatArray
from riskpipe.errors import Level
from riskpipe.market.factors import KINDS, NO_DATE, MarketFault, fault, kind_of, pillar_days

Strings = list[str | None]


class Points:
    """The table as Python lists and arrays, for rules that look at one row or one group at a time."""

    def __init__(self, table: pa.Table, as_of: int, broken: frozenset[str], derived: bool) -> None:
        self.size: int = table.num_rows
        self.as_of = as_of
        self.kinds = {name: kind for name, kind in KINDS.items() if derived or not kind.made}
        self.broken = broken
        self.factor: Strings = table.column("factor").to_pylist()
        self.kind: Strings = table.column("kind").to_pylist()
        self.name: Strings = table.column("name").to_pylist()
        self.currency: Strings = table.column("currency").to_pylist()
        self.tenor: Strings = table.column("tenor").to_pylist()
        self.underlying_tenor: Strings = table.column("underlying_tenor").to_pylist()
        self.strike_type: Strings = table.column("strike_type").to_pylist()
        self.instrument: Strings = table.column("instrument").to_pylist()
        self.strike: list[float | None] = table.column("strike").to_pylist()
        self.value: FloatArray = pc.fill_null(table.column("value"), math.nan).to_numpy()
        self.days = [self._days(tenor) for tenor in self.tenor]
        self.specs = [
            kind_of(kind, strike_type) if kind in self.kinds else None
            for kind, strike_type in zip(self.kind, self.strike_type, strict=True)
        ]

    def _days(self, tenor: str | None) -> int:
        days = None if tenor is None else pillar_days(tenor, self.as_of)
        return NO_DATE if days is None else days

    def is_tenor(self, text: str) -> bool:
        return pillar_days(text, self.as_of) is not None

    def texts(self, column: str) -> Strings:
        values: Strings = getattr(self, column)
        return values

    def rows_of_kind(self, kind: str) -> list[int]:
        return self._rows_of_kinds.get(kind, [])

    @cached_property
    def _rows_of_kinds(self) -> dict[str | None, list[int]]:
        rows: dict[str | None, list[int]] = defaultdict(list)
        for k, kind in enumerate(self.kind):
            rows[kind].append(k)
        return rows

    def rows(self, condition: Callable[[int], bool]) -> list[int]:
        return [k for k in range(self.size) if condition(k)]

    def report(self, level: Level, column: str, rule: str, rows: list[int], message: str) -> Iterator[MarketFault]:
        """One fault for `rows`, none if there are no rows or the column is broken as a whole."""
        if rows and column not in self.broken:
            ids = [self.factor[k] or f"row {k}" for k in rows]
            yield fault(level, column, rule, ids, message)
