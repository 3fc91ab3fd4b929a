"""Spot dates of currency pairs: when an exchange rate that is agreed on a day changes hands.

Source: Clark, Foreign Exchange Option Pricing (2011), section 1.4.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from riskpipe.market.calendars import add_business_days, adjust
from riskpipe.market.conventions import FxPairConvention

Days = NDArray[np.int32]

CALENDAR_OF: Final = {
    "USD": "USNY",
    "EUR": "TARGET",
    "GBP": "GBLO",
    "JPY": "JPTO",
    "CHF": "SARON",
    "CAD": "CORRA",
    "AUD": "AONIA",
    "NZD": "NZOCR",
    "SEK": "SWESTR",
    "DKK": "DESTR",
    "NOK": "NOWA",
    "KRW": "KOFR",
    "ARS": "ARBA",
    "BRL": "BRSP",
    "CLP": "CLSA",
    "CNY": "CNBE",
    "CZK": "CZPR",
    "HKD": "HKHK",
    "HUF": "HUBU",
    "IDR": "IDJA",
    "ILS": "ILTA",
    "INR": "INMU",
    "ISK": "ISRE",
    "MXN": "MXMC",
    "MYR": "MYKL",
    "PHP": "PHMA",
    "PLN": "PLWA",
    "RON": "ROBU",
    "RUB": "RUMO",
    "SAR": "SARI",
    "SGD": "SGSI",
    "THB": "THBA",
    "TRY": "TRIS",
    "TWD": "TWTA",
    "UAH": "UAKI",
    "ZAR": "ZAJO",
}
"""Days on which a currency is paid; of those that are not listed all but weekends."""
NEXT_DAY: Final = frozenset({"CAD", "TRY", "PHP", "RUB", "KZT"})
"""Currencies that change hands against US dollars on the next day, not the one after."""


AS_QUOTED: Final = FxPairConvention()


def spot_dates(pair: str, days: Days, convention: FxPairConvention = AS_QUOTED) -> Days:
    """The spot dates of what is agreed on `days`, int32[n].

    The second business day of both currencies, of some pairs with the dollar the first; holidays of the dollar do not
    count on the way there, but spot is on a business day of both.

    :param pair: such as EURUSD; the order of the two does not matter.
    :param convention: another lag, or a calendar for all of it.
    """
    currencies = (pair[:3], pair[3:])
    others = [currency for currency in currencies if currency != "USD"]
    lag = 1 if len(others) == 1 and others[0] in NEXT_DAY else 2
    lag = lag if convention.spot_lag is None else convention.spot_lag
    counted, final = convention.calendar or _calendar(others), convention.calendar or _calendar(currencies)
    return adjust(add_business_days(days, lag, counted), final, "following")


def fixing_dates(pair: str, days: Days, convention: FxPairConvention = AS_QUOTED) -> Days:
    """The last business days whose spot date is not after `days`, int32[n]: when the rate for these is fixed."""
    found, open_ = np.array(days, np.int32), np.arange(len(days))
    while open_.size:
        found[open_] -= np.int32(1)
        open_ = open_[spot_dates(pair, found[open_], convention) > days[open_]]
    return adjust(found, convention.calendar or _calendar((pair[:3], pair[3:])), "preceding")


def _calendar(currencies: tuple[str, ...] | list[str]) -> str:
    return "+".join(dict.fromkeys(CALENDAR_OF.get(currency, "weekends") for currency in currencies))
