"""Currency pairs such as EURUSD: units of the second currency for one of the first."""

from __future__ import annotations

import re

from riskpipe.market.conventions import Conventions
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.products.base import Need, Product, RowFaults
from riskpipe.products.shared_nodes import TradeNodes
from riskpipe.products.trades import Trades
from riskpipe.products.validation import label_mask, out_of_order, past_dates, rows_fault
from riskpipe.products.vanilla import VanillaOptions, prepare_vanilla

FX_VOLATILITY = ("fx_vol", "black_vol")

_PAIR = re.compile(r"([A-Z]{3})(?!\1)[A-Z]{3}")


def first_currency(pair: str) -> str:
    return pair[:3]


def second_currency(pair: str) -> str:
    return pair[3:]


def broken_pairs(trades: Trades) -> list[RowFaults]:
    """Values of the column pair that are no pair."""
    bad = label_mask(trades.labels("pair"), lambda name: not _PAIR.fullmatch(name))
    return rows_fault("pair", "pair", bad, "pair is not two different ISO currency codes, such as EURUSD")


def pair_needs(trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
    """What an option with the column pair depends on."""
    pair = trades.labels("pair")
    first, second = pair.map(first_currency), pair.map(second_currency)
    return (
        Need("underlying", ("fx",), pair),
        Need("discount", ("zero_rate",), first.map(conventions.discount_curve), currency=first),
        Need("discount", ("zero_rate",), second.map(conventions.discount_curve), currency=second),
        Need("volatility", FX_VOLATILITY, pair),
    )


class PairOption(Product):
    """An option on the column pair until its expiry date, exchanged on its delivery date, in the second currency."""

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


def spot_rates(trades: Trades, model: MarketModel) -> TradeNodes:
    """Exchange rates of the column pair as they are quoted, which is what barriers are looked at with."""
    pair = trades.labels("pair")
    return TradeNodes(*model.fx_spots(pair.map(first_currency), pair.map(second_currency)))


def prepare_on_pair(trades: Trades, model: MarketModel) -> VanillaOptions:
    """Options with the columns pair, option_type, strike, notional, expiry_date and delivery_date."""
    pair, delivery = trades.labels("pair"), trades.days("delivery_date")
    second = pair.map(second_currency)
    return prepare_vanilla(
        trades,
        model,
        forward=TradeNodes(*model.fx_forwards(pair.map(first_currency), second, delivery)),
        discount=(second.map(model.conventions.discount_curve), delivery),
        volatility=(FX_VOLATILITY, pair),
        quantity=trades.numbers("notional"),
    )
