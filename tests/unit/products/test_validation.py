"""Every rule of trade tables: each broken alone, and many at once."""

import datetime
import decimal
import math

import numpy as np
import pyarrow as pa
import pytest

from riskpipe.errors import InputError, Reason
from riskpipe.products.base import COMMON_COLUMNS, Column
from riskpipe.products.catalogue import PRODUCTS
from riskpipe.products.commodity_option import CommodityOption
from riskpipe.products.cross_currency_swap import CrossCurrencySwap
from riskpipe.products.equity_option import EquityOption
from riskpipe.products.fx_forward import FxForward
from riskpipe.products.fx_option import FxOption
from riskpipe.products.trades import Trades
from riskpipe.products.validation import (
    all_columns,
    canonical,
    check_rows,
    check_schema,
    out_of_order,
    unknown_currencies,
)

AS_OF = 20777
DATE = datetime.date(2027, 3, 1)


def equity(rows=4, **changes):
    columns = {
        "trade_id": [f"T{k}" for k in range(rows)],
        "book": ["equity/us"] * rows,
        "underlying": ["SPX"] * rows,
        "currency": ["USD"] * rows,
        "quantity": [10.0, -5.0, 1.0, 2.0][:rows],
        "option_type": ["call", "put", "call", "put"][:rows],
        "strike": [5000.0] * rows,
        "expiry_date": [DATE] * rows,
        "exercise": ["european"] * rows,
    }
    return pa.table({**columns, **changes})


def faults(table, product=None):
    product = product or EquityOption()
    return check_rows(Trades(canonical(table, product)), product, table)


def the_fault(found):
    (fault,) = found
    return fault.column, fault.rule, fault.rows.tolist()


def test_a_good_table_has_no_faults_and_stays_as_it_is():
    table = equity()
    assert check_schema(table.schema, EquityOption()) == []
    assert faults(table) == []
    assert EquityOption().validate(Trades(canonical(table, EquityOption())), AS_OF) == []
    assert canonical(table, EquityOption()).equals(table)


@pytest.mark.parametrize(
    ("column", "values", "rule", "rows"),
    [
        ("quantity", [1.0, None, 1.0, None], "not_null", [1, 3]),
        ("quantity", [1.0, math.nan, math.inf, -math.inf], "finite", [1, 2, 3]),
        ("strike", [0.0, 1.0, -1.0, 2.0], "positive", [0, 2]),
        ("expiry_date", [None, DATE, DATE, DATE], "not_null", [0]),
        ("option_type", ["call", "Put", "call", "put"], "choice", [1]),
        ("trade_id", ["a", "", "b", " "], "not_empty", [1, 3]),
        ("book", ["a", "b", None, "c"], "not_null", [2]),
    ],
)
def test_one_broken_rule_names_its_column_and_rows(column, values, rule, rows):
    found = faults(equity(**{column: values}))
    assert the_fault(found) == (column, rule, rows)
    assert found[0].reason is Reason.INVALID_TRADE
    assert found[0].level == "error"
    assert column in found[0].message


def test_the_nearest_choice_is_named():
    (fault,) = faults(equity(option_type=["call", "PUT", "call", "put"]))
    assert "'put'" in fault.message


def test_all_faults_come_at_once():
    table = equity(
        quantity=[None, 1.0, math.nan, 1.0],
        strike=[1.0, -1.0, 1.0, 1.0],
        exercise=["european", "x", "y", "european"],
    )
    found = sorted((f.column, f.rule, f.rows.tolist()) for f in faults(table))
    assert found == [
        ("exercise", "choice", [1]),
        ("exercise", "choice", [2]),
        ("quantity", "finite", [2]),
        ("quantity", "not_null", [0]),
        ("strike", "positive", [1]),
    ]


def test_schema_faults_come_all_at_once_and_stop_the_file():
    table = equity(quantity=["many"] * 4).drop_columns(["strike"]).rename_columns({"currency": "curency"})
    found = {(f.column, f.rule) for f in check_schema(table.schema, EquityOption())}
    assert found == {("strike", "missing_column"), ("quantity", "wrong_type"), ("currency", "missing_column")}
    with pytest.raises(InputError) as caught:
        canonical(table, EquityOption())
    assert "'curency'" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("quantity", pa.array([True] * 4)),
        ("quantity", pa.array(["1"] * 4)),
        ("underlying", pa.array([1] * 4)),
        ("expiry_date", pa.array(["2027-03-01"] * 4)),
        ("expiry_date", pa.array([20777] * 4)),
        ("expiry_date", pa.array([0] * 4, pa.timestamp("s", "America/New_York"))),
        ("book", pa.array([["a"]] * 4)),
    ],
)
def test_types_that_cannot_be_read(column, values):
    (fault,) = check_schema(equity(**{column: values}).schema, EquityOption())
    assert (fault.column, fault.rule) == (column, "wrong_type")
    assert str(values.type) in fault.message


def test_a_column_that_occurs_twice():
    table = equity().append_column("strike", pa.array([1.0] * 4))
    (fault,) = check_schema(table.schema, EquityOption())
    assert (fault.column, fault.rule) == ("strike", "duplicate_column")


def test_other_types_of_the_same_values_become_canonical():
    moment = datetime.datetime(2027, 3, 1)
    table = equity(
        underlying=pa.array(["SPX"] * 4).dictionary_encode(),
        currency=pa.array(["USD"] * 4, pa.large_string()),
        quantity=pa.array([10, -5, 1, 2], pa.int64()),
        strike=pa.array([decimal.Decimal("5000.00")] * 4),
        expiry_date=pa.array([moment] * 4, pa.timestamp("ns")),
        option_type=pa.array(["call", "put", "call", "put"], pa.large_string()).dictionary_encode(),
    )
    assert canonical(table, EquityOption()).equals(equity())
    assert canonical(equity(strike=pa.array([5000] * 4, pa.float32())), EquityOption()).equals(equity())
    assert canonical(equity(expiry_date=pa.array([DATE] * 4, pa.date64())), EquityOption()).equals(equity())
    assert canonical(equity(expiry_date=pa.array([moment] * 4, pa.timestamp("s", "UTC"))), EquityOption()).equals(
        equity()
    )


def test_a_time_of_day_is_told_and_not_dropped():
    noon = datetime.datetime(2027, 3, 1, 12)
    midnight = datetime.datetime(2027, 3, 1)
    table = equity(expiry_date=pa.array([midnight, noon, None, midnight], pa.timestamp("us")))
    found = {(f.column, f.rule): f.rows.tolist() for f in faults(table)}
    assert found == {("expiry_date", "whole_day"): [1], ("expiry_date", "not_null"): [2]}
    # Without the original it is still never a price.
    canonical_alone = check_rows(Trades(canonical(table, EquityOption())), EquityOption())
    assert the_fault(canonical_alone) == ("expiry_date", "not_null", [1, 2])


def test_extra_columns_are_carried():
    table = equity(trader=["ann"] * 4, limit=pa.array([1, 2, 3, 4], pa.int8()), netting_set=pa.nulls(4))
    after = canonical(table, EquityOption())
    assert after.column_names == table.column_names
    assert after.column("limit").type == pa.int8()
    assert after.column("netting_set").type == pa.string()
    assert faults(table) == []


def test_optional_columns_may_be_missing_or_null_but_not_broken():
    class Optional(EquityOption):
        columns = (*EquityOption.columns, Column("rebate", "number", "x", required=False, rule="nonnegative"))

    assert faults(equity(), Optional()) == []
    assert the_fault(faults(equity(rebate=[None, 0.0, -1.0, 1.0]), Optional())) == (
        "rebate",
        "nonnegative",
        [2],
    )


def test_common_columns_are_checked_whether_or_not_a_product_lists_them():
    class Bare(EquityOption):
        columns = tuple(c for c in EquityOption.columns if c not in COMMON_COLUMNS)

    table = equity().drop_columns(["book"])
    assert [f.column for f in check_schema(table.schema, Bare())] == ["book"]
    assert the_fault(faults(equity(trade_id=["a", "", "b", "c"]), Bare())) == ("trade_id", "not_empty", [1])


def rules(product, table):
    trades = Trades(canonical(table, product))
    assert check_rows(trades, product) == []
    return {(f.column, f.rule): (f.rows.tolist(), f.reason) for f in product.validate(trades, AS_OF)}


def dates(*days):
    return pa.array([AS_OF + d for d in days], pa.int32()).cast(pa.date32())


def test_equity_option_rules():
    table = equity(
        currency=["USD", "usd", "USD", "USD"],
        exercise=["european", "european", "american", "european"],
        expiry_date=dates(0, 1, 1, -1),
    )
    assert rules(EquityOption(), table) == {
        ("currency", "currency"): ([1], Reason.INVALID_TRADE),
        ("expiry_date", "not_past"): ([3], Reason.INVALID_TRADE),
    }


def test_commodity_option_rules():
    table = (
        equity(currency=["USD", "US", "USD", "USD"], expiry_date=dates(0, 1, 5, -1))
        .drop_columns(["exercise"])
        .append_column("delivery_date", dates(0, 3, 4, 2))
    )
    assert rules(CommodityOption(), table) == {
        ("currency", "currency"): ([1], Reason.INVALID_TRADE),
        ("expiry_date", "not_past"): ([3], Reason.INVALID_TRADE),
        ("delivery_date", "date_order"): ([2], Reason.INVALID_TRADE),
    }


def test_fx_option_rules():
    table = pa.table(
        {
            "trade_id": list("abcde"),
            "book": ["fx"] * 5,
            "pair": ["EURUSD", "EUR/USD", "EUREUR", "eurusd", "USDJPY"],
            "option_type": ["call"] * 5,
            "strike": [1.0] * 5,
            "notional": [-1e6] * 5,
            "expiry_date": dates(-1, 1, 1, 1, -1),
            "delivery_date": dates(2, 3, 3, 3, -2),
        }
    )
    assert rules(FxOption(), table) == {
        ("pair", "pair"): ([1, 2, 3], Reason.INVALID_TRADE),
        ("delivery_date", "not_past"): ([4], Reason.INVALID_TRADE),
        ("delivery_date", "date_order"): ([4], Reason.INVALID_TRADE),
    }


def test_fx_forward_rules():
    table = pa.table(
        {
            "trade_id": list("abcd"),
            "book": ["fx"] * 4,
            "buy_currency": ["EUR", "USD", "EURO", "EUR"],
            "buy_amount": [1.0] * 4,
            "sell_currency": ["USD", "USD", "USD", "USD"],
            "sell_amount": [1.0] * 4,
            "delivery_date": dates(0, 1, 1, -1),
        }
    )
    product = FxForward()
    assert rules(product, table) == {
        ("buy_currency", "two_currencies"): ([1], Reason.INVALID_TRADE),
        ("buy_currency", "currency"): ([2], Reason.INVALID_TRADE),
        ("delivery_date", "not_past"): ([3], Reason.INVALID_TRADE),
    }
    negative = table.set_column(5, "sell_amount", pa.array([1.0, 0.0, -1.0, 2.0]))
    assert the_fault(faults(negative, product)) == ("sell_amount", "positive", [1, 2])


def test_missing_dates_are_in_order():
    trades = Trades(pa.table({"first": dates(1, 1, 1), "last": pa.array([None, DATE, DATE], pa.date32())}))
    assert out_of_order(trades, "first", "last") == []
    later = Trades(pa.table({"first": [DATE], "last": dates(0)}))
    assert [f.rows.tolist() for f in out_of_order(later, "first", "last")] == [[0]]
    assert out_of_order(later, "first", "none") == []


def test_rows_are_positions_in_ascending_order():
    (fault,) = faults(equity(quantity=[None, 1.0, None, None]))
    assert fault.rows.dtype == np.int64
    assert fault.rows.tolist() == [0, 2, 3]


def test_booleans():
    column = next(c for c in CrossCurrencySwap().columns if c.kind == "boolean")
    assert column.name == "exchange_notionals"
    for values, rules in (
        (pa.array([True, False]), []),
        (pa.array([True, None]), ["not_null"]),
        (pa.array([True, False]).dictionary_encode(), []),
    ):
        table = pa.table({"exchange_notionals": values})
        schema = [f for f in check_schema(table.schema, CrossCurrencySwap()) if f.column == "exchange_notionals"]
        assert schema == []
        trades = Trades(pa.table({"exchange_notionals": values.cast(pa.bool_())}))
        assert trades.flags("exchange_notionals").tolist() == [True, False]
        assert [fault.rule for fault in check_rows(trades, CrossCurrencySwap())] == rules
    for values in (pa.array(["true", "false"]), pa.array([1, 0])):
        schema = check_schema(pa.table({"exchange_notionals": values}).schema, CrossCurrencySwap())
        assert [f.rule for f in schema if f.column == "exchange_notionals"] == ["wrong_type"]


def _dated(columns, path=()):
    """Each date column, with the columns of structs that it is in."""
    for column in columns:
        if column.kind == "date":
            yield (*path, column)
        yield from _dated(column.fields, (*path, column))


def _table_with(path, days):
    """One date a row, in the column that the path leads to; null where there is none."""
    *outer, inner = path
    values = pa.array(days, pa.date32())
    if inner.many:
        values = pa.array([[] if day is None else [day] for day in days], pa.list_(pa.date32()))
    for column in reversed(outer):
        structs = pa.StructArray.from_arrays([values], names=[inner.name])
        values, inner = pa.ListArray.from_arrays(pa.array(range(len(days) + 1), pa.int32()), structs), column
    return pa.table({inner.name: values})


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, id=f"{p.name}.{path[-1].name}") for p in PRODUCTS for path in _dated(all_columns(p))],
)
def test_dates_that_stand_for_none(path):
    """Every date column of every product, without a word of the product's own."""
    product = next(p for p in PRODUCTS if any(path == other for other in _dated(all_columns(p))))
    days = [*(datetime.date(year, 12, 31) for year in (1, 1899, 2199, 2262, 9999))]
    table = _table_with(path, [*days, datetime.date(1950, 1, 1), datetime.date(2100, 1, 1), None])
    found = [f for f in check_rows(Trades(table), product, as_of=AS_OF) if f.rule == "date_range"]
    name = ".".join(column.name for column in path)
    assert [(f.column, f.rows.tolist(), f.level) for f in found] == [(name, list(range(len(days))), "error")]
    assert "9999-12-31" in found[0].message
    anywhere = [f for f in check_rows(Trades(table), product) if f.rule == "date_range"]
    assert [f.rows.tolist() for f in anywhere] == [[0, 1, 3, 4]]


@pytest.mark.parametrize("code", ["GBp", "GBX", "ZAc", "ILA", "USX"])
def test_trades_are_in_currencies_not_in_hundredths(code: str) -> None:
    (fault,) = unknown_currencies(Trades(pa.table({"currency": ["GBP", code]})), "currency")
    assert (fault.rule, fault.rows.tolist()) == ("minor_unit", [1])
    assert "pence in GBP" in fault.message
