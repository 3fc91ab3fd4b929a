"""A published day made large: tables of as many books and trades as are asked for, in place of a small run's."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from riskpipe.store.layout import CURRENT
from riskpipe.store.location import open_store
from riskpipe.store.published import CURRENT_VERSION, read_current
from riskpipe.store.sealed import sealed
from riskpipe.store.table_schemas import SCHEMAS

MEASURES = ("pv", "var_99", "es_97_5", "dv01", "cs01", "vega", "theta")
LINES = ("new", "cash", "carry", "rates", "credit", "fx", "equity", "volatility", "unexplained", "total")
FIGURES = ("es_97_5", "es_97_5_10d", "var_99", "var_99_aged")
TENORS = ("1M", "3M", "6M", "1Y", "2Y", "3Y", "5Y", "7Y", "10Y", "15Y", "20Y", "30Y")


@dataclass(frozen=True)
class LargeDay:
    """:param desks: right below the root, with as many books each, and leaves below these."""

    output: Path
    as_of: str
    run_id: str
    trades: int
    desks: int = 50
    books: int = 20
    leaves: int = 50
    scenarios: int = 500
    stresses: int = 20

    def write(self) -> None:
        """Every table that a report reads, in place of what is published."""
        store = open_store(str(self.output))
        days = read_current(store)
        rng = np.random.default_rng(7)
        tables = {
            "aggregates": self._aggregates(rng),
            "scenarios": self._scenarios(),
            "book_pnl": self._book_pnl(rng),
            "var": self._figures(rng),
            "var_components": self._components(rng),
            "valuations": self._valuations(rng),
            "sensitivities": self._sensitivities(rng),
            "pnl_explain": self._explained(rng),
            "limit_checks": self._limits(rng),
        }
        entry = days[self.as_of]
        for name, pieces in tables.items():
            path = self.output / "published" / name / f"as_of={self.as_of}" / "part-000.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            with pq.ParquetWriter(path, SCHEMAS[name], compression="zstd") as file:
                for piece in pieces:
                    file.write_table(piece)
            described = {
                "path": str(path.relative_to(self.output)),
                "bytes": path.stat().st_size,
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            }
            entry["tables"][name] = {"rows": 0, "bytes": 0, "files": [described]}
        store.write_bytes(CURRENT, sealed({"schema_version": CURRENT_VERSION, "days": days}))

    def paths(self) -> list[tuple[int, str]]:
        """Level and path of every book, by level and path."""
        desks = [f"desk{d:03}" for d in range(self.desks)]
        books = [f"{desk}/book{b:03}" for desk in desks for b in range(self.books)]
        leaves = [f"{book}/leaf{leaf:03}" for book in books for leaf in range(self.leaves)]
        return [(0, ""), *((1, d) for d in desks), *((2, b) for b in books), *((3, leaf) for leaf in leaves)]

    def _table(self, table: str, /, **columns: Any) -> pa.Table:
        schema = SCHEMAS[table]
        size = max(len(each) for each in columns.values())
        constants = {"as_of_date": date.fromisoformat(self.as_of), "run_id": self.run_id}
        arrays = []
        for field in schema:
            if field.name in columns:
                arrays.append(pa.array(columns[field.name], field.type, from_pandas=True))
            elif field.name in constants:
                arrays.append(pa.array([constants[field.name]] * size, field.type))
            else:
                arrays.append(pa.nulls(size, field.type))
        return pa.table(arrays, schema=pa.schema([field.with_nullable(True) for field in schema])).cast(schema)

    def _aggregates(self, rng: np.random.Generator) -> Iterator[pa.Table]:
        measures = [*MEASURES, *["stress"] * self.stresses]
        scenarios = [*[None] * len(MEASURES), *(f"stress {k}" for k in range(self.stresses))]
        paths, rows = self.paths(), len(measures)
        for start in range(0, len(paths), 2_000):
            some = paths[start : start + 2_000]
            n = len(some)
            yield self._table(
                "aggregates", level=[level for level, _ in some for _ in measures],
                book=[book for _, book in some for _ in measures], measure=measures * n, scenario=scenarios * n,
                value_base=rng.normal(size=n * rows) * 1e6, trades=[4] * (n * rows), failed_trades=[0] * (n * rows),
            )  # fmt: skip

    def _scenarios(self) -> Iterator[pa.Table]:
        n = self.scenarios
        yield self._table(
            "scenarios", scenario_set=["historical"] * n, index=range(n), scenario=[f"day {k}" for k in range(n)]
        )

    def _book_pnl(self, rng: np.random.Generator) -> Iterator[pa.Table]:
        paths = self.paths()
        for start in range(0, len(paths), 1_000):
            some = paths[start : start + 1_000]
            n = len(some)
            yield self._table(
                "book_pnl", level=[level for level, _ in some], book=[book for _, book in some],
                scenario_set=["historical"] * n, risk_class=["all"] * n,
                pnl=list(rng.normal(size=(n, self.scenarios)) * 1e5), trades=[4] * n, failed_trades=[0] * n,
            )  # fmt: skip

    def _figures(self, rng: np.random.Generator) -> Iterator[pa.Table]:
        paths = self.paths()
        for start in range(0, len(paths), 10_000):
            some = [(level, book, name) for level, book in paths[start : start + 10_000] for name in FIGURES]
            n = len(some)
            yield self._table(
                "var", level=[each[0] for each in some], book=[each[1] for each in some],
                name=[each[2] for each in some], kind=["es" if each[2].startswith("es") else "var" for each in some],
                confidence=[0.99] * n, horizon_days=[1] * n, scenario_set=["historical"] * n,
                risk_class=["all"] * n, value_base=np.abs(rng.normal(size=n)) * 1e5,
            )  # fmt: skip

    def _components(self, rng: np.random.Generator) -> Iterator[pa.Table]:
        names = [*((f"desk{d:03}", "book") for d in range(self.desks)), *((f"T{k:07}", "trade") for k in range(1_000))]
        for figure in FIGURES:
            n = len(names)
            yield self._table(
                "var_components", name=[figure] * n, level=[0] * n, book=[""] * n,
                component_kind=[kind for _, kind in names], component=[name for name, _ in names],
                component_base=rng.normal(size=n) * 1e5,
            )  # fmt: skip

    def _trades(self) -> Iterator[tuple[list[str], list[str]]]:
        leaves = [book for level, book in self.paths() if level == 3]
        for start in range(0, self.trades, 20_000):
            ids = range(start, min(start + 20_000, self.trades))
            yield [leaves[k * len(leaves) // self.trades] for k in ids], [f"T{k:07}" for k in ids]

    def _valuations(self, rng: np.random.Generator) -> Iterator[pa.Table]:
        measures = [f"m{k}" for k in range(8)]
        for books, ids in self._trades():
            for measure in ("pv", *measures):
                n = len(ids)
                yield self._table(
                    "valuations", book=books, trade_id=ids, product=["swap"] * n, measure=[measure] * n,
                    value=rng.normal(size=n), currency=["USD"] * n, value_base=rng.normal(size=n) * 1e6,
                    status=["ok"] * n,
                )  # fmt: skip

    def _sensitivities(self, rng: np.random.Generator) -> Iterator[pa.Table]:
        curves = [f"zero_rate:C{c:03}:{tenor}" for c in range(200) for tenor in TENORS]
        strikes = range(80, 125, 5)
        vols = [f"black_vol:S{s:03}:{tenor}:{strike}" for s in range(200) for tenor in TENORS[:6] for strike in strikes]
        for books, ids in self._trades():
            for measure, factors in (("bucketed_delta", curves), ("bucketed_vega", vols)):
                for _ in range(10):
                    n = len(ids)
                    picked = rng.integers(len(factors), size=n)
                    yield self._table(
                        "sensitivities", book=books, trade_id=ids, product=["swap"] * n,
                        factor=[factors[k] for k in picked], measure=[measure] * n, value=rng.normal(size=n),
                        currency=["USD"] * n, value_base=rng.normal(size=n) * 1e3, status=["ok"] * n,
                    )  # fmt: skip

    def _explained(self, rng: np.random.Generator) -> Iterator[pa.Table]:
        paths = self.paths()
        for start in range(0, len(paths), 10_000):
            some = [(level, book, line) for level, book in paths[start : start + 10_000] for line in LINES]
            n = len(some)
            yield self._table(
                "pnl_explain", previous_date=[date.fromisoformat(self.as_of)] * n, previous_run_id=["x"] * n,
                level=[each[0] for each in some], book=[each[1] for each in some], line=[each[2] for each in some],
                value_base=rng.normal(size=n) * 1e5,
            )  # fmt: skip

    def _limits(self, rng: np.random.Generator) -> Iterator[pa.Table]:
        books = [book for _, book in self.paths()]
        n = len(books)
        yield self._table(
            "limit_checks", book=books, measure=["var"] * n, name=["var_99"] * n, value_base=rng.normal(size=n) * 1e5,
            limit=[1e5] * n, use=rng.normal(size=n), status=["breach" if k % 10 == 0 else "ok" for k in range(n)],
        )  # fmt: skip
