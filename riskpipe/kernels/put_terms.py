"""American options under scenarios, each as the put with strike and time to expiry one that it is.

`rate`, `dividend` are r T and q T, `variance` is sigma^2 T, spots are logarithms of spot / strike. A call is the put
with rate and dividend exchanged, at strike / spot, times the spot (McDonald and Schroder 1998).
"""

from __future__ import annotations

import math

from riskpipe.arrays import FloatArray
from riskpipe.kernels.compiler import inline
from riskpipe.kernels.mathematics import exp, floor, fma, log, select

# Rows of one option's terms, by scenario.
SIGMA_TERM, RATE_TERM, DIVIDEND_TERM, MONEYNESS, SPOT, PREMIUM, BOUNDARY, WHOLE, STEPS_TERM = range(9)
TERMS = 9

# Regimes; that of one boundary is the position of its scheme, too.
ONE_BOUNDARY, FAR_BOUNDARY, EUROPEAN, TWO_BOUNDARIES, CERTAIN, BROKEN = range(6)
# Rates and dividends (times time) below which exercise is worth nothing that a price would show.
_NOTHING = 1e-10
# Deviation below which the spot is taken to be certain.
_LEAST_SIGMA = 1e-4
# Carries are multiples of 2^-44.
_GRID = 17592186044416.0


@inline
def regime_of(sigma: float, rate: float, dividend: float) -> int:
    """How a put is exercised, see `riskpipe.kernels.american`."""
    if not (sigma >= 0.0 and abs(rate) < math.inf and abs(dividend) < math.inf):
        return BROKEN
    if max(rate, 0.0) + max(-dividend, 0.0) <= _NOTHING or (rate < 0.0 and dividend >= rate - _NOTHING):
        return EUROPEAN
    if sigma < _LEAST_SIGMA:
        return CERTAIN
    if rate < 0.0:
        return TWO_BOUNDARIES
    # Without dividends rounding may leave some.
    return FAR_BOUNDARY if dividend < -_NOTHING else ONE_BOUNDARY


@inline
def normalise(
    terms: FloatArray,
    levels: FloatArray,
    forwards: FloatArray,
    factors: FloatArray,
    strike: float,
    side: float,
) -> None:
    """Moneyness, rates and dividends of the put with strike one that each scenario's option is."""
    for s in range(levels.size):
        rate = -log(factors[s])
        # Rounded, so that the same rates give the same carry at any spot.
        carry = floor(fma(log(forwards[s] / levels[s]), _GRID, 0.5)) * (1.0 / _GRID)
        dividend = rate - carry
        put_rate = select(side > 0.0, dividend, rate)
        terms[RATE_TERM, s] = select(abs(put_rate) < _NOTHING, 0.0, put_rate)
        terms[DIVIDEND_TERM, s] = select(side > 0.0, rate, dividend)
        ratio = select(side > 0.0, strike, levels[s]) / select(side > 0.0, levels[s], strike)
        terms[SPOT, s] = ratio
        terms[MONEYNESS, s] = log(ratio)
        terms[PREMIUM, s] = 0.0
        terms[BOUNDARY, s] = -math.inf
        terms[WHOLE, s] = math.nan


@inline
def certain_put(spot: float, rate: float, dividend: float) -> float:
    """The put where the spot has no volatility: exercised at the best of all times, in [0, 1]."""
    best = max(0.0, 1.0 - spot, exp(-rate) - spot * exp(-dividend))
    if rate != dividend and rate * dividend > 0.0:
        time = log(rate / (dividend * spot)) / (rate - dividend)
        if 0.0 < time < 1.0:
            best = max(best, exp(-rate * time) - spot * exp(-dividend * time))
    return best
