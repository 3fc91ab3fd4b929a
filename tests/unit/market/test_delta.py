"""Strikes of deltas: round trips, QuantLib's calculator, market conventions."""

from __future__ import annotations

import itertools
import math

import pytest
import QuantLib as ql  # noqa: N813
from hypothesis import assume, given
from hypothesis import strategies as st

from riskpipe.market.delta import (
    CALL,
    PUT,
    DeltaConvention,
    NoStrikeError,
    Underlying,
    atm_strike,
    delta_of,
    has_spot_delta,
    is_premium_adjusted,
    out_of_the_money,
    strike_of,
)

EURO = Underlying(forward=1.17, spot=1.16, foreign_discount=0.98, years=0.75)
CONVENTIONS = [DeltaConvention(spot, adjusted) for spot, adjusted in itertools.product((False, True), repeat=2)]
QL_DELTAS = {
    (False, False): ql.DeltaVolQuote.Fwd,
    (True, False): ql.DeltaVolQuote.Spot,
    (False, True): ql.DeltaVolQuote.PaFwd,
    (True, True): ql.DeltaVolQuote.PaSpot,
}
QL_ATM = {"delta_neutral": ql.DeltaVolQuote.AtmDeltaNeutral, "forward": ql.DeltaVolQuote.AtmFwd,
          "spot": ql.DeltaVolQuote.AtmSpot}  # fmt: skip

underlyings = st.builds(
    lambda spot, foreign, domestic, years: Underlying(
        spot * math.exp((domestic - foreign) * years), spot, math.exp(-foreign * years), years
    ),
    st.floats(0.01, 1e4),
    st.floats(-0.02, 0.15),
    st.floats(-0.02, 0.15),
    st.floats(1 / 365, 10.0),
)
conventions = st.sampled_from(CONVENTIONS)
signs = st.sampled_from((CALL, PUT))
volatilities = st.floats(0.02, 0.6)


def calculator(sign: int, volatility: float, on: Underlying, convention: DeltaConvention) -> ql.BlackDeltaCalculator:
    domestic = on.foreign_discount * on.spot / on.forward
    kind = QL_DELTAS[convention.spot, convention.premium_adjusted]
    option = ql.Option.Call if sign == CALL else ql.Option.Put
    deviation = volatility * math.sqrt(on.years)
    return ql.BlackDeltaCalculator(option, kind, on.spot, domestic, on.foreign_discount, deviation)


@given(signs, st.floats(0.01, 0.6), volatilities, underlyings, conventions)
def test_strike_has_the_quoted_delta(sign, delta, volatility, on, convention) -> None:
    try:
        strike = strike_of(sign, delta, volatility, on, convention)
    except NoStrikeError:
        assume(False)
    assert delta_of(sign, strike, volatility, on, convention) == pytest.approx(delta, abs=1e-12)


@given(signs, st.sampled_from((0.05, 0.1, 0.25, 0.35)), volatilities, underlyings, conventions)
def test_strikes_are_those_of_quantlib(sign, delta, volatility, on, convention) -> None:
    try:
        found = strike_of(sign, delta, volatility, on, convention)
    except NoStrikeError:
        assume(False)
    oracle = calculator(sign, volatility, on, convention)
    assert oracle.deltaFromStrike(found) == pytest.approx(sign * delta, abs=1e-10)
    # QuantLib refuses deltas beyond the foreign discount factor, which premium-adjusted ones of puts may be.
    if convention.spot and delta > on.foreign_discount:
        return
    # QuantLib's own inverses, of the normal distribution and of premium-adjusted deltas, are good to about 1e-9.
    assert found == pytest.approx(oracle.strikeFromDelta(sign * delta), rel=1e-8)


@given(st.sampled_from(("delta_neutral", "forward", "spot")), volatilities, underlyings, conventions)
def test_at_the_money_is_that_of_quantlib(atm, volatility, on, convention) -> None:
    found = atm_strike(volatility, on, DeltaConvention(convention.spot, convention.premium_adjusted, atm))
    assert found == pytest.approx(calculator(CALL, volatility, on, convention).atmStrike(QL_ATM[atm]), rel=1e-12)


@given(volatilities, underlyings, conventions)
def test_delta_neutral_straddle_has_no_delta(volatility, on, convention) -> None:
    strike = atm_strike(volatility, on, convention)
    call, put = (delta_of(sign, strike, volatility, on, convention) for sign in (CALL, PUT))
    assert call == pytest.approx(put, rel=1e-12)
    assert out_of_the_money(strike, volatility, on, convention) == pytest.approx(0.0, abs=1e-10)


def test_of_two_strikes_with_one_delta_the_further_one_is_taken() -> None:
    convention = DeltaConvention(premium_adjusted=True)
    strike = strike_of(CALL, 0.1, 0.3, EURO, convention)
    assert strike > EURO.forward
    low, high = 1e-6, EURO.forward * 0.5
    assert delta_of(CALL, low, 0.3, EURO, convention) < 0.1 < delta_of(CALL, high, 0.3, EURO, convention)


@pytest.mark.parametrize(
    ("convention", "sign", "delta", "words"),
    [
        (DeltaConvention(spot=True), CALL, 0.985, "a delta of 0.985 is not below the largest one, 0.98"),
        (DeltaConvention(spot=True), PUT, 0.98, "a delta of 0.98 is not below the largest one, 0.98"),
        (DeltaConvention(premium_adjusted=True), CALL, 0.7, "premium-adjusted call delta of 0.7 is above the largest"),
    ],
)
def test_deltas_without_a_strike(convention, sign, delta, words) -> None:
    with pytest.raises(NoStrikeError, match=words):
        strike_of(sign, delta, 0.4, EURO, convention)


def test_premium_adjusted_put_deltas_have_no_bound() -> None:
    convention = DeltaConvention(premium_adjusted=True)
    strike = strike_of(PUT, 2.5, 0.2, EURO, convention)
    assert delta_of(PUT, strike, 0.2, EURO, convention) == pytest.approx(2.5, abs=1e-12)


@pytest.mark.parametrize(
    ("pair", "adjusted"),
    # Reiswich and Wystup's table of premium currencies, and some more.
    [("EURUSD", False), ("USDJPY", True), ("EURJPY", True), ("USDCHF", True), ("EURCHF", True), ("GBPUSD", False),
     ("EURGBP", True), ("AUDUSD", False), ("USDCAD", True), ("GBPJPY", True), ("AUDNZD", True), ("USDTRY", True),
     ("TRYJPY", True), ("JPYTRY", False)],
)  # fmt: skip
def test_premium_currency_of_pairs(pair, adjusted) -> None:
    assert is_premium_adjusted(pair) is adjusted


def test_pairs_with_an_emerging_currency_have_forward_deltas() -> None:
    assert has_spot_delta("EURUSD")
    assert has_spot_delta("USDJPY")
    assert not has_spot_delta("USDTRY")
    assert not has_spot_delta("BRLJPY")
