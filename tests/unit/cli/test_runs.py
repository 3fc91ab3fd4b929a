"""Runs from the command line: run, retry, runs, publish; in this process, on a small sample."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from riskpipe.cli.app import app
from riskpipe.runs.freed import Left, free
from riskpipe.store.lease import Lease
from riskpipe.store.location import open_store
from riskpipe.store.run_folder import RunFolder

runner = CliRunner()
Invoke = Callable[..., Result]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("sample")
    result = runner.invoke(app, ["init", str(directory), "--trades", "30", "--scenarios", "5"])
    assert result.exit_code == 0, result.output
    return directory


@pytest.fixture
def invoke(sample: Path, tmp_path: Path) -> Invoke:
    """A command on the sample book, with an output of its own."""
    options = ("cluster.kind=serial", "measures=[pv, delta]", f"output={tmp_path / 'output'}")
    fixed = ["-c", str(sample / "riskpipe.yaml"), *(part for o in options for part in ("--set", o))]

    def run(*arguments: str, code: int = 0) -> Result:
        result = runner.invoke(app, [*arguments, *fixed])
        assert result.exit_code == code, result.output
        return result

    return run


def answer(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_run_ends_with_a_short_summary_and_the_next_command(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("run")
    lines = result.stdout.splitlines()
    assert len(lines) <= 15
    assert ": complete in " in lines[0]
    assert lines[-1].startswith("next: riskpipe report 2")
    assert any(line.endswith("elapsed") for line in result.stderr.splitlines())
    assert list((tmp_path / "output/published/valuations").glob("as_of=*/*.parquet"))


def test_run_quietly_in_json(invoke: Invoke) -> None:
    result = invoke("run", "--json", "-q", "--publish", "never", "--select", "product:fx_*")
    status = answer(result)
    assert result.stderr == ""
    assert (status["state"], status["published"], status["exit_code"]) == ("complete", False, 0)
    assert 0 < status["trades"] < 30
    numbers = status["numbers"]
    assert numbers["planned"] == sum(value for name, value in numbers.items() if name != "planned")


def test_messages_in_json(invoke: Invoke) -> None:
    lines = [json.loads(line) for line in invoke("run", "--log-format", "json").stderr.splitlines()]
    progress = [line for line in lines if line.get("event") == "progress"]
    assert progress
    assert progress[-1]["status"]["blocks"]["planned"] > 0
    assert {"time", "level", "message"} <= lines[0].keys()


def test_show_says_where_the_time_went(invoke: Invoke) -> None:
    status = answer(invoke("run", "--json", "--publish", "never"))
    assert "time" not in status
    invoke("publish")
    priced = ("--set", "cluster.price_per_core_hour=360000")

    lines = invoke("runs", "show", *priced).stdout.splitlines()
    time = answer(invoke("runs", "show", "--json", *priced))["time"]

    assert time["blocks"] == time["total"]["blocks"] == status["blocks"]["planned"]
    assert time["workers"] == 1
    assert time["cost"] == pytest.approx(360000 * time["core_hours"])
    assert time["parts"]["plan"] == pytest.approx(status["phases"]["plan"])
    assert 0.0 < sum(time["parts"].values()) < 1.5 * status["elapsed_seconds"]
    assert sum(product["price_s"] for product in time["products"]) == pytest.approx(time["total"]["price_s"])
    assert lines[-1].startswith("next: riskpipe report")
    begins = ("bottleneck: ", "1 worker ", "workers' time: ", "tail: ", "core hours ")
    told = [line for line in lines if line.startswith(begins)]
    assert [line.startswith(begin) for line, begin in zip(told, begins, strict=True)] == [True] * len(begins)
    assert told[0] == f"bottleneck: {time['bottleneck']['sentence']}"
    assert told[-1].endswith("at 360000 a core hour")
    assert "; cost " not in invoke("runs", "show").stdout
    assert answer(invoke("runs", "show", "--json"))["time"]["cost"] is None
    header = next(line for line in lines if line.startswith("product "))
    first = lines[lines.index(header) + 1].split()
    assert first[0] == time["products"][0]["product"]


def test_a_table_of_blocks_that_something_changed_is_named(invoke: Invoke, tmp_path: Path) -> None:
    run = answer(invoke("run", "--json"))["run_id"]
    path = tmp_path / "output" / "runs" / run / "blocks.parquet"
    path.write_bytes(path.read_bytes()[:-9] + b"123456789")
    assert "blocks.parquet is not the file that was written there" in invoke("runs", "show", code=6).stderr


def test_list_show_publish_and_clear_away(invoke: Invoke) -> None:
    assert "no runs yet" in invoke("runs", "list").stdout
    first = answer(invoke("run", "--json", "--publish", "never"))["run_id"]
    assert invoke("runs", "show").stdout.splitlines()[-1].startswith(f"next: riskpipe publish {first}")
    published = answer(invoke("publish", first[:-2], "--json"))
    assert published["run_id"] == first
    assert published["tables"]["valuations"] > 0
    assert "valuations" in invoke("publish").stdout
    second = answer(invoke("run", "--json", "--resume", "never", "--publish", "never"))["run_id"]
    third = answer(invoke("run", "--json", "--resume", "never", "--publish", "never"))["run_id"]
    assert [run["run_id"] for run in answer(invoke("runs", "list", "--json"))["runs"]] == [first, second, third]
    table = invoke("runs", "list").stdout.splitlines()
    assert [line.split()[0] for line in table] == ["run", first, second, third]
    assert answer(invoke("runs", "show", first, "--watch", "--json"))["published"] is True
    invoke("runs", "gc", code=2)
    invoke("runs", "gc", "--max-size", "much", code=2)
    would = answer(invoke("runs", "gc", "--keep", "1", "--dry-run", "--json"))
    usage = answer(invoke("du", "--keep", "1", "--json"))
    assert usage["freeable"] == would["freed"] > 0
    done = answer(invoke("runs", "gc", "--keep", "1", "--json"))
    assert (done["removed"], done["freed"]) == ([second], would["freed"])
    assert [(run["run_id"], run["action"]) for run in done["runs"]] == [
        (first, "freed"), (second, "deleted"), (third, "kept")
    ]  # fmt: skip
    assert answer(invoke("du", "--json"))["total"] < usage["total"] - 0.9 * done["freed"]  # what was freed is recorded
    assert invoke("runs", "gc", "--keep", "1").stdout.splitlines()[-1] == "0 runs deleted, 0 B freed"
    _what_a_freed_run_can_do(invoke, first)
    _what_an_account_can_do(invoke, RunFolder(open_store(usage["output"]), first))


def _what_a_freed_run_can_do(invoke: Invoke, run: str) -> None:
    assert answer(invoke("explain", "--book", "", "--run", run, "--json"))["run_id"] == run
    assert "stands for" in invoke("publish", run).stdout
    for words in (("retry", run), ("run", "--resume", run)):
        refused = invoke(*words, code=2)
        assert "freed its blocks" in refused.stderr
    verified = answer(invoke("verify", run, "--json"))
    assert (verified["exit_code"], verified["damages"]) == (0, [])
    assert any("what blocks left was freed by `runs gc`" in note for note in verified["notes"])


def _what_an_account_can_do(invoke: Invoke, folder: RunFolder) -> None:
    free(folder, Left.ACCOUNT, datetime(2026, 11, 30, tzinfo=UTC), 0)
    run = folder.run_id
    assert not folder.store.exists(folder.market)
    assert "freed its market" in invoke("explain", "--book", "", "--run", run, code=2).stderr
    assert "no blocks any more" in invoke("run", "--since", run, code=2).stderr
    assert answer(invoke("runs", "show", run, "--json"))["published"] is True
    assert answer(invoke("report", run, "--json"))["run_id"] == run
    verified = answer(invoke("verify", run, "--json"))
    assert (verified["exit_code"], verified["damages"]) == (0, [])
    assert any("all but its account was freed" in note for note in verified["notes"])


def test_a_bad_trade_makes_the_run_partial_and_the_summary_says_what_to_do(
    invoke: Invoke, sample: Path, tmp_path: Path
) -> None:
    book = tmp_path / "book"
    (book / "fx_forward").mkdir(parents=True)
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(next((sample / "data/portfolio/fx_forward").glob("*.parquet")))
    amounts = table.column("buy_amount").to_pylist()
    amounts[0] = float("nan")
    column = table.schema.get_field_index("buy_amount")
    pq.write_table(table.set_column(column, "buy_amount", pa.array(amounts)), book / "fx_forward" / "part-000.parquet")
    chosen = ("--set", f"inputs.portfolio={book}")
    lines = invoke("run", *chosen, code=4).stdout.splitlines()
    assert ": partial in " in lines[0]
    assert any(line.startswith("failed: INVALID_TRADE 1") for line in lines)
    assert lines[-1].startswith("next: riskpipe check ")
    again = answer(invoke("retry", *chosen, "--json", "-q", code=4))
    assert again["numbers"]["failed"] > 0
    assert again["numbers"]["reused"] == 0, "the trade is invalid: there was nothing to do again"


def test_what_cannot_be_done_ends_with_its_code(invoke: Invoke, tmp_path: Path) -> None:
    assert "there are no runs" in invoke("retry", code=2).stderr
    assert "no trade passes --select" in invoke("run", "--select", "book:nowhere", code=2).stderr
    assert "unknown method" in invoke("run", "--select", "produkt:bond", code=2).stderr
    with Lease(open_store(str(tmp_path / "output")), "another", 60.0):
        error = answer(invoke("run", "--json", code=75))
    assert error["error"]["type"] == "LeaseError"
    assert error["exit_code"] == 75


def test_a_run_that_waits_for_another_may_be_stopped(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Lease(open_store(str(tmp_path / "output")), "another"), monkeypatch.context() as patched:
        patched.setattr(time, "sleep", lambda seconds: os.kill(os.getpid(), signal.SIGTERM))
        error = answer(invoke("run", "--wait", "300", "--json", code=143))
    assert error["error"]["message"] == "stopped while another run held the output"
    assert not (tmp_path / "output/runs").exists()


def test_less_in_place_of_more_is_refused(invoke: Invoke) -> None:
    full = answer(invoke("run", "--json"))
    text = invoke("run", "--select", "product:fx_*").stdout
    assert "--replace-day" not in text
    assert "next: riskpipe report " in text
    refused = invoke("publish", code=2).stderr
    assert f"trades in place of {full['trades']}, and would replace all of" in refused
    assert "published run" in invoke("publish", "--replace-day").stdout
    text = invoke("publish").stdout
    assert "stands for 2026-11-20 already: nothing to do" in text
    table = invoke("runs", "list").stdout.splitlines()
    assert [line.split()[-3] for line in table[1:]] == ["superseded", "yes"]
