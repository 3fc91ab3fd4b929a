"""Deposits, repos, forwards and total return swaps on bonds."""

from __future__ import annotations

import numpy as np

from riskpipe.market.labels import Labels
from riskpipe.sample.day_numbers import business_days
from riskpipe.sample.rate_recipes import bonds
from riskpipe.sample.recipe import Desk, Recipe, equally, issuers
from riskpipe.sample.trade_terms import Columns, Draw, each
from riskpipe.sample.universe import BY_CODE, CURRENCIES, INDEX_BY_NAME


def _loans(draw: Draw, directions: tuple[str, str], longest: int) -> Columns:
    """In half of them the cash has been paid already."""
    currency, n = draw.instruments, len(draw)
    curve = currency.map(lambda code: BY_CODE[code].discount_curve)
    age = np.where(draw.rng.random(n) < 0.5, draw.rng.integers(1, longest, n), -draw.rng.integers(0, 5, n))
    start = business_days(draw.as_of - age)
    begin = np.maximum(start, draw.as_of)
    maturity = business_days(begin + draw.rng.integers(1, longest, n))
    par = draw.quotes.par_rate(curve, np.zeros(n), draw.years(maturity))
    return {
        "currency": currency,
        "discount_curve": curve,
        "notional": draw.notional(currency, 20.0),
        "direction": Labels(draw.long.astype(np.int32), directions),
        "rate": np.round(par + 0.001 * draw.rng.standard_normal(n), 5),
        "day_count": curve.map(lambda name: INDEX_BY_NAME[name].float_day_count),
        "start_date": start,
        "maturity_date": maturity,
    }


def deposits(draw: Draw) -> Columns:
    """Of up to half a year."""
    return _loans(draw, ("borrow", "lend"), 180)


def repos(draw: Draw) -> Columns:
    """Of up to three months, a quarter of them at the overnight rate and a spread."""
    terms, floats = _loans(draw, ("repo", "reverse_repo"), 90), draw.rng.random(len(draw)) < 0.25
    overnight = draw.instruments.map(lambda code: BY_CODE[code].discount_curve)
    return terms | {
        "rate": np.where(floats, np.nan, np.asarray(terms["rate"])),
        "index": overnight.where(floats),
        "spread": np.where(floats, draw.rng.integers(1, 15, len(draw)) / 10_000.0, np.nan),
    }


def forward_bonds(draw: Draw) -> Columns:
    """On the bonds of the sample, delivered within nine months; governments' are financed at the overnight rate."""
    terms, n = bonds(draw), len(draw)
    maturity = np.asarray(terms["maturity_date"], np.int32)
    longest = np.minimum(maturity - draw.as_of - 5, 270)
    delivery = business_days((draw.as_of + 1 + draw.rng.random(n) * (longest - 1)).astype(np.int32))
    price = np.asarray(terms.pop("market_price"), np.float64)
    del terms["settlement_days"]
    government = each(draw.instruments, lambda name: float(name.endswith(".GOVT"))) > 0.0
    currency = terms["currency"]
    assert isinstance(currency, Labels)
    return terms | {
        "delivery_date": np.minimum(delivery, maturity - np.int32(1)),
        "price": np.where(np.isnan(price), 100.0, price),
        "price_type": Labels((draw.rng.random(n) < 0.2).astype(np.int32), ("clean", "dirty")),
        "repo_curve": currency.map(lambda code: BY_CODE[code].discount_curve).where(government),
    }


def bond_total_return_swaps(draw: Draw) -> Columns:
    """On governments' bonds, of up to three years; half of them run, some since before the period of today."""
    terms, n = bonds(draw), len(draw)
    currency, maturity = terms["currency"], np.asarray(terms["maturity_date"], np.int32)
    assert isinstance(currency, Labels)
    age = np.where(draw.rng.random(n) < 0.5, draw.rng.integers(1, 200, n), -draw.rng.integers(0, 5, n))
    start = np.maximum(business_days(draw.as_of - age), np.asarray(terms["issue_date"], np.int32))
    end = np.minimum(np.maximum(start, draw.as_of) + draw.rng.integers(90, 1000, n), maturity).astype(np.int32)
    price = np.asarray(terms.pop("market_price"), np.float64)
    for name in ("settlement_days", "credit_curve"):
        del terms[name]
    overnight = currency.map(lambda code: BY_CODE[code].discount_curve)
    initial = np.round(np.where(np.isnan(price), 100.0, price) + draw.rng.normal(0.0, 1.0, n), 3)
    return terms | {
        "direction": Labels(draw.long.astype(np.int32), ("pay", "receive")),
        "quantity": np.abs(np.asarray(terms["quantity"], np.float64)),
        "bond_curve": terms["discount_curve"],
        "discount_curve": overnight,
        "start_date": start,
        "end_date": end,
        "return_frequency": Labels.constant("3M", n),
        "initial_price": initial,
        "last_price": np.where(age > 90, np.round(initial + draw.rng.normal(0.0, 1.0, n), 3), np.nan),
        "funding_index": overnight,
        "funding_spread": draw.rng.integers(5, 60, n) / 10_000.0,
        "funding_day_count": overnight.map(lambda name: INDEX_BY_NAME[name].float_day_count),
    }


_MONEY = equally(currency.code for currency in CURRENCIES)

_GOVERNMENTS = equally(("USD.GOVT", "EUR.GOVT", "GBP.GOVT"))

RECIPES = {
    "deposit": Recipe("DEP", 0.01, deposits, (Desk("rates/short/deposits", 1, _MONEY),)),
    "repo": Recipe("REP", 0.01, repos, (Desk("rates/short/repos", 1, _MONEY, 0.4),)),
    "forward_bond": Recipe(
        "BFW",
        0.01,
        forward_bonds,
        (
            Desk("rates/governments/forwards", 2, _GOVERNMENTS),
            Desk("credit/all/forwards", 1, issuers()),
        ),
    ),
    "bond_total_return_swap": Recipe(
        "BTR", 0.01, bond_total_return_swaps, (Desk("rates/governments/swaps", 1, _GOVERNMENTS),)
    ),
}
