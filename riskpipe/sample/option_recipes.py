"""Currency forwards, and options on currencies, equities and commodities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.labels import Labels
from riskpipe.sample.day_numbers import add_months, business_days
from riskpipe.sample.desks import COMMODITY_OPTIONS, EQUITY_OPTIONS, FX_FORWARDS, FX_OPTIONS
from riskpipe.sample.recipe import Recipe
from riskpipe.sample.trade_terms import Columns, Days, Draw, each, significant
from riskpipe.sample.universe import COMMODITY_BY_NAME, EQUITY_BY_NAME, PAYERS

AMERICAN_PAYERS = 64
"""Of so many trades of each group of rows those on stocks with discrete dividends are American."""


def fx_forwards(draw: Draw) -> Columns:
    """Dealt some time ago near the forward of that day: rates lie a few per cent about today's."""
    pairs = draw.instruments
    base, quote = pairs.map(lambda pair: pair[:3]), pairs.map(lambda pair: pair[3:])
    delivery = draw.horizon(0.30, 5.0)
    drift = 0.035 * np.clip(draw.rng.standard_normal(len(draw)), -3.0, 3.0)
    rate = _fx_digits(draw.quotes.fx_forward(pairs, draw.years(delivery)) * np.exp(drift))
    base_amount = draw.notional(base, 7.0)
    yen = each(quote, lambda code: float(code == "JPY")) > 0.0
    quote_amount = np.where(yen, np.round(base_amount * rate), np.round(base_amount * rate, 2))
    return {
        "buy_currency": _either(draw, base, quote),
        "buy_amount": np.where(draw.long, base_amount, quote_amount),
        "sell_currency": _either(draw, quote, base),
        "sell_amount": np.where(draw.long, quote_amount, base_amount),
        "delivery_date": delivery,
    }


def fx_options(draw: Draw) -> Columns:
    """Expiries broken, delivery two business days later."""
    pairs = draw.instruments
    expiry = draw.horizon(0.35, 5.0)
    years = draw.years(expiry)
    forward = draw.quotes.fx_forward(pairs, years)
    strike = _fx_digits(draw.strikes(forward, draw.quotes.deviation(pairs, years)))
    return {
        "pair": pairs,
        "option_type": draw.calls(),
        "strike": strike,
        "notional": draw.notional(pairs.map(lambda pair: pair[:3]), 8.0) * draw.sign,
        "expiry_date": expiry,
        "delivery_date": business_days(expiry, 2),
    }


def equity_options(draw: Draw) -> Columns:
    """Half listed (third Fridays), half over the counter; those on indices European, those on stocks American, but that
    few on stocks with discrete dividends are: each takes as long as a hundred others.
    """
    names = draw.instruments
    broken = draw.horizon(0.45, 4.5)
    months = draw.choice((1, 2, 3, 4, 6, 7, 9, 12, 13, 18, 24, 36), (16, 12, 14, 8, 10, 5, 8, 10, 5, 5, 5, 2))
    listed = draw.rng.random(len(draw)) < 0.5
    expiry = np.where(listed, _third_friday(draw.as_of, months), broken).astype(np.int32)
    years = draw.years(expiry)
    forward = draw.quotes.equity_forward(names, years)
    currency = names.map(lambda name: EQUITY_BY_NAME[name].currency)
    shares = draw.notional(currency, 1.5) / each(names, lambda name: EQUITY_BY_NAME[name].spot)
    return {
        "underlying": names,
        "currency": currency,
        "quantity": np.maximum(significant(shares, 2), 1.0) * draw.sign,
        "option_type": draw.calls(),
        "strike": significant(draw.strikes(forward, draw.quotes.deviation(names, years)), 3),
        "expiry_date": expiry,
        "exercise": _exercise(names),
    }


def _exercise(names: Labels) -> Labels:
    paying = each(names, lambda name: float(name in PAYERS)) > 0.0
    european = each(names, lambda name: float(EQUITY_BY_NAME[name].is_index)) > 0.0
    european |= paying & (np.arange(len(names)) >= AMERICAN_PAYERS)
    return Labels(european.astype(np.int32), ("american", "european"))


def commodity_options(draw: Draw) -> Columns:
    """On futures: expiry some days before the delivery of the month, some with broken dates."""
    names = draw.instruments
    months = draw.choice((1, 2, 3, 4, 5, 6, 7, 9, 12, 18, 24), (14, 14, 12, 10, 9, 9, 8, 8, 8, 5, 3))
    scattered = add_months(np.full(len(draw), draw.as_of), months) + draw.rng.integers(0, 28, len(draw))
    delivery = business_days(scattered)
    expiry = np.maximum(business_days(delivery, -draw.rng.integers(3, 20, len(draw))), draw.as_of + 1)
    expiry = business_days(expiry)
    forward = draw.quotes.commodity_forward(names, draw.years(delivery))
    lots = np.maximum(np.round(12.0 * np.exp(draw.rng.standard_normal(len(draw)))), 1.0)
    deviation = draw.quotes.deviation(names, draw.years(expiry))
    return {
        "underlying": names,
        "currency": names.map(lambda name: COMMODITY_BY_NAME[name].currency),
        "quantity": lots * each(names, lambda name: COMMODITY_BY_NAME[name].lot) * draw.sign,
        "option_type": draw.calls(),
        "strike": significant(draw.strikes(forward, deviation), 3),
        "expiry_date": expiry,
        "delivery_date": delivery,
    }


def _either(draw: Draw, when_long: Labels, when_short: Labels) -> Labels:
    """Names of the first where the trade is long, of the second elsewhere."""
    codes = np.where(draw.long, when_long.codes, when_short.codes + np.int32(len(when_long.names)))
    return Labels(codes.astype(np.int32), (*when_long.names, *when_short.names))


def _fx_digits(rates: FloatArray) -> FloatArray:
    return np.where(rates > 20.0, np.round(rates, 2), np.round(rates, 4))


def _third_friday(as_of: int, months: NDArray[np.int64]) -> Days:
    """The third Friday of a later month, or the business day before where that one is closed."""
    first = add_months(np.full(len(months), as_of), months).astype("datetime64[D]").astype("datetime64[M]")
    day = first.astype("datetime64[D]").astype(np.int64)
    # 1970-01-01 was a Thursday, so a day is a Friday when it is 1 modulo 7.
    friday = day + (1 - day) % 7 + 14
    return business_days(friday, roll="backward")


RECIPES = {
    "fx_forward": Recipe("FXF", 0.17, fx_forwards, FX_FORWARDS),
    "fx_option": Recipe("FXO", 0.12, fx_options, FX_OPTIONS),
    "equity_option": Recipe("EQO", 0.10, equity_options, EQUITY_OPTIONS),
    "commodity_option": Recipe("CMO", 0.04, commodity_options, COMMODITY_OPTIONS),
}
