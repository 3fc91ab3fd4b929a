"""Every column of every product refuses what it cannot have: that trade alone, by one message that names the column."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from valuations import OpenRun

from riskpipe.errors import InputError, Level
from riskpipe.products.base import COMMON_COLUMNS, Column, Product, RowFaults
from riskpipe.products.catalogue import PRODUCTS
from riskpipe.products.dependencies import dependencies
from riskpipe.products.trades import Trades
from riskpipe.products.validation import all_columns, canonical, check_rows
from riskpipe.store.columns import ARROW_TYPES

UNREADABLE = ("number", "date", "boolean")
TEXTS = {"calendar": "MARS", "roll_convention": "32", "currency": "usd"}
WHOLE = ("payment_lag", "observation_lag", "settlement_days", "ex_coupon_days", "lookback", "lockout")
NO_DAY, BEFORE, SOON, LATER = date(9999, 12, 31), date(1990, 1, 3), date(2027, 1, 4), date(2028, 1, 4)
UNORDERED = {"amounts", "dividends"}

Row = dict[str, Any]
Find = Callable[[Product], Trades]
every_product = pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.name)


def bad_values(column: Column) -> Iterator[Any]:
    """What a value of the column cannot be."""
    if column.kind == "string" and not column.identifier:
        known = (value for ending, value in TEXTS.items() if column.name.endswith(ending))
        yield "nonsense" if column.choices else next(known, "A\x07")
    elif column.kind == "string":
        yield from (value for ending, value in TEXTS.items() if column.name.endswith(ending))
    elif column.kind == "number":
        yield float("inf")
        if column.rule != "any":
            yield -1.0
        yield from (0.5 for ending in WHOLE if column.name.endswith(ending))
        if "at most" in column.description:
            yield 1000.0
    elif column.kind == "date":
        yield NO_DAY
        if column.name.endswith("regular_date"):
            yield BEFORE


def types_of(columns: tuple[Column, ...]) -> pa.Schema:
    def type_of(column: Column) -> pa.DataType:
        if column.kind == "table":
            return pa.list_(pa.struct(types_of(column.fields)))
        return pa.list_(ARROW_TYPES[column.kind]) if column.many else ARROW_TYPES[column.kind]

    return pa.schema([(column.name, type_of(column)) for column in columns])


@dataclass(frozen=True)
class Case:
    """What a trade says that it cannot. :param column: that it is of."""

    column: str
    said: Row


def errors_of(product: Product, sample: OpenRun, rows: list[Row]) -> list[list[RowFaults]]:
    """Of each row: errors of its values; without these, of the product's rules; without these, of the market."""
    given = pa.Table.from_pylist(rows, types_of(all_columns(product)))
    trades, model = Trades(canonical(given, product)), sample.context.model()
    stages: tuple[Callable[[Trades], Iterable[RowFaults]], ...] = (
        lambda some: check_rows(some, product, given, model.as_of),
        lambda some: product.validate(some, model.as_of),
        lambda some: dependencies(product, some, model, "USD").faults,
    )
    found: list[list[RowFaults]] = [[] for _ in rows]
    for stage in stages:
        left = np.array([k for k, errors in enumerate(found) if not errors])
        for fault in stage(trades if len(left) == len(rows) else trades.take(left)):
            for row in fault.rows.tolist() if fault.level == Level.ERROR else ():
                found[left[row]].append(fault)
    return found


def found_in(product: Product, sample: OpenRun, good: list[Row], cases: list[Case]) -> list[list[RowFaults]]:
    """Errors of each case, a good trade that is spoilt; another stands before and behind each."""
    rows = [row for case in cases for row in (good[0], good[1] | case.said)] + [good[0]]
    found = errors_of(product, sample, rows)
    assert not any(found[::2])
    for case, errors in zip(cases, found[1::2], strict=True):
        assert errors, f"{case.said} is taken"
    return found[1::2]


def spoilt(trade: Row, column: Column | None, field: str, **said: Any) -> Case:
    """:param column: of the legs that have the field, of which the first is spoilt; None: a column of the trade."""
    if column is None:
        return Case(field, said)
    first, *others = trade[column.name]
    return Case(f"{column.name}.{field}", {column.name: [first | said, *others]})


def all_of(product: Product) -> Iterator[tuple[Column | None, Column]]:
    """The product's own columns, and the fields of those of structs with these."""
    for column in product.columns:
        if column not in COMMON_COLUMNS:
            yield from ((column, field) for field in column.fields)
            yield None, column


@every_product
def test_a_bad_value(product: Product, sample: OpenRun, sample_trades: Find) -> None:
    good = sample_trades(product).table.slice(0, 2).to_pylist()
    cases = [
        spoilt(good[1], of, column.name, **{column.name: [value] if column.many else value})
        for of, column in all_of(product)
        for value in bad_values(column)
    ]
    for case, errors in zip(cases, found_in(product, sample, good, cases), strict=True):
        assert [fault.column for fault in errors].count(case.column) == 1, (case.column, case.said, errors)


@every_product
def test_lists_that_do_not_match_their_dates(product: Product, sample: OpenRun, sample_trades: Find) -> None:
    """Of two lengths, or in another order than time."""
    good = sample_trades(product).table.slice(0, 2).to_pylist()
    lists = {(of.name if of else "", column.name): of for of, column in all_of(product) if column.many}
    cases, words = [], []
    for (within, name), of in lists.items():
        dates = f"{name.removesuffix('s')}_dates"
        if (within, dates) in lists:
            bad = [({name: [1.0], dates: given}, "not as many") for given in (None, [SOON, LATER])]
            bad += [] if name in UNORDERED else [({name: [1.0, 1.0], dates: [LATER, SOON]}, "do not ascend")]
            for said, expected in bad:
                cases.append(spoilt(good[1], of, name, **said))
                words.append(expected)
    if cases:
        for errors, expected in zip(found_in(product, sample, good, cases), words, strict=True):
            assert sum(expected in fault.message for fault in errors) == 1, errors


@every_product
def test_a_column_of_another_type(product: Product) -> None:
    schema = types_of(all_columns(product))
    for column in product.columns:
        if column.kind in UNREADABLE:
            field = pa.field(column.name, pa.list_(pa.binary()) if column.many else pa.binary())
            given = schema.set(schema.get_field_index(column.name), field).empty_table()
            with pytest.raises(InputError, match=f"the column '{column.name}' has type .*; it must be"):
                canonical(given, product)
