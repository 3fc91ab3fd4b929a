"""Columns and needs that options on rates share."""

from __future__ import annotations

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.products.base import Column, Need, RowFaults
from riskpipe.products.trades import Trades
from riskpipe.products.validation import rows_fault

BLACK, BACHELIER = "black", "bachelier"
KINDS = {BLACK: ("black_vol",), BACHELIER: ("normal_vol",)}
"""Model -> kinds of the factors that its volatilities are."""

VOLATILITY = Column("volatility", "string", "surface: black_vol for the model black, normal_vol for bachelier")
MODEL = Column("model", "string", "lognormal (of rate + shift) or normal rates", choices=tuple(KINDS))
SHIFT = Column("shift", "number", "added to rates and strikes, for the model black; null: 0", required=False)


def volatility_needs(trades: Trades, *, cube: bool = False) -> tuple[Need, ...]:
    """A surface a trade, of the kind that its model takes."""
    surface = trades.labels("volatility")
    return tuple(
        Need("volatility", kinds, surface.where(trades.is_one("model", model)), cube=cube)
        for model, kinds in KINDS.items()
    )


def shifts(trades: Trades) -> FloatArray:
    """float64[n]; zero for normal rates."""
    return np.where(trades.is_one("model", BLACK), trades.numbers("shift", 0.0), 0.0)


def strike_faults(trades: Trades, column: str) -> list[RowFaults]:
    """Lognormal rates with a strike that they cannot reach."""
    low = trades.is_one("model", BLACK) & (trades.numbers(column) + shifts(trades) <= 0.0)
    message = f"{column} + shift must be above zero for the model black: raise shift, or use the model bachelier"
    return rows_fault(column, "strike_above_shift", low, message)
