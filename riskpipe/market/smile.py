"""The smile of one expiry: strikes that stay, and volatilities there as a function of the quotes.

Strikes follow from today's forward and from their own volatilities; what scenarios move are the volatilities (sticky
strike).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from msgspec import Struct

from riskpipe.arrays import FloatArray
from riskpipe.market.delta import DeltaConvention, NoStrikeError, Underlying
from riskpipe.market.pillars import BadSmileError, Quote, pillar_strikes, pillars_of
from riskpipe.market.strangle import MarketStrangles
from riskpipe.market.strike_interpolation import SPLINE, refined, strike_weights


class Smile(Struct, frozen=True):
    """:param strikes: float64[n], ascending, or other coordinates that take their place.
    :param slope: float64[n, n_quotes], d(volatility)/d(quote).
    :param volatilities: levels of the quotes -> float64[n]; raises `BadSmileError`.
    """

    strikes: FloatArray
    slope: FloatArray
    volatilities: Callable[[FloatArray], FloatArray]


def smile_of_deltas(
    quotes: Sequence[Quote],
    levels: FloatArray,
    underlying: Underlying,
    convention: DeltaConvention,
    *,
    market_strangles: bool = False,
    interpolation: str = "linear",
) -> Smile:
    """The smile of quotes by delta, or at the money with risk reversals and butterflies.

    :param levels: float64[n_quotes].
    :param market_strangles: the butterflies are market strangles, else smile strangles.
    :param interpolation: between strikes; enters market strangles alone.
    :raise BadSmileError: see `pillar_strikes` and `MarketStrangles.volatilities`.
    """
    pillars, weights = pillars_of(quotes)
    volatilities, slope = _linear(weights)
    try:
        if market_strangles and any(quote.strike_type == "butterfly" for quote in quotes):
            market = MarketStrangles(quotes, pillars, weights, underlying, convention, interpolation)
            volatilities, slope = market.volatilities, market.slope(levels)
        strikes = pillar_strikes(pillars, volatilities(levels), underlying, convention)
    except NoStrikeError as error:
        raise BadSmileError(str(error)) from error
    order = np.argsort(strikes)
    return Smile(strikes[order], slope[order], lambda at: volatilities(at)[order])


def smile_of_strikes(coordinates: FloatArray) -> Smile:
    """The smile of volatilities at ascending coordinates: they themselves."""
    volatilities, slope = _linear(np.eye(len(coordinates)))
    return Smile(coordinates, slope, volatilities)


def refine(smile: Smile) -> Smile:
    """The natural cubic spline through a smile, at as many strikes as make a straight line between them do."""
    if len(smile.strikes) < 3:
        return smile
    strikes = refined(smile.strikes)
    weights = strike_weights(SPLINE, smile.strikes, strikes)
    return Smile(strikes, weights @ smile.slope, lambda levels: np.asarray(weights @ smile.volatilities(levels)))


def _linear(weights: FloatArray) -> tuple[Callable[[FloatArray], FloatArray], FloatArray]:
    return (lambda levels: np.asarray(weights @ levels)), weights
