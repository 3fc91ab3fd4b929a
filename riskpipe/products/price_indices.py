"""Price indices as payments see them: of two months, with a lag, fixed or projected."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.conventions import Conventions, IndexConvention
from riskpipe.market.inflation_curves import InflationNodes, Months, first_day, month_of
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.products.floating import Lacking, lacking
from riskpipe.products.flows import Days, Integers
from riskpipe.products.overnight import NONE_MISSING


class IndexTerms(Struct, frozen=True):
    """How n payments observe price indices.

    :param index: of each. :param lag: int64[n], months from the index to the payment.
    :param linear: bool[n], on the way to the next month's index by the days of the month, else that of the month.
    """

    index: Labels
    lag: Months
    linear: NDArray[np.bool_]

    def take(self, rows: Integers) -> IndexTerms:
        return IndexTerms(self.index.take(rows), self.lag[rows], self.linear[rows])


def index_terms(index: Labels, conventions: Conventions) -> IndexTerms:
    """As `market.indices` has them."""
    entries = [conventions.index(name) for name in index.names]
    lag = by_index(index, [entry.observation_lag for entry in entries]).astype(np.int64)
    return IndexTerms(index, lag, by_index(index, [entry.observation == "linear" for entry in entries]) > 0.0)


def inflation_curve(index: Labels, conventions: Conventions) -> Labels:
    """The curve that each index is projected from."""
    return index.map(lambda name: conventions.index(name).curve)


class ObservedIndices(Struct, frozen=True):
    """The index that each of n payments is settled on: the sum of share x index over two months.

    :param month: int64[n, 2], since January 1970; `share` float64[n, 2], the second zero without interpolation.
    :param fixing: float64[n, 2], NaN where the month is to be projected.
    :param base: float64[n, 2], what projections start from: the index of the base month, times the month's seasonal
        factor over the base month's.
    :param lag: int64[n], months, of the index: from its base month to today's.
    :param needed: int32[n, 3], days of fixings that the market lacks, or `NONE_MISSING`.
    """

    index: Labels
    month: Months
    share: FloatArray
    fixing: FloatArray
    base: FloatArray
    lag: Months
    needed: Days

    def growth(self, model: MarketModel) -> list[InflationNodes]:
        """From the base month to each of the two months."""
        curves = inflation_curve(self.index, model.conventions)
        return [model.inflation(curves, self.month[:, j], self.lag) for j in range(2)]

    def missing(self, trade: Integers, position: NDArray[np.integer]) -> list[Lacking]:
        """What trades lack for the payments that they have among these.

        :param trade: int64[m]. :param position: int[m], of the payment that each has.
        """
        found: list[Lacking] = []
        index = self.index.codes[position]
        for code, name in enumerate(self.index.names):
            rows = np.flatnonzero(index == code)
            for needed in self.needed.T:
                found += lacking(name, trade[rows], needed[position[rows]])
        return found


def observed_indices(terms: IndexTerms, days: Days, model: MarketModel) -> ObservedIndices:
    """As payments of `days` int32[n] observe them."""
    index = terms.index
    paid = month_of(days)
    into = (days - first_day(paid)) / (first_day(paid + 1) - first_day(paid))
    second = np.where(terms.linear, into, 0.0)
    share = np.column_stack((1.0 - second, second))
    month = np.column_stack((paid - terms.lag, paid - terms.lag + (second > 0.0)))
    lag = index_terms(index, model.conventions).lag
    base_month = month_of(np.full(len(days), model.as_of)) - lag
    fixing = np.column_stack([model.fixings(index, first_day(month[:, j]), kind="index_fixing") for j in range(2)])
    base = model.fixings(index, first_day(base_month), kind="index_fixing")
    # An index up to the base month is known, and later ones start from that of the base month.
    open_ = np.isnan(fixing) & (share != 0.0)
    late = month > base_month[:, None]
    needed = [np.where(open_ & ~late, first_day(month), NONE_MISSING)[:, j] for j in range(2)]
    needed.append(np.where((open_ & late).any(axis=1) & np.isnan(base), first_day(base_month), NONE_MISSING))
    start = base[:, None] * _seasonal(index, month, base_month, model.conventions)
    return ObservedIndices(index, month, share, fixing, start, lag, np.column_stack(needed))


def by_index(index: Labels, values: list[int] | list[bool]) -> FloatArray:
    """float64[n]: of each one's index; zero where there is none."""
    return np.array([*values, 0], np.float64)[index.codes]


def _seasonal(index: Labels, month: Months, base_month: Months, conventions: Conventions) -> FloatArray:
    """float64[n, 2]: factors of months over those of the base months; one without seasonality."""
    entries: list[IndexConvention] = [conventions.index(name) for name in index.names]
    factors = np.array([*(entry.seasonality or (1.0,) * 12 for entry in entries), (1.0,) * 12], np.float64)
    codes = index.codes
    return factors[codes[:, None], month % 12] / factors[codes, base_month % 12][:, None]
