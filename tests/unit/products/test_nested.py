"""Columns of lists and of structs: read, checked and taken apart."""

import datetime
import math

import numpy as np
import pyarrow as pa
import pytest

from riskpipe.market.ranges import RANGES
from riskpipe.products.base import COMMON_COLUMNS, Column, Prepared, Product
from riskpipe.products.term_ranges import odd_terms
from riskpipe.products.trades import Trades
from riskpipe.products.validation import canonical, check_rows, check_schema, column_names, known_names

START, END = datetime.date(2027, 3, 1), datetime.date(2028, 3, 1)


class Instalments(Product):
    """Amounts on dates."""

    name = "instalments"
    version = 1
    columns = (
        *COMMON_COLUMNS,
        Column("amounts", "number", "of each", many=True, rule="positive"),
        Column("paid_dates", "date", "of each", many=True, required=False),
        Column(
            "legs",
            "table",
            "what else is paid",
            required=False,
            fields=(
                Column("side", "string", "of the leg", choices=("pay", "receive")),
                Column("rate", "number", "decimal a year", required=False, quantity="rate"),
                Column("start_date", "date", "of the leg", required=False),
                Column("steps", "number", "of the leg", required=False, many=True),
            ),
        ),
    )

    def requirements(self, trades, conventions):
        return ()

    def prepare(self, trades, model) -> Prepared:
        raise NotImplementedError


PRODUCT = Instalments()


def table(**changes):
    legs = [[{"side": "pay", "rate": 0.02, "steps": [1.0, 2.0]}], None, [{"side": "pay"}, {"side": "receive"}], []]
    columns = {
        "trade_id": ["a", "b", "c", "d"],
        "book": ["x"] * 4,
        "amounts": [[1.0, 2.0], [3.0], [4.0, 5.0, 6.0], [7.0]],
        "paid_dates": [[START], None, [START, END], []],
        "legs": legs,
    }
    return pa.table({**columns, **changes})


def trades_of(given):
    return Trades(canonical(given, PRODUCT))


def told(given):
    return [(f.column, f.rule, f.rows.tolist(), f.message) for f in check_rows(trades_of(given), PRODUCT, given)]


def test_elements_stand_one_after_another_with_their_trades():
    trades = trades_of(table())

    amounts, legs = trades.nested("amounts"), trades.nested("legs")

    assert told(table()) == []
    assert amounts.offsets.tolist() == [0, 2, 3, 6, 7]
    assert amounts.rows.numbers("amounts").tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert amounts.numbers.tolist() == [0, 1, 0, 0, 1, 2, 0]
    assert legs.trades.tolist() == [0, 2, 2]
    assert legs.rows.labels("side").names == ("pay", "receive")
    np.testing.assert_array_equal(legs.rows.numbers("rate"), [0.02, np.nan, np.nan])
    assert legs.rows.days("start_date").tolist() == [Trades.NO_DATE] * 3
    assert legs.rows.nested("steps").offsets.tolist() == [0, 2, 2, 2]


def test_some_trades_have_their_own_elements():
    trades = trades_of(table())

    for few, rows in ((trades.take(np.array([2, 0])), [2, 0]), (trades.slice(1, 3), [1, 2])):
        amounts = few.nested("amounts")
        expected = [[1, 2], [3], [4, 5, 6], [7]]
        got = np.split(amounts.rows.numbers("amounts"), amounts.offsets[1:-1])
        assert [part.tolist() for part in got] == [expected[row] for row in rows]


def test_a_missing_column_has_no_elements():
    trades = trades_of(table().drop_columns(["legs", "paid_dates"]))

    assert trades.nested("legs").offsets.tolist() == [0] * 5
    assert trades.nested("legs").rows.numbers("rate").tolist() == []
    assert trades.nested("paid_dates").rows.days("paid_dates").tolist() == []


@pytest.mark.parametrize(
    "kind",
    [pa.large_list(pa.float32()), pa.list_(pa.int64()), pa.list_view(pa.float64()), pa.list_(pa.decimal128(9, 2))],
)
def test_lists_of_any_layout_and_numbers_of_any_type(kind):
    values = [[1.0, 2.0], [3.0], [4.0], [7.0]]
    if not pa.types.is_float64(kind.value_type):
        values = [[int(v) for v in each] for each in values]
    given = table(amounts=pa.array(values, kind))

    trades = trades_of(given)

    assert trades.table.column("amounts").type == pa.list_(pa.float64())
    assert trades.nested("amounts").rows.numbers("amounts").tolist() == [1, 2, 3, 4, 7]


def test_files_without_some_fields_go_with_those_that_have_them():
    few = table(legs=pa.array([[{"side": "pay", "other": 1}], None, [], None]))
    many = table()

    both = pa.concat_tables([canonical(few, PRODUCT), canonical(many, PRODUCT)])

    assert len(both) == 8


def test_columns_of_nulls_are_empty_lists():
    given = table(legs=pa.nulls(4), paid_dates=pa.nulls(4))

    assert told(given) == []
    assert trades_of(given).nested("legs").offsets.tolist() == [0] * 5


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"amounts": [[1.0], None, [1.0], [1.0]]}, ("amounts", "not_null", [1], "amounts is null")),
        ({"amounts": [[1.0], [], [1.0], [1.0]]}, ("amounts", "not_empty", [1], "amounts is an empty list")),
        (
            {"amounts": [[1.0], [2.0, None, None], [1.0], [1.0]]},
            ("amounts", "not_null", [1], "an element of amounts is null"),
        ),
        (
            {"amounts": [[1.0], [2.0], [0.0], [-1.0]]},
            ("amounts", "positive", [2, 3], "an element of amounts must be above zero"),
        ),
        (
            {"amounts": [[1.0], [2.0], [math.inf], [1.0]]},
            ("amounts", "finite", [2], "an element of amounts is not a finite number"),
        ),
        (
            {"amounts": [[2**53 + 1], [2], [3], [4]]},
            ("amounts", "exact", [0], "an element of amounts is beyond 2^53 and no float64 is equal to it"),
        ),
        (
            {"legs": [[{"side": "Pay"}], None, [], None]},
            ("legs.side", "choice", [0], "legs: side 'Pay' is unknown; is it 'pay'?"),
        ),
        ({"legs": [[], [{"side": None}, None], [], None]}, ("legs.side", "not_null", [1], "legs: side is null")),
        (
            {"legs": [[{"side": "pay", "steps": [1.0, None]}], None, [], None]},
            ("legs.steps", "not_null", [0], "legs: an element of steps is null"),
        ),
    ],
)
def test_a_broken_rule_of_an_element_is_said_once_of_its_trades(changes, fault):
    assert told(table(**changes)) == [fault]


def test_a_far_date_in_a_list():
    ((column, rule, rows, message),) = told(table(paid_dates=[[START], [datetime.date(9999, 12, 31)], [], None]))

    assert (column, rule, rows) == ("paid_dates", "date_range", [1])
    assert message.startswith("an element of paid_dates is not in the years 1901 to 2199")


def test_odd_values_of_elements_are_told():
    trades = trades_of(table(legs=[[{"side": "pay", "rate": 5.0}], None, [], None]))

    (fault,) = odd_terms(trades, PRODUCT, RANGES)

    assert (fault.column, fault.rows.tolist()) == ("legs.rate", [0])
    assert fault.message.startswith("legs: rate is ")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"amounts": [1.0] * 4}, "the column 'amounts' has type double; it must be a list, of which each is a number"),
        (
            {"amounts": [["x"]] * 4},
            "the column 'amounts' has type list<item: string>; it must be a list, of which each is a number",
        ),
        ({"legs": [[1.0]] * 4}, "the column 'legs' has type list<item: double>; it must be a list of structs"),
        ({"legs": [[{"rate": 1.0}]] * 4}, "the column 'legs.side' is missing"),
        ({"legs": [[{"side": 1.0}]] * 4}, "the column 'legs.side' has type double; it must be a string"),
    ],
)
def test_a_type_that_cannot_be_read(changes, message):
    (fault,) = check_schema(table(**changes).schema, PRODUCT)

    assert message in fault.message


def test_fields_that_are_not_known_have_a_name():
    given = table(legs=[[{"side": "pay", "sied": "x"}], None, None, None])

    assert set(column_names(given.schema, PRODUCT)) - known_names(PRODUCT) == {"legs.sied"}
