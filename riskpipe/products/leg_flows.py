"""What legs of swaps pay: known amounts, growths of projection curves, and either at exchange rates of their time."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.model import MarketModel
from riskpipe.market.schedules import Schedule
from riskpipe.products.coupon_options import CouponOptions, coupon_options, has_options
from riskpipe.products.floating import Coupons, FloatingFlows, FloatingLeg, Growth, floating_flows
from riskpipe.products.flows import Amounts, Integers, merged
from riskpipe.products.leg_columns import (
    NOTIONAL,
    RATE,
    SPREAD,
    has_coupons,
    is_fixed,
    is_floating,
    repays_indexed,
    resets,
)
from riskpipe.products.leg_dates import fixing_calendars, leg_dates
from riskpipe.products.observations import observations
from riskpipe.products.stub_rates import StubFlows, split_stubs
from riskpipe.products.trades import Trades


class LegFlows(Struct, frozen=True):
    """Of n legs, above zero where they are received, in their own currencies.

    :param known: amounts, and `growth` amounts times growths: of legs whose notionals are known.
    :param stubs: odd periods with rates of their own.
    """

    known: Amounts
    growth: Growth
    stubs: StubFlows | None


def signs(legs: Trades) -> FloatArray:
    """float64[n]: above zero the leg is received."""
    return np.where(legs.is_one("direction", "receive"), 1.0, -1.0)


def leg_periods(legs: Trades, rows: Integers, after: int, before: int | None = None) -> Schedule:
    """The periods of some legs that have coupons, by position among `rows`."""
    return leg_dates(legs.take(rows)).periods(after, before)


def leg_flows(legs: Trades, model: MarketModel) -> LegFlows:
    """What legs whose notionals do not reset have still to pay, ordered by leg and day."""
    plain = ~resets(legs)
    exchanged = _exchanges(legs, plain & has_coupons(legs), model)
    rows, floating, stubs = floating_leg_flows(legs, np.flatnonzero(is_floating(legs) & plain), model)
    fixed = _fixed(legs, np.flatnonzero(is_fixed(legs) & plain), model)
    odd = [stubs.known] if stubs else []
    known = merged([fixed, floating.known.of(rows), exchanged, _amounts(legs, model), *odd])
    return LegFlows(known, floating.growth.of(rows), stubs)


def floating_leg_flows(
    legs: Trades, rows: Integers, model: MarketModel, before: int | None = None
) -> tuple[Integers, FloatingFlows, StubFlows | None]:
    """The coupons of some floating legs, by position among `rows`, which are returned; by leg those with stub rates.

    :param before: as `schedule` has it.
    """
    some = legs.take(rows)
    whole, stubs = split_stubs(_floating_leg(some, leg_periods(legs, rows, model.as_of, before)), some, model)
    return rows, floating_flows(whole, model), stubs.of(rows) if stubs else None


def leg_options(legs: Trades, model: MarketModel) -> list[CouponOptions]:
    """The caps and the floors on floating coupons, if there are any."""
    rows = np.flatnonzero(is_floating(legs) & has_options(legs) & ~resets(legs))
    if rows.size == 0:
        return []
    leg = _floating_leg(legs.take(rows), leg_periods(legs, rows, model.as_of))
    gearing = np.ones(len(leg.notional)) if leg.gearing is None else leg.gearing
    return coupon_options(legs, rows, Coupons(leg, model), (leg.notional, gearing, leg.spread))


def _floating_leg(some: Trades, periods: Schedule) -> FloatingLeg:
    return FloatingLeg(
        periods,
        some.labels("index"),
        some.labels("day_count"),
        some.labels("calendar"),
        NOTIONAL.by_period(some, periods, scale=signs(some)),
        SPREAD.by_period(some, periods, 0.0),
        periods.spread(some.numbers("gearing", 1.0)),
        observations(some),
        fixing_calendars(some),
    )


def _fixed(legs: Trades, rows: Integers, model: MarketModel) -> Amounts:
    some, periods = legs.take(rows), leg_periods(legs, rows, model.as_of)
    notional = NOTIONAL.by_period(some, periods, scale=signs(some))
    return Amounts(periods.trades, periods.payment, notional * fixed_interest(some, periods)).of(rows)


def fixed_interest(legs: Trades, periods: Schedule) -> FloatArray:
    """float64[periods]: of one unit at the fixed rate, simple, or compounded once a year over the period."""
    trade, rate = periods.trades, RATE.by_period(legs, periods)
    years = leg_dates(legs).accrual(legs.labels("day_count")).years(periods)
    compounded = legs.is_one("rate_compounding", "annual")[trade]
    interest = rate * years
    interest[compounded] = np.expm1(years[compounded] * np.log1p(rate[compounded]))
    return interest


def unit_coupons(legs: Trades, periods: Schedule, model: MarketModel) -> tuple[FloatArray, FloatArray, Coupons]:
    """Known part and weight of the growth, float64[periods] each, of a notional of one."""
    unit = np.ones(len(periods))
    gearing, spread = periods.spread(legs.numbers("gearing", 1.0)), SPREAD.by_period(legs, periods, 0.0)
    floats = periods.spread(is_floating(legs))
    index = legs.labels("index").where(is_floating(legs))
    leg = FloatingLeg(
        periods,
        index,
        legs.labels("day_count"),
        legs.labels("calendar"),
        unit,
        spread,
        observed=observations(legs),
        fixing_calendar=fixing_calendars(legs),
    )
    coupons = Coupons(leg, model)
    known, weight = coupons.geared(gearing)
    floating, fixed = known + spread * coupons.tau, fixed_interest(legs, periods)
    return np.where(floats, floating, fixed), np.where(floats, weight, 0.0), coupons


def _exchanges(legs: Trades, scheduled: NDArray[np.bool_], model: MarketModel) -> Amounts:
    """Notionals: paid by who receives the leg at the start, back at ends of periods as they fall and at maturity."""
    parts = [_initial_exchanges(legs, scheduled, model)]
    back = legs.flags("exchange_interim") | legs.flags("exchange_final")
    rows = np.flatnonzero(scheduled & back)
    some, periods = legs.take(rows), leg_periods(legs, rows, model.as_of)
    day = leg_dates(some).exchanges(periods.end, periods.offsets)
    for at, repaid in repayments(some, periods):
        paid = Amounts(periods.trades[at], day[at], repaid)
        parts.append(paid.where(~repays_indexed(some)[paid.trade]).of(rows))
    flows = [part.where((part.day > model.as_of) & (part.amount != 0.0)) for part in parts]
    return merged([part.ordered() for part in flows])


def repayments(some: Trades, periods: Schedule) -> tuple[tuple[Integers, FloatArray], tuple[Integers, FloatArray]]:
    """What comes back of notionals while legs run, and in the end: the periods with whose end, and how much."""
    trade = periods.trades
    notional = NOTIONAL.by_period(some, periods, scale=signs(some))
    follows = np.flatnonzero(np.diff(trade) == 0) + 1
    changes = follows[some.flags("exchange_interim")[trade[follows]]]
    last = periods.offsets[1:][np.diff(periods.offsets) > 0] - 1
    last = last[some.flags("exchange_final")[trade[last]]]
    return (changes - 1, notional[changes - 1] - notional[changes]), (last, notional[last])


def _initial_exchanges(legs: Trades, scheduled: NDArray[np.bool_], model: MarketModel) -> Amounts:
    rows = np.flatnonzero(scheduled & legs.flags("exchange_initial"))
    some = legs.take(rows)
    dates = leg_dates(some)
    start, first = dates.start, dates.starts()
    begin = Schedule(np.arange(len(rows) + 1), first, first, start, start, first, np.zeros(len(rows), np.int8))
    return Amounts(rows, dates.exchanges(first), -signs(some) * NOTIONAL.by_period(some, begin))


def _amounts(legs: Trades, model: MarketModel) -> Amounts:
    amounts, dates = legs.nested("amounts"), legs.nested("amount_dates")
    paid = signs(legs)[amounts.trades] * amounts.rows.numbers("amounts")
    flows = Amounts(amounts.trades, dates.rows.days("amount_dates"), paid)
    return flows.where(flows.day > model.as_of).ordered()
