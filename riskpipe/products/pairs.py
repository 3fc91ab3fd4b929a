"""Currency pairs such as EURUSD: units of the second currency for one of the first."""

from __future__ import annotations

import re

from riskpipe.market.conventions import Conventions
from riskpipe.products.base import Need, RowFaults
from riskpipe.products.trades import Trades
from riskpipe.products.validation import label_mask, rows_fault

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
