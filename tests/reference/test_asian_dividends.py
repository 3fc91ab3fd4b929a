"""Arithmetic averages on discrete dividends against quadrature in the escrowed model."""

from __future__ import annotations

import calendar
import math
from datetime import date

import numpy as np
from dividend_market import DividendMarket, options, random_market
from flat_market import AS_OF
from scipy.special import ndtr

from riskpipe.market.factors import date_of, days_of
from riskpipe.products.equity_asian_option import EquityAsianOption


def two_fixings(market, k, s, days, strike, sign) -> float:
    """The escrowed model: over the first fixing by quadrature, over the second by Black's formula."""
    spot, rate, dividend, borrow, vol = (float(level) for level in market.levels[k, s])
    carry, last = rate - dividend - borrow, days[-1]
    paid = [(day, cash * market.scale[s]) for day, cash, _ in market.events[k] if day <= last]
    whole = spot - sum(cash * math.exp(-carry * day / 365.0) for day, cash in paid)
    growth = [math.exp(carry * day / 365.0) for day in days]
    escrow = growth[0] * sum(cash * math.exp(-carry * day / 365.0) for day, cash in paid if day > days[0])
    z, weight = np.polynomial.hermite_e.hermegauss(200)
    deviation = vol * math.sqrt(days[0] / 365.0)
    moved = whole * np.exp(deviation * z - deviation * deviation / 2.0)
    left = 2.0 * strike - escrow - growth[0] * moved
    later = vol * math.sqrt((last - days[0]) / 365.0)
    forward = growth[1] * moved
    d1 = np.log(forward / np.maximum(left, 1e-300)) / later + later / 2.0
    call = np.where(left > 0.0, forward * ndtr(d1) - left * ndtr(d1 - later), forward - left)
    value = call if sign > 0.0 else call - (forward - left)
    return 0.5 * math.exp(-rate * last / 365.0) * float(weight @ value) / math.sqrt(2.0 * math.pi)


def test_arithmetic_averages_on_discrete_dividends() -> None:
    """Two fixings, a year or half a year apart; volatilities are such that the second-order term is small."""
    market, terms = random_market(60, 41, last=700)
    market = DividendMarket(market.levels * [1.0, 1.0, 1.0, 1.0, 0.4], market.events, market.scale)
    expiry = AS_OF + np.random.default_rng(5).integers(220, 360, 60).astype(np.int32)
    first = [fixing_days(int(last)) for last in expiry]
    book = {key: value for key, value in options(terms, "european").items() if key != "exercise"}
    columns = book | {
        "expiry_date": expiry, "averaging": ["arithmetic"] * 60, "fixing_frequency": ["6M"] * 60,
        "fixing_start": np.array(first, np.int32),
    }  # fmt: skip
    prepared = market.prepare(EquityAsianOption(), columns)
    values = prepared.price(np.arange(60, dtype=np.int32), market.x)
    for k in range(60):
        days = (first[k] - AS_OF, int(expiry[k]) - AS_OF)
        sign = 1.0 if book["option_type"][k] == "call" else -1.0
        for s in range(3):
            expected = two_fixings(market, k, s, days, float(terms[k, 1]), sign)
            assert abs(values[k, s] - expected) < 2e-5 * 100.0, (k, s)
    for k in (3, 50):
        alone = prepared.price(np.array([k], np.int32), np.ascontiguousarray(market.x[:, 1:2]))
        assert alone[0, 0] == values[k, 1]


def fixing_days(last: int) -> int:
    """Six months before a date."""
    day = date_of(last)
    year, month = divmod(day.year * 12 + day.month - 1 - 6, 12)
    return days_of(date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1])))
