"""ORE's codes of calendars, day counts, conventions and periods as riskpipe's names and QuantLib's objects."""

from __future__ import annotations

import re
from datetime import date
from typing import Any, Final

import QuantLib as ql  # noqa: N813

from riskpipe.importers.import_report import LeftOutError
from riskpipe.market.calendar_names import is_calendar

_CALENDARS: Final = {
    "TARGET": "TARGET EUR TGT EUTA",
    "US_SETTLEMENT": "US USD NYB US-SET US_settlement",
    "USNY": "US-FED",
    "XNYS": "US-NYSE XNYS",
    "USGS": "US-GOV US-GOVT",
    "SOFR": "US-SOFR",
    "US_LIBOR": "US_with_Libor_impact",
    "US_NERC": "US-NERC",
    "GBLO": "UK GBP GB LNB UK_settlement",
    "CHZU": "CHF ZUB CH",
    "JPTO": "JP JPY TKB",
    "SEST": "SS SEK SE",
    "RUMO": "RUB RU",
    "NOOS": "NOK NO",
    "DKCO": "DEN DKK DK",
    "AUSY": "AUD AU AUS SYB",
    "MXMC": "MXN MX",
    "TWTA": "TWD TW",
    "CZPR": "CZK CZ",
    "ZAJO": "ZAR ZA",
    "CNBE": "CN-IB",
    "XSHG": "CN CNY CNH",
    "CATO": "CA CAD TRB",
    "HKHK": "HKD HK",
    "TRIS": "TRY TR",
    "PLWA": "PLN PL",
    "NZWE": "NZD NZ",
    "INMU": "INR IN",
    "THBA": "THB TH",
    "SGSI": "SGD SG",
    "PHMA": "PHP PH",
    "MYKL": "MYR MY",
    "KRSE": "KRW KR",
    "XTAE": "ILS IL",
    "HUBU": "HUF HU",
    "BRSP": "BRL BR",
    "CLSA": "CLP CL",
    "IDJA": "IDR ID",
    "SARI": "SAR SA",
    "XBSE": "RON RO",
    "ISRE": "ISK IS",
    "UAKI": "UAH UA",
    "ARBA": "ARS AR",
    "FIHE": "FI",
    "FRPA": "FR",
    "DEFR": "DE",
    "ITMI": "IT",
    "ATVI": "AT",
    "every_day": "NullCalendar Null",
    "weekends": "WeekendsOnly",
    "XLME": "XLME",
    "XPAR": "XPAR",
    "XETR": "XETR",
    "XLON": "XLON",
    "XMIL": "XMIL",
    "XTSE": "XTSE",
    "XKRX": "XKRX",
    "XASX": "XASX",
}
"""riskpipe's calendars, and the codes that ORE has for each."""

CALENDAR_OF: Final = {code.replace("_", " "): name for name, codes in _CALENDARS.items() for code in codes.split()}

_DAY_COUNTS: Final = {
    "ACT/360": "A360 ACT/360 Actual/360",
    "ACT/365F": "A365 A365F ACT/365 ACT/365.FIXED Actual/365_(Fixed)",
    "ACT/ACT": "ACT/ACT ACT ActActISDA ACT/ACT.ISDA Actual/Actual_(ISDA)",
    "30/360": "30/360_(Bond_Basis)",
    "30E/360": "30E/360",
    "30U/360": "30/360 T360 30/360_US 30/360_(US)",
}
DAY_COUNT_OF: Final = {code.replace("_", " "): name for name, codes in _DAY_COUNTS.items() for code in codes.split()}

CONVENTION_OF: Final = {
    "F": "following",
    "Following": "following",
    "FOLLOWING": "following",
    "MF": "modified_following",
    "ModifiedFollowing": "modified_following",
    "Modified Following": "modified_following",
    "MODIFIEDF": "modified_following",
    "P": "preceding",
    "Preceding": "preceding",
    "U": "unadjusted",
    "Unadjusted": "unadjusted",
    "INDIFF": "unadjusted",
}

TENOR_OF: Final = {
    "Annual": "1Y",
    "A": "1Y",
    "Semiannual": "6M",
    "S": "6M",
    "Quarterly": "3M",
    "Q": "3M",
    "Monthly": "1M",
    "M": "1M",
    "Bimonthly": "2M",
    "Lunarmonth": "4W",
    "L": "4W",
    "Weekly": "1W",
    "W": "1W",
    "Daily": "1D",
    "D": "1D",
    "Once": "0D",
    "Z": "0D",
}
_DATES: Final = (
    (r"(\d{4})-?(\d{2})-?(\d{2})", (0, 1, 2)),
    (r"(\d{2})[./-](\d{2})[./-](\d{4}|\d{2})", (2, 1, 0)),
)
_UNITS: Final = {"D": ql.Days, "W": ql.Weeks, "M": ql.Months, "Y": ql.Years}


def calendar(code: str) -> str:
    """riskpipe's name; of joint ones `A+B`.

    :raises LeftOutError: riskpipe has no such calendar.
    """
    parts = [part.strip() for part in code.replace("JoinHolidays(", "").replace(")", "").split(",") if part.strip()]
    names = []
    for part in parts:
        name = CALENDAR_OF.get(part, part)
        if not is_calendar(name):
            raise LeftOutError(f"riskpipe has no calendar {part!r}")
        if name not in names:
            names.append(name)
    if not names:
        return "every_day"
    return "+".join(names)


def day_count(code: str) -> str:
    """:raises LeftOutError: riskpipe has no such day count."""
    if code not in DAY_COUNT_OF:
        raise LeftOutError(f"riskpipe has no day count {code!r}")
    return DAY_COUNT_OF[code]


def convention(code: str, default: str = "modified_following") -> str:
    """:raises LeftOutError: riskpipe has no such business day convention."""
    if not code:
        return default
    if code not in CONVENTION_OF:
        raise LeftOutError(f"riskpipe has no business day convention {code!r}")
    return CONVENTION_OF[code]


def tenor(code: str) -> str:
    """A period such as 3M, of a frequency's name too."""
    return TENOR_OF.get(code, code.upper())


def period(code: str) -> Any:
    """QuantLib's period of 3M, 1Y6M, Annual.

    :raises LeftOutError: it is none.
    """
    text = tenor(code)
    found = re.findall(r"(\d+)([DWMY])", text)
    if not found or "".join(number + unit for number, unit in found) != text:
        raise LeftOutError(f"{code!r} is no period such as 3M")
    parts = [ql.Period(int(number), _UNITS[unit]) for number, unit in found]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def period_text(value: Any) -> str:
    """3M, 18M, 2Y; whole years as years."""
    value = value.normalized()
    letters = {ql.Days: "D", ql.Weeks: "W", ql.Months: "M", ql.Years: "Y"}
    return f"{value.length()}{letters[value.units()]}"


def months(value: Any) -> int:
    """Of QuantLib's period.

    :raises LeftOutError: it is none of months or years.
    """
    value = value.normalized()
    if value.units() not in (ql.Months, ql.Years):
        raise LeftOutError(f"{period_text(value)} is no number of months")
    return int(value.length()) * (12 if value.units() == ql.Years else 1)


def is_period(text: str) -> bool:
    return re.fullmatch(r"(\d+[DWMY])+", text) is not None


def a_date(text: str) -> date:
    """Of 20160205, 2016-02-05, 05.02.2016, 05/02/2016 or 05.02.16.

    :raises LeftOutError: it is none.
    """
    for pattern, order in _DATES:
        match = re.fullmatch(pattern, text.strip())
        if match:
            year, month, day = (int(match.groups()[k]) for k in order)
            year += 2000 if year < 100 else 0
            try:
                return date(year, month, day)
            except ValueError:
                break
    raise LeftOutError(f"{text!r} is no date")


def flag(text: str, default: bool = False) -> bool:
    """Of Y, true, 1 and their opposites.

    :raises LeftOutError: it is neither.
    """
    if not text:
        return default
    if text.lower() in ("y", "yes", "true", "1"):
        return True
    if text.lower() in ("n", "no", "false", "0"):
        return False
    raise LeftOutError(f"{text!r} is neither true nor false")


def number(text: str) -> float:
    """:raises LeftOutError: it is none."""
    try:
        return float(text.replace(",", ""))
    except ValueError:
        raise LeftOutError(f"{text!r} is no number") from None
