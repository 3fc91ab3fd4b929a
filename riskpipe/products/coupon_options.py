"""Caps and floors on the coupons of floating legs and notes.

A coupon pays min(max(gearing x rate + spread, floor), cap): the coupon without either, less a call on the index's rate
struck at (cap - spread) / gearing, plus a put struck at (floor - spread) / gearing, gearing times each; of a gearing
below zero calls and puts change places.

Source: Brigo and Mercurio, Interest Rate Models (2nd edition, 2006), section 1.6; QuantLib's CappedFlooredCoupon.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.growths import CurveNodes, Request
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.products.base import Column, RowFaults
from riskpipe.products.floating import Coupons
from riskpipe.products.flows import Integers
from riskpipe.products.legs import Leg, Positions
from riskpipe.products.optionlets import Optionlets, OptionTerms, option_terms, optionlet_legs, optionlets
from riskpipe.products.trades import Trades
from riskpipe.products.validation import rows_fault
from riskpipe.products.volatility_columns import BLACK, MODEL, SHIFT, VOLATILITY, shifts

CAP, FLOOR = "cap", "floor"
_SIGNS: Final = {CAP: 1.0, FLOOR: -1.0}


def coupon_option_columns() -> tuple[Column, ...]:
    """All optional; the last three are of the options' volatilities."""
    return (
        Column(CAP, "number", "most that a floating coupon pays a year; null: none", required=False, quantity="rate"),
        Column(
            FLOOR, "number", "least that a floating coupon pays a year; null: none", required=False, quantity="rate"
        ),
        replace(VOLATILITY, required=False),
        replace(MODEL, required=False),
        SHIFT,
    )


def has_options(trades: Trades) -> NDArray[np.bool_]:
    """bool[n]: the coupons have a cap or a floor."""
    return ~(np.isnan(trades.numbers(CAP)) & np.isnan(trades.numbers(FLOOR)))


class CouponOptions(Struct, frozen=True):
    """The caps or the floors of n trades, those of some of them."""

    options: Optionlets
    terms: OptionTerms

    def where(self, mask: NDArray[np.bool_]) -> CouponOptions:
        """As `Optionlets.where`."""
        return replace(self, options=self.options.where(mask))

    def requests(self, projection: Labels, discount_curve: Labels) -> tuple[Request, Request]:
        """What `legs` takes the positions of; the curves of each trade."""
        return self.options.growth.requests(projection, discount_curve)

    def legs(
        self,
        positions: tuple[Positions, Positions],
        nodes: CurveNodes,
        model: MarketModel,
        survival: Positions | None = None,
    ) -> list[Leg]:
        """:param survival: as `optionlet_legs` has it."""
        return optionlet_legs(self.options, self.terms, positions, nodes, model, survival)


def coupon_options(
    trades: Trades, rows: Integers, coupons: Coupons, coefficients: tuple[FloatArray, FloatArray, FloatArray]
) -> list[CouponOptions]:
    """Caps, and floors, of the trades `rows`, as what they add to the value of the coupons without them.

    :param rows: ascending, by position among which the coupons are.
    :param coefficients: of each coupon, float64[k]: notional (above zero is received), gearing and spread.
    """
    notional, gearing, spread = coefficients
    by_trade = np.where(trades.numbers("gearing", 1.0) < 0.0, -1.0, 1.0)
    found = []
    for column, side in _SIGNS.items():
        level = trades.numbers(column)[rows][coupons.trade]
        strike = (level - spread) / gearing
        amount = -side * notional * coupons.tau * np.abs(gearing)
        sign = side * by_trade
        options = optionlets(coupons, amount, strike, sign[rows][coupons.trade])
        found.append(CouponOptions(options.of(rows), option_terms(trades, sign)))
    return found


def coupon_option_faults(trades: Trades, floating: NDArray[np.bool_]) -> list[RowFaults]:
    """Broken rules of `coupon_option_columns`. :param floating: bool[n], the coupons are floating ones."""
    optional = has_options(trades)
    if not optional.any():
        return []
    cap, floor = trades.numbers(CAP), trades.numbers(FLOOR)
    faults = []
    for column, level in ((CAP, cap), (FLOOR, floor)):
        wrong = ~np.isnan(level) & ~floating
        faults += rows_fault(column, "leg_term", wrong, f"{column} is of floating coupons, and these are none")
        faults += _low_strikes(trades, column, level, floating)
    faults += rows_fault(CAP, "cap_above_floor", cap < floor, "cap is below floor")
    for column in ("volatility", "model"):
        lacking = optional & floating & (trades.labels(column).codes < 0)
        faults += rows_fault(column, "leg_term", lacking, f"coupons with a cap or a floor need {column}")
    flat = optional & (trades.numbers("gearing", 1.0) == 0.0)
    return [*faults, *rows_fault("gearing", "leg_term", flat, "coupons with a cap or a floor need a gearing but 0")]


def _low_strikes(trades: Trades, column: str, level: FloatArray, floating: NDArray[np.bool_]) -> list[RowFaults]:
    """Strikes that a lognormal rate cannot reach, with any of the spreads that a coupon may have."""
    gearing = trades.numbers("gearing", 1.0)
    steps = trades.nested("spreads")
    of_step = steps.rows.numbers("spreads")
    with np.errstate(divide="ignore", invalid="ignore"):
        strike = (level - trades.numbers("spread", 0.0)) / gearing
        np.fmin.at(strike, steps.trades, (level[steps.trades] - of_step) / gearing[steps.trades])
    low = floating & trades.is_one("model", BLACK) & (strike + shifts(trades) <= 0.0) & (gearing != 0.0)
    message = (
        f"({column} - spread) / gearing + shift must be above zero for the model black: raise shift, or use the model "
        f"bachelier"
    )
    return rows_fault(column, "strike_above_shift", low, message)
