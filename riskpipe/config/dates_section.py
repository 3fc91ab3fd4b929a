"""The section `dates`: which days are business days, and where it is which day and what time."""

from __future__ import annotations

import difflib
from datetime import UTC, date, datetime, tzinfo
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from riskpipe.config.values import unwanted
from riskpipe.market.calendar_names import A_CALENDAR, is_calendar


def _known_calendar(value: str) -> str:
    if not is_calendar(value):
        raise unwanted(f"a calendar: {A_CALENDAR}")
    return value


def _known_zone(value: str) -> str:
    try:
        _zone(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = difflib.get_close_matches(value, sorted(available_timezones()), 1)
        hint = f", perhaps {near[0]}" if near else ", such as Europe/London"
        raise unwanted(f"a time zone of the IANA database{hint}") from None
    return value


def _zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)  # a machine may have no database of zones


class DateSettings(BaseModel):
    """What `--as-of previous-business-day`, `{previous}` in paths, `backfill` and `deadline` go by."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)

    calendar: Annotated[str, AfterValidator(_known_calendar)] = Field(
        default="weekends",
        description="Which days are business days: a calendar, or several joined by +, such as TARGET+USNY.",
    )
    time_zone: Annotated[str, AfterValidator(_known_zone)] = Field(
        default="UTC", description="Where it is today, and what time: of the IANA database, such as America/New_York."
    )

    def today(self, moment: datetime) -> date:
        return self.here(moment).date()

    def here(self, moment: datetime) -> datetime:
        """A moment, in any zone, as clocks there show it."""
        return moment.astimezone(_zone(self.time_zone))

    def previous(self, day: date) -> date:
        """The last business day before a day."""
        return self.business_days(date.fromordinal(day.toordinal() - _LONGEST), day, last_too=False)[-1]

    def business_days(self, first: date, last: date, *, last_too: bool = True) -> list[date]:
        """Those from `first` to `last`, in order."""
        from riskpipe.market.calendars import business_days  # numpy and numba, which most commands do without

        epoch = date(1970, 1, 1).toordinal()
        days = business_days(first.toordinal() - epoch, last.toordinal() - epoch + last_too, self.calendar)
        return [date.fromordinal(int(day) + epoch) for day in days]


# No calendar is closed for so long.
_LONGEST = 366
