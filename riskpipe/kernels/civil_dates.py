"""Months of dates, which are days since 1970-01-01 in the proleptic Gregorian calendar; for the inside of kernels.

Years are counted from March, so that a leap day is the last of its year, and from so far back that every int32 is above
zero.

Source: Neri and Schneider, Euclidean affine functions and their application to calendar algorithms (2022).
"""

from __future__ import annotations

from riskpipe.kernels.compiler import inline

_CENTURIES = 60_000  # from the first year that is counted to the year 0
_DAYS = 719_468 + 146_097 * (_CENTURIES // 4)  # of 1970-01-01
_MONTHS = 12 * (1970 + 100 * _CENTURIES) - 2  # of January 1970
_NEW_YEAR = 306 - _DAYS  # 1 January of the first year that is counted, which began in March
_SHORTEST = 28  # days of a month


@inline
def _year_of(day: int) -> tuple[int, int]:
    """The year, from March, and the day of it."""
    quarters = 4 * (day + _DAYS) + 3
    century = quarters // 146_097
    quarters = (quarters - 146_097 * century) | 3
    year = quarters // 1461
    return 100 * century + year, (quarters - 1461 * year) >> 2


@inline
def month_of(day: int) -> tuple[int, int]:
    """Months since January 1970, and the day of the month less one."""
    year, of_year = _year_of(day)
    scaled = 2141 * of_year + 1305
    return 12 * year + (scaled >> 16) - _MONTHS, (scaled & 0xFFFF) // 2141


@inline
def civil_year(day: int) -> int:
    """The year."""
    year, of_year = _year_of(day)
    return year - 100 * _CENTURIES + (of_year >= 306)


@inline
def month_start(month: int) -> int:
    """The first day of a month."""
    months = month + _MONTHS
    year = months // 12
    century = year // 100
    of_year = (979 * (months - 12 * year) + 15) >> 5
    return 365 * year + (year >> 2) - century + (century >> 2) + of_year - _DAYS


@inline
def is_end_of_february(day: int) -> bool:
    """Whether a day is the 28th, in leap years the 29th."""
    of_month = month_of(day)[1]
    return of_month >= _SHORTEST - 1 and month_of(day)[0] % 12 == 1 and month_of(day + 1)[1] == 0


@inline
def day_in_month(month: int, day: int) -> int:
    """A day of a month, less one, or the month's last."""
    begin = month_start(month)
    return begin + (day if day < _SHORTEST else min(day, month_start(month + 1) - begin - 1))


@inline
def year_start(year: int) -> int:
    """1 January."""
    years = year - 1 + 100 * _CENTURIES
    century = years // 100
    return 365 * years + (years >> 2) - century + (century >> 2) + _NEW_YEAR
