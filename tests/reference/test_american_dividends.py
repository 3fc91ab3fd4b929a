"""American options on discrete dividends: Roll, Geske and Whaley's closed form, and QuantLib's finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813
from dividend_market import DividendMarket, options, quantlib, random_market
from flat_market import TODAY
from scipy.optimize import brentq
from scipy.stats import multivariate_normal, norm

from riskpipe.products.equity_option import EquityOption

WORST, USUAL = 1e-4, 5e-6
"""Of the strike: an error at most, on the eve of the expiry, and of nine in ten."""


def roll_geske_whaley(spot, strike, rate, vol, ex, cash, expiry):
    """A call with one dividend before its expiry, no yields (Haug 2007, section 9.2.1)."""
    stock, root_ex, root = spot - cash * math.exp(-rate * ex), vol * math.sqrt(ex), vol * math.sqrt(expiry)

    def call(level: float, years: float) -> float:
        d1 = (math.log(level / strike) + (rate + vol * vol / 2.0) * years) / (vol * math.sqrt(years))
        return level * norm.cdf(d1) - strike * math.exp(-rate * years) * norm.cdf(d1 - vol * math.sqrt(years))

    if cash <= strike * (1.0 - math.exp(-rate * (expiry - ex))):
        return call(stock, expiry)
    critical = brentq(lambda level: call(level, expiry - ex) - level - cash + strike, 1e-6, 1e4 * strike, xtol=1e-12)
    a1 = (math.log(stock / strike) + (rate + vol * vol / 2.0) * expiry) / root
    b1 = (math.log(stock / critical) + (rate + vol * vol / 2.0) * ex) / root_ex
    a2, b2, correlation = a1 - root, b1 - root_ex, -math.sqrt(ex / expiry)

    def both(a: float, b: float) -> float:
        return float(multivariate_normal([0.0, 0.0], [[1.0, correlation], [correlation, 1.0]]).cdf([a, -b]))

    value = stock * norm.cdf(b1) + stock * both(a1, b1) - strike * math.exp(-rate * expiry) * both(a2, b2)
    return value - (strike - cash) * math.exp(-rate * ex) * norm.cdf(b2)


def test_calls_on_one_dividend_are_roll_geske_and_whaleys() -> None:
    market, terms = random_market(200, 21, yields=False, last=700)
    market = DividendMarket(market.levels, [events[:1] for events in market.events], market.scale)
    terms[:, 0] = [max(days, market.events[k][0][0] + 1) for k, days in enumerate(terms[:, 0])]
    values = market.price(EquityOption(), options(terms, "american") | {"option_type": ["call"] * len(terms)})
    off = []
    for k, (days, strike) in enumerate(terms):
        ((ex, cash, _),) = market.events[k]
        for s in range(3):
            spot, rate, _, _, vol = market.levels[k, s]
            if rate < 0.0:  # there is exercise at other times, too
                continue
            paid = cash * market.scale[s]
            expected = roll_geske_whaley(spot, strike, rate, vol, ex / 365.0, paid, days / 365.0)
            off.append(abs(values[k, s] - max(expected, spot - strike)) / strike)
    assert max(off) < WORST
    assert np.quantile(off, 0.9) < USUAL


def test_haugs_printed_call() -> None:
    """Haug 2007, section 9.2.1: 4.3860; an ex date in three months, an expiry in four. A month has 365 days here."""
    months = 365.0 * 12.0
    levels = np.array([[[80.0, 0.06 * 365.0 / months, 0.0, 0.0, 0.30 * math.sqrt(365.0 / months)]]])
    market = DividendMarket(levels, [((1095, 4.0, 0.0),)], np.ones(1))
    book = options(np.array([[1460.0, 82.0]]), "american") | {"option_type": ["call"]}
    assert float(market.price(EquityOption(), book)[0, 0]) == pytest.approx(4.3860, abs=5.1e-5)


def finest(market: DividendMarket, k: int, s: int, book, days: int) -> float:
    """QuantLib's finite differences in the escrowed model, extrapolated to no step at all."""
    exercise = ql.AmericanExercise(TODAY, TODAY + days)
    values = []
    for size in (300, 600):
        engine = ql.FdBlackScholesVanillaEngine(
            market.process(k, s), market.schedule(k, s), size, size, 0, ql.FdmSchemeDesc.Douglas(), False, -1e30,
            ql.FdBlackScholesVanillaEngine.Escrowed,
        )  # fmt: skip
        values.append(quantlib(k, book, exercise, engine))
    return 2.0 * values[1] - values[0]


@pytest.mark.parametrize(("trades", "seed"), [(12, 31), pytest.param(500, 32, marks=pytest.mark.slow)])
def test_quantlibs_finite_differences(trades, seed) -> None:
    market, terms = random_market(trades, seed, yields=False, last=900)
    book = options(terms, "american")
    values = market.price(EquityOption(), book)
    off = []
    for k in range(trades):
        s, days = k % 3, int(terms[k, 0])
        # A call is exercised before the fall of its last day, in QuantLib after it.
        falls_last = book["option_type"][k] == "call" and any(day == days for day, _, _ in market.events[k])
        if market.levels[k, s, 1] > 0.0 and not falls_last:
            off.append(abs(values[k, s] - finest(market, k, s, book, days)) / terms[k, 1])
    assert max(off) < 2e-4  # what the finite differences are worth
    assert np.quantile(off, 0.9) < 3e-5


def test_early_exercise_is_worth_something_or_nothing() -> None:
    """Never less than the European option or exercise now; on ratios and yields, too."""
    market, terms = random_market(60, 33, ratios=True)
    american, european = (market.price(EquityOption(), options(terms, way)) for way in ("american", "european"))
    assert (american > european - 2e-6 * terms[:, 1:]).all()
    sign = np.where(np.array(options(terms, "american")["option_type"]) == "call", 1.0, -1.0)[:, None]
    assert (american >= sign * (market.levels[:, :, 0] - terms[:, 1:]) - 1e-12).all()


def test_a_dividend_of_the_last_day_does_not_hurt_a_call() -> None:
    """Exercised before the fall, it is what it is without this dividend; a put is exercised after it."""
    levels = np.array([[[100.0, 0.03, 0.0, 0.0, 0.3]]] * 2)
    terms = np.array([[200.0, 95.0]] * 2)
    events = [((90, 2.0, 0.0), (200, 3.0, 0.0)), ((90, 2.0, 0.0),)]
    market = DividendMarket(levels, events, np.ones(1))
    with_, without = market.price(EquityOption(), options(terms, "american") | {"option_type": ["call"] * 2})[:, 0]
    assert with_ == pytest.approx(without, rel=1e-12)
    with_, without = market.price(EquityOption(), options(terms, "american") | {"option_type": ["put"] * 2})[:, 0]
    assert with_ > without + 1.0


def test_one_by_one_the_bits_are_the_same() -> None:
    market, terms = random_market(20, 34, ratios=True)
    prepared = market.prepare(EquityOption(), options(terms, "american"))
    values = prepared.price(np.arange(20, dtype=np.int32), market.x)
    for k in (0, 7, 19):
        for s in range(3):
            alone = prepared.price(np.array([k], np.int32), np.ascontiguousarray(market.x[:, s : s + 1]))
            assert alone[0, 0] == values[k, s]


def test_without_volatility_and_with_dividends_above_the_spot() -> None:
    levels = np.array([[[100.0, 0.05, 0.0, 0.0, 0.2], [100.0, 0.05, 0.0, 0.0, 1e-9], [3.0, 0.05, 0.0, 0.0, 0.2]]] * 2)
    market = DividendMarket(levels, [((90, 4.0, 0.0),)] * 2, np.ones(3))
    terms = np.array([[200.0, 95.0]] * 2)
    prepared = market.prepare(EquityOption(), options(terms, "american") | {"option_type": ["call", "put"]})
    rows = np.arange(2, dtype=np.int32)
    values = prepared.price(rows, market.x)
    # Exercised the moment before the dividend, and after it.
    discount = math.exp(-0.05 * 90 / 365)
    expected = [100.0 - 95.0 * discount, 99.0 * discount - 100.0 + 0.0]
    assert values[0, 1] == pytest.approx(expected[0], abs=1e-4)
    assert values[1, 1] == pytest.approx(max((95.0 + 4.0) * discount - 100.0, 0.0), abs=1e-4)
    assert np.isnan(values[:, 2]).all()
    for cause in prepared.why_not(rows, np.ascontiguousarray(market.x[:, 2:])):
        assert "the discrete dividends until then are worth the spot or more" in cause
    assert prepared.why_not(rows, market.model.base) == ["", ""]


def test_planning_knows_that_a_lattice_takes_longer() -> None:
    """Of American options alone, with an ex date up to the expiry."""
    market, terms = random_market(5, 25)
    market = DividendMarket(market.levels, [((50, 1.0, 0.0),)] * 4 + [()], market.scale)
    terms[:, 0] = [50, 49, 300, 300, 300]
    product = EquityOption()
    book = options(terms, "american") | {"exercise": ["american"] * 3 + ["european", "american"]}
    trades = market.trades(product, book)

    assert product.weight_in(trades, market.model).tolist() == [4200.0, 60.0, 4200.0, 1.0, 60.0]
    assert product.weight(trades, market.model.as_of).tolist() == [60.0, 60.0, 60.0, 1.0, 60.0]
