"""European commodity option on a forward."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.market.nodes import VarianceNodes
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.lognormal import OF_COMMODITIES
from riskpipe.products.outright import outright_needs
from riskpipe.products.shared_nodes import TradeNodes
from riskpipe.products.trades import Trades
from riskpipe.products.validation import out_of_order, past_dates, rows_fault, unknown_currencies
from riskpipe.products.vanilla import BLACK_VOLATILITY, OPTION_TYPE, prepare_vanilla
from riskpipe.products.volatility_columns import BACHELIER, KINDS


class CommodityOption(Product):
    """Black (1976): the forward for delivery_date, variance to expiry_date, discounted from expiry_date.

    By the model bachelier the forward is normal (Bachelier 1900): it and the strike may be negative, and the surface is
    the underlying's normal_vol, in units of the price a year.
    """

    name = "commodity_option"
    version = 2
    columns = (
        *COMMON_COLUMNS,
        Column("underlying", "string", "name of the forward prices and volatility surface"),
        Column("currency", "string", "of the prices and of the strike"),
        Column("quantity", "number", "units of the underlying; negative when short"),
        OPTION_TYPE,
        Column("strike", "number", "a unit, in the currency; for the model black above zero"),
        Column("expiry_date", "date", "last day of the option, and when it pays"),
        Column("delivery_date", "date", "of the forward that the option is on"),
        Column("model", "string", "lognormal or normal prices; null: black", required=False, choices=tuple(KINDS)),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        low = ~trades.is_one("model", BACHELIER) & (trades.numbers("strike") <= 0.0)
        message = "strike must be above zero for the model black; bachelier takes any"
        return [
            *unknown_currencies(trades, "currency"),
            *past_dates(trades, "expiry_date", as_of, "expiry"),
            *out_of_order(trades, "expiry_date", "delivery_date"),
            *rows_fault("strike", "positive", low, message),
        ]

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        normal, underlying = trades.is_one("model", BACHELIER), trades.labels("underlying")
        return (
            *outright_needs(trades, conventions),
            Need("volatility", BLACK_VOLATILITY, underlying.where(~normal)),
            Need("volatility", KINDS[BACHELIER], underlying.where(normal)),
        )

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        underlying, currency = trades.labels("underlying"), trades.labels("currency")
        normal = trades.is_one("model", BACHELIER)
        forward = TradeNodes(*model.forwards(underlying, currency, trades.days("delivery_date")))
        discount = (currency.map(model.conventions.discount_curve), trades.days("expiry_date"))
        quantity = trades.numbers("quantity")
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
        return replace(options, market=replace(options.market, variance=variance))
