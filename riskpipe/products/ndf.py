"""Non-deliverable forward: an FX forward whose difference to the fixing is paid in one of the two currencies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import Reason
from riskpipe.market.conventions import Conventions
from riskpipe.market.factors import date_of
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.exchange import exchange_needs, one_currency, prepare_exchanges
from riskpipe.products.trades import Trades
from riskpipe.products.validation import is_currency, out_of_order, past_dates, rows_fault, unknown_currencies


class NonDeliverableForward(Product):
    """An FX forward that is settled in one currency: the other one's amount is converted at the fixing.

    Until it is fixed it is worth what the deliverable forward is, in the settlement currency: the other currency's
    amount at its forward rate for delivery_date. That rate is covered parity's on the two currencies' discount curves;
    that of a currency which is not delivered offshore is the one that its forwards imply. Once it is fixed, a known
    amount. (EMTA template terms; Clark 2011, Foreign Exchange Option Pricing, section 1.4.)
    """

    name = "ndf"
    version = 1
    columns = (
        *COMMON_COLUMNS,
        Column("buy_currency", "string", "currency received"),
        Column("buy_amount", "number", "received at delivery, or its worth", rule="positive"),
        Column("sell_currency", "string", "currency paid"),
        Column("sell_amount", "number", "paid at delivery, or its worth", rule="positive"),
        Column("settlement_currency", "string", "one of the two, that is paid; the present value is in it"),
        Column("fixing_date", "date", "of the rate that converts the other amount"),
        Column("delivery_date", "date", "of the payment"),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        named = is_currency(trades.labels("settlement_currency"))
        neither = named & ~_settled_in(trades, "buy_currency") & ~_settled_in(trades, "sell_currency")
        message = "settlement_currency is neither buy_currency nor sell_currency"
        return [
            *unknown_currencies(trades, "buy_currency", "sell_currency", "settlement_currency"),
            *one_currency(trades),
            *rows_fault("settlement_currency", "settlement_currency", neither, message),
            *out_of_order(trades, "fixing_date", "delivery_date"),
            *past_dates(trades, "delivery_date", as_of, "delivery"),
        ]

    def currency(self, trades: Trades) -> Labels:
        return trades.labels("settlement_currency")

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        return exchange_needs(_Terms(trades).other, trades.labels("settlement_currency"), conventions)

    def missing_points(self, trades: Trades, model: MarketModel) -> list[RowFaults]:
        terms, fixing_date = _Terms(trades), trades.days("fixing_date")
        due = (fixing_date < model.as_of) & (trades.days("delivery_date") > model.as_of)
        unknown = np.flatnonzero(due & np.isnan(terms.fixings(model)))
        faults = []
        names = terms.pair.names
        for code, day in sorted({*zip(terms.pair.codes[unknown].tolist(), fixing_date[unknown].tolist(), strict=True)}):
            rows = unknown[(terms.pair.codes[unknown] == code) & (fixing_date[unknown] == day)]
            pair, at = names[code], date_of(day).isoformat()
            message = f"the market has neither fixing:{pair}:{at} nor fixing:{_turned(pair)}:{at}"
            faults.append(RowFaults("fixing_date", "fixing", rows, Reason.MISSING_MARKET_DATA, message))
        return faults

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        return np.full(len(trades), 0.2)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        terms, fixing_date = _Terms(trades), trades.days("fixing_date")
        fixing = terms.fixings(model)
        known = (fixing_date < model.as_of) | ((fixing_date == model.as_of) & ~np.isnan(fixing))
        worth = terms.amount * np.where(known, fixing, 0.0)
        converted = (terms.other, np.where(known, 0.0, terms.amount))
        settled = (trades.labels("settlement_currency"), terms.owed - worth)
        return prepare_exchanges(model, converted, settled, trades.days("delivery_date"), net=True)


def _turned(pair: str) -> str:
    return pair[3:] + pair[:3]


def _settled_in(trades: Trades, column: str) -> NDArray[np.bool_]:
    """bool[n]: the settlement currency is that of the column."""
    same = trades.labels("settlement_currency").combine(trades.labels(column), lambda a, b: "same" if a == b else "")
    return np.array([*(name == "same" for name in same.names), False], np.bool_)[same.codes]


class _Terms:
    """An amount of another currency for one of the settlement currency.

    :ivar other: the currency that is not paid.
    :ivar amount: float64[n], of it, negative where it is sold. :ivar owed: float64[n], paid of the settlement currency.
    :ivar pair: the two, units of the settlement currency for one of the other.
    """

    def __init__(self, trades: Trades) -> None:
        bought, sold = trades.labels("buy_currency"), trades.labels("sell_currency")
        buys = _settled_in(trades, "sell_currency")
        self.other = bought.where(buys).otherwise(sold)
        self.amount = np.where(buys, trades.numbers("buy_amount"), -trades.numbers("sell_amount"))
        self.owed = np.where(buys, trades.numbers("sell_amount"), -trades.numbers("buy_amount"))
        self.pair = self.other.combine(trades.labels("settlement_currency"), str.__add__)
        self._day = trades.days("fixing_date")

    def fixings(self, model: MarketModel) -> FloatArray:
        """float64[n]: the rate fixed for the pair, or one over that of the pair turned round; NaN: there is none."""
        direct = model.fixings(self.pair, self._day)
        turned = 1.0 / model.fixings(self.pair.map(_turned), self._day)
        return np.where(np.isnan(direct), turned, direct)
