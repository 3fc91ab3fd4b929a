from __future__ import annotations

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from riskpipe.market.date_rules import DAY_COUNTS
from riskpipe.market.daycounts import year_fraction
from riskpipe.market.labels import Labels

EPOCH = 25569
QUANTLIB = {
    "ACT/360": ql.Actual360(),
    "ACT/365F": ql.Actual365Fixed(),
    "ACT/ACT": ql.ActualActual(ql.ActualActual.ISDA),
    "30/360": ql.Thirty360(ql.Thirty360.BondBasis),
    "30E/360": ql.Thirty360(ql.Thirty360.EurobondBasis),
    "30U/360": ql.Thirty360(ql.Thirty360.USA),
}


def month_end(days: np.ndarray) -> np.ndarray:
    month = days.astype("datetime64[D]").astype("datetime64[M]")
    return (month + 1).astype("datetime64[D]").astype(int) - 1


def random_periods(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Many ends of months, leap days and empty or reversed periods among them."""
    generator = np.random.default_rng(7)
    start = generator.integers(-7000, 40000, size)
    end = start + generator.integers(-400, 4000, size)
    month_end = (start.astype("datetime64[D]").astype("datetime64[M]") + 1).astype("datetime64[D]").astype(int) - 1
    start = np.where(generator.random(size) < 0.3, month_end, start)
    month_end = (end.astype("datetime64[D]").astype("datetime64[M]") + 1).astype("datetime64[D]").astype(int) - 1
    end = np.where(generator.random(size) < 0.3, month_end, end)
    end = np.where(generator.random(size) < 0.02, start, end)
    return start.astype(np.int32), end.astype(np.int32)


def reference(start: int, end: int, name: str) -> float:
    return float(QUANTLIB[name].yearFraction(ql.Date(int(start) + EPOCH), ql.Date(int(end) + EPOCH)))


@pytest.mark.parametrize("name", DAY_COUNTS)
def test_year_fractions_are_quantlibs(name: str) -> None:
    start, end = random_periods(3000)
    expected = [reference(a, b, name) for a, b in zip(start, end, strict=True)]
    np.testing.assert_allclose(year_fraction(start, end, name), expected, rtol=1e-15, atol=0.0)


def test_a_day_count_per_period() -> None:
    start, end = random_periods(2000)
    names = [str(name) for name in np.random.default_rng(8).choice(DAY_COUNTS, start.size)]
    expected = [reference(a, b, name) for a, b, name in zip(start, end, names, strict=True)]
    np.testing.assert_allclose(year_fraction(start, end, Labels.of(names)), expected, rtol=1e-15, atol=0.0)


def test_printed_values() -> None:
    """2007-02-28 to 2007-03-31 in months of 30 days; a leap year split at new year."""
    start, end = np.array([13572], np.int32), np.array([13603], np.int32)
    assert year_fraction(start, end, "30/360")[0] == 33 / 360
    assert year_fraction(start, end, "30E/360")[0] == 32 / 360
    leap = np.array(["2003-11-01", "2004-05-01"], "datetime64[D]").astype(np.int32)
    # ISDA, "EMU and market conventions: recent developments" (1998): 61/365 + 121/366
    assert year_fraction(leap[:1], leap[1:], "ACT/ACT")[0] == pytest.approx(61 / 365 + 121 / 366, abs=1e-15)


def test_the_end_of_february_is_the_thirtieth_in_america() -> None:
    """By hand, from the rule: to the end of March, from one February to the next, and what is no start there."""
    days = [
        ("2023-02-28", "2023-03-31", 30),
        ("2024-02-28", "2024-03-31", 33),
        ("2024-02-29", "2024-03-31", 30),
        ("2023-02-28", "2024-02-29", 360),
        ("2024-02-29", "2025-02-28", 360),
        ("2024-02-29", "2025-03-15", 375),
        ("2023-08-31", "2024-02-29", 179),
        ("2100-02-28", "2100-03-30", 30),
    ]
    start, end = (np.array([pair[k] for pair in days], "datetime64[D]").astype(np.int32) for k in (0, 1))
    np.testing.assert_array_equal(year_fraction(start, end, "30U/360") * 360.0, [pair[2] for pair in days])


def test_unknown_names() -> None:
    day = np.zeros(1, np.int32)
    with pytest.raises(ValueError, match=r"'ACT/364'.*ACT/360, ACT/365F"):
        year_fraction(day, day, "ACT/364")
    with pytest.raises(ValueError, match="no day count"):
        year_fraction(day, day, Labels.of([None]))
