"""European commodity option on a forward."""

from __future__ import annotations

from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.forward_option import MODEL, model_faults, option_on_forward, surface_needs
from riskpipe.products.outright import outright_needs
from riskpipe.products.shared_nodes import TradeNodes
from riskpipe.products.trades import Trades
from riskpipe.products.validation import out_of_order, past_dates, unknown_currencies
from riskpipe.products.vanilla import OPTION_TYPE


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
        MODEL,
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        return [
            *unknown_currencies(trades, "currency"),
            *past_dates(trades, "expiry_date", as_of, "expiry"),
            *out_of_order(trades, "expiry_date", "delivery_date"),
            *model_faults(trades),
        ]

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        return (*outright_needs(trades, conventions), *surface_needs(trades))

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        underlying, currency = trades.labels("underlying"), trades.labels("currency")
        forward = TradeNodes(*model.forwards(underlying, currency, trades.days("delivery_date")))
        discount = (currency.map(model.conventions.discount_curve), trades.days("expiry_date"))
        return option_on_forward(trades, model, forward, discount, trades.numbers("quantity"))
