"""Swaps, bonds and credit default swaps."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.factors import NO_DATE
from riskpipe.market.labels import Labels
from riskpipe.sample.day_numbers import add_months, business_days
from riskpipe.sample.desks import BONDS, CREDIT_DEFAULT_SWAPS, SWAPS
from riskpipe.sample.recipe import Recipe
from riskpipe.sample.trade_terms import Columns, Days, Draw, Lists, each, override, past_rates
from riskpipe.sample.universe import BY_CODE, INDEX_BY_NAME, ISSUER_BY_NAME

SEASONED = 0.40
FORWARD_STARTING = 0.12
OLDEST_YEARS = 8.0


def interest_rate_swaps(draw: Draw) -> Columns:
    """The market's standard swap on each index: spot, forward starting, seasoned; a quarter ends broken."""
    index = draw.instruments
    currency = index.map(lambda name: INDEX_BY_NAME[name].currency)
    start, maturity, months = swap_dates(draw)
    # Overnight swaps of up to a year pay once.
    once = (months <= 12) & (each(index, lambda name: INDEX_BY_NAME[name].convention.overnight) > 0.0)
    notional = draw.notional(currency, 12.0)
    par = draw.quotes.par_rate(
        index.map(lambda name: INDEX_BY_NAME[name].convention.curve), draw.years(start), draw.years(maturity)
    )
    par *= each(index, lambda name: 360.0 / 365.0 if INDEX_BY_NAME[name].fixed_day_count == "ACT/360" else 1.0)
    age = np.maximum(-draw.years(start), 0.0)
    noise = 0.0010 * draw.rng.standard_normal(len(draw))
    rate: FloatArray = np.maximum(par + past_rates(currency, age) + noise, -0.005)
    spread = np.where(draw.rng.random(len(draw)) < 0.1, draw.rng.integers(-25, 26, len(draw)) / 10_000.0, 0.0)
    return {
        "currency": currency,
        "index": index,
        "discount_curve": currency.map(lambda code: BY_CODE[code].discount_curve),
        "notional": notional,
        "direction": Labels(draw.long.astype(np.int32), ("receive", "pay")),
        "fixed_rate": np.round(rate, 5),
        "float_spread": spread,
        "start_date": start,
        "maturity_date": maturity,
        "fixed_frequency": override(index.map(lambda n: INDEX_BY_NAME[n].fixed_frequency), once, "1T"),
        "fixed_day_count": index.map(lambda name: INDEX_BY_NAME[name].fixed_day_count),
        "float_frequency": override(index.map(lambda n: INDEX_BY_NAME[n].float_frequency), once, "1T"),
        "float_day_count": index.map(lambda name: INDEX_BY_NAME[name].float_day_count),
        "calendar": currency.map(lambda code: BY_CODE[code].calendar),
        "business_day_convention": Labels.constant("modified_following", len(draw)),
    }


def swap_dates(draw: Draw) -> tuple[Days, Days, NDArray[np.int64]]:
    """Start, maturity and whole months of the tenor; a seasoned swap has started and not yet matured."""
    n = len(draw)
    months = draw.choice((3, 6, 12, 24, 36, 60, 84, 120, 180, 240, 360), (1, 2, 6, 12, 9, 22, 10, 24, 4, 5, 5))
    kind = draw.rng.random(n)
    age = draw.rng.random(n) * np.minimum(months * 30.4 - 45.0, OLDEST_YEARS * 365.0)
    ahead = draw.rng.integers(1, 25, n)
    past = business_days(draw.as_of - np.maximum(age, 3.0).astype(np.int32))
    past = np.minimum(past, business_days(draw.as_of - 3, 0, roll="backward"))
    spot = business_days(np.full(n, draw.as_of), draw.rng.integers(0, 3, n))
    forward = business_days(add_months(np.full(n, draw.as_of), ahead))
    seasoned = kind < SEASONED
    start = np.where(seasoned, past, np.where(kind > 1.0 - FORWARD_STARTING, forward, spot)).astype(np.int32)
    broken = np.where(draw.rng.random(n) < 0.25, draw.rng.integers(-40, 120, n), 0)
    maturity = np.maximum(add_months(start, months) + broken, draw.as_of + 5)
    return start, np.maximum(maturity, start + 28).astype(np.int32), months


_BOND_FREQUENCY = {"USD": "6M", "EUR": "1Y", "GBP": "6M", "JPY": "6M"}
_BOND_FACE = {"USD": 1000.0, "EUR": 1000.0, "GBP": 100.0, "JPY": 50_000.0}


def bonds(draw: Draw) -> Columns:
    """Government bonds on the government curve; others on the discount curve and the issuer's credit."""
    names = draw.instruments
    government = each(names, lambda name: float(name.endswith(".GOVT"))) > 0.0
    currency = names.map(lambda name: name[:3] if name.endswith(".GOVT") else ISSUER_BY_NAME[name].currency)
    curve = names.map(
        lambda name: name if name.endswith(".GOVT") else BY_CODE[ISSUER_BY_NAME[name].currency].discount_curve
    )
    issue, maturity = bond_dates(draw, government)
    face = each(currency, _BOND_FACE.__getitem__)
    quantity = np.maximum(np.round(draw.notional(currency, 6.0) / face), 1.0) * draw.sign
    coupon = _coupons(draw, curve, currency, issue, maturity)
    gilts = names.is_one("GBP.GOVT")
    return {
        "currency": currency,
        "discount_curve": curve,
        "quantity": quantity,
        "face": face,
        "coupon": coupon,
        "frequency": currency.map(_BOND_FREQUENCY.__getitem__),
        "day_count": names.map(lambda n: "30/360" if not n.endswith(".GOVT") and n[:3] == "US_" else "ACT/ACT"),
        "issue_date": issue,
        "maturity_date": maturity,
        "calendar": currency.map(lambda code: BY_CODE[code].calendar),
        "business_day_convention": Labels.constant("following", len(draw)),
        "settlement_days": each(currency, lambda code: 2.0 if code == "EUR" else 1.0),
        "credit_curve": names.where(~government),
        "ex_coupon_days": np.where(gilts, 7.0, np.nan),
        "ex_coupon_calendar": Labels.constant("GBLO", len(draw)).where(gilts),
        "market_price": _market_prices(draw, curve, coupon, maturity),
        **_changing_terms(face, coupon, issue, maturity, np.where(government, 1.0, draw.rng.random(len(draw)))),
    }


def _market_prices(draw: Draw, curve: Labels, coupon: FloatArray, maturity: Days) -> FloatArray:
    """Of seven bonds in ten: about what the curve and the issuer's spread make of them, for 100 of face."""
    years = np.maximum(draw.years(maturity), 0.01)
    rate = np.maximum(draw.quotes.par_rate(curve, np.zeros(len(draw)), years) + _spreads(draw), 1e-4)
    discount = np.exp(-rate * years)
    price = 100.0 * (coupon / rate * (1.0 - discount) + discount) + draw.rng.normal(0.0, 0.3, len(draw))
    return np.where(draw.rng.random(len(draw)) < 0.7, np.round(price, 3), np.nan)


def _changing_terms(
    face: FloatArray, coupon: FloatArray, issue: Days, maturity: Days, kind: FloatArray
) -> dict[str, Lists]:
    """Of one in twenty, by `kind`, a fifth of the face is redeemed in each of the last years; as many step up once."""
    years = np.arange(4, 0, -1)
    dates = np.column_stack([add_months(maturity, -12 * year) for year in years.tolist()])
    left = face[:, None] * years / 5.0
    sinks = (kind < 0.05)[:, None] & (dates > issue[:, None])
    steps = (kind >= 0.05) & (kind < 0.1) & (dates[:, 2] > issue)
    falls, rises = (np.concatenate(([0], np.cumsum(count))) for count in (sinks.sum(axis=1), steps))
    return {
        "notionals": Lists(falls, np.asarray(left[sinks], np.float64)),
        "notional_dates": Lists(falls, dates[sinks].astype(np.int32)),
        "coupons": Lists(rises, np.round(coupon[steps] + 0.005, 6)),
        "coupon_dates": Lists(rises, dates[steps, 2].astype(np.int32)),
    }


def _spreads(draw: Draw) -> FloatArray:
    """Of the issuers; zero of governments."""
    names = draw.instruments
    spreads = np.array([ISSUER_BY_NAME[n].spread if n in ISSUER_BY_NAME else 0.0 for n in names.names])
    return np.asarray(spreads[names.codes])


def bond_dates(draw: Draw, government: NDArray[np.bool_]) -> tuple[Days, Days]:
    n = len(draw)
    long_end = draw.choice((24, 36, 60, 84, 120, 240, 360), (14, 10, 20, 12, 26, 8, 10))
    months = np.where(government, long_end, np.minimum(long_end, 120))
    age = (draw.rng.random(n) * (months * 30.4 - 60.0)).astype(np.int64)
    issue = business_days(draw.as_of - np.maximum(np.minimum(age, 20 * 365), 1))
    # A tenth has a long life that does not divide into coupon periods: a short first coupon.
    broken = np.where(draw.rng.random(n) < 0.1, draw.rng.integers(1, 150, n), 0)
    return issue, np.maximum(add_months(issue, months) + broken, draw.as_of + 10).astype(np.int32)


def _coupons(draw: Draw, curve: Labels, currency: Labels, issue: Days, maturity: Days) -> FloatArray:
    """Yield at issue, to the next lower eighth of a per cent (a tenth in yen)."""
    today = draw.quotes.par_rate(curve, np.zeros(len(draw)), draw.years(maturity))
    at_issue = today + past_rates(currency, -draw.years(issue)) + _spreads(draw)
    tick = each(currency, lambda code: 0.001 if code == "JPY" else 0.00125)
    return np.asarray(np.round(np.maximum(np.floor(at_issue / tick), 0.0) * tick, 6))


_CREDIT_TENORS = ((1, 3, 5, 7, 10), (8.0, 15.0, 60.0, 7.0, 10.0))


def credit_default_swaps(draw: Draw) -> Columns:
    """Standard contracts: quarterly on the 20th, coupon 100 or 500 bp, ends in June or December.

    A few start on the next of those days and their upfront is still to be paid; the others' is on record.
    """
    names = draw.instruments
    currency = names.map(lambda name: ISSUER_BY_NAME[name].currency)
    years = draw.choice(*_CREDIT_TENORS)
    age = draw.rng.random(len(draw)) * np.minimum(years - 0.3, 4.5) * 365.0
    traded = np.where(draw.rng.random(len(draw)) < SEASONED, draw.as_of - age, draw.as_of).astype(np.int32)
    forward = draw.rng.random(len(draw)) < 0.04
    start = _last_quarter_day(np.where(forward, add_months(draw.as_of, 3), traded).astype(np.int32))
    maturity = _next_roll_day(add_months(traded, 12 * years))
    coupon = np.where(each(names, lambda name: float(ISSUER_BY_NAME[name].grade == "hy")) > 0.0, 0.05, 0.01)
    recovery = each(names, lambda name: ISSUER_BY_NAME[name].recovery)
    return {
        "reference_entity": names,
        "currency": currency,
        "discount_curve": currency.map(lambda code: BY_CODE[code].discount_curve),
        "notional": draw.notional(currency, 8.0),
        "protection": Labels((~draw.long).astype(np.int32), ("buy", "sell")),
        "spread": coupon,
        "upfront": _upfronts(draw, coupon, recovery, draw.years(maturity)),
        "recovery": recovery,
        "start_date": start,
        "maturity_date": maturity,
        "frequency": Labels.constant("3M", len(draw)),
        "day_count": Labels.constant("ACT/360", len(draw)),
        "calendar": currency.map(lambda code: BY_CODE[code].calendar),
        "accrual_includes_maturity": np.ones(len(draw), np.bool_),
    }


def single_name_swaps(draw: Draw) -> Columns:
    """Standard contracts, some dealt today with accrued premium to be rebated; a few whose notional falls, or whose
    recovery is agreed."""
    standard = credit_default_swaps(draw)
    chance, start = draw.rng.random(len(draw)), cast(Days, standard["start_date"])
    today = (chance < 0.1) & (start <= draw.as_of)
    falls, locked = (chance > 0.96) & (chance < 0.98), chance > 0.98
    settled = int(business_days(np.array([draw.as_of + 5], np.int32))[0])
    steps = np.concatenate(([0], np.cumsum(falls)))
    half = np.asarray(0.5 * cast(FloatArray, standard["notional"])[falls])
    return standard | {
        "upfront_date": np.where(today, settled, NO_DATE).astype(np.int32),
        "trade_date": np.where(today, draw.as_of, NO_DATE).astype(np.int32),
        "rebates_accrual": today,
        "fixed_recovery": np.where(locked, 0.25, np.nan),
        "notionals": Lists(steps, half),
        "notional_dates": Lists(steps, _next_roll_day(np.maximum(start, draw.as_of)[falls])),
    }


def _upfronts(draw: Draw, coupon: FloatArray, recovery: FloatArray, years: FloatArray) -> FloatArray:
    """What the buyer pays at the start for a coupon off market, at a flat hazard rate; to the basis point."""
    hazard = draw.quotes.hazard_rate(draw.instruments, years)
    rate = hazard + 0.03
    duration = -np.expm1(-rate * years) / rate
    return np.asarray(np.round((hazard * (1.0 - recovery) - coupon) * duration, 4))


def _months_and_days(days: Days) -> tuple[NDArray[np.int64], Days]:
    months = days.astype("datetime64[D]").astype("datetime64[M]")
    return months.astype(np.int64), (days - months.astype("datetime64[D]").astype(np.int64) + 1).astype(np.int32)


def _twentieth(months: NDArray[np.int64]) -> Days:
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    return np.asarray(first + 19, np.int32)


def _last_quarter_day(days: Days) -> Days:
    """The 20th of March, June, September or December on or before each day."""
    month, day = _months_and_days(days)
    month = month - (day < 20)
    return _twentieth(month - (month - 2) % 3)


def _next_roll_day(days: Days) -> Days:
    """The 20th of June or December on or after each day."""
    month, day = _months_and_days(days)
    month = month + (day > 20)
    return _twentieth(month + (5 - month) % 6)


RECIPES = {
    "interest_rate_swap": Recipe("IRS", 0.28, interest_rate_swaps, SWAPS),
    "bond": Recipe("BND", 0.07, bonds, BONDS, counterparty=False),
    "credit_default_swap": Recipe("CDS", 0.05, single_name_swaps, CREDIT_DEFAULT_SWAPS),
}
