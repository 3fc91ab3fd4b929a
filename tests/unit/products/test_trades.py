"""Trade tables read as arrays."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from riskpipe.products.trades import Trades

TABLE = pa.table(
    {
        "trade_id": ["a", "b", "c"],
        "book": ["x", None, "x"],
        "number": pa.array([1.5, None, -2.0]),
        "count": pa.array([1, 2, None], pa.int64()),
        "day": pa.array([date(1970, 1, 2), None, date(2026, 11, 20)], pa.date32()),
    }
)


@pytest.fixture(params=["plain", "chunked", "dictionary"])
def trades(request: pytest.FixtureRequest) -> Trades:
    if request.param == "chunked":
        return Trades(pa.concat_tables([TABLE.slice(0, 1), TABLE.slice(1)]))
    if request.param == "dictionary":
        return Trades(TABLE.set_column(1, "book", TABLE.column("book").dictionary_encode()))
    return Trades(TABLE)


def test_labels(trades: Trades) -> None:
    labels = trades.labels("book")

    assert labels.codes.dtype == np.int32
    assert labels.to_list() == ["x", None, "x"]
    assert trades.books.to_list() == ["x", None, "x"]


def test_numbers(trades: Trades) -> None:
    np.testing.assert_array_equal(trades.numbers("number"), [1.5, np.nan, -2.0])
    np.testing.assert_array_equal(trades.numbers("number", 7.0), [1.5, 7.0, -2.0])
    np.testing.assert_array_equal(trades.numbers("count", 0.0), [1.0, 2.0, 0.0])
    assert trades.numbers("count").dtype == np.float64
    assert trades.numbers("number").flags.c_contiguous


def test_days(trades: Trades) -> None:
    days = trades.days("day")

    assert days.dtype == np.int32
    assert days.tolist() == [1, Trades.NO_DATE, 20777]


def test_columns_that_are_not_there(trades: Trades) -> None:
    assert not trades.has("nothing")
    assert trades.labels("nothing").to_list() == [None] * 3
    assert np.isnan(trades.numbers("nothing")).all()
    assert trades.numbers("nothing", 2.0).tolist() == [2.0] * 3
    assert trades.days("nothing").tolist() == [Trades.NO_DATE] * 3
    assert trades.is_one("nothing", "x").tolist() == [False] * 3


def test_is_one(trades: Trades) -> None:
    assert trades.is_one("book", "x").tolist() == [True, False, True]
    assert trades.is_one("book", "y").tolist() == [False] * 3


def test_take_and_slice(trades: Trades) -> None:
    assert trades.take(np.array([2, 0])).trade_ids.to_pylist() == ["c", "a"]
    assert trades.slice(1, 3).trade_ids.to_pylist() == ["b", "c"]
    assert trades.slice(1, 3).books.to_list() == [None, "x"]
    assert trades.slice(1, 3).days("day").tolist() == [Trades.NO_DATE, 20777]
    assert len(trades.slice(1, 1)) == 0
    assert len(trades.take(np.empty(0, np.int64))) == 0


def test_no_trades() -> None:
    empty = Trades(TABLE.schema.empty_table())

    assert len(empty) == 0
    assert len(empty.labels("book")) == 0
    assert empty.numbers("number").shape == (0,)
    assert empty.days("day").dtype == np.int32
    assert empty.is_one("book", "x").shape == (0,)
