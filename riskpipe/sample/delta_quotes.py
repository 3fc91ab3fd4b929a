"""FX volatilities as the market quotes them: by delta, or at the money with risk reversals and butterflies."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace

from riskpipe.market.delta import (
    CALL,
    PUT,
    DeltaConvention,
    Underlying,
    atm_strike,
    has_spot_delta,
    is_premium_adjusted,
    strike_of,
)
from riskpipe.sample.market_table import Point, SpreadLeg, years_to
from riskpipe.sample.universe import Smile
from riskpipe.sample.vol_surfaces import vol_surface

_DELTAS = (0.25, 0.10)
_ROUNDS = 40


def by_delta(
    pair: str, smile: Smile, underlyings: Sequence[Underlying], expiries: Sequence[str], as_of: int
) -> list[Point]:
    """Volatilities of puts, at the money, and of calls."""
    points = []
    for tenor, on in zip(expiries, underlyings, strict=True):
        points += _smile(pair, smile, on, tenor, as_of)
    return points


def in_spreads(
    pair: str, smile: Smile, underlyings: Sequence[Underlying], expiries: Sequence[str], as_of: int
) -> list[Point]:
    """At the money, with risk reversals and butterflies (smile strangles)."""
    points = []
    for tenor, on in zip(expiries, underlyings, strict=True):
        atm, *wings = _smile(pair, smile, on, tenor, as_of)
        points.append(atm)
        for put, call in zip(wings[::2], wings[1::2], strict=True):
            legs = {
                "risk_reversal": ((1.0, call), (-1.0, put)),
                "butterfly": ((0.5, call), (0.5, put), (-1.0, atm)),
            }
            for (strike_type, weighted), name in zip(legs.items(), ("RR", "BF"), strict=True):
                points.append(
                    replace(
                        atm,
                        factor=f"{_stem(pair, tenor)}:{100 * (put.strike or 0.0):g}{name}",
                        value=round(sum(weight * leg.value for weight, leg in weighted), 5),
                        strike=put.strike,
                        strike_type=strike_type,
                        legs=tuple(SpreadLeg(weight, leg.value, leg.moneyness) for weight, leg in weighted),
                    )
                )
    return points


def _stem(pair: str, tenor: str) -> str:
    return f"fx_vol:{pair}:{tenor}"


def _smile(pair: str, smile: Smile, on: Underlying, tenor: str, as_of: int) -> list[Point]:
    """At the money, then put and call of each delta."""
    convention = DeltaConvention(
        has_spot_delta(pair) and years_to(tenor, as_of) <= years_to("1Y", as_of), is_premium_adjusted(pair)
    )
    points = []
    for sign, delta in ((0, 0.0), *((sign, delta) for delta in _DELTAS for sign in (PUT, CALL))):
        strike, before, vol = on.forward, math.nan, 0.0
        for _ in range(_ROUNDS):
            if strike == before:  # and so it would be in every further round
                break
            before = strike
            vol = float(vol_surface(smile, np.array([on.years]), np.array([strike / on.forward]))[0, 0])
            strike = strike_of(sign, delta, vol, on, convention) if sign else atm_strike(vol, on, convention)
        side = {PUT: "P", CALL: "C"}.get(sign)
        points.append(
            Point(
                f"{_stem(pair, tenor)}:{100 * delta:g}{side}" if side else f"{_stem(pair, tenor)}:ATM",
                "fx_vol", pair, pair[3:], round(vol, 5), tenor, on.years, delta if sign else None,
                {PUT: "delta_put", CALL: "delta_call"}.get(sign, "atm"), strike / on.forward,
            )
        )  # fmt: skip
    return points


def underlying(spot: float, base_rate: float, quote_rate: float, years: float) -> Underlying:
    """:param base_rate, quote_rate: of the pair's two currencies, continuously compounded."""
    return Underlying(spot * math.exp((quote_rate - base_rate) * years), spot, math.exp(-base_rate * years), years)
