"""Touches and digitals on an exchange rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.touch import DIGITAL_CALL, DIGITAL_PUT, NO_TOUCH, ONE_TOUCH, touch_options
from riskpipe.market.conventions import Conventions
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.pairs import FX_VOLATILITY, broken_pairs, first_currency, pair_needs, second_currency, spot_rates
from riskpipe.products.shared_nodes import TradeNodes
from riskpipe.products.trades import Trades
from riskpipe.products.validation import is_currency, past_dates, rows_fault, unknown_currencies
from riskpipe.products.vanilla import OptionMarket

TOUCH_TYPES = {
    "one_touch": ONE_TOUCH,
    "no_touch": NO_TOUCH,
    "digital_call": DIGITAL_CALL,
    "digital_put": DIGITAL_PUT,
}


class FxTouch(Product):
    """Reiner and Rubinstein (1991), paid on the expiry date and valued in the currency of the payment.

    Rates and volatility are the constant ones to the expiry date, the volatility that of the level. The level is
    watched continuously; it lies above or below as it does today, and a spot at or beyond it has touched it. A digital
    call pays when the spot ends above the level, a digital put when it ends below.
    """

    name = "fx_touch"
    version = 1
    columns = (
        *COMMON_COLUMNS,
        Column("pair", "string", "such as EURUSD: USD per EUR"),
        Column("touch_type", "string", "what must happen for the payment", choices=tuple(TOUCH_TYPES)),
        Column("level", "number", "second currency per unit of the first", rule="positive"),
        Column("payout", "number", "paid on the expiry date; negative when short"),
        Column("payout_currency", "string", "one of the pair; the present value is in it"),
        Column("expiry_date", "date", "last day, and when it pays"),
        Column("touched", "boolean", "the level was touched before today", required=False, observed=True),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        of_pair = trades.labels("pair").combine(
            trades.labels("payout_currency"), lambda pair, paid: "in" if paid in (pair[:3], pair[3:]) else "out"
        )
        other = np.array([*(name == "out" for name in of_pair.names), False], np.bool_)[of_pair.codes]
        message = "payout_currency is neither currency of the pair"
        return [
            *broken_pairs(trades),
            *unknown_currencies(trades, "payout_currency"),
            *rows_fault("payout_currency", "of_pair", other & is_currency(trades.labels("payout_currency")), message),
            *past_dates(trades, "expiry_date", as_of, "expiry"),
        ]

    def currency(self, trades: Trades) -> Labels:
        return trades.labels("payout_currency")

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        return pair_needs(trades, conventions)

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        return np.full(len(trades), 1.1)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        pair, expiry, level = trades.labels("pair"), trades.days("expiry_date"), trades.numbers("level")
        first, second, paid = pair.map(first_currency), pair.map(second_currency), trades.labels("payout_currency")
        settled = model.settled(pair, expiry)
        spot, forward = spot_rates(trades, model), TradeNodes(*model.fx_forwards(first, second, settled))
        discount, (position,) = model.discount((paid.map(model.conventions.discount_curve), expiry))
        variance = model.variance(FX_VOLATILITY, pair, expiry, level, forward.today(model))
        kinds = trades.labels("touch_type")
        in_first = paid.combine(first, lambda a, b: "first" if a == b else "second")
        return _FxTouches(
            market=OptionMarket(forward, TradeNodes(discount, position), variance),
            spot=spot,
            level=level,
            eta=np.where(level > spot.today(model), -1.0, 1.0),
            half=np.array([*(0.5 if name == "first" else -0.5 for name in in_first.names), -0.5])[in_first.codes],
            kind=np.array([*(TOUCH_TYPES[name] for name in kinds.names), ONE_TOUCH], np.int8)[kinds.codes],
            touched=trades.flags("touched"),
            payout=trades.numbers("payout"),
        )


@dataclass(frozen=True)
class _FxTouches(Prepared):
    market: OptionMarket
    spot: TradeNodes
    level: FloatArray
    eta: FloatArray
    half: FloatArray
    kind: NDArray[np.int8]
    touched: NDArray[np.bool_]
    payout: FloatArray

    def price(self, rows: NDArray[np.int32], x: FloatArray) -> FloatArray:
        out = np.empty((len(rows), x.shape[1]))
        touches = (self.level, self.eta, self.half, self.kind, self.touched, self.payout)
        touch_options(rows, self.spot.under(rows, x), *self.market.under(rows, x), touches, out)
        return out
