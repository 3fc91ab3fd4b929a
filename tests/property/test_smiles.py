"""Smiles made of risk reversals and butterflies give them back, at strikes that have the quoted deltas."""

from __future__ import annotations

import math

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813
from hypothesis import assume, given
from hypothesis import strategies as st

from riskpipe.market.delta import CALL, PUT, DeltaConvention, Underlying, delta_of, strike_of
from riskpipe.market.pillars import BadSmileError, Quote
from riskpipe.market.smile import Smile, refine, smile_of_deltas
from riskpipe.market.strike_interpolation import LINEAR, LOG_LINEAR, SPLINE, strike_weights

DELTAS = (0.25, 0.10)
QUOTES = [Quote("atm"), *(Quote(kind, delta) for delta in DELTAS for kind in ("risk_reversal", "butterfly"))]
SIDES = {CALL: ql.Option.Call, PUT: ql.Option.Put}

underlyings = st.builds(
    lambda spot, foreign, domestic, years: Underlying(
        spot * math.exp((domestic - foreign) * years), spot, math.exp(-foreign * years), years
    ),
    st.floats(0.1, 1e3),
    st.floats(-0.01, 0.08),
    st.floats(-0.01, 0.08),
    st.sampled_from((7 / 365, 0.25, 1.0, 5.0)),
)
conventions = st.builds(DeltaConvention, st.booleans(), st.booleans())
#: at the money; then, as shares of that, risk reversals and butterflies of the two deltas
quotes = st.tuples(
    st.floats(0.03, 0.4), st.floats(-0.15, 0.15), st.floats(0.0, 0.03), st.floats(1.5, 2.0), st.floats(3.0, 4.5)
)


def levels_of(drawn: tuple[float, ...]) -> np.ndarray:
    atm, reversal, butterfly, more_reversal, more_butterfly = drawn
    return atm * np.array([1.0, reversal, butterfly, reversal * more_reversal, butterfly * more_butterfly])


def built(levels: np.ndarray, on: Underlying, convention: DeltaConvention, **how: object) -> Smile:
    try:
        return smile_of_deltas(QUOTES, levels, on, convention, **how)  # type: ignore[arg-type]
    except BadSmileError:
        assume(False)
        raise


@given(quotes, underlyings, conventions, st.booleans())
def test_spreads_and_deltas_come_back(drawn, on, convention, refined) -> None:
    levels = levels_of(drawn)
    smile = built(levels, on, convention)
    strikes = smile.strikes.tolist()
    assert strikes == sorted(strikes)
    served = refine(smile) if refined else smile
    vols = strike_weights(LINEAR, served.strikes, smile.strikes) @ served.volatilities(levels)
    for k, delta in enumerate(DELTAS):
        put, call, atm = vols[1 - k], vols[3 + k], vols[2]
        assert call - put == pytest.approx(levels[1 + 2 * k], abs=1e-12)
        assert 0.5 * (call + put) - atm == pytest.approx(levels[2 + 2 * k], abs=1e-12)
        assert delta_of(PUT, strikes[1 - k], put, on, convention) == pytest.approx(delta, abs=1e-11)
        assert delta_of(CALL, strikes[3 + k], call, on, convention) == pytest.approx(delta, abs=1e-11)


@given(quotes, underlyings, conventions, st.sampled_from((LINEAR, LOG_LINEAR, SPLINE)))
def test_market_strangles_are_priced_and_risk_reversals_kept(drawn, on, convention, interpolation) -> None:
    levels = levels_of(drawn)
    smile = built(levels, on, convention, market_strangles=True, interpolation=interpolation)
    vols = smile.volatilities(levels)
    root = math.sqrt(on.years)
    for k, delta in enumerate(DELTAS):
        flat = float(levels[0] + levels[2 + 2 * k])
        sides = [(sign, strike_of(sign, delta, flat, on, convention)) for sign in (PUT, CALL)]
        own = strike_weights(interpolation, smile.strikes, np.array([strike for _, strike in sides])) @ vols
        quoted = sum(ql.blackFormula(SIDES[sign], strike, on.forward, flat * root) for sign, strike in sides)
        found = sum(
            ql.blackFormula(SIDES[sign], strike, on.forward, float(vol) * root)
            for (sign, strike), vol in zip(sides, own, strict=True)
        )
        assert found == pytest.approx(quoted, abs=1e-11 * on.forward)
        assert vols[3 + k] - vols[1 - k] == pytest.approx(levels[1 + 2 * k], abs=1e-12)
