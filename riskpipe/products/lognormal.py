"""Why a lognormal model has no price: the words that options of all kinds have for it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray

OF_RATES = "raise shift, or use the model bachelier with normal volatilities"
OF_COMMODITIES = "use the model bachelier with normal volatilities"

_NO_MONEYNESS = "today's forward is not above zero and has no moneyness: quote the volatilities by strike or offset"

_OVERPAID = "the discrete dividends until then are worth the spot or more: there is no forward; move them with the spot"


def negative_forwards(forward: FloatArray, way_out: str = "", what: str = "the forward") -> list[str]:
    """A reason for each forward (plus its shift) or strike that is below zero; "" for the others.

    :param forward: float64[m]; NaN where it plays no part.
    :param way_out: what can be done about it.
    :param what: it is.
    """
    end = f": {way_out}" if way_out else ""
    return [
        f"{what} is {level:.6g}, and a lognormal one cannot be negative{end}" if level < 0.0 else ""
        for level in forward.tolist()
    ]


def or_no_moneyness(causes: list[str], weight: FloatArray) -> list[str]:
    """The causes, and that of trades without any whose volatility is read by a moneyness that they have not.

    :param weight: float64[m, .], of volatilities.
    """
    missing = np.isnan(weight.sum(axis=1)).tolist()
    return [cause or (_NO_MONEYNESS if none else "") for cause, none in zip(causes, missing, strict=True)]


def or_overpaid(causes: list[str], overpaid: NDArray[np.bool_]) -> list[str]:
    """The causes, and that of trades without any whose underlying is to pay more than it is worth.

    :param overpaid: bool[m], see `TradeNodes.overpaid`.
    """
    return [cause or (_OVERPAID if above else "") for cause, above in zip(causes, overpaid.tolist(), strict=True)]
