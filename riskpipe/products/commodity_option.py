"""European commodity option on a forward."""

from __future__ import annotations

from riskpipe.market.conventions import Conventions
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.trades import Trades
from riskpipe.products.validation import out_of_order, past_dates, unknown_currencies
from riskpipe.products.vanilla import BLACK_VOLATILITY, OPTION_TYPE, prepare_vanilla, underlying_needs


class CommodityOption(Product):
    """Black (1976): the forward for delivery_date, variance to expiry_date, discounted from expiry_date."""

    name = "commodity_option"
    version = 1
    columns = (
        *COMMON_COLUMNS,
        Column("underlying", "string", "name of the forward prices and volatility surface"),
        Column("currency", "string", "of the prices and of the strike"),
        Column("quantity", "number", "units of the underlying; negative when short"),
        OPTION_TYPE,
        Column("strike", "number", "a unit, in the currency", rule="positive"),
        Column("expiry_date", "date", "last day of the option, and when it pays"),
        Column("delivery_date", "date", "of the forward that the option is on"),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        return [
            *unknown_currencies(trades, "currency"),
            *past_dates(trades, "expiry_date", as_of, "expiry"),
            *out_of_order(trades, "expiry_date", "delivery_date"),
        ]

    def currency(self, trades: Trades) -> Labels:
        return trades.labels("currency")

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        return underlying_needs(trades, conventions)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        underlying, currency = trades.labels("underlying"), trades.labels("currency")
        return prepare_vanilla(
            trades,
            model,
            forward=model.forwards(underlying, currency, trades.days("delivery_date")),
            discount=(currency.map(model.conventions.discount_curve), trades.days("expiry_date")),
            volatility=(BLACK_VOLATILITY, underlying),
            quantity=trades.numbers("quantity"),
        )
