"""Barrier options on discrete dividends: finite differences of the escrowed model, and what closed forms tell."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from dividend_market import DividendMarket, options, random_market
from flat_market import AS_OF
from scipy.interpolate import CubicSpline
from scipy.linalg import solve_banded

from riskpipe.arrays import FloatArray
from riskpipe.products.barriers import BARRIER_TYPES
from riskpipe.products.equity_barrier_option import EquityBarrierOption
from riskpipe.products.equity_option import EquityOption

PRODUCT = EquityBarrierOption()


def barriers(terms: FloatArray, seed: int, rebates: bool = True) -> dict[str, Any]:
    """Columns of barrier options on a random market's equities of spot 100."""
    random, n = np.random.default_rng(seed), len(terms)
    kind = random.choice(BARRIER_TYPES, n)
    away = np.abs(random.normal(0.0, 0.25, n)) + 0.02
    book = options(terms, "european", seed)
    del book["exercise"]
    return book | {
        "barrier_type": kind.tolist(),
        "barrier": 100.0 * np.exp(np.where([each.startswith("down") for each in kind], -away, away)),
        "rebate": np.where(random.random(n) < 0.5, 0.0, random.uniform(0.0, 10.0, n)) * rebates,
    }


class Escrowed:
    """The model by its definition: cash dividends until the expiry are escrowed, what is left is lognormal."""

    def __init__(self, market: DividendMarket, k: int, s: int, days: int) -> None:
        self.spot, self.rate, dividend, borrow, self.vol = (float(level) for level in market.levels[k, s])
        self.carry, self.years = self.rate - dividend - borrow, days / 365.0
        self.events = [
            (day / 365.0, cash * market.scale[s], ratio * market.scale[s])
            for day, cash, ratio in market.events[k]
            if day <= days
        ]
        # What of a share is left after ratios, and each cash dividend in shares of today.
        left, self.cash = 1.0, []
        for time, cash, ratio in self.events:
            left *= 1.0 - ratio
            self.cash.append((time, cash / (math.exp(self.carry * time) * left), left))
        self.pure = self.spot - sum(share for _, share, _ in self.cash)
        self.left = left

    def kept(self, time: float, after: bool) -> tuple[float, float]:
        """What a share has become, and the shares' worth of cash to come; before or after an ex date's fall."""
        left, ahead = 1.0, 0.0
        for ex, share, then in self.cash:
            if ex < time or (after and ex == time):
                left = then
            else:
                ahead += share
        return left, ahead

    def height(self, barrier: float, time: float, after: bool = True) -> float:
        """The barrier, of the lognormal part."""
        left, ahead = self.kept(time, after)
        return barrier / (math.exp(self.carry * time) * left) - ahead


def by_finite_differences(model: Escrowed, book: dict[str, Any], k: int, size: int) -> float:
    """Crank and Nicolson (1947), in the distance of the logarithm from the barrier, which is not taken as straight."""
    kind, barrier, rebate = book["barrier_type"][k], float(book["barrier"][k]), float(book["rebate"][k])
    sign, strike = (1.0 if book["option_type"][k] == "call" else -1.0), float(book["strike"][k])
    eta, is_in = (1.0 if kind.startswith("down") else -1.0), kind.endswith("in")
    deviation = model.vol * math.sqrt(model.years)
    start = eta * math.log(model.pure / model.height(barrier, 0.0))
    top = max(start, 0.0) + 7.0 * deviation
    y = np.linspace(0.0, top, size + 1)
    h = y[1]

    def terminal(edge: float) -> FloatArray:
        pure = edge * np.exp(eta * y)
        grown = math.exp(model.carry * model.years) * model.left
        # Averaged over a cell, so that the strike needs no node.
        cells = np.linspace(-0.5, 0.5, 65)[:, None] * h
        values = np.maximum(sign * (grown * pure * np.exp(eta * cells) - strike), 0.0)
        return np.average(values, axis=0, weights=np.r_[0.5, np.ones(63), 0.5])

    ends = sorted({time for time, _, _ in model.events if time < model.years} | {0.0, model.years})
    edge = model.height(barrier, model.years)
    value = terminal(edge) if not is_in else -terminal(edge) + rebate
    value[0] = 0.0 if is_in else rebate
    fall = eta * math.log(model.height(barrier, model.years, after=False) / edge)
    steps = max(size // 2, 8)
    for begin, end in zip(ends[-2::-1], ends[:0:-1], strict=True):
        if fall != 0.0:  # to y after the fall from y before it
            value = np.where(y + fall <= 0.0, value[0], CubicSpline(y, value)(np.clip(y + fall, 0.0, top)))
        n = max(int(steps * (end - begin) / model.years), 24)
        # The first step in four that are implicit, as values leap at the barrier there (Rannacher 1984).
        times = end - (end - begin) * np.r_[np.arange(4) / 4.0, np.arange(1, n + 1)] / n
        times[-1] = begin
        for number, (late, early) in enumerate(pairwise(times)):
            step = late - early
            heights = [model.height(barrier, *at) for at in ((early, True), (late, late < end))]
            drift = eta * (-0.5 * model.vol**2 - math.log(heights[1] / heights[0]) / step)
            spread = 0.5 * model.vol**2 / h**2
            low, high = spread - 0.5 * drift / h, spread + 0.5 * drift / h
            centre = -2.0 * spread - model.rate
            implicit = 1.0 if number < 4 else 0.5
            known = value.copy()
            known[1:-1] += (1.0 - implicit) * step * (low * value[:-2] + centre * value[1:-1] + high * value[2:])
            known[0] = 0.0 if is_in else rebate
            known[-1] = 2.0 * known[-2] - known[-3]
            bands = np.zeros((3, size + 1))
            bands[1] = 1.0
            bands[1, 1:-1] -= implicit * step * centre
            bands[0, 2:] = -implicit * step * high
            bands[2, :-2] = -implicit * step * low
            value = solve_banded((1, 1), bands, known)
        if begin > 0.0:
            fall = eta * math.log(model.height(barrier, begin, after=False) / model.height(barrier, begin))
    return float(CubicSpline(y, value)(start))


@pytest.mark.parametrize(("trades", "seed"), [(10, 51), pytest.param(500, 52, marks=pytest.mark.slow)])
def test_finite_differences(trades: int, seed: int) -> None:
    market, terms = random_market(trades, seed, ratios=True, last=1200)
    book = barriers(terms, seed)
    values = market.price(PRODUCT, book)
    plain = market.price(EquityOption(), options(terms, "european", seed))
    off = []
    for k in range(trades):
        s = k % 3
        model = Escrowed(market, k, s, int(terms[k, 0]))
        if _reached(book, k, model.spot):
            continue
        coarse, fine = (by_finite_differences(model, book, k, size) for size in (300, 600))
        vanilla = plain[k, s] if book["barrier_type"][k].endswith("in") else 0.0
        off.append(abs(values[k, s] - vanilla - fine - (fine - coarse) / 3.0) / 100.0)
    assert max(off) < 2e-5  # what the finite differences are worth
    assert np.quantile(off, 0.8) < 1e-6


def _reached(book: dict[str, Any], k: int, spot: float) -> bool:
    eta = 1.0 if book["barrier_type"][k].startswith("down") else -1.0
    return bool(eta * (spot - book["barrier"][k]) <= 0.0)


def _with(market: DividendMarket, day: int, cash: float, ratio: float) -> DividendMarket:
    """The same, and a dividend on some day, and after every thirty from there, where there is none."""
    events = []
    for given in market.events:
        taken = {each for each, _, _ in given}
        more = ((each, cash, ratio) for each in range(day, 1200, 30) if each not in taken)
        events.append(tuple(sorted((*given, *more))))
    return DividendMarket(market.levels, events, market.scale)


@pytest.mark.parametrize(("cash", "ratio"), [(1e-13, 0.0), (0.0, 1e-15)])
def test_dividends_of_nothing_change_nothing(cash: float, ratio: float) -> None:
    """The barrier is as straight as it has to be; where all dividends are of nothing, there is a closed form."""
    market, terms = random_market(120, 53, ratios=True, last=1200)
    book = barriers(terms, 53)
    values, others = market.price(PRODUCT, book), _with(market, 11, cash, ratio).price(PRODUCT, book)
    assert np.abs(values - others).max() < 1e-6 * 100.0

    none = DividendMarket(market.levels, [((1500, 0.1, 0.0),)] * len(terms), market.scale)
    closed, pieces = none.price(PRODUCT, book), _with(none, 11, cash, ratio).price(PRODUCT, book)
    np.testing.assert_allclose(pieces, closed, rtol=0.0, atol=1e-9 * 100.0)


def test_an_ex_date_on_the_last_day_is_after_it_all() -> None:
    """In and out are the option on the spot without the dividend, whatever the barrier; far ones are not reached."""
    market, terms = random_market(60, 54, ratios=True, last=900)
    terms[:, 0] = [events[-1][0] for events in market.events]
    book = barriers(terms, 54, rebates=False)
    kinds = {"up_in": "up_out", "up_out": "up_in", "down_in": "down_out", "down_out": "down_in"}
    other = book | {"barrier_type": [kinds[kind] for kind in book["barrier_type"]]}
    plain = market.price(EquityOption(), options(terms, "european", 54))
    both = market.price(PRODUCT, book) + market.price(PRODUCT, other)
    np.testing.assert_allclose(both, plain, rtol=0.0, atol=1e-11)

    downs = np.array([kind.startswith("down") for kind in book["barrier_type"]])
    far = book | {"barrier": np.where(downs, 1e-3, 1e6), "barrier_type": np.where(downs, "down_out", "up_out").tolist()}
    np.testing.assert_allclose(market.price(PRODUCT, far), plain, rtol=0.0, atol=1e-9 * 100.0)


def test_the_fall_reaches_a_barrier() -> None:
    """A rebate for the fall of the only ex date, without volatility to speak of: paid on that day."""
    levels = np.array([[[100.0, 0.05, 0.0, 0.0, 1e-3]]] * 2)
    market = DividendMarket(levels, [((90, 6.0, 0.0),)] * 2, np.ones(1))
    book = {
        "quantity": np.ones(2),
        "option_type": ["call", "call"],
        "strike": np.full(2, 90.0),
        "expiry_date": np.full(2, AS_OF + 200, np.int32),
        "barrier_type": ["down_out", "down_in"],
        "barrier": np.full(2, 97.0),
        "rebate": np.full(2, 3.0),
    }
    out, in_ = market.price(PRODUCT, book)[:, 0]
    assert out == pytest.approx(3.0 * math.exp(-0.05 * 90 / 365), abs=1e-9)
    call = 100.0 - 6.0 * math.exp(-0.05 * 90 / 365) - 90.0 * math.exp(-0.05 * 200 / 365)
    assert in_ == pytest.approx(call, abs=1e-9)


def test_reached_known_and_dividends_above_the_spot() -> None:
    levels = np.array([[[100.0, 0.05, 0.0, 0.0, 0.2], [80.0, 0.05, 0.0, 0.0, 0.2], [3.0, 0.05, 0.0, 0.0, 0.2]]] * 3)
    market = DividendMarket(levels, [((90, 4.0, 0.0),)] * 3, np.ones(3))
    terms = np.array([[200.0, 95.0]] * 3)
    book = barriers(terms, 1) | {
        "option_type": ["put"] * 3,
        "barrier_type": ["down_out", "down_in", "down_out"],
        "barrier": np.full(3, 85.0),
        "rebate": np.full(3, 2.0),
        "knocked": [False, False, True],
    }
    values = market.price(PRODUCT, book)
    put = market.price(EquityOption(), options(terms, "european") | {"option_type": ["put"] * 3})
    assert values[0, 1] == 2.0
    assert values[1, 1] == pytest.approx(put[1, 1], rel=1e-14)
    assert (values[2] == 0.0).all()
    assert np.isnan(values[:2, 2]).all()


def test_one_by_one_the_bits_are_the_same() -> None:
    market, terms = random_market(20, 55, ratios=True)
    prepared = market.prepare(PRODUCT, barriers(terms, 55))
    values = prepared.price(np.arange(20, dtype=np.int32), market.x)
    for k in (0, 7, 19):
        for s in range(3):
            alone = prepared.price(np.array([k], np.int32), np.ascontiguousarray(market.x[:, s : s + 1]))
            assert alone[0, 0] == values[k, s]


def test_planning_knows_that_dividends_take_longer() -> None:
    market, terms = random_market(8, 25)
    trades = market.trades(PRODUCT, barriers(terms, 25))
    paying = np.array([events[0][0] <= days for events, days in zip(market.events, terms[:, 0], strict=True)])
    weights = PRODUCT.weight_in(trades, market.model)
    assert 0 < paying.sum() < len(paying)
    assert (weights[paying] > 100.0 * weights[~paying].max()).all()
