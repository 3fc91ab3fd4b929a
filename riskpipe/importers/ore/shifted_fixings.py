"""Indices of legs that fix on other days than their index does: a name and a curve of their own."""

from __future__ import annotations

import numpy as np
import QuantLib as ql  # noqa: N813

from riskpipe.arrays import FloatArray
from riskpipe.importers.ore.growing_curves import Curve
from riskpipe.importers.ore.indices import Index, index_of
from riskpipe.importers.ore.leg_terms import Terms
from riskpipe.importers.ore.ore_market import OreMarket
from riskpipe.importers.ore.quoted_dates import Days, a_day, fractions, market, numbers
from riskpipe.market.bootstrap.quantlib import to_date


def shifted_index(ore: OreMarket, name: str, fixing_days: int, terms: Terms) -> str:
    """The name of an index by which riskpipe projects a leg's rates as ORE does.

    ORE's are over the time from the value date of one fixing to that of the next, which are not the coupon's dates:
    the curve grows between these by as much.
    """
    index, days = index_of(name), terms.dates.days
    own = f"{name}.F{fixing_days}.{len(days)}.{a_day(int(days[-1])):%Y%m%d}"
    place = ore.todays.place("IndexForwardingCurves", name)
    return ore.once("index", own, place, lambda: _made(ore, index, own, fixing_days, days))


def _made(ore: OreMarket, index: Index, own: str, fixing_days: int, days: Days) -> str:
    curve = ore.curves.get(ore.todays.curve("IndexForwardingCurves", index.name)).curve
    coming, zeros = _zeros(curve, index, fixing_days, days, ore.as_of)
    for day, zero in zip(coming.tolist(), zeros.tolist(), strict=True):
        tenor = a_day(day).isoformat()
        ore.book.point("zero_rate", own, zero, tenor, currency=index.currency, tenor=tenor)
    ore.book.convention("curves", own, extrapolation="flat_forward" if len(coming) > 1 else None)
    ore.book.convention(
        "indices",
        own,
        curve=own,
        day_count=index.day_count,
        fixing_lag=fixing_days or None,
        calendar=index.calendar,
    )
    for line in ore.fixings.of(index.name):
        ore.book.point("fixing", own, line.value, line.day.isoformat(), tenor=line.day.isoformat())
    ore.report.turned("index", own, "", f"{index.name}, fixed {fixing_days} days before its periods")
    return own


def _zeros(curve: Curve, index: Index, fixing_days: int, days: Days, as_of: int) -> tuple[Days, FloatArray]:
    """Days after today on which the curve has points, and zero rates."""
    place, values = market(index.calendar), market(index.value_calendar)
    fixed = [place.advance(to_date(int(day)), -fixing_days, ql.Days) for day in days]
    begins = numbers([values.adjust(place.advance(day, index.fixing_days, ql.Days)) for day in fixed])
    first = int(np.argmax(numbers(fixed) >= as_of))
    run = days[first:]
    near, far = begins[first:-1], begins[first + 1 :]
    rates = (curve.discount(near) / curve.discount(far) - 1.0) / fractions(near, far, index.day_count)
    growth = np.log1p(rates * fractions(run[:-1], run[1:], index.day_count))
    start = float(np.log(curve.discount(run[0]))) if run[0] > as_of else 0.0
    logs = start - np.concatenate(([0.0], np.cumsum(growth)))
    coming = run > as_of
    return run[coming], np.asarray(-logs[coming] / (run[coming] - as_of) * 365.0)
