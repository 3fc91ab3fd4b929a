"""Futures contracts: which one's price a commodity has on a day."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.market.calendars import add_business_days
from riskpipe.market.conventions import Conventions
from riskpipe.market.labels import Labels

Days = NDArray[np.int32]


class QuotedContracts(Struct, frozen=True):
    """What the price of n commodities on n days is that of.

    :param day: int32[n]: expiry of the contract; where forward prices are interpolated, the day itself.
    :param is_contract: bool[n].
    :param exists: bool[n]: false where no contract expires so late and the last one is taken.
    """

    day: Days
    is_contract: NDArray[np.bool_]
    exists: NDArray[np.bool_]


def rolled(underlyings: Labels, days: Days, calendar: Labels, conventions: Conventions) -> Days:
    """int32[n]: the earliest expiry that the prompt contract of each day may have.

    :param calendar: of the commodities that have none of their own.
    """
    earliest = np.array(days, np.int32)
    for code, name in enumerate(underlyings.names):
        convention = conventions.commodity(name)
        rows = np.flatnonzero(underlyings.codes == code)
        if convention.roll_days and rows.size:
            counted = convention.calendar or calendar.take(rows)
            earliest[rows] = add_business_days(earliest[rows], convention.roll_days, counted)
    return earliest
