"""Names of calendars, and which of QuantLib's each is; the configuration reads them, so nothing slow is imported."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final

Market = tuple[str, str]
"""QuantLib's class of a calendar, and its market; "" where it has one only."""

EVERYWHERE: Final[dict[str, Market]] = {"weekends": ("WeekendsOnly", ""), "every_day": ("NullCalendar", "")}
"""Saturdays and Sundays alone, and no holiday at all."""

CENTRES: Final[dict[str, Market]] = {
    "TARGET": ("TARGET", ""),
    "USNY": ("UnitedStates", "FederalReserve"),
    "USGS": ("UnitedStates", "GovernmentBond"),
    "GBLO": ("UnitedKingdom", "Settlement"),
    "JPTO": ("Japan", ""),
    "ARBA": ("Argentina", "Merval"),
    "ATVI": ("Austria", "Settlement"),
    "AUSY": ("Australia", "Settlement"),
    "BRSP": ("Brazil", "Settlement"),
    "BWGA": ("Botswana", ""),
    "CATO": ("Canada", "Settlement"),
    "CHZU": ("Switzerland", ""),
    "CLSA": ("Chile", "SSE"),
    "CNBE": ("China", "IB"),
    "CZPR": ("CzechRepublic", "PSE"),
    "DEFR": ("Germany", "Settlement"),
    "DKCO": ("Denmark", ""),
    "FIHE": ("Finland", ""),
    "FRPA": ("France", "Settlement"),
    "HKHK": ("HongKong", "HKEx"),
    "HRZA": ("Croatia", "ZSE"),
    "HUBU": ("Hungary", ""),
    "IDJA": ("Indonesia", "JSX"),
    "ILTA": ("Israel", "Settlement"),
    "INMU": ("India", "NSE"),
    "ISRE": ("Iceland", "ICEX"),
    "ITMI": ("Italy", "Settlement"),
    "KRSE": ("SouthKorea", "Settlement"),
    "MEPO": ("Montenegro", "MNSE"),
    "MKSK": ("NorthMacedonia", "MSE"),
    "MTVA": ("Malta", "MSE"),
    "MXMC": ("Mexico", "BMV"),
    "MYKL": ("Malaysia", "KLSE"),
    "NOOS": ("Norway", ""),
    "NZAU": ("NewZealand", "Auckland"),
    "NZWE": ("NewZealand", "Wellington"),
    "PHMA": ("Philippines", "PSE"),
    "PLWA": ("Poland", "Settlement"),
    "ROBU": ("Romania", "Public"),
    "RSBE": ("Serbia", "BSE"),
    "RUMO": ("Russia", "Settlement"),
    "SARI": ("SaudiArabia", "Tadawul"),
    "SEST": ("Sweden", ""),
    "SGSI": ("Singapore", "SGX"),
    "SILJ": ("Slovenia", "LSE"),
    "SKBR": ("Slovakia", "BSSE"),
    "THBA": ("Thailand", ""),
    "TRIS": ("Turkey", ""),
    "TWTA": ("Taiwan", "TSEC"),
    "UAKI": ("Ukraine", "USE"),
    "US_LIBOR": ("UnitedStates", "LiborImpact"),
    "US_NERC": ("UnitedStates", "NERC"),
    "US_SETTLEMENT": ("UnitedStates", "Settlement"),
    "UZTA": ("Uzbekistan", "UZSE"),
    "ZAJO": ("SouthAfrica", ""),
}
"""By financial centre, as FpML writes it: the country's two letters and two of the city. TARGET is that of the euro,
USGS of United States government bonds; what the United States have beside these begins with US_."""

EXCHANGES: Final[dict[str, Market]] = {
    "BVMF": ("Brazil", "Exchange"),
    "MISX": ("Russia", "MOEX"),
    "XASX": ("Australia", "ASX"),
    "XBSE": ("Romania", "BVB"),
    "XETR": ("Germany", "Xetra"),
    "XEUR": ("Germany", "Eurex"),
    "XFRA": ("Germany", "FrankfurtStockExchange"),
    "XKRX": ("SouthKorea", "KRX"),
    "XLME": ("UnitedKingdom", "Metals"),
    "XLON": ("UnitedKingdom", "Exchange"),
    "XMIL": ("Italy", "Exchange"),
    "XNYS": ("UnitedStates", "NYSE"),
    "XPAR": ("France", "Exchange"),
    "XSHG": ("China", "SSE"),
    "XTAE": ("Israel", "TASE"),
    "XTSE": ("Canada", "TSX"),
    "XWAR": ("Poland", "WSE"),
    "XWBO": ("Austria", "Exchange"),
}
"""By exchange (ISO 10383), where QuantLib knows it apart from its country's settlement days."""

FIXING_CALENDARS: Final[dict[str, Market]] = {
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
    "BBSW": ("Australia", "Settlement"),
    "BIBOR": ("Thailand", ""),
    "BKBM": ("NewZealand", "Wellington"),
    "BUBOR": ("Hungary", ""),
    "CDI": ("Brazil", "Settlement"),
    "CDOR": ("Canada", "Settlement"),
    "CIBOR": ("Denmark", ""),
    "CZEONIA": ("CzechRepublic", "PSE"),
    "EURIBOR": ("TARGET", ""),
    "HIBOR": ("HongKong", "HKEx"),
    "HONIA": ("HongKong", "HKEx"),
    "HUFONIA": ("Hungary", ""),
    "INDONIA": ("Indonesia", "JSX"),
    "JIBAR": ("SouthAfrica", ""),
    "JIBOR": ("Indonesia", "JSX"),
    "KLIBOR": ("Malaysia", "KLSE"),
    "LIBOR": ("UnitedKingdom", "Exchange"),
    "MIBOR": ("India", "NSE"),
    "MOSPRIME": ("Russia", "Settlement"),
    "MYOR": ("Malaysia", "KLSE"),
    "NIBOR": ("Norway", ""),
    "POLONIA": ("Poland", "Settlement"),
    "PRIBOR": ("CzechRepublic", "PSE"),
    "ROBOR": ("Romania", "BVB"),
    "RUONIA": ("Russia", "Settlement"),
    "SHIBOR": ("China", "IB"),
    "SHIR": ("Israel", "SHIR"),
    "SIFMA": ("UnitedStates", "GovernmentBond"),
    "SORA": ("Singapore", "SGX"),
    "STIBOR": ("Sweden", ""),
    "TAIBOR": ("Taiwan", "TSEC"),
    "TELBOR": ("Israel", "Telbor"),
    "THBFIX": ("Thailand", ""),
    "THOR": ("Thailand", ""),
    "TIBOR": ("Japan", ""),
    "TIIE": ("Mexico", "BMV"),
    "TLREF": ("Turkey", ""),
    "WIBOR": ("Poland", "Settlement"),
    "ZARONIA": ("SouthAfrica", ""),
}
"""By index: the days on which it is fixed."""

QUANTLIB: Final = EVERYWHERE | CENTRES | EXCHANGES | FIXING_CALENDARS
CALENDARS: Final = tuple(QUANTLIB)


WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def is_own(part: str) -> bool:
    """Whether what stands between `+` lists days, in place of being a name."""
    return part.startswith("{")


def with_own(name: str, own: Mapping[str, str]) -> str:
    """A name as somebody writes it, with what is called so in place of each part that is of their own."""
    # what they write is a name, never a list of days
    parts = [own.get(part, part.replace("{", "?")) for part in name.split("+")]
    return "+".join(dict.fromkeys("+".join(parts).split("+")))


def is_calendar_column(column: str) -> bool:
    """Whether a column of trades, or of their legs, names calendars."""
    return column == "calendar" or column.endswith("_calendar")


def is_calendar(name: str) -> bool:
    """Whether `name` is a calendar, or several of them joined by `+`."""
    return all(part in QUANTLIB or is_own(part) for part in name.split("+"))


def unknown_calendar(name: str) -> str:
    """What is wrong with a name that is no calendar, and what it was meant to be."""
    near = [get_close_matches(part.upper(), CALENDARS, 1) for part in name.split("+") if not is_calendar(part)]
    meant = " and ".join(dict.fromkeys(match for matches in near for match in matches))
    question = f"did you mean {meant}? " if meant else ""
    return f"unknown calendar {name!r}: {question}{A_CALENDAR} is wanted"


A_CALENDAR: Final = (
    "a financial centre such as GBLO, an exchange such as XLON, an index such as SOFR, weekends, every_day, one of "
    "market.calendars, or some of them as A+B (docs/inputs.md lists them)"
)
