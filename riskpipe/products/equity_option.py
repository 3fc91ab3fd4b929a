"""Equity option."""

from __future__ import annotations

from riskpipe.errors import Reason
from riskpipe.market.conventions import Conventions
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.trades import Trades
from riskpipe.products.validation import past_dates, rows_fault, unknown_currencies
from riskpipe.products.vanilla import BLACK_VOLATILITY, OPTION_TYPE, prepare_vanilla, underlying_needs


class EquityOption(Product):
    """European exercise: Black, Scholes and Merton (1973) on the forward to the expiry date."""

    name = "equity_option"
    version = 1
    columns = (
        *COMMON_COLUMNS,
        Column("underlying", "string", "name of the spot, forwards and volatility surface"),
        Column("currency", "string", "of the underlying and of the strike"),
        Column("quantity", "number", "units of the underlying; negative when short"),
        OPTION_TYPE,
        Column("strike", "number", "a unit, in the currency", rule="positive"),
        Column("expiry_date", "date", "last day of the option, and when it pays"),
        Column("exercise", "string", "style of exercise", choices=("european", "american")),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        american = trades.is_one("exercise", "american")
        message = "American exercise is not supported; only options with exercise 'european' are priced"
        return [
            *unknown_currencies(trades, "currency"),
            *past_dates(trades, "expiry_date", as_of, "expiry"),
            *rows_fault("exercise", "european", american, message, Reason.UNSUPPORTED),
        ]

    def currency(self, trades: Trades) -> Labels:
        return trades.labels("currency")

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        return underlying_needs(trades, conventions)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        underlying, currency = trades.labels("underlying"), trades.labels("currency")
        expiry = trades.days("expiry_date")
        return prepare_vanilla(
            trades,
            model,
            forward=model.forwards(underlying, currency, expiry),
            discount=(currency.map(model.conventions.discount_curve), expiry),
            volatility=(BLACK_VOLATILITY, underlying),
            quantity=trades.numbers("quantity"),
        )
