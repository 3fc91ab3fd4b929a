"""European options, forwards and quanto options on what pays discrete dividends and costs to borrow."""

from __future__ import annotations

import math

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813
from dividend_market import DividendMarket, options, quantlib, random_market
from flat_market import AS_OF, TODAY

from riskpipe.products.equity_forward import EquityForward
from riskpipe.products.equity_option import EquityOption
from riskpipe.products.variance_swap import VarianceSwap

TRADES = 500


def test_european_options_are_quantlibs() -> None:
    market, terms = random_market(TRADES, 11)
    book = options(terms, "european")
    values = market.price(EquityOption(), book)
    for k in range(TRADES):
        for s in range(3):
            exercise = ql.EuropeanExercise(TODAY + int(terms[k, 0]))
            engine = ql.AnalyticDividendEuropeanEngine(market.process(k, s), market.schedule(k, s))
            expected = quantlib(k, book, exercise, engine)
            assert abs(values[k, s] - expected) < 1e-12 * 100.0, (k, s)


def by_recursion(market: DividendMarket, k: int, s: int, days: int) -> float:
    """The forward in plain Python, from ex date to ex date."""
    level, last = float(market.levels[k, s, 0]), 0
    growth = float(market.levels[k, s, 1] - market.levels[k, s, 2] - market.levels[k, s, 3])
    for day, cash, ratio in market.events[k]:
        if day <= days:
            level *= math.exp(growth * (day - last) / 365.0)
            level, last = level * (1.0 - ratio * market.scale[s]) - cash * market.scale[s], day
    return level * math.exp(growth * (days - last) / 365.0)


def test_forwards_and_parity_with_proportional_dividends() -> None:
    market, terms = random_market(TRADES, 12, ratios=True)
    book = options(terms, "european")
    forward = market.price(EquityForward(), {key: book[key] for key in ("quantity", "strike", "expiry_date")})
    calls, puts = (market.price(EquityOption(), book | {"option_type": [kind] * TRADES}) for kind in ("call", "put"))
    for k in range(TRADES):
        for s in range(3):
            discount = math.exp(-market.levels[k, s, 1] * terms[k, 0] / 365.0)
            expected = discount * (by_recursion(market, k, s, int(terms[k, 0])) - terms[k, 1])
            assert abs(forward[k, s] - expected) < 1e-10, (k, s)
    np.testing.assert_allclose(calls - puts, forward, rtol=0.0, atol=1e-10)


def test_a_variance_swap_on_a_flat_surface_knows_no_dividends() -> None:
    """Its variance is that of the forward, whatever the spot falls by."""
    market, terms = random_market(20, 13, ratios=True)
    years, n = terms[:, 0] / 365.0, len(terms)
    swaps = {
        "vega_notional": np.ones(n),
        "strike_vol": np.full(n, 0.3),
        "start_date": np.full(n, AS_OF),
        "expiry_date": AS_OF + terms[:, 0].astype(np.int32),
    }
    values = market.price(VarianceSwap(), swaps)
    expected = np.exp(-market.levels[:, :, 1] * years[:, None]) * (market.levels[:, :, 4] ** 2 - 0.09) * 100.0 / 0.6
    np.testing.assert_allclose(values, expected, rtol=0.0, atol=1e-6)


@pytest.mark.parametrize(
    ("spot", "strike", "rate", "vol", "days", "dividends", "printed", "digits"),
    [
        # Haug 2007, section 9.1.1: dividends of 2 in three and six months.
        (100.0, 90.0, 0.10, 0.25, 273.75, ((91.25, 2.0), (182.5, 2.0)), 15.6465, 4),
        # Hull, Options, Futures, and Other Derivatives, example 15.9 (9th edition): 0.50 in two and five months.
        (40.0, 40.0, 0.09, 0.30, 182.5, ((365.0 / 6.0, 0.5), (365.0 * 5.0 / 12.0, 0.5)), 3.67, 2),
    ],
)
def test_printed_values(spot, strike, rate, vol, days, dividends, printed, digits) -> None:
    """Times are not whole days: all days are taken 24 times, rates and variances a day a 24th."""
    scale = 24.0
    events = tuple((round(day * scale), cash, 0.0) for day, cash in dividends)
    levels = np.array([[[spot, rate / scale, 0.0, 0.0, vol / math.sqrt(scale)]]])
    market = DividendMarket(levels, [events], np.ones(1))
    book = options(np.array([[round(days * scale), strike]]), "european") | {"option_type": ["call"]}
    assert round(float(market.price(EquityOption(), book)[0, 0]), digits) == printed
