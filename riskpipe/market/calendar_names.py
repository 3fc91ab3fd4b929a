"""Names of calendars, and which of QuantLib's each is; nothing is imported, so that the configuration can read them."""

from __future__ import annotations

from typing import Final

CENTRES: Final = {
    "weekends": ("WeekendsOnly", ""),
    "TARGET": ("TARGET", ""),
    "USNY": ("UnitedStates", "FederalReserve"),
    "USGS": ("UnitedStates", "GovernmentBond"),
    "GBLO": ("UnitedKingdom", "Settlement"),
    "JPTO": ("Japan", ""),
}
"""By financial centre: QuantLib's class, and its market."""

FIXING_CALENDARS: Final = {
    "SOFR": ("UnitedStates", "SOFR"),
    "EFFR": ("UnitedStates", "FederalReserve"),
    "SONIA": ("UnitedKingdom", "Exchange"),
    "ESTR": ("TARGET", ""),
    "TONA": ("Japan", ""),
    "SARON": ("Switzerland", ""),
    "CORRA": ("Canada", ""),
    "AONIA": ("Australia", ""),
    "NZOCR": ("NewZealand", ""),
    "SWESTR": ("Sweden", ""),
    "DESTR": ("Denmark", ""),
    "NOWA": ("Norway", ""),
    "KOFR": ("SouthKorea", "Settlement"),
}
"""By overnight index: the days on which it is fixed."""

QUANTLIB: Final = CENTRES | FIXING_CALENDARS
CALENDARS: Final = tuple(QUANTLIB)


def is_calendar(name: str) -> bool:
    """Whether `name` is a calendar, or several of them joined by `+`."""
    return all(part in QUANTLIB for part in name.split("+"))
