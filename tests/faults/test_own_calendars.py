"""Calendars of one's own from file to numbers: what they hold counts wherever they are named; what is bad is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from published import published
from spoiled import Answer, Book, rewrite, rows_where, run_directory

from riskpipe.market.open_days import FIRST, open_days
from riskpipe.store.location import open_store
from riskpipe.store.run_folder import RunFolder
from riskpipe.valuation.spec import read_spec

PV = ("--set", "measures=[pv]", "--publish", "always")


def write_holidays(path: Path, of: str) -> None:
    """All days that a calendar closes on weekdays."""
    days = np.flatnonzero(~open_days(of)) + FIRST
    days = days[np.is_busday(days.astype("datetime64[D]"))]
    pq.write_table(pa.table({"date": pa.array(days.astype(np.int32)).cast(pa.date32())}), path)


def desk(book: Book, name: str = "holidays.parquet", **entry: str) -> tuple[str, ...]:
    more = "".join(f", {key}: {value}" for key, value in entry.items())
    return ("--set", f"market.calendars={{DESK: {{path: {book.directory / name}{more}}}}}")


def renamed(table: pa.Table) -> pa.Table:
    """TARGET is called DESK."""
    at = table.schema.get_field_index("calendar")
    names = [name.replace("TARGET", "DESK") for name in table.column(at).to_pylist()]
    return table.set_column(at, "calendar", pa.array(names))


def priced(book: Book, *words: str) -> list[dict[str, object]]:
    answer = book.riskpipe("run", *PV, *words)
    assert answer.code == 0, answer.stderr
    columns = ("trade_id", "measure", "value", "value_base", "status")
    return published(book.output, "valuations").select(columns).to_pylist()


SWAPS = ("interest_rate_swap", "bond")
INDEX = "market.indices={EUR.ESTR: {curve: EUR.ESTR, overnight: true, day_count: ACT/360, calendar: %s}}"
CURVE = "market.curves={EUR.ESTR: {calendar: %s}}"


def test_what_a_file_says_is_what_counts(spoilt: Book, tmp_path: Path) -> None:
    """With TARGET's holidays under another name, in trades, an index and a curve of quotes, every number stays."""
    select = tuple(word for name in SWAPS for word in ("--select", f"product:{name}"))
    named = ("--set", INDEX % "TARGET", "--set", CURVE % "TARGET")
    before = priced(Book(spoilt.directory, tmp_path / "before"), *select, *named)
    assert any(rows_where(spoilt.trades(name), calendar="TARGET") for name in SWAPS)
    for name in SWAPS:
        rewrite(spoilt.trades(name), renamed)
    write_holidays(spoilt.directory / "holidays.parquet", "TARGET")
    own = ("--set", INDEX % "DESK", "--set", CURVE % "DESK")

    assert priced(spoilt, *select, *desk(spoilt), *own) == before

    # the run has them, not their place
    folder = RunFolder(open_store(str(spoilt.output)), run_directory(spoilt.output).name)
    spec = read_spec(folder)
    assert spec.conventions.calendars["DESK"].startswith("weekends+{: 1901-")
    assert "holidays.parquet" not in folder.store.read_bytes(folder.valuation).decode()
    # other days under the same name: other numbers, in one process
    write_holidays(spoilt.directory / "holidays.parquet", "JPTO")
    again = spoilt.riskpipe("run", *PV, *select, *desk(spoilt), *own, "--resume", folder.run_id)
    assert again.code == 3, again.stderr
    assert "an input file changed since run" in again.stderr
    after = priced(Book(spoilt.directory, tmp_path / "after"), *select, *desk(spoilt), *own)
    assert after != before
    assert [row["status"] for row in after] == [row["status"] for row in before]


def refused(book: Book, *words: str) -> Answer:
    answer = book.riskpipe("run", *PV, *words)
    assert answer.code == 3, answer.stderr
    assert book.nothing_was_done()
    return answer


def test_files_that_are_no_holidays(spoilt: Book) -> None:
    path = spoilt.directory / "holidays.parquet"
    way_out = "correct market.calendars.DESK in the configuration, or put the file there"
    assert way_out in refused(spoilt, *desk(spoilt)).stderr
    days = pa.array([20_000, None, 200_000], pa.int32())
    for table, message in (
        ({"day": days.cast(pa.date32())}, "holidays are a column 'date' of dates"),
        ({"date": pa.array(["Christmas"])}, "holidays are a column 'date' of dates"),
        ({"date": days[:2].cast(pa.date32())}, "1 rows have no date that can be read"),
        ({"date": days[2:].cast(pa.date32())}, "not of the years 1901 to 2199"),
    ):
        pq.write_table(pa.table(table), path)
        assert message in refused(spoilt, *desk(spoilt)).stderr, message
    path.write_bytes(b"2026-12-25\n")
    assert str(path) in refused(spoilt, *desk(spoilt)).stderr


def test_a_calendar_that_is_not_there_is_a_fault_of_its_trades(spoilt: Book) -> None:
    rewrite(spoilt.trades("bond"), renamed)
    faults = [fault for fault in spoilt.check().faults if fault["rule"] == "calendar"]
    assert [(fault["column"], fault["rows"] > 0) for fault in faults] == [("calendar", True)]
    assert "one of market.calendars" in faults[0]["message"]
    write_holidays(spoilt.directory / "holidays.parquet", "TARGET")
    assert not [fault for fault in spoilt.check(*desk(spoilt)).faults if fault["rule"] == "calendar"]
