"""Inputs spoiled on purpose, the command line run over them, and what must hold of the results."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from published import bits, published
from typer.testing import CliRunner

from riskpipe.cli.main import program

NUMBERS = {"valuations": "measure", "scenario_pnl": "scenario_set"}
NAMES_OF_THE_RUN = ("run_id", "block_id")


@dataclass(frozen=True)
class Answer:
    """What a command left: exit code, stdout, stderr."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.stdout)

    @property
    def errors(self) -> list[str]:
        """The error lines on stderr, without their level."""
        prefix = "error: "
        return [line.removeprefix(prefix) for line in self.stderr.splitlines() if line.startswith(prefix)]

    @property
    def faults(self) -> list[dict[str, Any]]:
        """Of `check --json`."""
        return self.json["faults"]


@dataclass(frozen=True)
class Book:
    """A directory as `riskpipe init` writes it, and an output of its own."""

    directory: Path
    output: Path

    @property
    def config(self) -> Path:
        return self.directory / "riskpipe.yaml"

    def trades(self, product: str) -> Path:
        return self.directory / "data" / "portfolio" / product / "part-000.parquet"

    def input(self, name: str) -> Path:
        return self.directory / "data" / f"{name}.parquet"

    def command(self, *words: str) -> list[str]:
        options = ["-c", str(self.config), "--set", "cluster.kind=serial", "--set", f"output={self.output}"]
        return [*words, *options]

    def riskpipe(self, *words: str) -> Answer:
        """The command line, in this process."""
        result = CliRunner().invoke(program(words[0]), self.command(*words), env={"RISKPIPE_CONFIG": ""})
        return Answer(result.exit_code, result.stdout, result.stderr)

    def check(self, *words: str) -> Answer:
        return self.riskpipe("check", "--json", *words)

    def nothing_was_done(self) -> bool:
        """No run and nothing published, nor a file half-written."""
        return not any(
            path.is_file() and ("runs" in path.parts or "published" in path.parts or ".tmp-" in path.name)
            for path in self.output.rglob("*")
        )


def rewrite(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Put a changed table in place of a Parquet file."""
    table = change(pq.read_table(path))
    pq.write_table(table, path)


def with_cells(column: str, cells: Mapping[int, object]) -> Callable[[pa.Table], pa.Table]:
    """Other values in some rows of a column."""

    def change(table: pa.Table) -> pa.Table:
        values = table.column(column).to_pylist()
        for row, value in cells.items():
            values[row] = value
        at = table.schema.get_field_index(column)
        return table.set_column(at, table.schema.field(column), pa.array(values, table.schema.field(column).type))

    return change


def with_type(column: str, kind: pa.DataType) -> Callable[[pa.Table], pa.Table]:
    """A column cast to another type."""
    return lambda table: table.set_column(table.schema.get_field_index(column), column, table.column(column).cast(kind))


def without(column: str) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.drop_columns([column])


def without_rows(rows: Collection[int]) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.filter(pa.array([k not in rows for k in range(len(table))]))


def rows_where(path: Path, **values: object) -> list[int]:
    """Positions of the rows that have these values."""
    return [k for k, row in enumerate(pq.read_table(path).to_pylist()) if all(row[n] == v for n, v in values.items())]


def ids_where(path: Path, **values: object) -> set[str]:
    ids = pq.read_table(path, columns=["trade_id"]).column("trade_id").to_pylist()
    return {ids[k] for k in rows_where(path, **values)}


def run_directory(output: Path) -> Path:
    (directory,) = (output / "runs").iterdir()
    return directory


def assert_only_these_fail(
    clean: Path, output: Path, failed: Mapping[str, tuple[str, str]], renamed: Collection[str] = ()
) -> None:
    """Failed trades have a reason everywhere; every other number is that of the run of the clean book, bit by bit.

    :param failed: trade id -> reason, and what its message says.
    :param renamed: ids that the clean book has and the other does not.
    """
    valuations = published(output, "valuations").to_pylist()
    bad = [row for row in valuations if row["status"] == "failed"]
    assert sorted({row["trade_id"] for row in bad}) == sorted(failed)
    for row in bad:
        reason, message = failed[row["trade_id"]]
        assert (row["value"], row["value_base"], row["reason"]) == (None, None, reason), row
        assert message in row["message"], row
    listed = pq.read_table(run_directory(output) / "failures.parquet").to_pylist()
    assert {(row["trade_id"] or "", row["reason"]) for row in listed} == {(t, r) for t, (r, _) in failed.items()}
    _assert_counted(output, [row["book"] for row in bad if row["measure"] == "pv"], len(listed))
    left_aside = {*failed, *renamed}
    for table, key in NUMBERS.items():
        _assert_same(others(clean, table, key, left_aside), others(output, table, key, left_aside), table)


def _assert_counted(output: Path, books: list[str], rows: int) -> None:
    """Aggregates count each failed trade in its book and in every level above; the root all of them."""
    found = {
        row["book"]: row["failed_trades"]
        for row in published(output, "aggregates").to_pylist()
        if row["measure"] == "pv"
    }
    expected = dict.fromkeys(found, 0)
    for book in books:
        parts = book.split("/") if book else []
        for level in range(len(parts) + 1):
            expected["/".join(parts[:level])] += 1
    assert found == expected
    assert found[""] == rows


def others(output: Path, table: str, key: str, failed: set[str]) -> pa.Table:
    """Rows of the trades that are not among `failed`, sorted."""
    rows = published(output, table)
    rows = rows.drop_columns([name for name in NAMES_OF_THE_RUN if name in rows.column_names])
    named = pa.array([trade not in failed for trade in rows.column("trade_id").to_pylist()], pa.bool_())
    return rows.filter(named).sort_by([("trade_id", "ascending"), (key, "ascending")]).combine_chunks()


def _assert_same(clean: pa.Table, found: pa.Table, table: str) -> None:
    assert found.num_rows > 0
    assert found.num_rows == clean.num_rows, table
    for name in clean.column_names:
        assert bits(found.column(name)).equals(bits(clean.column(name))), (table, name)
