"""Day counts: the year fraction between two dates, over whole arrays."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels import year_fractions as kernels
from riskpipe.market.date_rules import DAY_COUNTS
from riskpipe.market.labels import Labels

Days = NDArray[np.int32]

_RULES: Final = {
    "ACT/360": kernels.ACT_360,
    "ACT/365F": kernels.ACT_365F,
    "ACT/ACT": kernels.ACT_ACT,
    "30/360": kernels.BOND_BASIS,
    "30E/360": kernels.EUROBOND_BASIS,
    "30U/360": kernels.US_BASIS,
}


def year_fraction(start: Days, end: Days, day_count: Labels | str) -> FloatArray:
    """Year fractions from `start` to `end`; negative where end < start.

    :param start: int32[n], days since 1970-01-01.
    :param end: int32[n].
    :param day_count: ACT/360, ACT/365F, ACT/ACT (ISDA), 30/360 (bond basis), 30E/360 (Eurobond basis) or
        30U/360 (US), of each pair or one for all.
    :return: float64[n].
    :raises ValueError: unknown day count.

    Source: `riskpipe.kernels.year_fractions`.
    """
    names = (day_count,) if isinstance(day_count, str) else day_count.names
    codes = np.zeros(len(start), np.int32) if isinstance(day_count, str) else day_count.codes
    known = np.array([*(_RULES.get(name, -1) for name in names), -1], np.int32)
    rule = known[codes]
    if np.any(rule < 0):
        code = int(codes[np.argmax(rule < 0)])
        if code < 0:
            raise ValueError("a period has no day count")
        raise ValueError(f"unknown day count {names[code]!r}: one of {', '.join(DAY_COUNTS)}")
    fractions = np.empty(len(start))
    kernels.year_fractions(start, end, rule, fractions)
    return fractions
