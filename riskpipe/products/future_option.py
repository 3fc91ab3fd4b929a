"""Option on a future."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import Reason
from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.products.american import exercisable
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.equity_option import AMERICAN_WEIGHT
from riskpipe.products.forward_option import MODEL, model_faults, option_on_forward, surface_needs
from riskpipe.products.futures import CONTRACT_SIZE, QUANTITY
from riskpipe.products.outright import outright_needs
from riskpipe.products.payouts import TradePayouts
from riskpipe.products.shared_nodes import TradeNodes
from riskpipe.products.trades import Trades
from riskpipe.products.validation import out_of_order, past_dates, rows_fault, unknown_currencies
from riskpipe.products.vanilla import OPTION_TYPE
from riskpipe.products.volatility_columns import BACHELIER


class FutureOption(Product):
    """quantity x contract_size x the price of an option on a futures price: Black (1976), or Bachelier (1900).

    The futures price is the underlying's forward for delivery_date; the volatility is read at expiry_date and the
    strike. With the margining `premium` the option is paid for when it is dealt, and its price is discounted from
    expiry_date; exercised early it pays futures price less strike, so that American ones are worth more than European
    ones: those on an asset without carry (Andersen, Lake and Offengenden 2016). With the margining `futures` it is
    margined daily, like the future: its price is not discounted (Lieu, Option pricing with futures-style margining,
    1990), the position is worth what that is above `reference_price`, and early exercise is worth nothing.
    """

    name = "future_option"
    version = 1
    columns = (
        *COMMON_COLUMNS,
        Column("underlying", "string", "name of the futures (forward) prices, or spot, and of the volatility surface"),
        Column("currency", "string", "of the prices and of the strike"),
        QUANTITY,
        CONTRACT_SIZE,
        OPTION_TYPE,
        Column("strike", "number", "a unit, in the currency; for the model black above zero"),
        Column("expiry_date", "date", "last day of the option, and when it pays"),
        Column("delivery_date", "date", "of the future that the option is on; null: expiry_date", required=False),
        Column("exercise", "string", "style of exercise", choices=("european", "american")),
        Column("margining", "string", "how the option is paid for", choices=("premium", "futures")),
        Column("reference_price", "number", "of the option, that it was margined to last: for futures", required=False),
        MODEL,
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        normal, american = trades.is_one("model", BACHELIER), trades.is_one("exercise", "american")
        margined, given = trades.is_one("margining", "futures"), ~np.isnan(trades.numbers("reference_price"))
        unserved = normal & american & ~margined
        return [
            *unknown_currencies(trades, "currency"),
            *past_dates(trades, "expiry_date", as_of, "expiry"),
            *out_of_order(trades, "expiry_date", "delivery_date"),
            *model_faults(trades),
            *rows_fault(
                "reference_price",
                "margining",
                given != margined,
                "reference_price is of the margining futures: needed there, null for premium",
            ),
            *rows_fault(
                "model",
                "american_bachelier",
                unserved,
                "american exercise with the margining premium is served for the model black alone",
                Reason.UNSUPPORTED,
            ),
        ]

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        return (*outright_needs(trades, conventions), *surface_needs(trades))

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        return np.where(_early(trades), AMERICAN_WEIGHT, 1.0)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        currency, expiry, delivery = trades.labels("currency"), trades.days("expiry_date"), trades.days("delivery_date")
        days = np.where(delivery == Trades.NO_DATE, expiry, delivery)
        future = TradeNodes(*model.forwards(trades.labels("underlying"), currency, days))
        margined = trades.is_one("margining", "futures")
        curve = currency.map(model.conventions.discount_curve).where(~margined)
        quantity = trades.numbers("quantity") * trades.numbers("contract_size")
        options = option_on_forward(trades, model, future, (curve, expiry), quantity)
        priced = exercisable(options, _early(trades), future, TradePayouts.none(len(trades)), model)
        if not margined.any():
            return priced
        return _Margined(priced, np.where(margined, quantity * trades.numbers("reference_price", 0.0), 0.0))


def _early(trades: Trades) -> NDArray[np.bool_]:
    """bool[n]: options that may be worth more exercised early."""
    return trades.is_one("exercise", "american") & trades.is_one("margining", "premium")


@dataclass(frozen=True)
class _Margined(Prepared):
    """:param paid: float64[n], margin that has been paid, in currency; zero for options of the margining premium."""

    options: Prepared
    paid: FloatArray

    def price(self, rows: NDArray[np.int32], x: FloatArray) -> FloatArray:
        value = self.options.price(rows, x)
        value -= self.paid[rows, None]
        return value

    def why_not(self, rows: NDArray[np.int32], x: FloatArray) -> list[str]:
        return self.options.why_not(rows, x)
