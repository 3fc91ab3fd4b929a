"""What some trades came to: numbers by measure, each with its outcome, and why there are none."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import Failure, Reason, printable
from riskpipe.products.trades import Trades

# SEVERAL is not applicable, too: the trade depends on more than one factor, and their numbers do not add up.
OK, FAILED, NOT_APPLICABLE, SEVERAL = np.uint8(0), np.uint8(1), np.uint8(2), np.uint8(3)


@dataclass(frozen=True)
class Sensitivity:
    """One subject's numbers for some of the trades: positions int32[m], value float64[m] (NaN: failed), in the trades'
    currencies, and value_base float64[m] in the base currency.
    """

    positions: NDArray[np.int32]
    factor: str
    measure: str
    shift: float
    shift_type: str
    value: FloatArray
    value_base: FloatArray


@dataclass
class Part:
    """Results for `trades`, by position.

    :param values, statuses: measure -> float64[n] (NaN where there is no number), uint8[n].
    :param conversion: float64[n], base currency per unit of the trade's currency.
    :param pnl: scenario set -> float64[n, columns], base currency; rows that failed are NaN.
    :param failures: position -> why the trade (or a measure of it) has no number; not-applicable ones have none.
    """

    trades: Trades
    currency: list[str | None]
    conversion: FloatArray
    values: dict[str, FloatArray] = field(default_factory=dict)
    statuses: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    sensitivities: list[Sensitivity] = field(default_factory=list)
    pnl: dict[str, FloatArray] = field(default_factory=dict)
    failures: dict[int, tuple[str, Failure]] = field(default_factory=dict)

    def fail(self, positions: NDArray[np.integer], stage: str, reason: Reason, message: str) -> None:
        """Note a failure; the first of a trade stands."""
        self.fail_each(positions, stage, reason, [message] * len(positions))

    def fail_each(self, positions: NDArray[np.integer], stage: str, reason: Reason, messages: list[str]) -> None:
        """Likewise, with a message each."""
        for position, message in zip(positions.tolist(), messages, strict=True):
            self.failures.setdefault(position, (stage, Failure(reason, printable(message))))
