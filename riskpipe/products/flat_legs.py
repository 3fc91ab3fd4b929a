"""Swaps of two sides, whose columns begin with the side's name, as lists of two legs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import replace

from riskpipe.products.base import Column, RowFaults
from riskpipe.products.leg_columns import LEG_COLUMNS
from riskpipe.products.trades import Nested, Trades

SIDES: Final = ("receive", "pay")


def two_legs(trades: Trades, constants: Mapping[str, str]) -> Nested:
    """The legs received and paid of each trade, as `side_legs` has them.

    :param constants: what all legs have.
    """
    n = len(trades)
    given = {name: pa.repeat(value, n) for name, value in constants.items()}
    sides = pa.concat_tables([side_legs(trades, side, given).table for side in SIDES], promote_options="default")
    order = np.arange(2 * n).reshape(2, n).T.ravel()
    return Nested(2 * np.arange(n + 1), trades.with_table(sides.take(pa.array(order))))


def side_legs(trades: Trades, side: str, given: Mapping[str, pa.Array | pa.ChunkedArray]) -> Trades:
    """The legs of one side, one for each trade.

    A column of a leg is what is given; else that of its side (`receive_index`), else the trade's own (`start_date`),
    which is also taken where that of the side is null.
    """
    columns: dict[str, pa.Array | pa.ChunkedArray] = {"direction": pa.repeat(side, len(trades))}
    for name in (column.name for column in LEG_COLUMNS):
        found = [trades.table.column(each) for each in (f"{side}_{name}", name) if trades.has(each)]
        if name in given:
            columns[name] = given[name]
        elif found and name not in columns:
            columns[name] = found[0] if len(found) == 1 else pc.coalesce(*found)
    return trades.with_table(pa.table(columns))


def of_sides(faults: Iterable[RowFaults], columns: Iterable[Column]) -> Iterator[RowFaults]:
    """Faults of legs of `two_legs` as faults of their trades, said of the side's column where `columns` has it."""
    names = {column.name for column in columns}
    for fault in faults:
        for k, side in enumerate(SIDES):
            rows = fault.rows[fault.rows % 2 == k] // 2
            name = f"{side}_{fault.column}"
            if len(rows):
                yield replace(fault, column=name if name in names else fault.column, rows=rows)
