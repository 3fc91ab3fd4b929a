"""Forwards on equities and commodities, rate agreements, floating-rate notes, cross-currency and inflation swaps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.labels import Labels
from riskpipe.sample.day_numbers import add_months, business_days
from riskpipe.sample.extra_points import (
    CAPPED,
    INFLATION,
    LOGNORMAL_CAPS,
    SHIFT,
    cap_surfaces,
    inflation_curves,
    inflation_level,
    price_indices,
)
from riskpipe.sample.option_recipes import commodity_options, equity_options
from riskpipe.sample.rate_recipes import bond_dates, swap_dates
from riskpipe.sample.recipe import Desk, Recipe, equally, issuers, stocks
from riskpipe.sample.trade_terms import Columns, Days, Draw, Lists, Values, each
from riskpipe.sample.universe import BY_CODE, CURRENCIES, INDEX_BY_NAME, INDICES, ISSUER_BY_NAME


def equity_forwards(draw: Draw) -> Columns:
    """On the underlyings and dates of the options, struck where these are."""
    terms = equity_options(draw)
    return {name: terms[name] for name in ("underlying", "currency", "quantity", "strike", "expiry_date")}


def commodity_forwards(draw: Draw) -> Columns:
    """On the underlyings and dates of the options, struck where these are."""
    terms = commodity_options(draw)
    return {name: terms[name] for name in ("underlying", "currency", "quantity", "strike", "delivery_date")}


def forward_rate_agreements(draw: Draw) -> Columns:
    """Over three or six months, most of them starting within two years."""
    index = draw.instruments
    currency = index.map(lambda name: INDEX_BY_NAME[name].currency)
    start = draw.horizon(0.5, 3.0)
    maturity = business_days(add_months(start, draw.choice((3, 6), (2, 1))))
    curve = index.map(lambda name: INDEX_BY_NAME[name].convention.curve)
    par = draw.quotes.par_rate(curve, draw.years(start), draw.years(maturity))
    return {
        "currency": currency,
        "index": index,
        "discount_curve": currency.map(lambda code: BY_CODE[code].discount_curve),
        "notional": draw.notional(currency, 25.0),
        "direction": Labels(draw.long.astype(np.int32), ("receive", "pay")),
        "rate": np.round(par + 0.001 * draw.rng.standard_normal(len(draw)), 5),
        "start_date": start,
        "maturity_date": maturity,
        "day_count": index.map(lambda name: INDEX_BY_NAME[name].float_day_count),
    }


def floating_rate_notes(draw: Draw) -> Columns:
    """Governments' and issuers' notes on the main index of their currency."""
    names = draw.instruments
    government = each(names, lambda name: float(name.endswith(".GOVT"))) > 0.0
    currency = names.map(lambda name: name[:3] if name.endswith(".GOVT") else ISSUER_BY_NAME[name].currency)
    index = currency.map(lambda code: "EUR.EURIBOR3M" if code == "EUR" else BY_CODE[code].discount_curve)
    issue, maturity = bond_dates(draw, government)
    face = each(currency, lambda code: 50_000.0 if code == "JPY" else 1_000.0)
    quantity = np.maximum(np.round(draw.notional(currency, 6.0) / face), 1.0) * draw.sign
    loans = ~government & (draw.rng.random(len(draw)) < 0.1)
    return {
        "currency": currency,
        "index": index,
        "discount_curve": currency.map(lambda code: BY_CODE[code].discount_curve),
        "quantity": quantity,
        "face": face,
        "spread": np.where(government, 0.0005, 0.01),
        "frequency": Labels.constant("3M", len(draw)),
        "day_count": index.map(lambda name: INDEX_BY_NAME[name].float_day_count),
        "issue_date": issue,
        "maturity_date": maturity,
        "calendar": currency.map(lambda code: BY_CODE[code].calendar),
        "business_day_convention": Labels.constant("modified_following", len(draw)),
        "settlement_days": np.full(len(draw), 2.0),
        "credit_curve": names.where(~government),
        **_repayments(face, issue, maturity, loans),
        **_collars(draw, index, np.where(government, 5.0, np.nan)),
    }


def _collars(draw: Draw, index: Labels, ex_coupon_days: FloatArray) -> dict[str, Values]:
    """Three in twenty of the notes whose index has volatilities are floored at zero, half of these capped as well."""
    quoted = each(index, lambda name: float(name in CAPPED)) > 0.0
    floored = quoted & (draw.rng.random(len(draw)) < 0.15)
    lognormal = each(index, lambda name: float(name in LOGNORMAL_CAPS)) > 0.0
    return {
        "floor": np.where(floored, 0.0, np.nan),
        "cap": np.where(floored & (draw.rng.random(len(draw)) < 0.5), 0.05, np.nan),
        "volatility": index.map(lambda name: f"{name}.CAPS").where(floored),
        "model": Labels(lognormal.astype(np.int32), ("bachelier", "black")).where(floored),
        "shift": np.where(floored & lognormal, SHIFT, np.nan),
        "ex_coupon_days": ex_coupon_days,
    }


def _repayments(face: FloatArray, issue: Days, maturity: Days, loans: NDArray[np.bool_]) -> dict[str, Lists]:
    """A fifth of the face a year before the last, as loans are paid off."""
    years = np.arange(4, 0, -1)
    dates = np.column_stack([add_months(maturity, -12 * year) for year in years.tolist()])
    kept = loans[:, None] & (dates > issue[:, None])
    offsets = np.concatenate(([0], np.cumsum(kept.sum(axis=1))))
    left = np.asarray((face[:, None] * years / 5.0)[kept], np.float64)
    return {"notionals": Lists(offsets, left), "notional_dates": Lists(offsets, dates[kept].astype(np.int32))}


def cross_currency_swaps(draw: Draw) -> Columns:
    """A currency against the dollar: basis swaps on overnight rates, and fixed against floating."""
    base, dollar = draw.instruments, Labels.constant("USD", len(draw))
    start, maturity, _ = swap_dates(draw)
    notional = draw.notional(base, 40.0)
    in_dollars = np.round(notional / each(base, lambda code: BY_CODE[code].scale), -3)
    fixed = draw.rng.random(len(draw)) < 0.3
    spread = draw.rng.integers(-30, 10, len(draw)) / 10_000.0
    rate = np.round(0.02 + 0.01 * draw.rng.random(len(draw)), 4)
    calendar = base.map(lambda code: f"{BY_CODE[code].calendar}+USNY")
    foreign = _side(base, notional, fixed, rate, spread)
    domestic = _side(dollar, in_dollars, np.zeros(len(draw), np.bool_), rate, np.zeros(len(draw)))
    columns: Columns = {}
    for name, values in foreign.items():
        columns[f"receive_{name}"] = _choose(draw.long, values, domestic[name])
    for name, values in domestic.items():
        columns[f"pay_{name}"] = _choose(draw.long, values, foreign[name])
    return columns | {
        "start_date": start,
        "maturity_date": maturity,
        "calendar": calendar,
        "business_day_convention": Labels.constant("modified_following", len(draw)),
        "exchange_notionals": draw.rng.random(len(draw)) < 0.8,
    }


def _side(
    currency: Labels,
    notional: FloatArray,
    fixed: NDArray[np.bool_],
    rate: FloatArray,
    spread: FloatArray,
) -> dict[str, Values]:
    index = currency.map(lambda code: BY_CODE[code].discount_curve)
    return {
        "currency": currency,
        "notional": notional,
        "index": index.where(~fixed),
        "fixed_rate": np.where(fixed, rate, np.nan),
        "spread": np.where(fixed, 0.0, spread),
        "discount_curve": index,
        "frequency": Labels.constant("3M", len(currency)),
        "day_count": index.map(lambda name: INDEX_BY_NAME[name].float_day_count),
        "payment_lag": np.full(len(currency), 2.0),
    }


def _choose(
    mask: NDArray[np.bool_],
    first: Labels | FloatArray | NDArray[np.int32] | NDArray[np.bool_],
    second: Labels | FloatArray | NDArray[np.int32] | NDArray[np.bool_],
) -> Labels | FloatArray:
    """The first's value where the mask holds, the second's elsewhere."""
    if isinstance(first, Labels) and isinstance(second, Labels):
        shifted = np.where(second.codes < 0, np.int32(-1), second.codes + np.int32(len(first.names)))
        return Labels(np.where(mask, first.codes, shifted).astype(np.int32), (*first.names, *second.names))
    return np.where(mask, np.asarray(first, np.float64), np.asarray(second, np.float64))


def inflation_swaps(draw: Draw) -> Columns:
    """On the price index of a currency, of whole years; a third were dealt some months ago."""
    index = draw.instruments
    currency = index.map(lambda name: name[:3])
    years = draw.choice((1, 2, 5, 10, 20, 30), (1, 2, 4, 4, 1, 1))
    age = np.where(draw.rng.random(len(draw)) < 0.35, draw.rng.integers(5, 330, len(draw)), -2)
    start = business_days(draw.as_of - age)
    return {
        "currency": currency,
        "index": index,
        "discount_curve": currency.map(lambda code: BY_CODE[code].discount_curve),
        "notional": draw.notional(currency, 15.0),
        "direction": Labels(draw.long.astype(np.int32), ("receive", "pay")),
        "fixed_rate": np.round(0.023 + 0.002 * draw.rng.standard_normal(len(draw)), 4),
        "base_index": np.round(inflation_level(add_months(start, -3), draw.as_of), 2),
        "start_date": start,
        "maturity_date": add_months(start, 12 * years),
    }


def inflation_bonds(draw: Draw) -> Columns:
    """Of governments, on a currency's price index, half with a deflation floor; two in three were issued before."""
    index, n = draw.instruments, len(draw)
    currency = index.map(lambda name: name[:3])
    years = draw.choice((2, 5, 10, 20, 30), (1, 3, 4, 1, 1))
    issue = business_days(draw.as_of - np.where(draw.rng.random(n) < 0.65, draw.rng.integers(5, 330, n), -2))
    return {
        "currency": currency,
        "index": index,
        "base_index": np.round(inflation_level(add_months(issue, -3), draw.as_of), 2),
        "discount_curve": currency.map(lambda code: f"{code}.GOVT"),
        "quantity": np.maximum(np.round(draw.notional(currency, 6.0) / 1000.0), 1.0) * draw.sign,
        "face": np.full(n, 1000.0),
        "coupon": np.asarray(draw.choice((1, 2, 4, 8), (1, 1, 1, 1)) * 0.00125, np.float64),
        "frequency": Labels.constant("6M", n),
        "day_count": Labels.constant("ACT/ACT ICMA", n),
        "issue_date": issue,
        "maturity_date": add_months(issue, 12 * years),
        "calendar": currency.map(lambda code: BY_CODE[code].calendar),
        "business_day_convention": Labels.constant("following", n),
        "settlement_days": np.full(n, 1.0),
        "deflation_floor": draw.rng.random(n) < 0.5,
    }


_TERM_RATES = equally(index.name for index in INDICES if not index.convention.overnight)
_GOVERNMENTS = ("USD.GOVT", "EUR.GOVT", "GBP.GOVT")
_WORLD = ("SX5E", "UKX", "NKY")

RECIPES = {
    "equity_forward": Recipe(
        "EQF",
        0.01,
        equity_forwards,
        (
            Desk("equity/us/forwards", 3, (("SPX", 3.0), ("NDX", 1.0), *stocks("US"))),
            Desk("equity/world/forwards", 2, equally(_WORLD)),
        ),
    ),
    "commodity_forward": Recipe(
        "CMF",
        0.01,
        commodity_forwards,
        (
            Desk("commodity/energy/forwards", 2, equally(("WTI", "BRENT", "HENRYHUB", "TTF"))),
            Desk("commodity/metals/forwards", 1, equally(("GOLD", "COPPER"))),
        ),
    ),
    "fra": Recipe("FRA", 0.02, forward_rate_agreements, (Desk("rates/short/fras", 1, _TERM_RATES),)),
    "floating_rate_note": Recipe(
        "FRN",
        0.02,
        floating_rate_notes,
        (
            Desk("rates/governments/floaters", 1, equally(_GOVERNMENTS), 0.6),
            Desk("credit/all/floaters", 2, issuers(), 0.6),
        ),
        counterparty=False,
        points=cap_surfaces,
    ),
    "cross_currency_swap": Recipe(
        "XCS",
        0.02,
        cross_currency_swaps,
        (Desk("rates/all/crosscurrency", 1, equally(c.code for c in CURRENCIES if c.code != "USD")),),
    ),
    "inflation_swap": Recipe(
        "INF",
        0.01,
        inflation_swaps,
        (Desk("rates/all/inflation", 1, equally(INFLATION)),),
        points=inflation_curves,
        facts=price_indices,
    ),
    "inflation_bond": Recipe(
        "ILB",
        0.01,
        inflation_bonds,
        (Desk("rates/all/linkers", 1, equally(INFLATION)),),
        counterparty=False,
        points=inflation_curves,
        facts=price_indices,
    ),
}
