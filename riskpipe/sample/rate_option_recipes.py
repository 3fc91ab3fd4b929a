"""Caps, floors and swaptions."""

from __future__ import annotations

import numpy as np

from riskpipe.market.labels import Labels
from riskpipe.sample.day_numbers import add_months, business_days
from riskpipe.sample.extra_points import CAPPED, LOGNORMAL_CAPS, SHIFT, cap_surfaces, swaption_cubes
from riskpipe.sample.rate_recipes import interest_rate_swaps, swap_dates
from riskpipe.sample.recipe import Desk, Recipe, equally
from riskpipe.sample.trade_terms import Columns, Draw, each
from riskpipe.sample.universe import BY_CODE, INDEX_BY_NAME


def caps_and_floors(draw: Draw) -> Columns:
    """About the par rate; some have run for a while."""
    index = draw.instruments
    currency = index.map(lambda name: INDEX_BY_NAME[name].currency)
    start, maturity, _ = swap_dates(draw)
    maturity = np.minimum(maturity, np.maximum(draw.as_of, start) + 10 * 365).astype(np.int32)
    curve = index.map(lambda name: INDEX_BY_NAME[name].convention.curve)
    par = draw.quotes.par_rate(curve, draw.years(np.maximum(start, draw.as_of + 1)), draw.years(maturity) + 0.1)
    lognormal = each(index, lambda name: float(name in LOGNORMAL_CAPS)) > 0.0
    return {
        "currency": currency,
        "index": index,
        "discount_curve": currency.map(lambda code: BY_CODE[code].discount_curve),
        "notional": draw.notional(currency, 20.0) * draw.sign,
        "option_type": Labels((draw.rng.random(len(draw)) < 0.4).astype(np.int32), ("cap", "floor")),
        "strike": np.round(par + 0.006 * draw.rng.standard_normal(len(draw)), 4),
        "start_date": start,
        "maturity_date": maturity,
        "frequency": Labels.constant("3M", len(draw)),
        "day_count": index.map(lambda name: INDEX_BY_NAME[name].float_day_count),
        "calendar": currency.map(lambda code: BY_CODE[code].calendar),
        "volatility": index.map(lambda name: f"{name}.CAPS"),
        "model": Labels(lognormal.astype(np.int32), ("bachelier", "black")),
        "shift": np.where(lognormal, SHIFT, np.nan),
    }


def swaptions(draw: Draw) -> Columns:
    """On the market's standard swaps, from one month to ten years ahead; a fifth settle in cash."""
    terms = interest_rate_swaps(draw)
    expiry = draw.horizon(1.5, 10.0)
    start = business_days(expiry, 2)
    maturity = add_months(start, draw.choice((12, 24, 60, 120, 240, 360), (2, 3, 6, 8, 2, 1)))
    curve = draw.instruments.map(lambda name: INDEX_BY_NAME[name].convention.curve)
    par = draw.quotes.par_rate(curve, draw.years(start), draw.years(maturity))
    currency = draw.instruments.map(lambda name: INDEX_BY_NAME[name].currency)
    lognormal = each(currency, lambda code: float(code == "GBP")) > 0.0
    return terms | {
        "notional": draw.notional(currency, 15.0) * draw.sign,
        "direction": Labels((draw.rng.random(len(draw)) < 0.5).astype(np.int32), ("receive", "pay")),
        "fixed_rate": np.round(par + 0.006 * draw.rng.standard_normal(len(draw)), 4),
        "start_date": start,
        "maturity_date": maturity,
        "expiry_date": expiry,
        "settlement": Labels((draw.rng.random(len(draw)) < 0.2).astype(np.int32), ("physical", "cash")),
        "volatility": currency.map(lambda code: f"{code}.SWAPTIONS"),
        "model": Labels(lognormal.astype(np.int32), ("bachelier", "black")),
        "shift": np.where(lognormal, SHIFT, np.nan),
    }


RECIPES = {
    "cap_floor": Recipe(
        "CAP", 0.02, caps_and_floors, (Desk("rates/options/caps", 1, equally(CAPPED)),), points=cap_surfaces
    ),
    "swaption": Recipe(
        "SWO",
        0.02,
        swaptions,
        (Desk("rates/options/swaptions", 1, equally(("USD.SOFR", "EUR.EURIBOR6M", "GBP.SONIA"))),),
        points=swaption_cubes,
    ),
}
