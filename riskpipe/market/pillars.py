"""The volatilities that an expiry's quotes fix, one a strike: by delta and at the money."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from msgspec import Struct

from riskpipe.arrays import FloatArray
from riskpipe.market.delta import (
    CALL,
    PUT,
    DeltaConvention,
    NoStrikeError,
    Underlying,
    atm_strike,
    out_of_the_money,
    strike_of,
)

ATM = 0


class BadSmileError(ValueError):
    """Quotes that make no smile; the message says why."""


class Quote(Struct, frozen=True):
    """:param strike_type: delta_put, delta_call, atm, risk_reversal or butterfly; `delta` is not used at the money."""

    strike_type: str
    delta: float = 0.0


class Pillar(Struct, frozen=True):
    """:param sign: +1 for the call of this delta, -1 for the put, 0 at the money."""

    sign: int
    delta: float = 0.0

    def __str__(self) -> str:
        return "atm" if self.sign == ATM else f"the {self.delta:g}-delta {'call' if self.sign == CALL else 'put'}"


def pillars_of(quotes: Sequence[Quote]) -> tuple[tuple[Pillar, ...], FloatArray]:
    """The pillars, and their volatilities as weights of the quotes, float64[n_pillars, n_quotes].

    Of spreads vol(call) = atm + butterfly + risk reversal / 2 and vol(put) = atm + butterfly - risk reversal / 2
    (Reiswich and Wystup 2010, section 2.3).

    :param quotes: volatilities by delta, or at the money with a risk reversal and a butterfly of each delta.
    """
    place = {quote: k for k, quote in enumerate(quotes)}
    rows: list[tuple[Pillar, dict[int, float]]] = []
    for quote, k in place.items():
        if quote.strike_type == "butterfly":
            reversal, atm = place[Quote("risk_reversal", quote.delta)], place[Quote("atm")]
            for sign in (PUT, CALL):
                rows.append((Pillar(sign, quote.delta), {atm: 1.0, k: 1.0, reversal: 0.5 * sign}))
        elif quote.strike_type != "risk_reversal":
            sign = {"delta_put": PUT, "delta_call": CALL}.get(quote.strike_type, ATM)
            rows.append((Pillar(sign, quote.delta), {k: 1.0}))
    weights = np.zeros((len(rows), len(quotes)))
    for row, (_, entries) in enumerate(rows):
        for column, weight in entries.items():
            weights[row, column] = weight
    return tuple(pillar for pillar, _ in rows), weights


def pillar_strikes(
    pillars: Sequence[Pillar], volatilities: FloatArray, underlying: Underlying, convention: DeltaConvention
) -> FloatArray:
    """Strikes of the pillars, float64[n], in their order.

    :raise BadSmileError: a volatility is not positive, a delta has no strike, or strikes are crossed: of two pillars
        the one that is further out of the money by its own delta has the lower strike.
    """
    strikes = []
    for pillar, volatility in zip(pillars, volatilities.tolist(), strict=True):
        if not volatility > 0.0:
            raise BadSmileError(f"the volatility of {pillar} is {volatility:.6g}, not above zero")
        try:
            strikes.append(_strike(pillar, volatility, underlying, convention))
        except NoStrikeError as error:
            raise BadSmileError(f"{pillar} has no strike: {error}") from error
    rank = [
        out_of_the_money(strike, volatility, underlying, convention)
        for strike, volatility in zip(strikes, volatilities.tolist(), strict=True)
    ]
    order = sorted(range(len(pillars)), key=rank.__getitem__)
    for lower, higher in pairwise(order):
        if not strikes[lower] < strikes[higher]:
            places = (f"{pillars[k]} at {strikes[k]:.6g}" for k in (lower, higher))
            raise BadSmileError(f"crossed smile: {' is not below '.join(places)}")
    return np.array(strikes)


def _strike(pillar: Pillar, volatility: float, underlying: Underlying, convention: DeltaConvention) -> float:
    if pillar.sign == ATM:
        return atm_strike(volatility, underlying, convention)
    return strike_of(pillar.sign, pillar.delta, volatility, underlying, convention)
