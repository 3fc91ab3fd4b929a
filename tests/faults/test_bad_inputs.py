"""Inputs that cannot be used at all: one clear message each, the right exit code, and nothing done.

`check`, `plan` and `run` are of one opinion; `check` tells everything at once. `plan` opens inputs by the function that
`run` opens them by, and is asked of some faults alone.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from selections import one_in
from spoiled import Book, rewrite, with_cells, with_type, without

BOND = "portfolio/bond/part-000"
FILES = ("market", "history", "scenarios", BOND)


def assert_refused(book: Book, *said: str, rule: str, commands: tuple[str, ...] = ("run",)) -> list[str]:
    """check and the other commands exit with 3, tell the same, and leave nothing; returns the messages of check."""
    checked = book.check()
    assert checked.code == 3, checked.stderr
    assert checked.json["blocking"] is True
    faults = [fault for fault in checked.faults if fault["rule"] == rule]
    assert faults, checked.faults
    messages = [" ".join((fault["table"], fault["file"], fault["message"])) for fault in faults]
    for words in said:
        assert any(words in message for message in messages), (words, messages)
    for command in commands:
        answer = book.riskpipe(command)
        assert answer.code == 3, answer.stderr
        assert answer.stdout == ""
        for fault in faults:
            (line,) = [line for line in answer.errors if rule in line and fault["message"] in line]
            assert line.startswith(f"{fault['table']}: {fault['file']}: ")
    assert book.nothing_was_done()
    return messages


@pytest.mark.parametrize("name", one_in(3, ["market", "history", "scenarios"]))
def test_no_such_file(spoilt: Book, name: str) -> None:
    spoilt.input(name).unlink()
    said = f"{spoilt.input(name)} there is no such file: correct inputs.{name}"
    assert_refused(spoilt, said, rule="no such file", commands=("plan", "run"))


def test_a_directory_in_the_place_of_a_file(spoilt: Book) -> None:
    spoilt.input("market").unlink()
    spoilt.input("market").mkdir()
    assert_refused(spoilt, f"cannot read {spoilt.input('market')}: ", rule="unreadable")


def test_no_portfolio(spoilt: Book) -> None:
    portfolio = spoilt.directory / "data" / "portfolio"
    shutil.rmtree(portfolio)
    assert_refused(spoilt, f"there is no directory {portfolio}: correct inputs.portfolio", rule="no such directory")
    portfolio.mkdir()
    assert_refused(spoilt, f"there are no trades in {portfolio}: trades belong in <product>/", rule="no trades")


@pytest.mark.parametrize(
    ("name", "share"), one_in(7, [*((name, 0.5) for name in FILES), ("market", 0.0), (BOND, 0.0), (BOND, 0.999)])
)
def test_truncated_parquet(spoilt: Book, name: str, share: float) -> None:
    path = spoilt.input(name)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    rule = "not parquet" if name == BOND else "unreadable"
    assert_refused(spoilt, f"cannot read {path}: truncated, or not a Parquet file", "write the file anew", rule=rule)


@pytest.mark.parametrize("name", one_in(4, FILES))
def test_damaged_pages_behind_a_sound_footer(spoilt: Book, name: str) -> None:
    path = spoilt.input(name)
    chunk = pq.ParquetFile(path).metadata.row_group(0).column(0)
    content = bytearray(path.read_bytes())
    first = chunk.dictionary_page_offset or chunk.data_page_offset
    content[first : first + 32] = bytes(32)
    path.write_bytes(content)
    assert_refused(spoilt, str(path), rule="unreadable")


def test_every_damaged_trade_file_is_told(spoilt: Book) -> None:
    for product in ("bond", "fx_option"):
        path = spoilt.trades(product)
        content = bytearray(path.read_bytes())
        content[4:40] = bytes(36)
        path.write_bytes(content)
    rewrite(spoilt.trades("fx_forward"), with_cells("buy_amount", {3: float("nan")}))
    faults = {(fault["file"], fault["rule"]) for fault in spoilt.check().faults}
    assert faults == {
        ("bond/part-000.parquet", "unreadable"),
        ("fx_option/part-000.parquet", "unreadable"),
        ("fx_forward/part-000.parquet", "finite"),
    }


WRONG_TYPES: list[tuple[str, str, Callable[[pa.Table], pa.Table], str, str]] = [
    (BOND, "face", with_type("face", pa.string()), "wrong_type", "has type string; it must be a number"),
    (BOND, "maturity_date", with_type("maturity_date", pa.string()), "wrong_type", "it must be a date"),
    (BOND, "book", lambda t: t.set_column(1, "book", pa.array(range(len(t)))), "wrong_type", "it must be a string"),
    ("market", "value", with_type("value", pa.string()), "wrong type", "'value' is string, not double"),
    ("history", "date", with_type("date", pa.string()), "wrong type", "'date' is string, not date32"),
    ("scenarios", "shift", with_type("shift", pa.string()), "wrong type", "'shift' is string, not double"),
]


@pytest.mark.parametrize(("name", "column", "change", "rule", "message"), one_in(6, WRONG_TYPES))
def test_wrong_type(
    spoilt: Book, name: str, column: str, change: Callable[[pa.Table], pa.Table], rule: str, message: str
) -> None:
    rewrite(spoilt.input(name), change)
    assert_refused(spoilt, message, repr(column), rule=rule)


@pytest.mark.parametrize(
    ("name", "column", "rule"),
    one_in(
        5,
        [
            (BOND, "face", "missing_column"),
            (BOND, "trade_id", "missing_column"),
            ("market", "value", "missing column"),
            ("history", "date", "missing column"),
            ("scenarios", "shift_type", "missing column"),
        ],
    ),
)
def test_missing_column(spoilt: Book, name: str, column: str, rule: str) -> None:
    rewrite(spoilt.input(name), without(column))
    assert_refused(spoilt, f"the column {column!r} is missing", rule=rule)


@pytest.mark.slow
def test_a_misspelt_column_is_recognised(spoilt: Book) -> None:
    rewrite(spoilt.trades("bond"), lambda table: table.rename_columns({"coupon": "cupon"}))
    assert_refused(spoilt, "the column 'coupon' is missing; is it 'cupon'?", rule="missing_column")


def test_unknown_product(spoilt: Book) -> None:
    directory = spoilt.trades("fx_option").parent
    directory.rename(directory.with_name("fx_options"))
    said = "no product is called 'fx_options': did you mean fx_option?"
    assert_refused(spoilt, said, rule="unknown product", commands=("plan", "run"))


def test_a_file_that_would_be_ignored(spoilt: Book) -> None:
    shutil.copy(spoilt.trades("bond"), spoilt.directory / "data/portfolio/bonds.parquet")
    assert_refused(spoilt, "trades belong in <product>/<name>.parquet", rule="misplaced file")


def test_text_of_market_that_is_no_utf_8(spoilt: Book) -> None:
    def garble(table: pa.Table) -> pa.Table:
        names = [(name or "").encode() for name in table.column("scenario").to_pylist()]
        names[0] = b"\xff\xfe"
        return table.set_column(0, "scenario", pa.array(names, pa.binary()).view(pa.string()))

    rewrite(spoilt.input("scenarios"), garble)
    answer = spoilt.check()
    assert (answer.code, answer.json["blocking"]) == (3, False)
    found = {fault["rule"]: fault["message"] for fault in answer.faults}
    assert set(found) == {"utf_8", "null", "left out"}  # whose row it is is not known
    assert "scenario is not UTF-8 text" in found["utf_8"]


def test_inputs_that_no_measure_needs_may_be_missing(spoilt: Book) -> None:
    spoilt.input("history").unlink()
    spoilt.input("scenarios").unlink()
    assert spoilt.check("--set", "measures=[pv, delta]").code == 0
    assert spoilt.riskpipe("plan", "--set", "measures=[pv, delta]").code == 0


@pytest.mark.parametrize("frame", one_in(2, [pa.table({}), pa.table({"trade_id": pa.nulls(0), "book": pa.nulls(0)})]))
def test_the_file_of_an_empty_frame(spoilt: Book, frame: pa.Table) -> None:
    """Of trades it is passed over with a warning; of the market it is what it is, and nothing can be priced."""
    pq.write_table(frame, spoilt.trades("bond").with_name("part-001.parquet"))
    answer = spoilt.check()
    assert answer.code == 0
    assert [(f["level"], f["file"], f["rule"]) for f in answer.faults] == [
        ("warning", "bond/part-001.parquet", "empty")
    ]
    spoilt.trades("bond").with_name("part-001.parquet").unlink()
    pq.write_table(frame, spoilt.input("market"))
    (message,) = assert_refused(spoilt, "the market table has no rows", rule="empty")
    assert str(spoilt.input("market")) in message


# -- the configuration


def python_m_riskpipe(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "riskpipe", *words], capture_output=True, text=True, timeout=60, check=False
    )


def test_no_configuration(tmp_path: Path) -> None:
    missing = tmp_path / "riskpipe.yaml"
    result = python_m_riskpipe("run", "-c", str(missing))
    assert result.returncode == 2
    assert result.stderr == f"error: {missing}: no such file; `riskpipe init` writes one, -c names another\n"
    assert result.stdout == ""


def test_every_fault_of_the_configuration_at_once(spoilt: Book) -> None:
    text = spoilt.config.read_text()
    text = text.replace("max_trades: 50000", "max_trade: 50000").replace("workers: 2", "workers: two")
    spoilt.config.write_text(text.replace("base_currency: USD", "base_currency: dollars"))
    places = {
        name: f"{spoilt.config}:{line}:"
        for line, content in enumerate(spoilt.config.read_text().splitlines(), 1)
        for name in ("base_currency", "max_trade", "workers")
        if content.strip().startswith(f"{name}:")
    }
    for command in ("check", "plan", "run"):
        answer = spoilt.riskpipe(command)
        assert answer.code == 2
        currency, key, workers = answer.errors
        assert currency.startswith(places["base_currency"])
        assert "base_currency" in currency
        assert "dollars" in currency
        assert key.startswith(places["max_trade"])
        assert "partition.max_trade: unknown key; did you mean max_trades?" in key
        assert workers.startswith(places["workers"])
        assert "cluster.workers: a whole number >= 1 is wanted, got 'two'" in workers
    assert spoilt.nothing_was_done()


def test_the_same_from_the_command_line(sound: Book) -> None:
    result = python_m_riskpipe(*sound.command("run", "--set", "partition.max_trade=5", "--set", "retry.storage=often"))
    assert result.returncode == 2
    unknown, wrong = result.stderr.splitlines()
    assert "partition.max_trade: unknown key; did you mean max_trades?" in unknown
    assert "retry.storage: a whole number >= 0 is wanted, got 'often'" in wrong
    assert sound.nothing_was_done()


# -- everything at once


def test_ten_faults_in_one_pass(spoilt: Book) -> None:
    """Faults of rows, files, market, history and stresses together: one `check` lists them all."""
    nan = float("nan")
    rewrite(spoilt.trades("bond"), with_cells("coupon", {1: nan}))
    rewrite(spoilt.trades("fx_option"), with_cells("expiry_date", {2: date(2020, 1, 1)}))
    rewrite(spoilt.trades("fx_forward"), with_cells("sell_currency", {3: "usd"}))
    rewrite(spoilt.trades("commodity_option"), with_cells("underlying", {4: "BRENTT"}))
    first = pq.read_table(spoilt.trades("equity_option")).column("trade_id")[0].as_py()
    rewrite(spoilt.trades("equity_option"), with_cells("trade_id", {5: first}))
    market = spoilt.input("market")
    kinds = pq.read_table(market).column("kind").to_pylist()
    rewrite(market, with_cells("value", {kinds.index("fx_vol"): -0.1, kinds.index("hazard_rate"): nan}))
    rewrite(market, with_cells("tenor", {kinds.index("dividend_yield"): "5 years"}))
    answer = spoilt.check()
    assert answer.code == 3
    assert listed(answer.faults) >= {
        ("portfolio", "coupon", "finite", 1),
        ("portfolio", "expiry_date", "fixing", 1),
        ("portfolio", "sell_currency", "currency", 1),
        ("portfolio", "volatility", "market_data", 1),
        ("portfolio", "trade_id", "unique", 2),
        ("market", "value", "not positive", 1),
        ("market", "value", "not finite", 1),
        ("market", "tenor", "bad tenor", 1),
    }
    assert answer.json["blocking"] is False

    rewrite(spoilt.input("history"), with_cells("value", {10: float("inf")}))
    rewrite(spoilt.input("scenarios"), with_cells("factor", {0: "spot:SPXX"}))
    rewrite(spoilt.input("scenarios"), with_cells("shift", {1: nan}))
    (spoilt.directory / "data/portfolio/bonds").mkdir()
    shutil.copy(spoilt.trades("bond"), spoilt.directory / "data/portfolio/bonds/part-000.parquet")
    spoilt.trades("interest_rate_swap").write_bytes(b"PAR1")
    answer = spoilt.check()
    assert answer.code == 3
    assert answer.stderr == ""
    assert listed(answer.faults) >= {
        ("portfolio", "", "unknown product", 0),
        ("portfolio", "", "not parquet", 0),
        ("portfolio", "coupon", "finite", 1),
        ("portfolio", "expiry_date", "fixing", 1),
        ("portfolio", "sell_currency", "currency", 1),
        ("portfolio", "trade_id", "unique", 2),
        ("market", "value", "not positive", 1),
        ("market", "value", "not finite", 1),
        ("market", "tenor", "bad tenor", 1),
        ("history", "value", "not finite", 1),
        ("scenarios", "factor", "unknown factor", 1),
        ("scenarios", "shift", "not finite", 1),
    }
    assert answer.json["blocking"] is True
    stored = pq.read_table(spoilt.output / "meta" / "checks.parquet").to_pylist()
    assert listed(stored) == listed(answer.faults)
    assert [row["level"] for row in stored] == sorted(row["level"] for row in stored)
    for row in stored:
        assert row["message"]
        assert row["file"]
        assert bool(row["rows"]) == bool(row["sample"])
    for command in ("plan", "run"):
        assert spoilt.riskpipe(command).code == 3
    assert spoilt.nothing_was_done()


def listed(faults: list[dict[str, object]]) -> set[tuple[object, ...]]:
    return {(fault["table"], fault["column"], fault["rule"], fault["rows"]) for fault in faults}


def test_where_check_writes(sound: Book, tmp_path: Path) -> None:
    elsewhere = tmp_path / "deep" / "faults.parquet"
    answer = sound.check("-o", str(elsewhere))
    assert (answer.code, answer.json["path"]) == (0, str(elsewhere))
    assert pq.read_table(elsewhere).num_rows == 0
    assert not sound.output.exists()
    assert sound.check().json["path"] == str(sound.output / "meta" / "checks.parquet")
    assert [path.name for path in sound.output.rglob("*") if path.is_file()] == ["checks.parquet"]
