"""Calendars of one's own: holidays beside those of a calendar, or beside a weekend.

Such a calendar goes by a name that lists its days, and is joined with others as they are (`GBLO+{: 2026-06-10}`). It
means the same wherever it gets to, whatever is called DESK there; nothing has to be told of it beforehand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskpipe.market.calendar_names import WEEKDAYS

Days = NDArray[np.int32]


def own_calendar(holidays: Days, base: str | None = None, weekend: Sequence[str] = ()) -> str:
    """The calendar of days, int32[n] since 1970-01-01, beside those of `base`, or of these weekdays.

    :param base: one of `calendar_names.CALENDARS`, or some joined by `+`; None: the weekend alone.
    :param weekend: of `WEEKDAYS`; none and no base: Saturday and Sunday.
    """
    closed = " ".join(str(day) for day in np.unique(holidays).astype("datetime64[D]"))
    if base is None and not weekend:
        base = "weekends"
    days = ",".join(str(WEEKDAYS.index(day)) for day in weekend)
    return "+".join([*([base] if base else []), f"{{{days}: {closed}}}"])


def closed_days(part: str) -> tuple[tuple[int, ...], Days]:
    """The weekdays, from Monday on, and the days, int32[n], that such a part closes."""
    weekdays, _, days = part.strip("{}").partition(":")
    weekend = tuple(int(day) for day in weekdays.split(",") if day)
    return weekend, np.array(days.split(), "datetime64[D]").astype(np.int32)


def bespoke_calendar(part: str) -> Any:
    """QuantLib's."""
    import QuantLib as ql  # noqa: N813  # slow to import

    weekend, days = closed_days(part)
    calendar = ql.BespokeCalendar(part)
    for day in weekend:
        calendar.addWeekend((day + 1) % 7 + 1)  # Sunday is 1
    for date in days.astype("datetime64[D]").tolist():
        calendar.addHoliday(ql.Date(date.day, date.month, date.year))
    return calendar
