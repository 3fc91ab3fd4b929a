"""How result tables are compared, and what is found: the vocabulary of `riskpipe diff`."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.measures.catalogue import FAMILIES

Mask = NDArray[np.bool_]

ADDITIVE = frozenset({"pv", *(m for family in FAMILIES if family.additive for m in family.measures)})


@dataclass(frozen=True)
class Tolerance:
    """A change of a number is within it when it is at most `absolute`, or at most `relative` of the larger number.

    With both 0, the default, floats must have the same bits.
    """

    absolute: float = 0.0
    relative: float = 0.0

    def beyond(self, a: FloatArray, b: FloatArray) -> Mask:
        """bool[n]; NaN stands for no number, which only no number equals."""
        same: Mask = a.view(np.int64) == b.view(np.int64)
        if not self.absolute and not self.relative:
            return ~same
        allowed = np.maximum(self.absolute, self.relative * np.maximum(np.abs(a), np.abs(b)))
        return ~(same | (np.abs(b - a) <= allowed))


@dataclass(frozen=True)
class Compared:
    """How a table is compared.

    :param keys: columns that name a row.
    :param label: columns of which a change counts as a change of status.
    :param numbers: columns compared within the tolerance; the last is what changes are ranked by.
    :param exact: further columns that must not change; a row in which one does counts as changed.
    :param totals: whether rows are summed by product, measure and book.
    """

    name: str
    keys: tuple[str, ...]
    label: tuple[str, ...]
    numbers: tuple[str, ...]
    exact: tuple[str, ...] = ()
    totals: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are read, `book` first."""
        shown = ("product",) if self.name != "aggregates" else ()
        return ("book", *(k for k in self.keys if k != "book"), *shown, *self.label, *self.numbers, *self.exact)


VALUATIONS = Compared(
    "valuations", ("book", "trade_id", "measure"), ("status", "reason"), ("value", "value_base"), ("currency",), True
)
SENSITIVITIES = Compared(
    "sensitivities",
    ("book", "trade_id", "measure", "factor"),
    ("status",),
    ("value", "value_base"),
    ("currency", "shift_type"),
    True,
)
SCENARIO_PNL = Compared("scenario_pnl", ("book", "trade_id", "scenario_set"), ("status",), ("pnl",))
AGGREGATES = Compared(
    "aggregates",
    ("book", "level", "measure", "scenario_set", "scenario"),
    (),
    ("value_base",),
    ("trades", "failed_trades"),
)


@dataclass
class Total:
    """Rows and sums of one group in both runs. Sums are of numbers in base currency; None where they do not add up."""

    rows_a: int = 0
    rows_b: int = 0
    changed: int = 0
    a: float | None = None
    b: float | None = None


@dataclass
class TableDiff:
    """What differs in one table.

    :param moved: rows of trades that are in another book.
    :param changed: rows with a number beyond the tolerance (or another currency) whose status is the same.
    :param statuses: (from, to) -> rows.
    :param samples: of only_a, only_b, moved and status: the first rows of a few trades.
    :param largest: the changes of the largest size in base currency, the largest first.
    """

    rows_a: int = 0
    rows_b: int = 0
    only_a: int = 0
    only_b: int = 0
    moved: int = 0
    changed: int = 0
    statuses: Counter[tuple[str, str]] = field(default_factory=Counter)
    samples: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    largest: list[dict[str, Any]] = field(default_factory=list)
    by_product: dict[tuple[str, str], Total] = field(default_factory=dict)
    by_book: dict[tuple[str, str], Total] = field(default_factory=dict)

    @property
    def status(self) -> int:
        return sum(self.statuses.values())

    @property
    def equal(self) -> bool:
        return not (self.only_a or self.only_b or self.moved or self.changed or self.status)

    def to_json(self) -> dict[str, Any]:
        counts = {n: getattr(self, n) for n in ("rows_a", "rows_b", "only_a", "only_b", "moved", "status", "changed")}
        return {
            "equal": self.equal,
            **counts,
            "statuses": [{"from": a, "to": b, "rows": n} for (a, b), n in self.statuses.most_common()],
            "samples": self.samples,
            "largest": self.largest,
            "by_product": [{"product": p, "measure": m, **asdict(t)} for (p, m), t in sorted(self.by_product.items())],
            "by_book": [{"book": k, "measure": m, **asdict(t)} for (k, m), t in sorted(self.by_book.items())],
        }
