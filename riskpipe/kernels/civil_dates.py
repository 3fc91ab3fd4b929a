"""Months of dates, which are days since 1970-01-01 in the proleptic Gregorian calendar; for the inside of kernels.

Years are counted from March, so that a leap day is the last of its year, and from so far back that every int32 is above
zero.

Source: Hinnant, chrono-Compatible Low-Level Date Algorithms (2021), days_from_civil and civil_from_days.
"""

from __future__ import annotations

from riskpipe.kernels.compiler import inline

_ERA = 146_097  # days of 400 years
_ERAS = 15_000
_DAYS = 719_468 + _ERA * _ERAS  # of 1970-01-01
_MONTHS = 12 * (1970 + 400 * _ERAS) - 2  # of January 1970
_NEW_YEAR = 306 - _DAYS  # 1 January of the first year that is counted, which began in March
_SHORTEST = 28  # days of a month


@inline
def month_of(day: int) -> tuple[int, int]:
    """Months since January 1970, and the day of the month less one."""
    days = day + _DAYS
    era = days // _ERA
    of_era = days - era * _ERA
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    return 12 * (year + 400 * era) + month - _MONTHS, of_year - (153 * month + 2) // 5


@inline
def month_start(month: int) -> int:
    """The first day of a month."""
    months = month + _MONTHS
    year = months // 12
    era = year // 400
    of_era = year - 400 * era
    days = 365 * of_era + of_era // 4 - of_era // 100 + (153 * (months - 12 * year) + 2) // 5
    return era * _ERA + days - _DAYS


@inline
def day_in_month(month: int, day: int) -> int:
    """A day of a month, less one, or the month's last."""
    begin = month_start(month)
    return begin + (day if day < _SHORTEST else min(day, month_start(month + 1) - begin - 1))


@inline
def year_start(year: int) -> int:
    """1 January."""
    years = year - 1 + 400 * _ERAS
    centuries = years // 100
    return 365 * years + years // 4 - centuries + centuries // 4 + _NEW_YEAR
