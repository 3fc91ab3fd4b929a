"""Floating-rate indices by ORE's names, such as EUR-EURIBOR-6M: how each fixes and accrues."""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from riskpipe.importers.import_report import LeftOutError


class Index(Struct, frozen=True):
    """A floating-rate index.

    :param tenor: such as 6M; 1D of an overnight index.
    :param fixing_days: business days from the fixing to the start of the period.
    :param value_calendar: of the period's dates; `calendar` is of the fixings.
    :param convention, end_of_month: of the period's end.
    """

    name: str
    currency: str
    tenor: str
    fixing_days: int
    calendar: str
    value_calendar: str
    convention: str
    end_of_month: bool
    day_count: str

    @property
    def overnight(self) -> bool:
        return self.tenor == "1D"


_OVERNIGHT: Final = {
    "EUR-EONIA": (0, "TARGET", "ACT/360"),
    "EUR-ESTER": (0, "TARGET", "ACT/360"),
    "EUR-ESTR": (0, "TARGET", "ACT/360"),
    "USD-FedFunds": (0, "USNY", "ACT/360"),
    "USD-SOFR": (0, "SOFR", "ACT/360"),
    "USD-Prime": (0, "USNY", "ACT/360"),
    "GBP-SONIA": (0, "XLON", "ACT/365F"),
    "GBP-BoEBase": (0, "GBLO", "ACT/365F"),
    "JPY-TONAR": (0, "JPTO", "ACT/365F"),
    "CHF-TOIS": (1, "CHZU", "ACT/360"),
    "CHF-SARON": (0, "CHZU", "ACT/360"),
    "CAD-CORRA": (0, "CATO", "ACT/365F"),
    "AUD-AONIA": (0, "AUSY", "ACT/365F"),
    "DKK-DKKOIS": (1, "DKCO", "ACT/360"),
    "DKK-CITA": (1, "DKCO", "ACT/360"),
    "SEK-SIOR": (1, "SEST", "ACT/360"),
    "SEK-STINA": (1, "SEST", "ACT/360"),
    "HKD-HONIA": (0, "HKHK", "ACT/365F"),
    "PLN-POLONIA": (1, "PLWA", "ACT/365F"),
    "SGD-SORA": (0, "SGSI", "ACT/365F"),
    "THB-THOR": (0, "THBA", "ACT/365F"),
    "INR-MIBOROIS": (0, "INMU", "ACT/365F"),
    "CLP-CAMARA": (2, "CLSA", "ACT/360"),
}
"""Fixing days, calendar, day count."""

_MF, _F, _HMF = "modified_following", "following", "half_month_modified_following"
_TERM: Final = {
    "EUR-EURIBOR": (2, "TARGET", "TARGET", _MF, True, "ACT/360"),
    "EUR-EURIBOR365": (2, "TARGET", "TARGET", _MF, True, "ACT/365F"),
    "EUR-LIBOR": (2, "XLON+TARGET", "TARGET", _MF, True, "ACT/360"),
    "USD-LIBOR": (2, "XLON", "XLON+US_LIBOR", _MF, True, "ACT/360"),
    "USD-SOFR": (2, "SOFR", "SOFR", _MF, True, "ACT/360"),
    "GBP-LIBOR": (0, "XLON", "XLON", _MF, True, "ACT/365F"),
    "CHF-LIBOR": (2, "XLON", "XLON+CHZU", _MF, True, "ACT/360"),
    "JPY-LIBOR": (2, "XLON", "XLON+JPTO", _MF, True, "ACT/360"),
    "JPY-TIBOR": (2, "JPTO", "JPTO", _MF, False, "ACT/365F"),
    "NOK-NIBOR": (2, "NOOS", "NOOS", _MF, False, "ACT/360"),
    "SEK-STIBOR": (2, "SEST", "SEST", _MF, False, "ACT/360"),
    "DKK-CIBOR": (2, "DKCO", "DKCO", _MF, False, "ACT/360"),
    "RUB-MOSPRIME": (1, "RUMO", "RUMO", _MF, False, "ACT/ACT"),
    "CAD-CDOR": (0, "CATO", "CATO", _MF, False, "ACT/365F"),
    "AUD-BBSW": (0, "AUSY", "AUSY", _HMF, True, "ACT/365F"),
    "HUF-BUBOR": (2, "HUBU", "HUBU", _MF, False, "ACT/360"),
    "PLN-WIBOR": (2, "PLWA", "PLWA", _MF, False, "ACT/365F"),
    "MXN-TIIE": (1, "MXMC", "MXMC", _F, False, "ACT/360"),
    "CZK-PRIBOR": (2, "CZPR", "CZPR", _MF, False, "ACT/360"),
    "NZD-BKBM": (2, "NZWE", "NZWE", _MF, False, "ACT/ACT"),
    "HKD-HIBOR": (0, "HKHK", "HKHK", _MF, False, "ACT/365F"),
    "ZAR-JIBAR": (0, "ZAJO", "ZAJO", _MF, False, "ACT/365F"),
    "SGD-SIBOR": (2, "SGSI", "SGSI", _MF, False, "ACT/365F"),
    "SGD-SOR": (2, "SGSI", "SGSI", _MF, False, "ACT/365F"),
    "TWD-TAIBOR": (2, "TWTA", "TWTA", _MF, False, "ACT/365F"),
    "THB-BIBOR": (2, "THBA", "THBA", _MF, False, "ACT/365F"),
    "KRW-KORIBOR": (1, "KRSE", "KRSE", _MF, False, "ACT/365F"),
    "INR-MIFOR": (2, "INMU", "INMU", _MF, False, "ACT/365F"),
    "CNY-SHIBOR": (1, "CNBE", "CNBE", _MF, False, "ACT/360"),
    "MYR-KLIBOR": (0, "MYKL", "MYKL", _MF, False, "ACT/365F"),
    "IDR-JIBOR": (2, "IDJA", "IDJA", _MF, False, "ACT/360"),
    "TRY-TRLIBOR": (0, "TRIS", "TRIS", _MF, False, "ACT/360"),
}
"""Fixing days, calendar of fixings and of values, convention, end of month, day count."""

_SHORT: Final = re.compile(r"[1-9]\d*[DW]")


def is_overnight(name: str) -> bool:
    """Whether it is a known overnight index."""
    return name in _OVERNIGHT


def index_of(name: str) -> Index:
    """Of EUR-EURIBOR-6M, EUR-EONIA, TWD-GENERIC-3M.

    :raises LeftOutError: no such index is known.
    """
    currency = name[:3]
    if name in _OVERNIGHT:
        days, calendar, count = _OVERNIGHT[name]
        return Index(name, currency, "1D", days, calendar, calendar, _F, False, count)
    family, _, tenor = name.rpartition("-")
    if family.endswith("-GENERIC"):
        return Index(name, currency, tenor, 2, "TARGET", "TARGET", _F, False, "ACT/360")
    if family not in _TERM:
        raise LeftOutError(f"the index {name} is not known")
    days, fixing, value, convention, end_of_month, count = _TERM[family]
    if _SHORT.fullmatch(tenor):  # QuantLib's indices of days and weeks follow, without an end of month
        convention, end_of_month = (_F if "LIBOR" in family or "EURIBOR" in family else convention), False
    if tenor == "12M":
        tenor = "1Y"
    return Index(name, currency, tenor, days, fixing, value, convention, end_of_month, count)
