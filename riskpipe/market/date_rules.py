"""Names of what dates go by: day counts, frequencies and business-day conventions."""

from __future__ import annotations

from typing import Final

DAY_COUNTS: Final = ("ACT/360", "ACT/365F", "ACT/ACT", "30/360", "30E/360", "30U/360")
"""ACT/ACT is that of ISDA, 30/360 the bond basis, 30E/360 the Eurobond basis and 30U/360 the US (SIA) rule."""

FREQUENCY_MONTHS: Final = {"1M": 1, "3M": 3, "6M": 6, "1Y": 12, "1T": 0}
FREQUENCIES: Final = tuple(FREQUENCY_MONTHS)

CONVENTIONS: Final = ("unadjusted", "following", "modified_following", "preceding")
