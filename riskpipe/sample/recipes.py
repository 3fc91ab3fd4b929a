"""Which products the sample has trades of, and how they are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from riskpipe.sample.exotic_recipes import (
    equity_asian_options,
    equity_barrier_options,
    fx_barrier_options,
    fx_touches,
    variance_swaps,
)
from riskpipe.sample.linear_recipes import (
    commodity_forwards,
    cross_currency_swaps,
    equity_forwards,
    floating_rate_notes,
    forward_rate_agreements,
    inflation_swaps,
)
from riskpipe.sample.option_recipes import commodity_options, equity_options, fx_forwards, fx_options
from riskpipe.sample.rate_option_recipes import caps_and_floors, swaptions
from riskpipe.sample.rate_recipes import bonds, credit_default_swaps, interest_rate_swaps
from riskpipe.sample.trade_terms import Columns, Draw


@dataclass(frozen=True)
class Recipe:
    """:param prefix: of the trade ids.
    :param share: of all trades, unless the caller says otherwise.
    :param counterparty: whether there is one; bonds are held.
    """

    prefix: str
    share: float
    generate: Callable[[Draw], Columns]
    counterparty: bool = True


RECIPES: dict[str, Recipe] = {
    "interest_rate_swap": Recipe("IRS", 0.28, interest_rate_swaps),
    "fx_forward": Recipe("FXF", 0.17, fx_forwards),
    "fx_option": Recipe("FXO", 0.12, fx_options),
    "equity_option": Recipe("EQO", 0.10, equity_options),
    "bond": Recipe("BND", 0.07, bonds, counterparty=False),
    "credit_default_swap": Recipe("CDS", 0.05, credit_default_swaps),
    "commodity_option": Recipe("CMO", 0.04, commodity_options),
    "equity_forward": Recipe("EQF", 0.01, equity_forwards),
    "commodity_forward": Recipe("CMF", 0.01, commodity_forwards),
    "fra": Recipe("FRA", 0.02, forward_rate_agreements),
    "floating_rate_note": Recipe("FRN", 0.02, floating_rate_notes, counterparty=False),
    "cross_currency_swap": Recipe("XCS", 0.02, cross_currency_swaps),
    "inflation_swap": Recipe("INF", 0.01, inflation_swaps),
    "cap_floor": Recipe("CAP", 0.02, caps_and_floors),
    "swaption": Recipe("SWO", 0.02, swaptions),
    "fx_barrier_option": Recipe("FXB", 0.01, fx_barrier_options),
    "equity_barrier_option": Recipe("EQB", 0.01, equity_barrier_options),
    "fx_touch": Recipe("FXT", 0.01, fx_touches),
    "equity_asian_option": Recipe("EQA", 0.005, equity_asian_options),
    "variance_swap": Recipe("VAR", 0.005, variance_swaps),
}
"""The mixed book of `riskpipe init`: every product of the catalogue."""
