"""Dates in paths, and days that are named by today's."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from riskpipe.config import Settings, load_settings
from riskpipe.config.dates_section import DateSettings
from riskpipe.errors import ConfigurationError

# The Friday after Thanksgiving in London, still the holiday in New York.
NIGHT = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)

TEXT = """\
as_of: 2026-11-20
dates: {{calendar: USNY, time_zone: {zone}}}
inputs:
  portfolio: "book/{{as_of:%Y/%m/%d}}"
  market: "s3://bucket/{{previous}}/market.parquet"
  history: "history-{{as_of:%Y%m%d}}-{{{{kept}}}}.parquet"
  histories: {{crisis: {{path: "{{previous:%j}}.parquet"}}}}
  limits: limits.parquet
market:
  calendars: {{DESK: {{path: "{{as_of:%Y}}.parquet"}}}}
"""


def _settings(directory: Path, as_of: str | None = None, zone: str = "America/New_York", **changes: str) -> Settings:
    text = TEXT.format(zone=zone)
    for before, after in changes.values():
        text = text.replace(before, after)
    path = directory / "riskpipe.yaml"
    path.write_text(text)
    return load_settings(path, as_of=as_of, environment={}, now=lambda: NIGHT)


def test_dates_in_every_path_of_an_input(tmp_path: Path) -> None:
    inputs = _settings(tmp_path).inputs
    assert inputs.portfolio == str(tmp_path / "book/2026/11/20")
    assert inputs.market == "s3://bucket/2026-11-19/market.parquet"
    assert inputs.history == str(tmp_path / "history-20261120-{kept}.parquet")
    assert inputs.histories["crisis"].path == str(tmp_path / "323.parquet")
    assert inputs.limits == str(tmp_path / "limits.parquet")
    assert _settings(tmp_path).market.calendars["DESK"].path == str(tmp_path / "2026.parquet")


def test_the_business_day_before_knows_holidays(tmp_path: Path) -> None:
    assert _settings(tmp_path, "2026-11-27").inputs.market == "s3://bucket/2026-11-25/market.parquet"


@pytest.mark.parametrize(
    ("as_of", "zone", "day"),
    [
        ("today", "America/New_York", date(2026, 11, 26)),
        ("today", "Europe/London", date(2026, 11, 27)),
        ("previous-business-day", "America/New_York", date(2026, 11, 25)),
        ("previous-business-day", "UTC", date(2026, 11, 25)),  # the 26th is a holiday of the calendar
    ],
)
def test_days_that_are_named_by_todays(tmp_path: Path, as_of: str, zone: str, day: date) -> None:
    assert _settings(tmp_path, as_of, zone).as_of == day
    assert _settings(tmp_path, zone=zone, given=("as_of: 2026-11-20", f"as_of: {as_of}")).as_of == day


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        (("{previous}/market", "{previuos}/market"), "inputs.market: {previuos} is no placeholder; did you mean {prev"),
        (("{previous}/market", "{day}/market"), "there are {as_of} and {previous}; a plain brace is written twice"),
        (("{previous}/market", "{previous"), "inputs.market: a brace that is not closed"),
        (("{previous}/market", "{as_of!r}/market"), "{as_of} is no placeholder"),
        (("%Y/%m/%d", "%Y/%Q"), "inputs.portfolio: {as_of:%Y/%Q}: %Q is not of a date; such as {as_of:%Y/%m/%d}"),
        (("%Y/%m/%d", "daily"), "{as_of:daily}: a format of dates is wanted"),
        (
            ("{previous:%j}", "{prev}"),
            "inputs.histories.crisis.path: {prev} is no placeholder; did you mean {previous}",
        ),
        (("{as_of:%Y}.p", "{as}.p"), "market.calendars.DESK.path: {as} is no placeholder; did you mean {as_of}?"),
        (("limits: l", "limits: l\noutput: 'out/{as_of}' #"), "output: one place for all days"),
        (("USNY", "NYUS"), "dates.calendar: a calendar"),
        (("America/New_York", "America/NewYork"), "dates.time_zone: a time zone of the IANA database, perhaps Amer"),
        (("as_of: 2026-11-20", "as_of: yesterday"), "as_of: a date (YYYY-MM-DD), today or previous-business-day is wa"),
    ],
)
def test_faults(tmp_path: Path, changes: tuple[str, str], fault: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        _settings(tmp_path, given=changes)
    assert any(fault in each for each in caught.value.faults), caught.value.faults


def test_business_days_of_a_span() -> None:
    days = DateSettings(calendar="USNY").business_days(date(2026, 11, 25), date(2026, 11, 30))
    assert days == [date(2026, 11, 25), date(2026, 11, 27), date(2026, 11, 30)]
