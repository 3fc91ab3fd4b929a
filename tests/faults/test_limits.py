"""Limits of books: bad ones are all told before anything is priced; breached ones are told, or keep a day back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from published import published
from spoiled import Book

MEASURES = ("--set", "measures=[pv, historical_var]")


def limits(directory: Path, *rows: dict[str, Any]) -> tuple[str, ...]:
    columns = ("book", "measure", "name", "warning", "limit", "direction")
    table = pa.Table.from_pylist([{**dict.fromkeys(columns), **row} for row in rows])
    pq.write_table(table, directory / "limits.parquet")
    return ("--set", f"inputs.limits={directory / 'limits.parquet'}")


def test_every_bad_limit_is_told_and_nothing_is_done(sound: Book, tmp_path: Path) -> None:
    words = limits(
        tmp_path,
        {"book": "", "measure": "pv", "limit": None},
        {"book": "fx", "measure": "deltas", "limit": 1.0},
        {"book": "fx", "measure": "var", "name": "var_9", "limit": 1.0},
        {"book": "fx", "measure": "pv", "limit": 1.0, "direction": "sideways"},
        {"book": "fx/*", "measure": "pv", "limit": 1.0, "warning": 2.0},
        {"book": "rates", "measure": "pv", "limit": 1.0},
        {"book": "rates", "measure": "pv", "limit": 2.0},
    )
    answer = sound.check(*MEASURES, *words)
    assert answer.code == 3
    told = {
        (f["column"], f["rule"], *f["sample"]) for f in json.loads(answer.stdout)["faults"] if f["table"] == "limits"
    }
    assert told == {
        ("limit", "missing", "row 1"),
        ("measure", "unknown measure", "row 2"),
        ("name", "unknown name", "row 3"),
        ("direction", "unknown direction", "row 4"),
        ("warning", "beyond the limit", "row 5"),
        ("limit", "twice", "row 7"),
    }
    ran = sound.riskpipe("run", *MEASURES, *words)
    assert ran.code == 3
    assert "books have no such value: they have pv, " in ran.stderr.replace("\n", " ")
    assert not (sound.output / "runs").exists()


def test_a_book_that_is_not_there(sound: Book, tmp_path: Path) -> None:
    words = limits(tmp_path, {"book": "fxx/*", "measure": "pv", "limit": 1.0})
    for command in ("check", "run"):
        answer = sound.riskpipe(command, "--set", "measures=[pv]", *words)
        assert answer.code == 3
        assert "no book with trades is called so" in (answer.stdout + answer.stderr).replace("\n", " ")
    assert not (sound.output / "runs").exists()


def test_columns_that_are_not_limits(sound: Book, tmp_path: Path) -> None:
    pq.write_table(pa.table({"book": ["fx"], "limit": ["high"]}), tmp_path / "limits.parquet")
    answer = sound.check("--set", f"inputs.limits={tmp_path / 'limits.parquet'}")
    faults = [f for f in json.loads(answer.stdout)["faults"] if f["table"] == "limits"]
    assert answer.code == 3
    assert {(f["column"], f["rule"]) for f in faults} == {("measure", "schema"), ("limit", "schema")}


def test_a_breach_is_told_or_keeps_the_day_back(sound: Book, tmp_path: Path) -> None:
    words = limits(
        tmp_path,
        {"book": "", "measure": "var", "name": "var_99", "limit": 1.0},
        {"book": "fx", "measure": "var", "name": "var_99", "limit": 1e12},
    )
    gated = sound.riskpipe("run", "--json", *MEASURES, *words, "--set", "gates.limits=error")
    assert gated.code == 5
    status = json.loads(gated.stdout)
    assert (status["state"], status["published"]) == ("complete", False)
    (message,) = status["messages"]
    assert message.startswith("not published: 1 limits are breached: the root: var_99 ")
    assert not (sound.output / "published").exists()
    assert sound.riskpipe("publish", status["run_id"], *words, "--set", "gates.limits=error").code == 5

    told = sound.riskpipe("publish", status["run_id"], *words)
    assert told.code == 0
    rows = published(sound.output, "limit_checks").to_pylist()
    assert [(row["book"], row["name"], row["status"]) for row in rows] == [
        ("", "var_99", "breach"),
        ("fx", "var_99", "ok"),
    ]
    assert rows[0]["use"] == rows[0]["value_base"]

    limits(tmp_path, {"book": "", "measure": "pv", "warning": None, "limit": 1e15})
    again = sound.riskpipe("analyse", "limit_checks", "latest", *MEASURES, *words)
    assert again.code == 0
    assert [row["status"] for row in published(sound.output, "limit_checks").to_pylist()] == ["ok"]
