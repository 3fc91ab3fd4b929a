"""riskpipe's names and zero rates as QuantLib's objects."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import QuantLib as ql  # noqa: N813
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray

Days = NDArray[np.int64]

DAY_COUNTERS: Final[dict[str, Any]] = {
    "ACT/360": ql.Actual360(),
    "ACT/365F": ql.Actual365Fixed(),
    "ACT/ACT": ql.ActualActual(ql.ActualActual.ISDA),
    "30/360": ql.Thirty360(ql.Thirty360.BondBasis),
    "30E/360": ql.Thirty360(ql.Thirty360.EurobondBasis),
    "30U/360": ql.Thirty360(ql.Thirty360.USA),
    "ACT/364": ql.Actual364(),
    "NL/365": ql.Actual365Fixed(ql.Actual365Fixed.NoLeap),
    "ACT/ACT AFB": ql.ActualActual(ql.ActualActual.AFB),
}
BUSINESS_DAY_CONVENTIONS: Final[dict[str, Any]] = {
    "unadjusted": ql.Unadjusted,
    "following": ql.Following,
    "modified_following": ql.ModifiedFollowing,
    "preceding": ql.Preceding,
}
FREQUENCIES: Final[dict[str, Any]] = {
    "1W": ql.Weekly,
    "4W": ql.EveryFourthWeek,
    "1M": ql.Monthly,
    "2M": ql.Bimonthly,
    "3M": ql.Quarterly,
    "4M": ql.EveryFourthMonth,
    "6M": ql.Semiannual,
    "1Y": ql.Annual,
    "1T": ql.Once,
}
_UNITS: Final = {"D": ql.Days, "W": ql.Weeks, "M": ql.Months, "Y": ql.Years}
_EXCEL_EPOCH: Final = 25569  # QuantLib's serial number of 1970-01-01
TIME: Final = ql.Actual365Fixed()


def to_date(days: int) -> Any:
    """QuantLib's date of days since 1970-01-01."""
    return ql.Date(int(days) + _EXCEL_EPOCH)


def to_days(dates: Sequence[Any]) -> Days:
    """int64[n]: days since 1970-01-01."""
    return np.array([date.serialNumber() - _EXCEL_EPOCH for date in dates], np.int64)


def to_period(tenor: str) -> Any:
    """nD, nW, nM or nY; None for anything else."""
    match = re.fullmatch(r"(\d{1,5})([DWMY])", tenor)
    return None if match is None else ql.Period(int(match[1]), _UNITS[match[2]])


def zero_curve(as_of: int, days: Days, zeros: FloatArray, interpolation: str, extrapolation: str = "flat_zero") -> Any:
    """riskpipe's curve (`riskpipe.market.curves`) as QuantLib's, beyond its ends too.

    A zero rate that is flat beyond the last point is a discount factor that is log-linear up to a far point of the
    same zero rate; a flat forward rate one up to a far point that goes on as the last two do.

    :param days: int64[n], ascending, after as_of; `zeros`: float64[n], continuously compounded.
    """
    far = min(as_of + 54_786, ql.Date.maxDate().serialNumber() - _EXCEL_EPOCH)
    last = zeros[-1]
    if extrapolation == "flat_forward" and len(days) > 1:
        near, end = (days[-2:] - as_of).tolist()
        forward = (zeros[-1] * end - zeros[-2] * near) / (end - near)
        last = (zeros[-1] * end + forward * (far - as_of - end)) / (far - as_of)
    grid, rates = np.append(days, far), np.append(zeros, last)
    dates = [to_date(as_of), *(to_date(int(day)) for day in grid)]
    if interpolation == "linear_zero":
        return ql.ZeroCurve(dates, [float(rates[0]), *rates.tolist()], TIME)
    factors = np.exp(-rates * (grid - as_of) / 365.0)
    return ql.DiscountCurve(dates, [1.0, *factors.tolist()], TIME)


@contextmanager
def valued_at(as_of: int) -> Iterator[None]:
    """QuantLib's evaluation date within, and what it was before afterwards."""
    with ql.SavedSettings():
        ql.Settings.instance().evaluationDate = to_date(as_of)
        yield
