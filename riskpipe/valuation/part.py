"""What some trades came to: numbers by measure, each with its outcome, and why there are none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
from msgspec import Struct, field
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import Failure, Reason, printable
from riskpipe.products.agreed_terms import AgreedTerms
from riskpipe.products.cash_flows import CashFlows
from riskpipe.products.trades import Trades
from riskpipe.valuation.reuse_terms import EarlierFile

# SEVERAL is not applicable, too: the trade depends on more than one factor, and their numbers do not add up.
OK, FAILED, NOT_APPLICABLE, SEVERAL = np.uint8(0), np.uint8(1), np.uint8(2), np.uint8(3)


class Sensitivity(Struct, frozen=True):
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


class TakenFile(Struct, frozen=True):
    """A file of vectors of an earlier run.

    :param trades: int64[n], positions of those that it has the vectors of. :param sets: scenario sets, all of them, by
        name; each has a row a trade.
    """

    file: EarlierFile
    trades: NDArray[np.int64]
    sets: tuple[str, ...]


class Part(Struct):
    """Results for `trades`, by position.

    :param values, statuses: measure -> float64[n] (NaN where there is no number), uint8[n].
    :param conversion: float64[n], base currency per unit of the trade's currency.
    :param pnl: scenario set -> float64[n, columns], base currency; rows that failed are NaN.
    :param flows: cash flows, where they are wanted, of the trades that have a value.
    :param failures: position -> why the trade (or a measure of it) has no number; not-applicable ones have none.
    :param terms: None where nobody asks for them. :param carried: likewise (products.carried_columns).
    :param terms: None where nobody asks for them.
    :param values_base: of measures that are taken over of an earlier run, float64[n] in the base currency.
    :param taken: their rows by table. :param taken_measures: all such measures.
    :param taken_sums: sums per book of those without P&L by trade, in a block that has no other trades
        (valuation.taken_over).
    :param taken_files: files of P&L vectors all of which are taken over.
    """

    trades: Trades
    currency: list[str | None]
    conversion: FloatArray
    values: dict[str, FloatArray] = field(default_factory=dict)
    statuses: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    sensitivities: list[Sensitivity] = field(default_factory=list)
    pnl: dict[str, FloatArray] = field(default_factory=dict)
    flows: CashFlows | None = None
    failures: dict[int, tuple[str, Failure]] = field(default_factory=dict)
    terms: AgreedTerms | None = None
    carried: pa.Table | None = None
    values_base: dict[str, FloatArray] = field(default_factory=dict)
    taken: dict[str, pa.Table] = field(default_factory=dict)
    taken_measures: tuple[str, ...] = ()
    taken_sums: pa.Table | None = None
    taken_files: Sequence[TakenFile] = ()

    def in_base(self, measure: str) -> FloatArray | None:
        """float64[n], in the base currency; None where the trades have no such number."""
        if measure in self.values_base:
            return self.values_base[measure]
        return self.values[measure] * self.conversion if measure in self.values else None

    @property
    def summed_sets(self) -> frozenset[str]:
        """Scenario sets of which the sums per book are known, and no trade's P&L."""
        return frozenset() if self.taken_sums is None else frozenset(self.taken_sums["scenario_set"].to_pylist())

    def has_pnl(self, set_name: str) -> NDArray[np.bool_]:
        """bool[n]: the trade has P&L under the block's columns of a set."""
        found = self.pnl.get(set_name)
        if set_name in self.summed_sets:
            return np.ones(len(self.trades), np.bool_)
        if found is None or not found.shape[1]:
            return np.zeros(len(self.trades), np.bool_)
        return ~np.isnan(found[:, 0])

    def fail(self, positions: NDArray[np.integer], stage: str, reason: Reason, message: str) -> None:
        """Note a failure; the first of a trade stands."""
        self.fail_each(positions, stage, reason, [message] * len(positions))

    def fail_each(self, positions: NDArray[np.integer], stage: str, reason: Reason, messages: list[str]) -> None:
        """Likewise, with a message each."""
        for position, message in zip(positions.tolist(), messages, strict=True):
            self.failures.setdefault(position, (stage, Failure(reason, printable(message))))


def with_rows(parts: Iterable[Part], rows: NDArray[np.int64]) -> Iterator[tuple[Part, NDArray[np.int64]]]:
    """Parts in the order of the trades, each with the rows of its own."""
    first = 0
    for part in parts:
        yield part, rows[first : first + len(part.trades)]
        first += len(part.trades)
