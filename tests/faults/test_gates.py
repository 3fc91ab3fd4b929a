"""What keeps a complete day from being published, and who lets it pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from published import published
from spoiled import Answer, Book, rewrite

from riskpipe.config.gates_section import ChangeGate
from riskpipe.runs.gates import _beyond

COMMON = ("--set", "measures=[pv]", "--set", "check.market_date=warning")
FAILED = {"count": 0, "share": 0.5, "pv_share": 0.0}


def _run(book: Book, day: str, gates: dict[str, Any]) -> tuple[Answer, dict[str, Any]]:
    answer = book.riskpipe("run", "--json", "--as-of", day, *COMMON, "--set", f"gates={json.dumps(gates)}")
    return answer, answer.json


def _larger(trades: pa.Table) -> pa.Table:
    at = trades.schema.get_field_index("buy_amount")
    return trades.set_column(at, trades.schema.field(at), pc.multiply(trades["buy_amount"], 3.0))


def _results(status: dict[str, Any]) -> dict[str, str]:
    return {gate["name"]: gate["result"] for gate in status["gates"]}


def test_gates_against_the_day_before(book: Path, tmp_path: Path) -> None:
    sound = Book(book, tmp_path / "out")
    change = {"measure": "pv", "book": "", "absolute": 1e15, "relative": 1e-3, "level": "error"}
    first, status = _run(sound, "2026-11-19", {"change": [change], "failed_trades": FAILED})
    assert (first.code, status["published"]) == (0, True)  # there is no day before
    failed = {"gates.failed_trades.count": "passed", "gates.failed_trades.share": "passed"}
    assert _results(status) == failed | {"gates.limits": "passed"}

    rewrite(sound.trades("fx_forward"), _larger)
    narrow = {**change, "absolute": 1.0}
    told = {"measure": "p*", "book": "fx*", "relative": 1e-9, "level": "warning"}
    gated, status = _run(sound, "2026-11-20", {"change": [narrow, change, told], "failed_trades": FAILED})
    assert (gated.code, status["state"], status["published"]) == (5, "complete", False)
    results = _results(status)
    assert [results[f"gates.change[{k}]"] for k in range(3)] == ["error", "passed", "warning"]
    (message,) = [text for text in status["messages"] if text.startswith("not published: ")]
    assert "1 figures changed since 2026-11-19: the root: pv " in message
    assert f"riskpipe publish {status['run_id']} --override REASON" in message

    words = ("--set", f"gates={json.dumps({'change': [narrow]})}", *COMMON)
    assert sound.riskpipe("publish", status["run_id"], *words).code == 5
    assert sound.riskpipe("publish", status["run_id"], *words, "--override", " ").code == 2
    shown = sound.riskpipe("runs", "show", status["run_id"], "--json").json
    assert (shown["state"], shown["published"], shown["exit_code"]) == ("complete", False, 5)
    assert sound.riskpipe("publish", status["run_id"], *words, "--override", "a new book").code == 0
    entry = json.loads((sound.output / "meta/CURRENT.json").read_text())["days"]["2026-11-20"]
    assert entry["run_id"] == status["run_id"]
    assert entry["override"]["reason"] == "a new book"
    assert "@" in entry["override"]["by"]
    assert entry["override"]["at"]
    assert "the root: pv" in entry["override"]["gates"][0]
    assert sound.riskpipe("runs", "show", status["run_id"], "--json").json["exit_code"] == 0
    assert published(sound.output, "valuations").num_rows


@pytest.mark.parametrize(
    ("bounds", "value", "before", "beyond"),
    [
        ({"absolute": 10.0}, 111.0, 100.0, True),
        ({"absolute": 10.0}, 110.0, 100.0, False),
        ({"relative": 0.1}, -111.0, -100.0, True),
        ({"relative": 0.1}, 5.0, 0.0, True),
        ({"absolute": 10.0, "relative": 0.1}, 5.0, 0.0, False),
        ({"absolute": 10.0, "relative": 0.5}, 120.0, 100.0, False),
        ({"absolute": 10.0}, None, 100.0, True),
        ({"absolute": 10.0}, None, None, False),
    ],
)
def test_beyond_all_bounds_that_are_given(
    bounds: dict[str, float], value: float | None, before: float | None, beyond: bool
) -> None:
    assert _beyond(ChangeGate(measure="pv", **bounds), value, before) is beyond
