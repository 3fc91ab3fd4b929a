"""Real prices and yields of inflation-linked bonds, as of the day on which a buyer of today pays."""

from __future__ import annotations

from functools import cached_property
from typing import Final

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.products.bond_figures import BondFigures

REAL_FIGURES: Final = ("accrued", "clean_price", "dirty_price", "yield", "modified_duration")


class RealFigures(BondFigures, frozen=True, dict=True):
    """In real terms: what is paid is so much times the index ratio at settlement.

    :param pv: float64[n], today's values of what buyers get.
    :param ratio: float64[n], index of the settlement day over the base index; NaN where the market lacks it.
    """

    ratio: FloatArray

    @cached_property
    def dirty_price(self) -> FloatArray:
        """float64[n]"""
        price = self.pv / self._to_settlement * self._settled.per_face / self.ratio
        return np.where(np.isnan(self.ratio) & ~np.isnan(self._settled.per_face), np.inf, price)
