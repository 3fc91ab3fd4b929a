"""Spot dates of currency pairs: when an exchange rate that is agreed on a day changes hands.

Source: Clark, Foreign Exchange Option Pricing (2011), section 1.4.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from riskpipe.market.calendars import add_business_days, adjust

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
}
"""Days on which a currency is paid; of those that are not listed all but weekends."""
NEXT_DAY: Final = frozenset({"CAD", "TRY", "PHP", "RUB", "KZT"})
"""Currencies that change hands against US dollars on the next day, not the one after."""


def spot_dates(pair: str, days: Days) -> Days:
    """The spot dates of what is agreed on `days`, int32[n].

    The second business day of both currencies, of some pairs with the dollar the first; holidays of the dollar do not
    count on the way there, but spot is on a business day of both.

    :param pair: such as EURUSD; the order of the two does not matter.
    """
    currencies = (pair[:3], pair[3:])
    others = [currency for currency in currencies if currency != "USD"]
    lag = 1 if len(others) == 1 and others[0] in NEXT_DAY else 2
    return adjust(add_business_days(days, lag, _calendar(others)), _calendar(currencies), "following")


def _calendar(currencies: tuple[str, ...] | list[str]) -> str:
    return "+".join(dict.fromkeys(CALENDAR_OF.get(currency, "weekends") for currency in currencies))
