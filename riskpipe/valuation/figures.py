"""What products say of their trades beside the value: numbers of today's market that are no amounts of money."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import Reason
from riskpipe.market.model import MarketModel
from riskpipe.measures.measure_names import FIGURES
from riskpipe.products.base import Product
from riskpipe.valuation.part import FAILED, NOT_APPLICABLE, OK, Part


def add_figures(
    part: Part, product: Product, model: MarketModel, pv: FloatArray, bad: NDArray[np.bool_], measures: tuple[str, ...]
) -> None:
    """Put those of `measures` that are figures into `part`, for its trades.

    :param pv: float64[n], today's values. :param bad: bool[n], trades that have none.
    """
    made = tuple(figure for figure in product.figures if figure in measures)
    found = product.figure_values(part.trades, model, pv, made) if made else {}
    for figure in (figure for figure in FIGURES if figure in measures):
        value = found.get(figure, np.full(len(pv), np.nan))
        lost = np.flatnonzero(np.isinf(value) & ~bad)
        part.fail(lost, "price", Reason.NUMERICAL, f"no {figure} belongs to the trade's price")
        status = np.where(np.isnan(value), NOT_APPLICABLE, np.where(np.isinf(value), FAILED, OK))
        part.statuses[figure] = np.where(bad, FAILED, status)
        part.values[figure] = np.where(part.statuses[figure] == OK, value, np.nan)
