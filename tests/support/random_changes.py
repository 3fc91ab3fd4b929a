"""Random changes of a book's inputs and configuration, as a desk makes them between two runs of a day."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

OPTIONAL_MEASURES = ("bucketed_delta", "bucketed_vega", "rho", "cs01", "vega", "theta_carry", "historical_var")
NUMBERS = ("notional", "quantity", "strike", "fixed_rate", "spread", "payout")
SETTINGS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("bumps.rate", ("0.0001", "0.0002")),
    ("bumps.volatility", ("0.01", "0.005")),
    ("market.credit_model", ("midpoint", "isda")),
    ("market.curves.USD.SOFR.interpolation", ("log_linear_discount", "linear_zero")),
    ("market.curves.EUR.ESTR.interpolation", ("log_linear_discount", "linear_zero")),
    ("market.surfaces.SPX.strike_interpolation", ("linear", "linear_log_strike")),
    ("market.indices.USD.SOFR.fixing_lag", ("0", "2")),
    ("risk.by_class", ("false", "true")),
    ("scenario_pnl.historical", ("true", "false")),
    ("partition.max_trades", ("50000", "3")),
    ("partition.max_scenarios", ("8192", "700")),
)


@dataclass
class Desk:
    """A book that changes. :ivar settings: assignments that differ from the file's; measures: asked for."""

    data: Path
    random: random.Random
    measures: list[str]
    settings: dict[str, str] = field(default_factory=lambda: {"partition.max_scenarios": "8192"})
    told: list[str] = field(default_factory=list)

    def change(self) -> str:
        """One change, by name."""
        kinds: list[tuple[Callable[[], str], int]] = [
            (self._quote, 8),
            (self._history, 3),
            (self._stress, 2),
            (self._day, 1),
            (self._amend, 4),
            (self._delete, 2),
            (self._add, 2),
            (self._shuffle, 1),
            (self._measure, 1),
            (self._setting, 2),
        ]
        (kind,) = self.random.choices([k for k, _ in kinds], [w for _, w in kinds])
        self.told.append(kind())
        return self.told[-1]

    def assignments(self) -> tuple[str, ...]:
        keys = tuple(f"{key}={value}" for key, value in self.settings.items())
        return (f"measures=[{', '.join(self.measures)}]", *keys)

    # -- the market

    def _quote(self) -> str:
        return self._move(self.data / "market.parquet", "value", "factor")

    def _history(self) -> str:
        return self._move(self.data / "history.parquet", "value", "factor")

    def _stress(self) -> str:
        return self._move(self.data / "scenarios.parquet", "shift", "factor")

    def _move(self, path: Path, column: str, name: str) -> str:
        table = pq.read_table(path)
        row = self._row(table)
        values = table[column].to_numpy().copy()
        values[row] *= 1.0 + self.random.uniform(-1e-4, 1e-4)
        pq.write_table(_with(table, column, pa.array(values)), path)
        return f"{path.name} {table[name][row]}"

    def _row(self, table: pa.Table) -> int:
        """Of any kind, however few points it has."""
        if "kind" not in table.column_names:
            return self.random.randrange(len(table))
        kinds = table["kind"].to_pylist()
        kind = self.random.choice(sorted(set(kinds)))
        return self.random.choice([k for k, found in enumerate(kinds) if found == kind])

    def _day(self) -> str:
        """The oldest day of the history goes."""
        path = self.data / "history.parquet"
        table = pq.read_table(path)
        days = table["date"].to_numpy()
        if len(np.unique(days)) > 14:  # declared stresses are of the last two weeks
            pq.write_table(table.filter(pa.array(days != days.min())), path)
        return "the oldest day of the history"

    # -- trades

    def _file(self) -> Path:
        return self.random.choice(sorted((self.data / "portfolio").rglob("*.parquet")))

    def _amend(self) -> str:
        path = self._file()
        table = pq.read_table(path)
        columns = [name for name in NUMBERS if name in table.column_names]
        if not columns or not len(table):
            return "nothing"
        name, row = self.random.choice(columns), self.random.randrange(len(table))
        values = table[name].to_pylist()
        values[row] = None if values[row] is None else values[row] * 1.01
        pq.write_table(_with(table, name, pa.array(values, table[name].type)), path)
        return f"{table['trade_id'][row]} {name}"

    def _delete(self) -> str:
        path = self._file()
        table = pq.read_table(path)
        if len(table) < 2:
            return "nothing"
        row = self.random.randrange(len(table))
        pq.write_table(table.filter(pa.array(np.arange(len(table)) != row)), path)
        return f"{table['trade_id'][row]} gone"

    def _add(self) -> str:
        path = self._file()
        table = pq.read_table(path)
        row, at = self.random.randrange(len(table)), self.random.randrange(len(table) + 1)
        trade_id = f"new-{len(self.told)}"
        added = _with(table.slice(row, 1), "trade_id", pa.array([trade_id], table["trade_id"].type))
        pq.write_table(pa.concat_tables([table.slice(0, at), added, table.slice(at)]), path)
        return f"{trade_id} in {path.parent.name}"

    def _shuffle(self) -> str:
        path = self._file()
        table = pq.read_table(path)
        order = list(range(len(table)))
        self.random.shuffle(order)
        pq.write_table(table.take(order), path)
        return f"rows of {path.parent.name} in another order"

    # -- the configuration

    def _measure(self) -> str:
        name = self.random.choice(OPTIONAL_MEASURES)
        if name in self.measures:
            self.measures.remove(name)
            return f"without {name}"
        self.measures.append(name)
        return f"with {name}"

    def _setting(self) -> str:
        key, values = self.random.choice(SETTINGS)
        self.settings[key] = values[1] if self.settings.get(key, values[0]) == values[0] else values[0]
        return f"{key}={self.settings[key]}"


def _with(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    k = table.schema.get_field_index(name)
    return table.set_column(k, table.schema.field(k), pa.chunked_array([values.cast(table.schema.field(k).type)]))
