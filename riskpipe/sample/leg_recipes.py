"""Swaps that are lists of legs: amortising, zero-coupon, capped, on price indices, and across currencies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.labels import Labels
from riskpipe.sample.day_numbers import add_months, last_business_days, to_iso
from riskpipe.sample.extra_points import (
    CAPPED,
    INFLATION,
    LOGNORMAL_CAPS,
    cap_surfaces,
    inflation_curves,
    price_indices,
)
from riskpipe.sample.market_table import Point
from riskpipe.sample.rate_recipes import interest_rate_swaps
from riskpipe.sample.recipe import Desk, Recipe
from riskpipe.sample.trade_terms import Columns, Days, Draw, Lists, Values, each, override
from riskpipe.sample.universe import BY_CODE, INDEX_BY_NAME

_RESETTING = ("EUR", "GBP", "JPY")
_FIXING_DAYS = 90  # business days, more than the three months of a period
_STEPS = 4
_PRICE_INDICES = {name[:3]: name for name in INFLATION}

Flags = NDArray[np.bool_]
Terms = Mapping[str, Values]


def leg_swaps(draw: Draw) -> Columns:
    """A standard swap's fixed leg, amortising or zero-coupon, against a floating one, capped or not, or one on a price
    index; or overnight rates of two currencies."""
    standard = cast(dict[str, Values], interest_rate_swaps(draw))
    currency = cast(Labels, standard["currency"])
    odd = _begins_odd(draw, standard)
    kind = draw.rng.random(len(draw))
    resets = (kind < 0.35) & (each(currency, lambda code: float(code in _RESETTING)) > 0.0)
    # The sample's overnight fixings do not reach back over years.
    zero = ~resets & (kind > 0.7) & (cast(Days, standard["start_date"]) >= draw.as_of)
    first, second = _first_legs(standard, draw.long, resets, zero), _second_legs(standard, draw.long, resets, zero)
    plain = ~resets & ~zero
    linked = plain & (kind < 0.45) & (each(currency, lambda code: float(code in _PRICE_INDICES)) > 0.0)
    capped = plain & (kind > 0.45) & (each(draw.instruments, lambda name: float(name in CAPPED)) > 0.0)
    second |= _linked(second, linked) | _capped(draw.instruments, capped)
    second |= _between_indices(odd & plain & ~linked & ~capped)
    lagged = ~linked & (each(cast(Labels, second["index"]), _is_overnight) > 0.0)
    for leg in (first, second):
        leg |= _dates(standard, lagged, cast(Labels, leg["frequency"]))
    first |= {name: _nothing(values) for name, values in second.items() if name not in first}
    legs = {name: _interleaved(values, second[name]) for name, values in first.items()}
    return {
        "currency": override(currency, resets, "USD"),
        "legs": Lists(2 * np.arange(len(draw) + 1), {**legs, **_amortisation(standard, ~resets & ~zero)}),
    }


def basis_swaps(draw: Draw) -> Columns:
    """A term rate against the overnight rate of its currency."""
    standard = cast(dict[str, Values], interest_rate_swaps(draw))
    index, currency = draw.instruments, cast(Labels, standard["currency"])
    overnight = currency.map(lambda code: BY_CODE[code].discount_curve)
    sides = {"receive": (draw.long, index, overnight), "pay": (~draw.long, index, overnight)}
    columns: Columns = {}
    for side, (is_term, term, other) in sides.items():
        own = _either(is_term, term, other)
        columns |= {
            f"{side}_index": own,
            f"{side}_spread": np.where(is_term, 0.0, draw.rng.integers(0, 20, len(draw)) / 10_000.0),
            f"{side}_frequency": own.map(lambda name: INDEX_BY_NAME[name].float_frequency),
            f"{side}_day_count": own.map(lambda name: INDEX_BY_NAME[name].float_day_count),
        }
        columns[f"{side}_payment_lag"] = np.where(each(own, _is_overnight) > 0.0, 2.0, np.nan)
    shared = ("currency", "discount_curve", "notional", "start_date", "maturity_date", "calendar")
    rule = {"business_day_convention": standard["business_day_convention"]}
    return columns | {name: standard[name] for name in shared} | rule


def _either(mask: Flags, first: Labels, second: Labels) -> Labels:
    shifted = second.codes + np.int32(len(first.names))
    return Labels(np.where(mask, first.codes, shifted).astype(np.int32), (*first.names, *second.names))


def _first_legs(standard: Terms, long: Flags, resets: Flags, zero: Flags) -> dict[str, Values]:
    """Fixed, or on the overnight rate of the other currency."""
    currency, n = cast(Labels, standard["currency"]), len(resets)
    overnight = currency.map(lambda code: BY_CODE[code].discount_curve)
    fixed = {name: cast(Labels, standard[f"fixed_{name}"]) for name in ("frequency", "day_count")}
    return _shared(standard, resets, zero) | {
        "direction": Labels(long.astype(np.int32), ("receive", "pay")),
        "leg_type": Labels(resets.astype(np.int32), ("fixed", "floating")),
        "currency": currency,
        "discount_curve": overnight,
        "notional": standard["notional"],
        "fixed_rate": np.where(resets, np.nan, cast(FloatArray, standard["fixed_rate"])),
        "rate_compounding": Labels(np.where(zero, 0, -1).astype(np.int32), ("annual",)),
        "index": overnight.where(resets),
        "spread": np.where(resets, -0.001, np.nan),
        "frequency": override(override(fixed["frequency"], zero, "1T"), resets, "3M"),
        "day_count": override(fixed["day_count"], resets, "ACT/360"),
        "reset_currency": Labels(np.full(n, -1, np.int32), ()),
        "reset_notional": np.full(n, np.nan),
    }


def _second_legs(standard: Terms, long: Flags, resets: Flags, zero: Flags) -> dict[str, Values]:
    """On the index; or on the dollar's overnight rate, the notional that of the first leg at each period's start."""
    currency, index = cast(Labels, standard["currency"]), override(cast(Labels, standard["index"]), resets, "USD.SOFR")
    notional, n = cast(FloatArray, standard["notional"]), len(resets)
    frequency = index.map(lambda name: INDEX_BY_NAME[name].float_frequency)
    return _shared(standard, resets, zero) | {
        "direction": Labels(long.astype(np.int32), ("pay", "receive")),
        "leg_type": Labels.constant("floating", n),
        "currency": override(currency, resets, "USD"),
        "discount_curve": override(currency.map(lambda code: BY_CODE[code].discount_curve), resets, "USD.SOFR"),
        "notional": np.where(resets, np.nan, notional),
        "fixed_rate": np.full(n, np.nan),
        "rate_compounding": Labels(np.full(n, -1, np.int32), ()),
        "index": index,
        "spread": cast(FloatArray, standard["float_spread"]),
        "frequency": override(override(frequency, zero, "1T"), resets, "3M"),
        "day_count": index.map(lambda name: INDEX_BY_NAME[name].float_day_count),
        "reset_currency": currency.where(resets),
        "reset_notional": np.where(resets, notional, np.nan),
    }


def _is_overnight(index: str) -> float:
    return float(index in INDEX_BY_NAME and INDEX_BY_NAME[index].convention.overnight)


def _dates(standard: Terms, lagged: Flags, frequency: Labels) -> dict[str, Values]:
    """Overnight swaps are paid two days after their periods; what ends with a month rolls with its end."""
    once = each(frequency, lambda name: float(name == "1T")) > 0.0
    rolls = (_day_of_month(cast(Days, standard["maturity_date"])) >= 28) & ~once
    return {
        "payment_lag": np.where(lagged, 2.0, np.nan),
        "roll_convention": Labels.constant("EOM", len(lagged)).where(rolls),
    }


def _begins_odd(draw: Draw, standard: dict[str, Values]) -> Flags:
    """Swaps on six months that start later, and are made to begin with a period of four months."""
    start, maturity = (cast(Days, standard[f"{name}_date"]) for name in ("start", "maturity"))
    odd = draw.instruments.is_one("EUR.EURIBOR6M") & (start > draw.as_of + 7)
    half_years = np.maximum((maturity - start) // 183, 1)
    standard["maturity_date"] = np.where(odd, add_months(start, 6 * half_years + 4), maturity).astype(np.int32)
    return odd


def _between_indices(odd: Flags) -> dict[str, Values]:
    """The rate of that period is between those of three and of six months."""
    names = {"short": "EUR.EURIBOR3M", "long": "EUR.EURIBOR6M"}
    return {f"front_stub_{kind}_index": Labels.constant(name, len(odd)).where(odd) for kind, name in names.items()}


def _day_of_month(days: Days) -> Days:
    stamps = days.astype("datetime64[D]")
    return np.asarray((stamps - stamps.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int32) + 1)


def _linked(second: Terms, linked: Flags) -> dict[str, Values]:
    """What the second leg has in place of its own where it pays year-on-year inflation."""
    index = cast(Labels, second["currency"]).map(lambda code: _PRICE_INDICES.get(code, ""))
    return {
        "leg_type": override(cast(Labels, second["leg_type"]), linked, "inflation"),
        "inflation_kind": Labels.constant("year_on_year", len(linked)).where(linked),
        "index": _either(linked, index, cast(Labels, second["index"])),
        "frequency": override(cast(Labels, second["frequency"]), linked, "1Y"),
    }


def _capped(index: Labels, capped: Flags) -> dict[str, Values]:
    """Where the second leg's coupons are capped."""
    return {
        "cap": np.where(capped, 0.05, np.nan),
        "volatility": index.map(lambda name: f"{name}.CAPS").where(capped),
        "model": index.map(lambda name: "black" if name in LOGNORMAL_CAPS else "bachelier").where(capped),
    }


def _nothing(values: Values) -> Values:
    if isinstance(values, Labels):
        return Labels(np.full(len(values), -1, np.int32), ())
    return np.full(len(cast(FloatArray, values)), np.nan)


def _shared(standard: Terms, resets: Flags, zero: Flags) -> dict[str, Values]:
    dates: dict[str, Values] = {name: standard[name] for name in ("start_date", "maturity_date")}
    return dates | {
        "calendar": standard["calendar"],
        "business_day_convention": standard["business_day_convention"],
        "exchange_initial": resets,
        "exchange_interim": resets,
        "exchange_final": resets,
    }


def _interleaved(first: Values, second: Values) -> Values:
    """Of both legs of each trade: the first's, the second's, and so on."""
    if isinstance(first, Labels) and isinstance(second, Labels):
        shifted = np.where(second.codes < 0, np.int32(-1), second.codes + np.int32(len(first.names)))
        codes = np.column_stack((first.codes, shifted)).ravel().astype(np.int32)
        return Labels(codes, (*first.names, *second.names))
    return cast(FloatArray, np.column_stack((cast(FloatArray, first), cast(FloatArray, second))).ravel())


def _amortisation(standard: Terms, amortising: Flags) -> dict[str, Lists]:
    """A tenth of the notional less on each of some anniversaries of the start, on both legs."""
    start, maturity = (cast(Days, standard[f"{name}_date"]) for name in ("start", "maturity"))
    notional = cast(FloatArray, standard["notional"])
    years = np.arange(1, _STEPS + 1)
    dates = np.column_stack([add_months(start, 12 * year) for year in years.tolist()])
    values = np.round(notional[:, None] * (1.0 - years / 10.0), 2)
    kept = np.repeat(amortising[:, None] & (dates < maturity[:, None]), 2, axis=0)
    offsets = np.concatenate(([0], np.cumsum(kept.sum(axis=1))))
    return {
        "notionals": Lists(offsets, np.asarray(np.repeat(values, 2, axis=0)[kept], np.float64)),
        "notional_dates": Lists(offsets, np.repeat(dates, 2, axis=0)[kept].astype(np.int32)),
    }


def _exchange_fixings(as_of: int) -> list[Point]:
    """At which the notionals of the periods that run were set."""
    days = last_business_days(as_of, _FIXING_DAYS)[:-1]
    return [
        Point(f"fixing:{pair}:{to_iso(day)}", "fixing", pair, pair[3:], round(level * move, 4), to_iso(day))
        for pair, level in ((BY_CODE[code].pair, BY_CODE[code].spot) for code in _RESETTING)
        for day, move in zip(days.tolist(), 1.0 + 0.02 * np.sin((days - as_of) / 15.0), strict=True)
    ]


def _points(as_of: int) -> list[Point]:
    return [*inflation_curves(as_of), *cap_surfaces(as_of)]


def _facts(as_of: int) -> list[Point]:
    return [*_exchange_fixings(as_of), *price_indices(as_of)]


_DESKS = (
    Desk("rates/usd/structured", 2, (("USD.SOFR", 1.0),)),
    Desk("rates/eur/structured", 2, (("EUR.EURIBOR6M", 2.0), ("EUR.ESTR", 1.0))),
    Desk("rates/all/resetting", 1, (("EUR.ESTR", 2.0), ("GBP.SONIA", 1.0), ("JPY.TONA", 1.0))),
)

_TERM_RATES = (("EUR.EURIBOR3M", 2.0), ("EUR.EURIBOR6M", 1.0), ("AUD.BBSW3M", 1.0), ("SEK.STIBOR3M", 1.0))

RECIPES = {
    "swap": Recipe("SWP", 0.01, leg_swaps, _DESKS, points=_points, facts=_facts),
    "basis_swap": Recipe("BSW", 0.01, basis_swaps, (Desk("rates/all/basis", 1, _TERM_RATES),)),
}
