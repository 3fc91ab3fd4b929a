"""Prices quoted in hundredths of a currency (pence, cents, agorot), turned into the currency."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

MINOR_UNITS: Mapping[str, str] = {
    "GBp": "GBP",
    "GBX": "GBP",
    "ZAc": "ZAR",
    "ZAC": "ZAR",
    "ILa": "ILS",
    "ILA": "ILS",
    "USc": "USD",
    "USX": "USD",
}
"""Codes of data vendors for a hundredth of a currency. None is of ISO 4217."""
HUNDREDTHS = 100.0

_PRICES = ("spot", "forward_price", "normal_vol", "dividend")
_BY_PRICE = ("absolute", "offset")


def in_major_units(table: pa.Table) -> tuple[pa.Table, dict[str, float]]:
    """A market in currencies alone.

    Spots, forward prices, cash dividends, normal volatilities, and strikes and offsets of volatilities whose currency
    is a minor unit are divided by a hundred; of all other points the currency's name is what changes.

    :param table: canonical columns.
    :return: the table; id of each factor whose value was divided -> by how much.
    """
    units = pc.is_in(table.column("currency"), value_set=pa.array(MINOR_UNITS)).to_numpy()
    if not units.any():
        return table, {}
    kinds = table.column("kind")
    prices = units & pc.is_in(kinds, value_set=pa.array(_PRICES)).to_numpy()
    volatile = pc.is_in(kinds, value_set=pa.array(("black_vol", "fx_vol", "normal_vol"))).to_numpy()
    struck = units & volatile & pc.is_in(table.column("strike_type"), value_set=pa.array(_BY_PRICE)).to_numpy()
    names = [MINOR_UNITS.get(code, code) for code in table.column("currency").to_pylist()]
    for column, values in (
        ("currency", pa.array(names, pa.string())),
        ("value", _divided(table.column("value"), prices)),
        ("strike", _divided(table.column("strike"), struck)),
    ):
        table = table.set_column(table.column_names.index(column), table.schema.field(column), values)
    return table, dict.fromkeys(table.column("factor").filter(pa.array(prices)).to_pylist(), HUNDREDTHS)


def _divided(values: pa.ChunkedArray, rows: NDArray[np.bool_]) -> pa.ChunkedArray:
    return pc.if_else(pa.array(rows), pc.divide(values, HUNDREDTHS), values)
