"""The day that a market or a history says it is of, in every way that files say it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from riskpipe.market.dates import FOOTER_KEY, DateSource, history_date_faults, market_date_faults
from riskpipe.market.factors import days_of
from riskpipe.store.dataset import open_dataset

FRIDAY = date(2026, 11, 20)
TODAY = days_of(FRIDAY)
NEW_YORK = timezone(timedelta(hours=-5))

WAYS = {
    "date32": pa.array([FRIDAY, FRIDAY], pa.date32()),
    "date64": pa.array([FRIDAY, None], pa.date64()),
    "text": pa.array(["2026-11-20", ""]),
    "text with a time": pa.array(["2026-11-20T17:00:00", "2026-11-20 17:00"]),
    "compact": pa.array([20261120, 20261120]),
    "dictionary": pa.array(["2026-11-20", "2026-11-20"]).dictionary_encode(),
    "timestamp": pa.array([datetime(2026, 11, 20, 17), None], pa.timestamp("us")),
    "the close in New York": pa.array([datetime(2026, 11, 20, 22, tzinfo=NEW_YORK)] * 2, pa.timestamp("us", "-05:00")),
}


def _market(**columns: pa.Array) -> pa.Table:
    return pa.table({"value": [1.0, 2.0], **columns})


@pytest.mark.parametrize("column", ["as_of", "as_of_date", "date", "AS_OF"])
@pytest.mark.parametrize("way", WAYS)
def test_a_column(way: str, column: str) -> None:
    table = _market(**{column: WAYS[way]})
    assert list(market_date_faults(table, TODAY, "error")) == []
    (fault,) = market_date_faults(table, TODAY + 5, "error")
    assert (fault.level, fault.rule) == ("error", "another day")
    assert "the market says that it is of 2026-11-20, as_of is 2026-11-25" in fault.message
    assert "give --as-of 2026-11-20, or inputs.market of 2026-11-25" in fault.message


def test_a_key_of_the_footer() -> None:
    table = _market().replace_schema_metadata({FOOTER_KEY: "2026-11-20"})
    assert list(market_date_faults(table, TODAY, "error")) == []
    (fault,) = market_date_faults(table, TODAY + 1, "warning")
    assert fault.level == "warning"
    assert "check.market_date" not in fault.message


def test_a_footer_that_is_no_day_is_told() -> None:
    table = _market().replace_schema_metadata({FOOTER_KEY: "20 November"})
    (fault,) = market_date_faults(table, TODAY, "error")
    assert (fault.level, fault.rule) == ("warning", "unreadable date")
    assert f"the footer's key {FOOTER_KEY!r} holds no dates" in fault.message


def test_the_footers_of_a_directory_of_files(tmp_path) -> None:
    for name, day in (("a", "2026-11-20"), ("b", "2026-11-19")):
        pq.write_table(_market().replace_schema_metadata({FOOTER_KEY: day}), tmp_path / f"{name}.parquet")
    table = open_dataset(str(tmp_path)).read()
    assert len(table) == 4
    (fault,) = market_date_faults(table, TODAY, "error")
    assert "of 2026-11-19, as_of is 2026-11-20: leave the rows of 2026-11-20 alone" in fault.message


def test_two_days_in_one_market() -> None:
    table = _market(date=pa.array([date(2026, 11, 19), FRIDAY]))
    (fault,) = market_date_faults(table, TODAY, "error")
    assert "of 2026-11-19, as_of is 2026-11-20: leave the rows of 2026-11-20 alone in inputs.market" in fault.message


def test_a_market_that_says_nothing() -> None:
    assert list(market_date_faults(_market(), TODAY, "error")) == []
    assert list(market_date_faults(_market(as_of=pa.nulls(2)), TODAY, "error")) == []
    (fault,) = market_date_faults(_market(as_of=pa.array(["spot", "close"])), TODAY, "error")
    assert (fault.level, fault.rule) == ("warning", "unreadable date")


def _history(*days: date, made: date | None = None) -> pa.Table:
    table = pa.table({"date": pa.array(days, pa.date32())})
    return table.replace_schema_metadata({FOOTER_KEY: made.isoformat()}) if made else table


# 26 November 2026 is Thanksgiving, a holiday of New York alone; the 23rd is one of Tokyo.
@pytest.mark.parametrize(
    ("as_of", "last", "warned"),
    [
        (date(2026, 11, 20), date(2026, 11, 19), False),
        (date(2026, 11, 20), date(2026, 11, 18), True),
        (date(2026, 11, 22), date(2026, 11, 20), False),  # a Sunday
        (date(2026, 11, 27), date(2026, 11, 25), False),
        (date(2026, 11, 27), date(2026, 11, 24), True),
        (date(2026, 11, 24), date(2026, 11, 20), False),
    ],
)
def test_a_history_ends_no_earlier_than_the_business_day_before(as_of: date, last: date, warned: bool) -> None:
    later = last + timedelta(days=100)  # is not used, so it does not count
    found = list(history_date_faults(_history(date(2026, 1, 5), last, later), days_of(as_of), "error"))
    assert [(fault.level, fault.rule) for fault in found] == [("warning", "ends early")] * warned
    if warned:
        assert f"the history ends on {last}" in found[0].message


def test_a_history_made_for_a_day_before() -> None:
    table = _history(FRIDAY, made=FRIDAY)
    assert list(history_date_faults(table, TODAY, "error")) == []
    assert list(history_date_faults(_history(date(2026, 11, 19), FRIDAY, made=FRIDAY), TODAY - 1, "error")) == []
    faults = {fault.rule: fault for fault in history_date_faults(table, TODAY + 5, "error")}
    assert faults["another day"].level == "error"
    assert "give --as-of 2026-11-20, or inputs.history of 2026-11-25" in faults["another day"].message


def test_a_history_whose_rows_have_days_of_their_own() -> None:
    days = pa.array([date(2026, 11, 18), date(2026, 11, 19)], pa.date32())
    assert list(history_date_faults(pa.table({"date": days, "as_of": days}), TODAY, "error")) == []
    made = pa.table({"date": days, "as_of": pa.array([date(2026, 11, 19)] * 2, pa.date32())})
    assert [fault.rule for fault in history_date_faults(made, TODAY, "error")] == ["another day"]


def test_an_aware_timestamp_counts_by_its_own_clock() -> None:
    late = pa.array([datetime(2026, 11, 21, 3, tzinfo=UTC)] * 2, pa.timestamp("us", "America/New_York"))
    assert list(market_date_faults(_market(as_of=late), TODAY, "error")) == []


@pytest.mark.parametrize(
    ("where", "table", "path"),
    [
        ("footer", _market().replace_schema_metadata({FOOTER_KEY: "2026-11-20"}), "m.parquet"),
        ("column:cut", _market(cut=WAYS["date32"]), "m.parquet"),
        ("path", _market(), "s3://risk-2019/2026/11/20/m.parquet"),
        ("path", _market(), "/data/2025-01-01/market_20261120.parquet"),
        ("path", _market(), "/data/as_of=2026-11-20/part-000.parquet"),
    ],
)
def test_where_the_market_must_say_it(where: str, table: pa.Table, path: str) -> None:
    source = DateSource(where, path)
    assert list(market_date_faults(table, TODAY, "error", source)) == []
    (fault,) = market_date_faults(table, TODAY + 3, "error", source)
    assert "the market says that it is of 2026-11-20, as_of is 2026-11-23" in fault.message


@pytest.mark.parametrize("where", ["footer", "column:cut", "column:value", "path"])
def test_a_market_that_does_not_say_it_where_it_must(where: str) -> None:
    (fault,) = market_date_faults(_market(), TODAY, "error", DateSource(where, "/data/20269999/market.parquet"))
    assert (fault.level, fault.rule) == ("error", "no date")
    assert f"inputs.market_date is {where}; as_of is 2026-11-20" in fault.message
