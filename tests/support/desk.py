"""A product whose trades misbehave on demand, and a book of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from valuations import trades_of, write_book

from riskpipe.arrays import FloatArray
from riskpipe.market.conventions import Conventions
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product
from riskpipe.products.trades import Trades

SPOT = 100.0
EURUSD = 1.25


@dataclass
class _Positions(Prepared):
    factor: int
    quantity: FloatArray
    behaviour: Labels

    def price(self, rows: NDArray[np.int32], x: FloatArray) -> FloatArray:
        spot = x[self.factor]
        values = self.quantity[rows][:, None] * spot
        for k, row in enumerate(rows):
            code = self.behaviour.codes[row]
            name = self.behaviour.names[code] if code >= 0 else ""
            if name == "raises when priced":
                raise ZeroDivisionError("cannot price this")
            if name == "exhausts memory":
                raise MemoryError
            if name == "is nan":
                values[k] = np.nan
            if name == "is infinite":
                values[k] = np.inf
            if name == "is huge":
                values[k] = 1e17
            if name == "nan below 60":
                values[k, spot < 60.0] = np.nan
            if name == "nan above 115":
                values[k, spot > 115.0] = np.nan
            if name == "nan when bumped":
                values[k, spot == SPOT * 1.001] = np.nan
            if name == "huge when bumped":
                values[k, spot == SPOT * 1.001] = 1e300
        return values


class Desk(Product):
    """quantity x spot of ACME."""

    name = "desk"
    version = 1
    columns = (
        *COMMON_COLUMNS,
        Column("currency", "string", "of the value"),
        Column("quantity", "number", "of shares"),
        Column("behaviour", "string", "what goes wrong", required=False),
    )

    def currency(self, trades: Trades) -> Labels:
        return trades.labels("currency")

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        return (Need("underlying", ("spot",), Labels.constant("ACME", len(trades))),)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        if trades.is_one("behaviour", "raises when prepared").any():
            raise ValueError("cannot prepare this")
        return _Positions(
            model.snapshot.factor_index("spot:ACME"), trades.numbers("quantity"), trades.labels("behaviour")
        )


class MendedDesk(Desk):
    """The same, its code put right."""

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        none = Labels.constant("", len(trades))
        return _Positions(model.snapshot.factor_index("spot:ACME"), trades.numbers("quantity"), none)


def desk_book(directory: Path, rows: Sequence[dict[str, Any]], **sections: str) -> Path:
    """A book of desk trades in euro unless they say otherwise, under five stresses."""
    given = [{"currency": "EUR", "quantity": 1.0, **row} for row in rows]
    market = [
        {"kind": "spot", "name": "ACME", "value": SPOT},  # of no currency: its trades have any
        {"kind": "spot", "name": "EURUSD", "value": EURUSD, "currency": "USD"},
        {"kind": "zero_rate", "name": "USD.OIS", "tenor": "1Y", "value": 0.03, "currency": "USD"},
        {"kind": "black_vol", "name": "ACME", "tenor": "1Y", "value": 0.2, "strike_type": "atm"},
    ]
    stresses = [
        {"scenario": "half", "factor": "spot:ACME", "shift_type": "relative", "shift": -0.5},
        {"scenario": "rates", "factor": "zero_rate:*", "shift_type": "absolute", "shift": 0.01},
        {"scenario": "up", "factor": "spot:ACME", "shift_type": "relative", "shift": 0.2},
        {"scenario": "euro", "factor": "spot:EURUSD", "shift_type": "relative", "shift": 0.1},
        {"scenario": "vol", "factor": "black_vol:*", "shift_type": "absolute", "shift": 0.1},
    ]
    return write_book(directory, {"desk": trades_of(Desk(), given)}, market, scenarios=stresses, **sections)
