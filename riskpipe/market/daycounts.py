"""Day counts: the year fraction between two dates, over whole arrays."""

from __future__ import annotations

from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels import year_fractions as kernels
from riskpipe.market.calendars import count_business_days
from riskpipe.market.date_rules import COUPON_DAY_COUNTS
from riskpipe.market.labels import Labels

Days = NDArray[np.int32]

_RULES: Final = {
    "ACT/360": kernels.ACT_360,
    "ACT/365F": kernels.ACT_365F,
    "ACT/ACT": kernels.ACT_ACT,
    "30/360": kernels.BOND_BASIS,
    "30E/360": kernels.EUROBOND_BASIS,
    "30U/360": kernels.US_BASIS,
    "ACT/364": kernels.ACT_364,
    "NL/365": kernels.NO_LEAP,
    "ACT/ACT AFB": kernels.AFB,
}
# Of those that ask for more than two dates; the last two have kernels of their own.
_ISDA_BASIS, _ACT_365L, _ICMA, _BUSINESS = range(100, 104)
_OF_COUPONS: Final = {
    "30E/360 ISDA": _ISDA_BASIS,
    "ACT/365L": _ACT_365L,
    "ACT/ACT ICMA": _ICMA,
    "BUS/252": _BUSINESS,
}
_KNOWN: Final = _RULES | _OF_COUPONS


class CouponPeriods(Struct, frozen=True):
    """What some day counts ask of n coupons, beside the dates between which interest is earned.

    :param reference: int32[n] each, start and end of the whole period that a coupon is, or that is at its regular end.
    :param length: int64[n], of a whole period in months, below zero in days; 0: there is one period.
    :param end_of_month: bool[n], whole periods end with months.
    :param at_maturity: bool[n], it ends with the trade.
    :param calendar: of each.
    """

    reference: tuple[Days, Days]
    length: NDArray[np.int64]
    end_of_month: NDArray[np.bool_]
    at_maturity: NDArray[np.bool_]
    calendar: Labels


def asks_for_coupons(day_count: Labels) -> bool:
    """Whether one of these names is of those that `year_fraction` wants `CouponPeriods` for."""
    return any(name in _OF_COUPONS for name in day_count.names)


def year_fraction(start: Days, end: Days, day_count: Labels | str, coupons: CouponPeriods | None = None) -> FloatArray:
    """Year fractions from `start` to `end`; negative where end < start.

    :param start: int32[n], days since 1970-01-01.
    :param end: int32[n].
    :param day_count: one of `COUPON_DAY_COUNTS`, of each pair or one for all.
    :param coupons: None: the dates are of no coupon, and those of `DAY_COUNTS` alone serve.
    :return: float64[n].
    :raises ValueError: unknown day count, or one that asks for more.

    Source: `riskpipe.kernels.year_fractions`.
    """
    names = (day_count,) if isinstance(day_count, str) else day_count.names
    codes = np.zeros(len(start), np.int32) if isinstance(day_count, str) else day_count.codes
    known = np.array([*(_KNOWN.get(name, -1) for name in names), -1], np.int32)
    rule = known.take(codes)
    if rule.min(initial=0) < 0:
        code = int(codes[np.argmax(rule < 0)])
        if code < 0:
            raise ValueError("a period has no day count")
        raise ValueError(f"unknown day count {names[code]!r}: one of {', '.join(COUPON_DAY_COUNTS)}")
    fractions = np.empty(len(start))
    if rule.max(initial=0) < _ISDA_BASIS:
        kernels.year_fractions(start, end, rule, fractions)
        return fractions
    if coupons is None:
        name = names[int(codes[np.argmax(rule >= _ISDA_BASIS)])]
        raise ValueError(f"the day count {name} is of coupons of a schedule, and asks for more than two dates")
    _fill_coupons(start, end, rule, coupons, fractions)
    return fractions


def _fill_coupons(start: Days, end: Days, wanted: Days, coupons: CouponPeriods, fractions: FloatArray) -> None:
    """Fractions of coupons, some of which ask for more than their dates."""
    rule = wanted.copy()
    rule[wanted == _ISDA_BASIS] = kernels.ISDA_BASIS
    rule[(wanted == _ISDA_BASIS) & coupons.at_maturity] = kernels.ISDA_BASIS_AT_MATURITY
    rule[wanted == _ACT_365L] = kernels.ACT_365L
    rule[(wanted == _ACT_365L) & np.isin(coupons.length, (0, 12))] = kernels.ACT_365L_ANNUAL
    rule[wanted >= _ICMA] = kernels.ACT_360  # written over
    kernels.year_fractions(start, end, rule, fractions)
    at = np.flatnonzero(wanted == _BUSINESS)
    if at.size:
        fractions[at] = count_business_days(start[at], end[at], coupons.calendar.take(at)) / 252.0
    at = np.flatnonzero(wanted == _ICMA)
    if at.size:
        parts = np.empty(len(at))
        reference = (coupons.reference[0][at], coupons.reference[1][at])
        steps = (coupons.length[at], coupons.end_of_month[at])
        kernels.whole_periods_fractions(start[at], end[at], reference, *steps, parts)
        fractions[at] = parts
