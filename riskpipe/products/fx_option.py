"""European FX option."""

from __future__ import annotations

from riskpipe.market.conventions import Conventions
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.expired import expired_faults, with_expired
from riskpipe.products.pairs import broken_pairs, pair_needs, prepare_on_pair, second_currency
from riskpipe.products.trades import Trades
from riskpipe.products.validation import out_of_order, past_dates
from riskpipe.products.vanilla import OPTION_TYPE


class FxOption(Product):
    """Garman and Kohlhagen (1983), in the pair's second currency.

    The forward is to the delivery date by covered parity, the variance to the expiry date, and the payment is
    discounted from the delivery date on the second currency's curve.

    After the expiry date, until the delivery date, an option is what came of it: a forward where the point
    `fixing:<pair>:<expiry_date>` is beyond the strike, else nothing. Without this point its value is not known.
    """

    name = "fx_option"
    version = 2
    columns = (
        *COMMON_COLUMNS,
        Column("pair", "string", "such as EURUSD: USD per EUR"),
        OPTION_TYPE,
        Column("strike", "number", "second currency per unit of the first", rule="positive"),
        Column("notional", "number", "in the first currency; negative when short"),
        Column("expiry_date", "date", "last day of the option"),
        Column("delivery_date", "date", "when the currencies are exchanged"),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        return [
            *broken_pairs(trades),
            *past_dates(trades, "delivery_date", as_of, "delivery"),
            *out_of_order(trades, "expiry_date", "delivery_date"),
        ]

    def currency(self, trades: Trades) -> Labels:
        return trades.labels("pair").map(second_currency)

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        return pair_needs(trades, conventions)

    def missing_points(self, trades: Trades, model: MarketModel) -> list[RowFaults]:
        return expired_faults(trades, model)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        return with_expired(trades, model, prepare_on_pair(trades, model))
