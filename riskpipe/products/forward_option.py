"""European options on forward prices by the model black or bachelier: a column, needs and nodes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.nodes import VarianceNodes
from riskpipe.products.base import Column, Need, RowFaults
from riskpipe.products.lognormal import OF_COMMODITIES
from riskpipe.products.shared_nodes import TradeNodes
from riskpipe.products.trades import Trades
from riskpipe.products.validation import rows_fault
from riskpipe.products.vanilla import BLACK_VOLATILITY, VanillaOptions, prepare_vanilla
from riskpipe.products.volatility_columns import BACHELIER, KINDS

MODEL = Column("model", "string", "lognormal or normal prices; null: black", required=False, choices=tuple(KINDS))


def model_faults(trades: Trades) -> list[RowFaults]:
    """Strikes that lognormal prices cannot reach."""
    low = ~trades.is_one("model", BACHELIER) & (trades.numbers("strike") <= 0.0)
    message = "strike must be above zero for the model black; bachelier takes any"
    return rows_fault("strike", "positive", low, message)


def surface_needs(trades: Trades) -> tuple[Need, ...]:
    """The underlying's surface of the kind that the model takes."""
    normal, underlying = trades.is_one("model", BACHELIER), trades.labels("underlying")
    return (
        Need("volatility", BLACK_VOLATILITY, underlying.where(~normal)),
        Need("volatility", KINDS[BACHELIER], underlying.where(normal)),
    )


def option_on_forward(
    trades: Trades,
    model: MarketModel,
    forward: TradeNodes,
    discount: tuple[Labels, NDArray[np.int32]],
    quantity: FloatArray,
) -> VanillaOptions:
    """Options with the columns underlying, option_type, strike, expiry_date and model.

    :param discount: curve and payment date of each option.
    :param quantity: float64[n], signed.
    """
    normal, underlying = trades.is_one("model", BACHELIER), trades.labels("underlying")
    surface = (BLACK_VOLATILITY, underlying.where(~normal))
    options = prepare_vanilla(trades, model, forward, discount, surface, quantity)
    options = replace(options, normal=normal, way_out=OF_COMMODITIES)
    if not normal.any():
        return options
    surface = (KINDS[BACHELIER], underlying.where(normal))
    other = prepare_vanilla(trades, model, forward, discount, surface, quantity).market.variance
    mine, black = normal[:, None], options.market.variance
    variance = VarianceNodes(
        np.where(mine, other.index, black.index),
        np.where(mine, other.strike_weight, black.strike_weight),
        np.where(mine, other.time_weight, black.time_weight),
    )
    return replace(options, market=structs.replace(options.market, variance=variance))
