"""What lies among the inputs and is not read is named, once: files, directories and columns."""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from selections import one_in
from spoiled import Book, rewrite


def named(book: Book, *words: str) -> dict[str, tuple[str, str]]:
    """Of what is not read: file -> level, rule."""
    faults = [f for f in book.check(*words).faults if f["rule"] in ("not read", "unreadable", "misplaced file")]
    assert len({fault["file"] for fault in faults}) == len(faults), faults
    for fault in faults:
        assert fault["file"] in fault["message"], fault
    return {fault["file"]: (fault["level"], fault["rule"]) for fault in faults}


def test_files_beside_good_ones(spoilt: Book) -> None:
    """Trades would be lost: errors, and nothing is priced. What holds no trades is a warning."""
    good = spoilt.trades("bond")
    directory = good.parent
    for name in ("b.PARQUET", "b.parq", "b.pq", "part-1", "b.parquet.bak", "b.parquet.tmp"):
        shutil.copy(good, directory / name)
    (directory / "b.parquet.gz").write_bytes(gzip.compress(good.read_bytes()))
    (directory / "gone.parquet").symlink_to("nowhere.parquet")
    (directory / "gone").symlink_to("nowhere")
    (directory / "loop").symlink_to("loop")
    (directory / "again=1").symlink_to(directory)
    os.mkfifo(directory / "pipe.parquet")
    shutil.copy(good, os.fsencode(directory) + b"/cr\xe9dit.parquet")
    os.mkdir(os.fsencode(directory.parent) + b"/cr\xe9dit")
    (directory / "archive").mkdir()
    shutil.copy(good, directory / "archive" / "old.parquet")
    shutil.copy(good, directory.parent / "bonds")
    (directory / "notes.txt").write_text("Tuesday's")
    (directory / "trades.csv").write_text("trade_id\n1\n")
    (directory / "empty").write_bytes(b"")
    (directory.parent / "README.md").write_text("# Book")
    for hidden in ("_SUCCESS", ".part-0.parquet.crc", "_temporary", ".b.parquet"):
        (directory / hidden).write_bytes(b"")
    lost = [f"bond/{n}" for n in ("b.PARQUET", "b.parq", "b.pq", "part-1", "b.parquet.bak", "b.parquet.tmp")]
    unreadable = ("gone.parquet", "gone", "loop", "again=1", "pipe.parquet", r"cr\xe9dit.parquet")
    assert named(spoilt) == {
        **dict.fromkeys([*lost, "bond/b.parquet.gz", "bonds"], ("error", "not read")),
        **{f"bond/{name}": ("error", "unreadable") for name in unreadable},
        r"cr\xe9dit": ("error", "unreadable"),
        "bond/archive/old.parquet": ("error", "misplaced file"),
        **dict.fromkeys(["bond/notes.txt", "bond/trades.csv", "bond/empty", "README.md"], ("warning", "not read")),
    }
    answer = spoilt.riskpipe("run")
    assert answer.code == 3, answer.stderr
    assert "b.PARQUET" in answer.stderr
    assert spoilt.nothing_was_done()


def test_what_is_no_parquet_does_not_stop_a_run(spoilt: Book) -> None:
    (spoilt.trades("bond").parent / "notes.txt").write_text("Tuesday's")
    answer = spoilt.check()
    assert answer.code == 0, answer.stdout
    assert [(fault["level"], fault["file"]) for fault in answer.faults] == [("warning", "bond/notes.txt")]
    assert spoilt.riskpipe("plan").code == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user for a moment")
def test_a_directory_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    """The others are still looked at: every fault at once."""
    from riskpipe.store.listing import list_data
    from riskpipe.store.location import open_store

    base = Path("/tmp") / f"riskpipe-unread-{os.getpid()}"
    try:
        for name in ("a=1", "b=2"):
            (base / name).mkdir(parents=True)
            (base / name / "x.parquet").write_bytes(b"PAR1")
        base.chmod(0o755)
        (base / "a=1").chmod(0o700)
        os.seteuid(65534)
        found = list_data(open_store(str(base)))
    finally:
        os.seteuid(0)
        shutil.rmtree(base, ignore_errors=True)
    assert [entry.path for entry in found.files] == ["b=2/x.parquet"]
    (odd,) = found.faults
    assert (odd.level, odd.path, odd.rule) == ("error", "a=1", "unreadable")
    assert "permissions" in odd.message


def column(name: str, value: object):
    return lambda table: table.append_column(name, pa.array([value] * len(table)))


def unknown(book: Book, *words: str) -> list[tuple[str, str, str, str]]:
    faults = [fault for fault in book.check(*words).faults if fault["rule"] == "unknown_column"]
    return [(fault["level"], fault["table"], fault["column"], fault["message"]) for fault in faults]


@pytest.mark.parametrize(
    ("product", "name", "nearest"),
    one_in(
        3,
        [
            ("bond", "creditcurve", "credit_curve"),
            ("bond", "Credit_Curve", "credit_curve"),
            ("interest_rate_swap", "notional_schedule", ""),
        ],
    ),
)
def test_a_column_that_would_change_the_trade(spoilt: Book, product: str, name: str, nearest: str) -> None:
    """Priced as if it were not there, as ever, but said; an error where the configuration wants it."""
    rewrite(spoilt.trades(product), column(name, "ACME"))
    copy = spoilt.trades(product).with_name("part-001.parquet")
    pq.write_table(pq.read_table(spoilt.trades(product)).slice(0, 0), copy)  # a second file: said once all the same
    ((level, table, found, message),) = unknown(spoilt)
    assert (level, table, found) == ("warning", "portfolio", name)
    assert f"{product}: unknown column is not read: {name!r}" in message
    assert not nearest or f"is it {nearest!r}?" in message
    assert "inputs.extra_columns" in message
    assert spoilt.check("--set", f"inputs.extra_columns=[{name}]").faults == []
    answer = spoilt.riskpipe("run", "--set", "inputs.unknown_columns=error")
    assert answer.code == 3
    assert name in answer.stderr
    assert spoilt.nothing_was_done()


def test_all_unknown_columns_of_a_product_in_one_warning(spoilt: Book) -> None:
    names = ("floor", "Coupon", "delivery", "end_of_month")
    for name in names:
        rewrite(spoilt.trades("bond"), column(name, 1))
    ((_, _, found, message),) = unknown(spoilt)
    assert found == ", ".join(names)
    assert "'Coupon' (is it 'coupon'?)" in message


def test_unknown_columns_of_the_other_inputs(spoilt: Book) -> None:
    """A history may have the columns of a market."""
    rewrite(spoilt.input("market"), lambda table: column("Tenor", "x")(column("Strike_type", "x")(table)))
    rewrite(spoilt.input("history"), lambda table: column("Values", 1.0)(column("kind", "spot")(table)))
    rewrite(spoilt.input("scenarios"), column("ShiftType", "x"))
    told = {(level, table, found): message for level, table, found, message in unknown(spoilt)}
    assert set(told) == {
        ("warning", "market", "Strike_type, Tenor"),
        ("warning", "history", "Values"),
        ("warning", "scenarios", "ShiftType"),
    }
    for near in ("strike_type", "tenor", "value", "shift_type"):
        assert any(f"is it {near!r}?" in message for message in told.values())
    assert spoilt.check("--set", "inputs.extra_columns=[Tenor, Strike_type, Values, ShiftType]").faults == []


@pytest.mark.parametrize("name", one_in(3, ["market", "history", "scenarios"]))
def test_a_doubled_column(spoilt: Book, name: str) -> None:
    """One that is read cannot be; one that is not read is told of like any other."""
    path = spoilt.input(name)
    whole = path.read_bytes()
    rewrite(path, lambda table: table.append_column("factor", table.column("factor")))
    answer = spoilt.check()
    assert answer.code == 3, answer.stderr
    (fault,) = [fault for fault in answer.faults if fault["table"] == name]
    assert (fault["rule"], fault["column"]) == ("duplicate column", "factor")
    assert "occurs 2 times" in fault["message"]
    assert spoilt.riskpipe("run").code == 3
    path.write_bytes(whole)
    rewrite(path, lambda table: column("note", 1)(column("note", 2)(table)))
    assert [found for _, _, found, _ in unknown(spoilt)] == ["note"]
