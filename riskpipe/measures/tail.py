"""Value at risk and expected shortfall of a vector of equally likely P&Ls."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from riskpipe.arrays import FloatArray


def value_at_risk(pnl: FloatArray, confidence: float = 0.99) -> float:
    """The empirical quantile of the loss: the smallest loss l with F_n(l) >= confidence, as a positive number.

    With n scenarios it is the ceil(n x confidence)-th smallest loss: for 500 days and 99 % the 6th largest. No
    interpolation, so it is the loss of one scenario that can be named.

    :param pnl: float64[n], n >= 1, finite.
    """
    losses = np.sort(-pnl)
    return float(losses[rank(len(pnl), confidence) - 1])


def expected_shortfall(pnl: FloatArray, confidence: float = 0.975) -> float:
    """The mean of the worst (1 - confidence) of the outcomes, the quantile's own outcome counted in part.

    ES = 1/(n (1-c)) [ sum of the losses beyond the quantile + (n (1-c) - their number) x VaR ]
    (Acerbi and Tasche, On the coherence of expected shortfall, 2002, eq. 3.11 / definition 2.6).

    :param pnl: float64[n], n >= 1, finite.
    """
    return shortfall_of(np.sort(-pnl), confidence)


def shortfall_of(losses: FloatArray | Sequence[float], confidence: float) -> float:
    """Likewise of losses in ascending order."""
    n = len(losses)
    place = rank(n, confidence)
    beyond = losses[place:]
    weight = n * (1.0 - confidence)
    return (math.fsum(beyond) + (weight - len(beyond)) * float(losses[place - 1])) / weight


def rank(n: int, confidence: float) -> int:
    """From 1, of the quantile among n losses in ascending order."""
    # Rounding first: 500 x 0.99 is 495.00000000000006 in no case that this must tell from 495.
    return min(n, max(1, math.ceil(round(n * confidence, 9))))
