"""Strikes of options that are quoted by their delta (Reiswich and Wystup 2010, FX volatility smile construction,
section 1; Clark 2011, Foreign Exchange Option Pricing, chapter 3).

A currency pair is quoted in units of the second currency for one of the first; its options are on the first. d1 and d2
are those of Black (1976) at the option's own volatility.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

from msgspec import Struct

CALL, PUT = 1, -1
DELTA_NEUTRAL, FORWARD, SPOT = "delta_neutral", "forward", "spot"

_NORMAL = NormalDist()
_PREMIUM_CURRENCIES = ("USD", "EUR", "GBP", "AUD", "NZD", "CAD", "CHF", "NOK", "SEK", "DKK")
_LEAST_PREMIUM = "JPY"
_SPOT_DELTA = frozenset((*_PREMIUM_CURRENCIES, _LEAST_PREMIUM))


class NoStrikeError(ValueError):
    """No strike has this delta."""


class Underlying(Struct, frozen=True):
    """What an expiry's options are on.

    :param spot: today's price; NaN where there is none (at-the-money spot is not served then).
    :param foreign_discount: discount factor of the pair's first currency; 1 makes spot deltas forward deltas.
    :param years: to the expiry, above zero.
    """

    forward: float
    spot: float
    foreign_discount: float
    years: float


class DeltaConvention(Struct, frozen=True):
    """How an expiry is quoted.

    :param spot: deltas are amounts of spot, else of the forward.
    :param premium_adjusted: the premium is in the first currency and is taken off the amount.
    :param atm: what at the money is: "delta_neutral" (call and put of that strike have opposite deltas), "forward" or
        "spot".
    """

    spot: bool = False
    premium_adjusted: bool = False
    atm: str = DELTA_NEUTRAL


def is_premium_adjusted(pair: str) -> bool:
    """Whether the market pays a pair's premiums in its first currency: in the one that is traded more, USD before EUR
    before GBP, AUD, NZD, CAD, CHF and the Nordic ones, JPY last (Clark 2011, section 3.3).
    """

    def rank(currency: str) -> int:
        if currency == _LEAST_PREMIUM:
            return len(_PREMIUM_CURRENCIES) + 1
        known = currency in _PREMIUM_CURRENCIES
        return _PREMIUM_CURRENCIES.index(currency) if known else len(_PREMIUM_CURRENCIES)

    return rank(pair[:3]) <= rank(pair[3:])


def has_spot_delta(pair: str) -> bool:
    """Whether the market quotes a pair in spot deltas up to a year: where neither currency is of an emerging market
    (Clark 2011, section 3.3).
    """
    return pair[:3] in _SPOT_DELTA and pair[3:] in _SPOT_DELTA


def delta_of(sign: int, strike: float, volatility: float, underlying: Underlying, convention: DeltaConvention) -> float:
    """Size of the delta of a call (sign +1) or put (-1), never negative.

    Unadjusted w N(s d1), premium-adjusted w K / F N(s d2), with w the first currency's discount factor for spot
    deltas, 1 for forward deltas (Reiswich and Wystup 2010, equations 8, 10, 13 and 15).
    """
    deviation = volatility * math.sqrt(underlying.years)
    moneyness = math.log(strike / underlying.forward)
    return _delta(sign, moneyness, deviation, _weight(underlying, convention), convention.premium_adjusted)


def strike_of(sign: int, delta: float, volatility: float, underlying: Underlying, convention: DeltaConvention) -> float:
    """The strike with a delta of this size; of two (premium-adjusted calls) the one further out.

    :param delta: between 0 and 1, of puts too.
    :raise NoStrikeError: the delta is beyond the largest one.
    """
    deviation = volatility * math.sqrt(underlying.years)
    weight = _weight(underlying, convention)
    solve = _adjusted_moneyness if convention.premium_adjusted else _moneyness
    return underlying.forward * math.exp(solve(sign, delta, deviation, weight))


def atm_strike(volatility: float, underlying: Underlying, convention: DeltaConvention) -> float:
    """At the money (Reiswich and Wystup 2010, section 1.4)."""
    if convention.atm == FORWARD:
        return underlying.forward
    if convention.atm == SPOT:
        return underlying.spot
    half = 0.5 * volatility * volatility * underlying.years
    return underlying.forward * math.exp(-half if convention.premium_adjusted else half)


def out_of_the_money(strike: float, volatility: float, underlying: Underlying, convention: DeltaConvention) -> float:
    """-d1, or -d2 of a premium-adjusted pair: what ascends with the strike along a smile that is not crossed."""
    deviation = volatility * math.sqrt(underlying.years)
    shift = 0.5 * deviation if convention.premium_adjusted else -0.5 * deviation
    return math.log(strike / underlying.forward) / deviation + shift


def _weight(underlying: Underlying, convention: DeltaConvention) -> float:
    return underlying.foreign_discount if convention.spot else 1.0


def _cdf(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def _delta(sign: int, moneyness: float, deviation: float, weight: float, premium_adjusted: bool) -> float:
    """:param moneyness: log(strike / forward)."""
    if premium_adjusted:
        return weight * math.exp(moneyness) * _cdf(sign * (-moneyness / deviation - 0.5 * deviation))
    return weight * _cdf(sign * (-moneyness / deviation + 0.5 * deviation))


def _moneyness(sign: int, delta: float, deviation: float, weight: float) -> float:
    if not delta < weight:
        raise NoStrikeError(f"a delta of {delta:g} is not below the largest one, {weight:.4g}")
    return deviation * (0.5 * deviation - sign * _NORMAL.inv_cdf(delta / weight))


def _adjusted_moneyness(sign: int, delta: float, deviation: float, weight: float) -> float:
    def excess(x: float) -> float:
        return _delta(sign, x, deviation, weight, True) - delta

    if sign == PUT:
        low, high = -deviation, deviation
        while excess(low) > 0.0:
            low *= 2.0
        while excess(high) < 0.0:
            high *= 2.0
        return _root(excess, low, high)
    peak = _call_peak(deviation)
    if excess(peak) < 0.0:
        largest = _delta(CALL, peak, deviation, weight, True)
        raise NoStrikeError(f"a premium-adjusted call delta of {delta:g} is above the largest one, {largest:.4g}")
    # The unadjusted delta is the larger one everywhere, so the strike that has it lies beyond.
    return _root(excess, _moneyness(CALL, delta, deviation, weight), peak)


def _call_peak(deviation: float) -> float:
    """Where the premium-adjusted call delta is largest: deviation N(d2) = n(d2) (Reiswich and Wystup 2010, 1.3)."""
    d2 = _root(lambda d: deviation * _cdf(d) - _NORMAL.pdf(d), -deviation, 40.0)
    return -deviation * (d2 + 0.5 * deviation)


def _root(function: Callable[[float], float], below: float, above: float) -> float:
    """Bisection down to neighbouring numbers; the function is not above zero at `below`, not below zero at `above`."""
    while True:
        middle = 0.5 * (below + above)
        if middle in (below, above):
            return middle
        if function(middle) < 0.0:
            below = middle
        else:
            above = middle
