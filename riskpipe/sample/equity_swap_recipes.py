"""Equity and total return swaps on stocks and indices."""

from __future__ import annotations

import numpy as np

from riskpipe.market.labels import Labels
from riskpipe.sample.day_numbers import add_months, business_days
from riskpipe.sample.recipe import Desk, Recipe, equally, stocks
from riskpipe.sample.trade_terms import Columns, Draw, each, override, significant
from riskpipe.sample.universe import BY_CODE, EQUITY_BY_NAME, EQUITY_INDICES, PAYERS

_MONTHS = {"1M": 1, "3M": 3}


def equity_swaps(draw: Draw) -> Columns:
    """In their first period, at a price that was agreed, or from next week on; a quarter is paid in dollars.

    Stocks are held and pay a total return, indices have a notional; funding is at overnight rates.
    """
    names, n = draw.instruments, len(draw)
    own = names.map(lambda name: EQUITY_BY_NAME[name].currency)
    currency = override(own, draw.rng.random(n) < 0.25, "USD")
    months = draw.choice((1, 3), (1, 2))
    start = business_days(draw.as_of + draw.rng.integers(-25, 10, n))
    maturity = add_months(start, months * draw.rng.integers(1, 9, n))
    spot = each(names, lambda name: EQUITY_BY_NAME[name].spot)
    rate = draw.quotes.fx_forward(own.combine(currency, str.__add__), np.zeros(n))
    price = significant(spot * rate * np.exp(0.03 * np.clip(draw.rng.standard_normal(n), -3.0, 3.0)), 5)
    held = each(names, lambda name: float(not EQUITY_BY_NAME[name].is_index)) > 0.0
    notional = draw.notional(currency, 10.0)
    frequency = Labels((months == _MONTHS["3M"]).astype(np.int32), tuple(_MONTHS))
    overnight = currency.map(lambda code: BY_CODE[code].discount_curve)
    return {
        "underlying": names,
        "currency": currency,
        "underlying_currency": own,
        "direction": Labels(draw.long.astype(np.int32), ("pay", "receive")),
        "quantity": np.where(held, np.maximum(significant(notional / price, 2), 1.0), np.nan),
        "notional": np.where(held, np.nan, notional),
        "return_type": Labels(held.astype(np.int32), ("price", "total")),
        "initial_price": np.where(start <= draw.as_of, price, np.nan),
        "dividend_factor": np.where(held, 0.85, np.nan),
        "start_date": start,
        "maturity_date": maturity,
        "frequency": frequency,
        "calendar": currency.map(lambda code: BY_CODE[code].calendar),
        "business_day_convention": Labels.constant("modified_following", n),
        "payment_lag": np.full(n, 2.0),
        "funding_index": overnight,
        "funding_spread": draw.rng.integers(10, 80, n) / 10_000.0,
        "funding_day_count": currency.map(lambda code: "ACT/365F" if code in ("GBP", "JPY") else "ACT/360"),
    }


RECIPES = {
    "equity_swap": Recipe(
        "EQS",
        0.01,
        equity_swaps,
        (
            Desk("equity/us/swaps", 2, (*stocks("US"), *((name, 8.0) for name in PAYERS if name.startswith("US")))),
            Desk("equity/index/swaps", 1, equally(index.name for index in EQUITY_INDICES)),
        ),
    ),
}
