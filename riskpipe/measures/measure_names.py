"""The measures that a configuration may name, for those who need no arrays to know them: the families make them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from riskpipe.market.factors import LIQUIDITY_HORIZONS

QuoteBumps = Literal["first_order", "rebootstrap"]

CROSS_GAMMA = "cross_gamma"
"""Also the key of its pairs among the bumps."""

SENSITIVITIES = (
    "delta",
    "gamma",
    "vega",
    "dv01",
    "cs01",
    "theta",
    "bucketed_delta",
    "bucketed_vega",
    "volga",
    "vanna",
    "bucketed_zero",
    "curve_dv01",
    "rho",
    "theta_carry",
    "theta_roll",
    CROSS_GAMMA,
)
"""Of `riskpipe.measures.catalogue.FAMILIES`, in their order."""

_PRICED = "bonds and notes that are still owed something after settlement"
FIGURES: Mapping[str, str] = {
    "accrued": _PRICED,
    "clean_price": _PRICED,
    "dirty_price": _PRICED,
    "yield": f"{_PRICED}, of fixed coupons,",
    "modified_duration": f"{_PRICED}, of fixed coupons,",
    "z_spread": f"{_PRICED}, of fixed coupons and with a market_price,",
}
"""What products say of their trades in today's market beside the value (`Product.figures`), and of which: no amounts
of money, so that they have neither a currency nor a value in the base currency."""

EXPLAIN = "pnl_explain"
"""The measure whose scenarios are steps from an earlier day's market to today's: of trades alone, not of books."""

PNL_SETS: Mapping[str, str] = {
    "stress": "stress",
    "historical_var": "historical",
    "monte_carlo_var": "monte_carlo",
    "delta_gamma_var": "delta_gamma",
    EXPLAIN: "explain",
}
"""A measure of P&L -> the scenario set that it is made from; it may have others (`riskpipe.measures.pnl_sets`)."""

SIMULATED = ("monte_carlo_var", "delta_gamma_var")
"""Measures of P&L under scenarios that are made of the covariance of the history's moves."""

WHOLE_RISK = "all"
"""The risk class of what moves with everything."""

NESTED: Mapping[int, str] = {days: f"lh_{days}" for days in LIQUIDITY_HORIZONS[1:]}
"""Liquidity horizon -> the risk class of the factors that have this horizon or a longer one: nested sets (MAR33.5)."""

CROSS = "cross"
"""The risk class of what the parts leave of the whole."""

CASH_FLOWS = "cashflows"
"""What trades pay, as a table of its own: no number of a trade."""

MEASURES: tuple[str, ...] = ("pv", *SENSITIVITIES, *FIGURES, CASH_FLOWS, *PNL_SETS)
