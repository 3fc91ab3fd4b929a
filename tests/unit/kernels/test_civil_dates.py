from __future__ import annotations

import numpy as np

from riskpipe.kernels.civil_dates import day_in_month, month_of, month_start, year_start


def test_months_and_years_are_numpys() -> None:
    """Over all of int32: some five million years on both sides of 1970; every day around leap days of centuries."""
    random = np.random.default_rng(1)
    edges = [np.datetime64(f"{year}-03-01").astype(int) + np.arange(-400, 400) for year in (-400, 0, 1900, 2000, 2100)]
    bounds = np.iinfo(np.int32)
    spread = random.integers(bounds.min, bounds.max, 2000)
    for day in np.concatenate([*edges, spread, [bounds.min, bounds.max]]).tolist():
        month = np.datetime64(day, "D").astype("datetime64[M]")
        first = int(month.astype("datetime64[D]").astype(int))
        count = int(month.astype(int))
        assert month_of(day) == (count, day - first)
        assert month_start(count) == first
        year = np.datetime64(day, "D").astype("datetime64[Y]")
        assert year_start(int(year.astype(int)) + 1970) == int(year.astype("datetime64[D]").astype(int))


def test_a_day_that_a_month_lacks_is_its_last() -> None:
    february = int(np.datetime64("2028-02").astype(int))
    lengths = [day_in_month(february + 12 * k, 30) - month_start(february + 12 * k) + 1 for k in range(4)]
    assert lengths == [29, 28, 28, 28]
    assert day_in_month(february, 27) == month_start(february) + 27
