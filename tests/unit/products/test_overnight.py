"""Daily compounding in arrears against a loop over the days, to the last bit."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from riskpipe.market.calendars import add_business_days, adjust, is_business_day, without
from riskpipe.market.conventions import Conventions
from riskpipe.market.daycounts import year_fraction
from riskpipe.market.factors import date_of
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.overnight import NONE_MISSING, realised

AS_OF = 20777


def market(days: np.ndarray) -> tuple[MarketModel, dict[int, float]]:
    rates = {int(day): 0.03 + 0.01 * np.sin(day / 30.0) for day in days}
    iso = [date_of(day).isoformat() for day in rates]
    columns = {"kind": ["fixing"] * len(iso), "name": ["SOFR"] * len(iso), "tenor": iso, "value": list(rates.values())}
    table = pa.table({"factor": [f"fixing:SOFR:{day}" for day in iso], **columns})
    return MarketModel(MarketSnapshot.from_table(table, AS_OF), Conventions()), rates


def unknown_holidays(days: np.ndarray, calendar: str) -> set[int]:
    """Business days between two fixings that are at most six days apart."""
    gaps = [range(a + 1, b) for a, b in zip(days[:-1].tolist(), days[1:].tolist(), strict=True) if b - a <= 6]
    return {day for gap in gaps for day in gap if is_business_day(np.array([day], np.int32), calendar)[0]}


def by_hand(
    rates: dict[int, float], lag: int, calendar: np.busdaycalendar, count: str, start: int, until: int
) -> tuple[float, int]:
    growth, missing, day = 1.0, int(NONE_MISSING), start
    while day < until:
        following = int(add_business_days(np.array([day], np.int32), 1, calendar)[0])
        end, at = min(following, until), np.array([day], np.int32)
        fixed_on = adjust(at, calendar, "preceding") if lag == 0 else add_business_days(at, -lag, calendar)
        rate = rates.get(int(fixed_on[0]), np.nan)
        if np.isnan(rate) and missing == NONE_MISSING:
            missing = int(fixed_on[0])
        factor = 1.0 + rate * float(year_fraction(at, np.array([end], np.int32), count)[0])
        growth = factor if day == start else growth * factor
        day = end
    return growth, missing


@pytest.mark.parametrize("lag", [0, 2])
@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("todays", [False, True])
def test_growth_of_daily_fixings(lag: int, gaps: bool, todays: bool) -> None:
    random, count = np.random.default_rng(4), "ACT/ACT"
    days = np.arange(AS_OF - 700, AS_OF + todays, dtype=np.int32)
    days = days[is_business_day(days, "USNY")]
    if gaps:
        days = days[random.random(len(days)) > 0.05]
        days = days[(days < AS_OF - 300) | (days > AS_OF - 290)]
    model, rates = market(days)
    holidays = unknown_holidays(days, "USNY") if gaps else set()
    assert len(holidays) > 10 or not gaps
    calendar = without("USNY", np.array(sorted(holidays), np.int32))
    start = (AS_OF - random.integers(-4, 600, 150)).astype(np.int32)
    end = (start + random.integers(1, 200, 150)).astype(np.int32)
    found = realised(model, "SOFR", lag, "USNY", count, start, end)
    assert (found.until >= start).all()
    assert (found.until <= end).all()
    assert ((found.until == end) | (found.until >= np.minimum(end, np.maximum(start, AS_OF)))).all()
    for k in range(150):
        growth, missing = by_hand(rates, lag, calendar, count, int(start[k]), int(found.until[k]))
        assert missing == found.missing[k]
        assert found.growth[k] == growth or (np.isnan(growth) and np.isnan(found.growth[k]))
    assert (found.missing != NONE_MISSING).any() == gaps
    assert {day for day, _ in found.skipped} <= holidays
    assert bool(found.skipped) == gaps
