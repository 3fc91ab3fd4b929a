"""The keys `deadline` and `finish_within`: a time of day, and a duration."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from riskpipe.config.values import unwanted

_DURATION = r"^\s*(\d+(?:\.\d+)?)\s*(s|min|h)\s*$"
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}
_TIME = r"^([01]\d|2[0-3]):([0-5]\d)$"


def parse_time(value: object) -> int:
    """Minutes of the day of "05:30"; YAML 1.1 reads 21:30 as the number 1290, which is as many minutes.

    :raises PydanticCustomError: no time of day.
    """
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 24 * 60:
        return value
    match = re.match(_TIME, value) if isinstance(value, str) else None
    if match is None:
        raise unwanted('a time of day, such as "05:30"')
    return 60 * int(match[1]) + int(match[2])


def parse_duration(value: object) -> float:
    """Seconds of 2700 or "45min" (s, min, h). :raises PydanticCustomError: no duration above zero."""
    seconds = 0.0
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    elif isinstance(value, str) and (match := re.match(_DURATION, value)):
        seconds = float(match[1]) * _SECONDS[match[2]]
    if not seconds > 0.0:
        raise unwanted("a duration above zero, such as 45min")
    return seconds


TimeOfDay = Annotated[int, BeforeValidator(parse_time), WithJsonSchema({"type": "string", "pattern": _TIME})]
Duration = Annotated[float, BeforeValidator(parse_duration), WithJsonSchema({"type": "string", "pattern": _DURATION})]
