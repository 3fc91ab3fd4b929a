"""The terms of one leg of a swap, and rules between them."""

from __future__ import annotations

from typing import Final

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from riskpipe.market.conventions import Conventions
from riskpipe.market.labels import Labels
from riskpipe.products.base import Column, RowFaults
from riskpipe.products.coupon_options import coupon_option_columns, coupon_option_faults, has_options
from riskpipe.products.leg_dates import date_columns, fixing_calendar_column
from riskpipe.products.observations import observation_columns
from riskpipe.products.schedule_columns import (
    calendar_column,
    convention_column,
    coupon_day_count_column,
    day_count_faults,
    ended,
    frequency_column,
    schedule_faults,
)
from riskpipe.products.steps import Stepped
from riskpipe.products.stub_rates import stub_columns
from riskpipe.products.trades import Trades
from riskpipe.products.validation import rows_fault, unknown_currencies

NOTIONAL: Final = Stepped("notional", "notionals", "notional_dates")
RATE: Final = Stepped("fixed_rate", "fixed_rates", "fixed_rate_dates")
SPREAD: Final = Stepped("spread", "spreads", "spread_dates")
STEPPED: Final = (NOTIONAL, RATE, SPREAD)

LEG_TYPES: Final = ("fixed", "floating", "inflation", "cashflows")
INFLATION_KINDS: Final = ("year_on_year", "indexed", "zero_coupon")
LONGEST_OBSERVATION_LAG: Final = 24  # months
COMPOUNDINGS: Final = ("simple", "annual")
EXCHANGES: Final = ("exchange_initial", "exchange_interim", "exchange_final")


def _inflation_columns() -> tuple[Column, ...]:
    def column(name: str, description: str, choices: tuple[str, ...]) -> Column:
        return Column(name, "string", description, required=False, choices=choices)

    lag = f"months from the index to the payment, at most {LONGEST_OBSERVATION_LAG}; null: as market.indices has it"
    flat_or_linear = "index of the month, or on the way to the next month's; null: as market.indices has it"
    return (
        column("inflation_kind", "of an inflation leg: what it pays", INFLATION_KINDS),
        Column(
            "base_index",
            "number",
            "index that inflation is counted from, not of year_on_year; null: as observed for start_date",
            required=False,
            rule="positive",
        ),
        Column("observation_lag", "number", lag, required=False, rule="nonnegative"),
        column("observation", flat_or_linear, ("flat", "linear")),
    )


LEG_COLUMNS: Final = (
    Column("direction", "string", "of the leg", choices=("pay", "receive")),
    Column("leg_type", "string", "what it pays; cashflows are the amounts alone", choices=LEG_TYPES),
    Column("currency", "string", "of notional and payments"),
    Column(
        "discount_curve", "string", "zero_rate curve that discounts the leg; null: that of its currency", required=False
    ),
    Column(
        "notional",
        "number",
        "in the currency; not of cashflows; of a leg that resets: of the first period, where that is agreed",
        required=False,
    ),
    *NOTIONAL.columns(),
    Column("fixed_rate", "number", "decimal a year; of a fixed leg, and of an indexed one", required=False),
    *RATE.columns(quantity="rate"),
    Column(
        "rate_compounding",
        "string",
        "of a fixed rate over a period: simple (null), or compounded once a year, as zero-coupon legs have it",
        required=False,
        choices=COMPOUNDINGS,
    ),
    Column("index", "string", "of a floating leg; a price index of an inflation leg", required=False),
    Column("spread", "number", "decimal a year, added to the floating or year-on-year rate; null: 0", required=False),
    *SPREAD.columns(quantity="spread"),
    *observation_columns(),
    Column(
        "gearing",
        "number",
        "that multiplies the floating or year-on-year rate, not the spread; null: 1",
        required=False,
    ),
    Column("start_date", "date", "of the first period, before adjustment; not of cashflows", required=False),
    Column("maturity_date", "date", "end of the last period, before adjustment; not of cashflows", required=False),
    *(
        replace(column, required=False)
        for column in (
            frequency_column("frequency", "of coupons; 1T pays once at maturity"),
            coupon_day_count_column("day_count", "of coupons"),
            calendar_column(),
            convention_column(),
        )
    ),
    *date_columns(),
    fixing_calendar_column(),
    *stub_columns(),
    *coupon_option_columns(),
    *_inflation_columns(),
    Column("exchange_initial", "boolean", "the notional is exchanged at the start; null: no", required=False),
    Column("exchange_interim", "boolean", "and what it changes by, when it changes; null: no", required=False),
    Column("exchange_final", "boolean", "and what is left, at maturity; null: no", required=False),
    Column(
        "reset_currency",
        "string",
        "the notional is reset_notional of this currency, at the exchange rate of each period's start; null: it is not",
        required=False,
    ),
    Column("reset_notional", "number", "in reset_currency", required=False),
    Column("amounts", "number", "fees and other known payments, besides what the leg pays", required=False, many=True),
    Column("amount_dates", "date", "of their payment, each on that day", required=False, many=True),
)

_NO_KIND: Final = f"an inflation leg needs an inflation_kind: {', '.join(INFLATION_KINDS)}"
_COUPON_TERMS = ("start_date", "maturity_date", "frequency", "day_count", "calendar", "business_day_convention")


def is_fixed(legs: Trades) -> NDArray[np.bool_]:
    """bool[n]: the leg has fixed coupons."""
    return legs.is_one("leg_type", "fixed")


def is_floating(legs: Trades) -> NDArray[np.bool_]:
    """bool[n]: the leg has floating coupons."""
    return legs.is_one("leg_type", "floating")


def is_inflation(legs: Trades) -> NDArray[np.bool_]:
    """bool[n]: the leg is linked to a price index."""
    return legs.is_one("leg_type", "inflation")


def repays_indexed(legs: Trades) -> NDArray[np.bool_]:
    """bool[n]: what comes back of the notional has grown with a price index."""
    return is_inflation(legs) & legs.is_one("inflation_kind", "indexed")


def has_coupons(legs: Trades) -> NDArray[np.bool_]:
    """bool[n]: the leg has a schedule."""
    return is_fixed(legs) | is_floating(legs) | is_inflation(legs)


def resets(legs: Trades) -> NDArray[np.bool_]:
    """bool[n]: the notional follows an exchange rate."""
    return np.asarray(legs.labels("reset_currency").codes >= 0)


def discount_curve(legs: Trades, conventions: Conventions) -> Labels:
    """The curve of each leg's discount factors."""
    return legs.labels("discount_curve").otherwise(legs.labels("currency").map(conventions.discount_curve))


def leg_faults(legs: Trades, as_of: int) -> list[RowFaults]:
    """Broken rules of these columns, by leg."""
    with_coupons = has_coupons(legs)
    lacking = np.zeros(len(legs), np.bool_)
    faults = unknown_currencies(legs, "currency", "reset_currency")
    for name in _COUPON_TERMS:
        column = legs.days(name) == Trades.NO_DATE if name.endswith("_date") else legs.labels(name).codes < 0
        faults += rows_fault(name, "coupon_term", with_coupons & column, f"a leg with coupons needs {name}")
        lacking |= with_coupons & column
    scheduled = np.flatnonzero(with_coupons & ~lacking)
    for fault in schedule_faults(legs.take(scheduled), "start_date", as_of, prefixes=("",)):
        if fault.rule != "not_past":  # a leg may be over before the others
            faults.append(replace(fault, rows=scheduled[fault.rows]))
    faults += day_count_faults(legs, "day_count", is_floating(legs))
    for term in STEPPED:
        faults += term.faults(legs)
    faults += coupon_option_faults(legs, is_floating(legs))
    return [*faults, *_missing_terms(legs), *_inflation(legs), *_resets(legs), *_stubs(legs), *_amounts(legs)]


def legs_over(legs: Trades, as_of: int) -> NDArray[np.bool_]:
    """bool[n]: all that the leg pays was paid before today."""
    over, dates = np.ones(len(legs), np.bool_), legs.nested("amount_dates")
    scheduled = np.flatnonzero(has_coupons(legs))
    dated = legs.days("maturity_date")[scheduled] != Trades.NO_DATE
    some = legs.take(scheduled)
    over[scheduled] = ended(some, "start_date", as_of, prefixes=("",)) & dated
    coming = dates.rows.days("amount_dates") >= as_of
    return np.asarray(over & (np.bincount(dates.trades[coming], minlength=len(legs)) == 0))


def _missing_terms(legs: Trades) -> list[RowFaults]:
    no_index = (is_floating(legs) | is_inflation(legs)) & (legs.labels("index").codes < 0)
    no_rate = is_fixed(legs) & np.isnan(legs.numbers("fixed_rate"))
    no_notional = has_coupons(legs) & ~resets(legs) & np.isnan(legs.numbers("notional"))
    listed = np.diff(legs.nested("amounts").offsets) + np.diff(legs.nested("amount_dates").offsets)
    empty = legs.is_one("leg_type", "cashflows") & (listed == 0)
    return [
        *rows_fault("index", "leg_term", no_index, "a floating or inflation leg needs an index"),
        *rows_fault("fixed_rate", "leg_term", no_rate, "a fixed leg needs a fixed_rate"),
        *rows_fault("notional", "leg_term", no_notional, "a leg with coupons needs a notional"),
        *rows_fault("amounts", "leg_term", empty, "a leg of cashflows needs amounts and amount_dates"),
    ]


def _inflation(legs: Trades) -> list[RowFaults]:
    inflation, kind = is_inflation(legs), legs.labels("inflation_kind")
    no_rate = repays_indexed(legs) & np.isnan(legs.numbers("fixed_rate"))
    often = inflation & kind.is_one("zero_coupon") & ~legs.is_one("frequency", "1T")
    own_base = inflation & kind.is_one("year_on_year") & ~np.isnan(legs.numbers("base_index"))
    lag = legs.numbers("observation_lag", 0.0)
    odd = (lag != np.floor(lag)) | (lag > LONGEST_OBSERVATION_LAG)
    faults = []
    for name in ("inflation_kind", "base_index", "observation_lag", "observation"):
        is_number = name in ("base_index", "observation_lag")
        said = ~np.isnan(legs.numbers(name)) if is_number else legs.labels(name).codes >= 0
        faults += rows_fault(name, "leg_term", ~inflation & said, f"{name} is of inflation legs")
    months = f"observation_lag is not a whole number of months up to {LONGEST_OBSERVATION_LAG}"
    return [
        *faults,
        *rows_fault("inflation_kind", "leg_term", inflation & (kind.codes < 0), _NO_KIND),
        *rows_fault("fixed_rate", "leg_term", no_rate, "an indexed leg needs a fixed_rate"),
        *rows_fault("frequency", "leg_term", often, "a zero_coupon leg pays once: its frequency is 1T"),
        *rows_fault("base_index", "leg_term", own_base, "base_index is of indexed and zero_coupon legs"),
        *rows_fault("observation_lag", "whole", odd & inflation, months),
        *rows_fault("reset_currency", "leg_term", inflation & resets(legs), "an inflation leg has no reset_currency"),
    ]


def _resets(legs: Trades) -> list[RowFaults]:
    resetting = resets(legs)
    without = resetting & np.isnan(legs.numbers("reset_notional"))
    stepped = resetting & (np.diff(legs.nested("notionals").offsets) > 0)
    capped = resetting & has_options(legs)
    own = legs.labels("reset_currency").same_as(legs.labels("currency"))
    return [
        *rows_fault("reset_notional", "leg_term", without, "a leg with a reset_currency needs a reset_notional"),
        *rows_fault("notionals", "leg_term", stepped, "a leg with a reset_currency has no notionals of its own"),
        *rows_fault("reset_currency", "leg_term", capped, "a leg with a reset_currency has no cap and no floor"),
        *rows_fault("reset_currency", "leg_term", own, "reset_currency is the leg's own currency"),
    ]


def _stubs(legs: Trades) -> list[RowFaults]:
    cannot = ~is_floating(legs) | resets(legs) | has_options(legs)
    faults: list[RowFaults] = []
    for name in (column.name for column in stub_columns()):
        message = f"{name} is of floating legs without reset_currency, cap and floor"
        faults += rows_fault(name, "leg_term", cannot & (legs.labels(name).codes >= 0), message)
    return faults


def _amounts(legs: Trades) -> list[RowFaults]:
    uneven = np.diff(legs.nested("amounts").offsets) != np.diff(legs.nested("amount_dates").offsets)
    return rows_fault("amounts", "one_each", uneven, "amounts and amount_dates are not as many")
