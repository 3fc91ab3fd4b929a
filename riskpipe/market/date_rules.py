"""Names of what dates go by: day counts, frequencies and business-day conventions."""

from __future__ import annotations

from typing import Final

DAY_COUNTS: Final = (
    *("ACT/360", "ACT/365F", "ACT/ACT", "30/360", "30E/360", "30U/360"),
    *("ACT/364", "NL/365", "ACT/ACT AFB"),
)
"""ACT/ACT is that of ISDA, 30/360 the bond basis, 30E/360 the Eurobond basis and 30U/360 the US (SIA) rule; NL/365
leaves 29 February out. All of these need to know two dates only."""

COUPON_DAY_COUNTS: Final = (*DAY_COUNTS, "ACT/ACT ICMA", "ACT/365L", "30E/360 ISDA", "BUS/252")
"""Also those that ask for more of a coupon: its whole period, its frequency, whether it is the last, its calendar."""

FREQUENCY_MONTHS: Final = {"1M": 1, "2M": 2, "3M": 3, "4M": 4, "6M": 6, "1Y": 12, "1T": 0}
FREQUENCY_DAYS: Final = {"1W": 7, "4W": 28}
FREQUENCIES: Final = (*FREQUENCY_DAYS, *FREQUENCY_MONTHS)
"""1T is a single period."""

ROLL_CONVENTIONS: Final = ("EOM", "IMM", *(str(day) for day in range(1, 32)))
"""The end-of-month rule, third Wednesdays, or a day of the month."""

CONVENTIONS: Final = ("unadjusted", "following", "modified_following", "preceding")
