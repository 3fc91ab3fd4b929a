"""Market strangles: butterflies that quote the premium of a call and a put of one delta at one volatility, atm +
butterfly (Clark 2011, Foreign Exchange Option Pricing, section 3.7; Reiswich and Wystup 2010, section 2).

The smile's own strangle is such that the smile, interpolated, gives the two options together the same premium.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist

import numpy as np
from msgspec import Struct

from riskpipe.arrays import FloatArray
from riskpipe.market.delta import CALL, PUT, DeltaConvention, Underlying, strike_of
from riskpipe.market.pillars import BadSmileError, Pillar, Quote, pillar_strikes
from riskpipe.market.strike_interpolation import strike_weights

_NORMAL = NormalDist()
_STEP = 1e-5
_CLOSE, _TRIES = 1e-13, 50


class MarketStrangles(Struct, frozen=True):
    """An expiry quoted at the money with risk reversals and market strangles.

    :param weights: float64[n_pillars, n_quotes], of the pillars' volatilities were the butterflies smile strangles.
    """

    quotes: Sequence[Quote]
    pillars: Sequence[Pillar]
    weights: FloatArray
    underlying: Underlying
    convention: DeltaConvention
    interpolation: str

    @property
    def _butterflies(self) -> list[int]:
        return [k for k, quote in enumerate(self.quotes) if quote.strike_type == "butterfly"]

    def volatilities(self, levels: FloatArray) -> FloatArray:
        """The pillars' volatilities, float64[n_pillars].

        :param levels: float64[n_quotes].
        :raise BadSmileError: no smile strangles price the market strangles.
        """
        return self._volatilities(levels, self._fit(levels))

    def slope(self, levels: FloatArray) -> FloatArray:
        """d(volatility)/d(quote), float64[n_pillars, n_quotes], by the implicit function theorem."""
        fitted = self._fit(levels)
        by_strangle = _jacobian(lambda strangles: self._excess(levels, strangles), fitted)
        by_quote = _jacobian(lambda at: self._excess(at, fitted), levels)
        direct = self.weights.copy()
        direct[:, self._butterflies] = 0.0
        return np.asarray(direct - self.weights[:, self._butterflies] @ np.linalg.solve(by_strangle, by_quote))

    def _volatilities(self, levels: FloatArray, strangles: FloatArray) -> FloatArray:
        own = levels.copy()
        own[self._butterflies] = strangles
        return np.asarray(self.weights @ own)

    def _fit(self, levels: FloatArray) -> FloatArray:
        strangles = levels[self._butterflies]
        for _ in range(_TRIES):
            excess = self._excess(levels, strangles)
            if np.abs(excess).max() <= _CLOSE:
                return strangles
            slope = _jacobian(lambda at: self._excess(levels, at), strangles)
            try:
                strangles = strangles - np.linalg.solve(slope, excess)
            except np.linalg.LinAlgError:
                break
        raise BadSmileError("no smile prices the market strangles")

    def _excess(self, levels: FloatArray, strangles: FloatArray) -> FloatArray:
        """What the smile's premium of each market strangle is above its own, in volatility."""
        volatilities = self._volatilities(levels, strangles)
        strikes = pillar_strikes(self.pillars, volatilities, self.underlying, self.convention)
        order = np.argsort(strikes)
        atm = levels[self.quotes.index(Quote("atm"))]
        out = []
        for k in self._butterflies:
            flat = float(atm + levels[k])
            if not flat > 0.0:
                raise BadSmileError(f"the volatility of the market strangle is {flat:.6g}, not above zero")
            two = [
                strike_of(sign, self.quotes[k].delta, flat, self.underlying, self.convention) for sign in (PUT, CALL)
            ]
            weights = strike_weights(self.interpolation, strikes[order], np.array(two))
            smile = (weights @ volatilities[order]).tolist()
            out.append(self._premium_gap(two, smile, flat))
        return np.array(out)

    def _premium_gap(self, strikes: list[float], smile: list[float], flat: float) -> float:
        forward, root = self.underlying.forward, math.sqrt(self.underlying.years)
        gap = vega = 0.0
        for sign, strike, own in zip((PUT, CALL), strikes, smile, strict=True):
            gap += _black(sign, forward, strike, own * root) - _black(sign, forward, strike, flat * root)
            d1 = math.log(forward / strike) / (flat * root) + 0.5 * flat * root
            vega += forward * root * _NORMAL.pdf(d1)
        return gap / vega


def _black(sign: int, forward: float, strike: float, deviation: float) -> float:
    """Black (1976), undiscounted."""
    d1 = math.log(forward / strike) / deviation + 0.5 * deviation
    return sign * (forward * _NORMAL.cdf(sign * d1) - strike * _NORMAL.cdf(sign * (d1 - deviation)))


def _jacobian(function: Callable[[FloatArray], FloatArray], at: FloatArray) -> FloatArray:
    """Central differences, float64[m, n]."""
    columns = []
    for k in range(len(at)):
        step = np.zeros(len(at))
        step[k] = _STEP
        columns.append((function(at + step) - function(at - step)) / (2.0 * _STEP))
    return np.column_stack(columns)
