"""Today's market: every risk-factor point of the sample, as of one day."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.delta import Underlying
from riskpipe.sample.day_numbers import add_months, business_days, last_business_days, to_iso
from riskpipe.sample.delta_quotes import by_delta, in_spreads, underlying
from riskpipe.sample.market_table import Point, curve_points, years_to
from riskpipe.sample.universe import (
    BY_CODE,
    COMMODITIES,
    COMMODITY_EXPIRIES,
    COMMODITY_MONEYNESS,
    CREDIT_TENORS,
    CURRENCIES,
    CURVE_TENORS,
    EQUITIES,
    FX_BY_DELTA,
    FX_EXPIRIES,
    FX_IN_SPREADS,
    FX_MONEYNESS,
    FX_SMILES,
    INDEX_EXPIRIES,
    INDEX_MONEYNESS,
    INDICES,
    ISSUERS,
    PAYERS,
    STOCK_EXPIRIES,
    STOCK_MONEYNESS,
    Commodity,
    Currency,
    Equity,
    Issuer,
    Payer,
    Smile,
    SwapIndex,
)
from riskpipe.sample.vol_surfaces import vol_surface

FIXING_MONTHS = 14
FORWARD_MONTHS = (*range(1, 13), 15, 18, 24, 36, 48)
DIVIDEND_TENORS = ("6M", "1Y", "3Y", "5Y")


def shockable_points(as_of: int) -> list[Point]:
    """Everything that history and scenarios can move.

    :param as_of: days since 1970-01-01.
    """
    return [
        *_rates(as_of),
        *_fx(as_of),
        *_equities(as_of),
        *hazard_points(ISSUERS, as_of),
        *_commodities(as_of),
    ]


def fact_points(as_of: int, rng: np.random.Generator) -> list[Point]:
    """Recoveries and fixings: observed, not moved by scenarios."""
    recoveries = [Point(f"recovery:{i.name}", "recovery", i.name, i.currency, i.recovery) for i in ISSUERS]
    fixings = [point for index in INDICES for point in _fixings(index, as_of, rng)]
    return recoveries + fixings


def discount_rate(currency: Currency, years: FloatArray) -> FloatArray:
    """Zero rates of the discount curve (Nelson and Siegel 1987), continuously compounded."""
    level, slope, curvature, decay = currency.zero
    x = np.maximum(years, 1e-9) / decay
    loading = -np.expm1(-x) / x
    return np.asarray(level + slope * loading + curvature * (loading - np.exp(-x)))


def projection_rate(index: SwapIndex, years: FloatArray) -> FloatArray:
    """Zero rates of the index's own curve: the discount curve plus a basis that narrows with time."""
    rate = discount_rate(BY_CODE[index.currency], years)
    return rate if index.basis is None else rate + index.basis * (0.5 + 0.5 * np.exp(-years / 10.0))


def _rates(as_of: int) -> list[Point]:
    years = np.array([years_to(tenor, as_of) for tenor in CURVE_TENORS])
    points: list[Point] = []

    def add(name: str, currency: str, rates: FloatArray) -> None:
        points.extend(curve_points("zero_rate", name, currency, CURVE_TENORS, as_of, np.round(rates, 6)))

    for currency in CURRENCIES:
        add(currency.discount_curve, currency.code, discount_rate(currency, years))
        if currency.government is not None:
            short, long = currency.government
            spread = short + (long - short) * -np.expm1(-years / 10.0)
            add(f"{currency.code}.GOVT", currency.code, discount_rate(currency, years) + spread)
    for index in INDICES:
        if index.basis is not None:
            add(index.name, index.currency, projection_rate(index, years))
    return points


def _fx(as_of: int) -> list[Point]:
    points = [Point(f"spot:{c.pair}", "spot", c.pair, c.pair[3:], c.spot) for c in CURRENCIES if c.code != "USD"]
    for pair, smile in FX_SMILES.items():
        if pair in (*FX_IN_SPREADS, *FX_BY_DELTA):
            quotes = in_spreads if pair in FX_IN_SPREADS else by_delta
            points += quotes(pair, smile, _underlyings(pair, as_of), FX_EXPIRIES, as_of)
        else:
            points += _moneyness_surface("fx_vol", pair, pair[3:], smile, FX_EXPIRIES, FX_MONEYNESS, as_of)
    return points


def _underlyings(pair: str, as_of: int) -> list[Underlying]:
    """What the FX expiries of a pair are on."""
    base, quote = BY_CODE[pair[:3]], BY_CODE[pair[3:]]
    years = np.array([years_to(tenor, as_of) for tenor in FX_EXPIRIES])
    rates = zip(discount_rate(base, years).tolist(), discount_rate(quote, years).tolist(), years.tolist(), strict=True)
    return [underlying(quote.scale / base.scale, *row) for row in rates]


def _moneyness_surface(
    kind: str,
    name: str,
    currency: str,
    smile: Smile,
    expiries: Sequence[str],
    moneyness: Sequence[float],
    as_of: int,
) -> list[Point]:
    years = np.array([years_to(tenor, as_of) for tenor in expiries])
    vols = np.round(vol_surface(smile, years, np.array(moneyness)), 5)
    return [
        Point(
            f"{kind}:{name}:{tenor}:{100 * m:g}", kind, name, currency, float(vols[i, j]),
            tenor, float(years[i]), m, "moneyness", m,
        )
        for i, tenor in enumerate(expiries)
        for j, m in enumerate(moneyness)
    ]  # fmt: skip


def _equities(as_of: int) -> list[Point]:
    points: list[Point] = []
    for equity in EQUITIES:
        name, currency = equity.name, equity.currency
        points.append(Point(f"spot:{name}", "spot", name, currency, equity.spot))
        points += _discrete_dividends(equity, PAYERS[name], as_of) if name in PAYERS else _yields(equity, as_of)
        expiries, strikes = (INDEX_EXPIRIES, INDEX_MONEYNESS) if equity.is_index else (STOCK_EXPIRIES, STOCK_MONEYNESS)
        points += _moneyness_surface("black_vol", name, currency, equity.smile, expiries, strikes, as_of)
    return points


def _yields(equity: Equity, as_of: int) -> list[Point]:
    tenors = DIVIDEND_TENORS if equity.is_index else DIVIDEND_TENORS[1::2]
    years = np.array([years_to(tenor, as_of) for tenor in tenors])
    yields = np.round(equity.dividend_yield * (1.0 - 0.03 * np.minimum(years, 5.0)), 6)
    return curve_points("dividend_yield", equity.name, equity.currency, tenors, as_of, yields)


def _discrete_dividends(equity: Equity, payer: Payer, as_of: int) -> list[Point]:
    """Five years of them, those of the first in cash, the others in proportion to the spot; and the borrow cost."""
    name, currency, each = equity.name, equity.currency, equity.dividend_yield / payer.a_year
    count = 5 * payer.a_year
    months = payer.months + np.arange(count) * (12 // payer.a_year)
    days = [to_iso(day) for day in business_days(add_months(np.full(count, as_of), months))]
    cash, ratios = days[: payer.a_year], days[payer.a_year :]
    points = curve_points("dividend", name, currency, cash, as_of, np.full(len(cash), round(each * equity.spot, 2)))
    points += curve_points("dividend_ratio", name, currency, ratios, as_of, np.full(len(ratios), round(each, 5)))
    return points + curve_points("borrow", name, currency, ("6M", "2Y"), as_of, payer.borrow)


def hazard_points(issuers: Sequence[Issuer], as_of: int) -> list[Point]:
    """Hazard rates from the five-year spread, steeper for good names, flatter for weak ones."""
    years = np.array([years_to(tenor, as_of) for tenor in CREDIT_TENORS])
    points: list[Point] = []
    for issuer in issuers:
        steepness = 0.35 if issuer.grade == "ig" else 0.12
        term = (np.maximum(years, 0.25) / 5.0) ** steepness
        hazard = np.round(issuer.spread / (1.0 - issuer.recovery) * term, 6)
        points += curve_points("hazard_rate", issuer.name, issuer.currency, CREDIT_TENORS, as_of, hazard)
    return points


def forward_days(as_of: int) -> NDArray[np.int32]:
    """Delivery dates of the listed commodity futures: the 20th of a month, or the business day after."""
    this_month = add_months(as_of, 0).astype("datetime64[D]").astype("datetime64[M]")
    twentieth = this_month.astype("datetime64[D]").astype(np.int64) + 19
    return business_days(add_months(np.full(len(FORWARD_MONTHS), twentieth), FORWARD_MONTHS))


def commodity_forward(commodity: Commodity, years: FloatArray, as_of: int) -> FloatArray:
    """A carry that relaxes from near to far over a year, and a season that peaks in mid-January."""
    near, far = commodity.carry
    trend = far * years + (near - far) * -np.expm1(-years)
    mid_january = (np.datetime64(as_of, "D").astype("datetime64[Y]") + 1).astype("datetime64[D]").astype(int) + 14
    phase = 2.0 * np.pi * (years - (mid_january - as_of) / 365.25)
    return np.asarray(commodity.front * np.exp(trend + commodity.season * np.cos(phase)))


def _commodities(as_of: int) -> list[Point]:
    points: list[Point] = []
    days = forward_days(as_of)
    years = (days - as_of) / 365.0
    expiries = np.array([years_to(tenor, as_of) for tenor in COMMODITY_EXPIRIES])
    for commodity in COMMODITIES:
        name, currency = commodity.name, commodity.currency
        prices = _significant(commodity_forward(commodity, years, as_of), 5)
        points += curve_points("forward_price", name, currency, [to_iso(d) for d in days], as_of, prices)
        # The desk's strikes are round numbers about the middle of the curve, the same for every expiry.
        centre = float(np.interp(0.5, years, prices))
        strikes = np.unique(_significant(centre * np.array(COMMODITY_MONEYNESS), 2))
        for tenor, t in zip(COMMODITY_EXPIRIES, expiries, strict=True):
            forward = float(np.interp(t, years, prices))
            vols = np.round(vol_surface(commodity.smile, np.array([t]), strikes / forward)[0], 5)
            points += [
                Point(
                    f"black_vol:{name}:{tenor}:{strike:g}", "black_vol", name, currency, float(vol),
                    tenor, float(t), float(strike), "absolute", float(strike / forward),
                )
                for strike, vol in zip(strikes, vols, strict=True)
            ]  # fmt: skip
    return points


def _significant(values: FloatArray, digits: int) -> FloatArray:
    return np.array([float(f"{value:.{digits}g}") for value in values])


def _fixings(index: SwapIndex, as_of: int, rng: np.random.Generator) -> list[Point]:
    """Fixings of every weekday of the last fourteen months; steps of the policy rate, and a little noise.

    Overnight rates of a day are published on the next one, so theirs end the day before `as_of`. Weekdays
    that are holidays have one too: the sample must serve whatever calendar a trade names.
    """
    start = int(add_months(as_of, -FIXING_MONTHS))
    count = int(np.busday_count(np.datetime64(start, "D"), np.datetime64(as_of, "D"))) + 1
    days = last_business_days(as_of, count, holidays=False)
    steps = np.searchsorted([35, 126, 217, 301, 385], as_of - days) / 5.0
    noise = rng.standard_normal(count) * (1e-4 if index.convention.overnight else 0.5e-4)
    tenor = years_to(index.float_frequency if not index.convention.overnight else "1D", as_of)
    today = float(projection_rate(index, np.array([tenor]))[0])
    rates = np.round(today + np.round(BY_CODE[index.currency].policy * steps / 0.0025) * 0.0025 + noise, 6)
    published = days < as_of if index.convention.overnight else np.is_busday(days.astype("datetime64[D]"))
    days, rates = days[published], rates[published]
    return [
        Point(f"fixing:{index.name}:{iso}", "fixing", index.name, index.currency, float(rate), iso)
        for iso, rate in ((to_iso(day), rate) for day, rate in zip(days, rates, strict=True))
    ]
