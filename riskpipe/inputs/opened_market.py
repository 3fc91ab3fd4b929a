"""A market that a run can be priced with, as it was opened or kept."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from riskpipe.market.derived import Derivative
from riskpipe.market.left_out import LeftOut
from riskpipe.market.model import MarketModel


class Market(Struct, frozen=True):
    """A market that can be priced with.

    :param left_out: what of the market's file it is without.
    :param units: factor -> how many of what it is quoted in make one of its currency (100 pence), where not one.
    """

    model: MarketModel
    derivative: Derivative
    left_out: LeftOut
    units: Mapping[str, float]
