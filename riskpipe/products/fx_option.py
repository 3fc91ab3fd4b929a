"""European FX option."""

from __future__ import annotations

from riskpipe.market.model import MarketModel
from riskpipe.products.base import COMMON_COLUMNS, Column, Prepared, RowFaults
from riskpipe.products.expired import expired_faults, with_expired
from riskpipe.products.pairs import PairOption, prepare_on_pair
from riskpipe.products.trades import Trades
from riskpipe.products.vanilla import OPTION_TYPE


class FxOption(PairOption):
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

    def missing_points(self, trades: Trades, model: MarketModel) -> list[RowFaults]:
        return expired_faults(trades, model)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        return with_expired(trades, model, prepare_on_pair(trades, model))
