"""What a family's subjects add up to, trade by trade."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import Reason, described
from riskpipe.measures.catalogue import is_own
from riskpipe.measures.families import Family
from riskpipe.valuation.part import FAILED, NOT_APPLICABLE, OK, SEVERAL, Part


class FamilySums:
    """What the numbers of a family's subjects add up to, by the trades' positions.

    :ivar totals: measure that is wanted -> float64[n], NaN where a number of a subject is none.
    :ivar subjects: int64[n], how many subjects the trade depends on.
    :ivar broken: bool[n], trades that have no total: by a subject, or from the beginning.
    """

    def __init__(self, family: Family, measures: tuple[str, ...], bad: NDArray[np.bool_]) -> None:
        self.family = family
        self.totals = {m: np.zeros(len(bad)) for m in family.measures if m in measures}
        self.subjects = np.zeros(len(bad), np.int64)
        self.broken = bad.copy()

    def add(
        self, rows: NDArray[np.int32], numbers: Mapping[str, FloatArray], finite: NDArray[np.bool_]
    ) -> dict[str, FloatArray]:
        """Add one subject's numbers, each by measure float64[m] of the trades at `rows`.

        :param finite: bool[m], trades all of whose numbers are.
        :return: the numbers that were added.
        """
        self.broken[rows[~finite]] = True
        self.subjects[rows] += 1
        added = {measure: np.where(finite, numbers[measure], np.nan) for measure in self.totals}
        for measure, total in self.totals.items():
            total[rows] += added[measure]
        return added

    def add_each(self, rows: NDArray[np.int32], changes: FloatArray) -> None:
        """Likewise the numbers of several subjects, one after the other: all of them finite, of a family's one measure.

        :param changes: float64[subjects, m].
        """
        self.subjects[rows] += len(changes)
        for total in self.totals.values():
            sums = total[rows]
            for change in changes:
                sums += change
            total[rows] = sums

    def reduced(
        self, part: Part, own: NDArray[np.int32], priced: tuple[FloatArray, FloatArray, float]
    ) -> Mapping[str, FloatArray]:
        """One subject's numbers, each by measure float64[m] of the trades at `own`.

        Where another package's code raises, the trades are halved until those that do it stand alone: they fail for
        its measures, and have all others.

        :param priced: what `Family.reduce` takes.
        """
        family, (base, values, shift) = self.family, priced
        if is_own(family):
            return family.reduce(base, values, shift)
        try:
            numbers = family.reduce(base, values, shift)
            return {measure: np.asarray(numbers[measure], np.float64).reshape(len(own)) for measure in self.totals}
        except Exception as error:
            failure = described(error)
        if len(own) > 1:
            middle = len(own) // 2
            halves = [
                self.reduced(part, own[some], (base[some], values[some], shift))
                for some in (slice(0, middle), slice(middle, None))
            ]
            return {measure: np.concatenate([half[measure] for half in halves]) for measure in self.totals}
        if not self.broken[own].all():
            part.fail(own, family.name, Reason.PRICING_ERROR, failure)
            self.broken[own] = True
        return dict.fromkeys(self.totals, np.full(len(own), np.nan))

    def status(self) -> NDArray[np.uint8]:
        """uint8[n]"""
        good = np.where(self.subjects == 0, NOT_APPLICABLE, OK)
        if self.family.total == "only":
            good = np.where(self.subjects > 1, SEVERAL, good)
        return np.where(self.broken, FAILED, good)
