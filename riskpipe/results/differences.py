"""How result tables are compared, and what is found: the vocabulary of `riskpipe diff`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
from msgspec import Struct, field
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import UsageError
from riskpipe.measures.catalogue import known_families
from riskpipe.store.table_schemas import SCHEMAS, SORT_KEYS
from riskpipe.structs import asdict

Mask = NDArray[np.bool_]


@cache
def additive() -> frozenset[str]:
    """Measures whose rows add up: those by point, too."""
    return frozenset({"pv", *(m for family in known_families().values() if family.additive for m in family.measures)})


class Tolerance(Struct, frozen=True):
    """A change of a number is within it when it is at most `absolute`, or at most `relative` of the larger number.

    With both 0, the default, floats must have the same bits. Where rows have bounds of their own: `Bounds`.
    """

    absolute: float = 0.0
    relative: float = 0.0

    def beyond(self, a: FloatArray, b: FloatArray) -> Mask:
        """bool[n]; NaN stands for no number, which only no number equals."""
        return beyond(a, b, self.absolute, self.relative)


def beyond(a: FloatArray, b: FloatArray, absolute: FloatArray | float, relative: FloatArray | float) -> Mask:
    """bool[n]: which changes are more than `absolute` and more than `relative` of the larger number.

    :param absolute, relative: float64[n], or one for all.
    """
    same: Mask = a.view(np.int64) == b.view(np.int64)
    if not np.any(absolute) and not np.any(relative):
        return ~same
    allowed = np.maximum(absolute, relative * np.maximum(np.abs(a), np.abs(b)))
    return ~(same | (np.abs(b - a) <= allowed))


class ToleranceRule(Struct, frozen=True):
    """The tolerance of some measures and books, by globs.

    :param measure: of tables without measures: their figure's name, their scenario set, or their own name.
    """

    measure: str
    book: str
    tolerance: Tolerance

    @staticmethod
    def parse(text: str) -> ToleranceRule:
        """`MEASURE[@BOOK]=abs:X,rel:X`, such as `var_*@rates/*=rel:0.01`. :raises UsageError: it is none."""
        which, _, bounds = text.rpartition("=")
        measure, at, book = which.partition("@")
        found: dict[str, float] = {}
        for bound in bounds.split(","):
            kind, _, number = bound.partition(":")
            try:
                found[kind.strip()] = float(number)
            except ValueError:
                found["?"] = -1.0
        if not measure or not set(found) <= {"abs", "rel"} or not all(0.0 <= x < math.inf for x in found.values()):
            raise UsageError(
                f"--tolerance {text!r}: MEASURE[@BOOK]=abs:X,rel:X is wanted, such as 'var_*@rates/*=rel:0.01'"
            )
        return ToleranceRule(measure, book if at else "*", Tolerance(found.get("abs", 0.0), found.get("rel", 0.0)))


class Bounds(Struct, frozen=True):
    """The tolerances of a comparison: of all rows, and of those that rules name, of which the last that fits counts."""

    default: Tolerance = Tolerance()
    rules: tuple[ToleranceRule, ...] = ()

    def of_rows(self, measures: Sequence[str | None], books: Sequence[str | None]) -> tuple[FloatArray, FloatArray]:
        """float64[n] each: absolute and relative bounds of rows by their measures and books."""
        known: dict[tuple[str | None, str | None], Tolerance] = {}
        pairs = list(zip(measures, books, strict=True))
        for pair in dict.fromkeys(pairs):
            known[pair] = self._of(*pair)
        found = [known[pair] for pair in pairs]
        return np.array([t.absolute for t in found]), np.array([t.relative for t in found])

    def _of(self, measure: str | None, book: str | None) -> Tolerance:
        for rule in reversed(self.rules):
            if fnmatchcase(measure or "", rule.measure) and fnmatchcase(book or "", rule.book):
                return rule.tolerance
        return self.default


class Compared(Struct, frozen=True):
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
        shown = ("product",) if self.name in SORT_KEYS else ()
        book = ("book",) if "book" in self.keys else ()
        return (*book, *(k for k in self.keys if k != "book"), *shown, *self.label, *self.numbers, *self.exact)

    @property
    def measure(self) -> str | None:
        """The column that tolerances go by; None: the table's name is its measure."""
        return next((name for name in ("measure", "name", "scenario_set") if name in self.keys), None)


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


CASHFLOWS = Compared(
    "cashflows",
    ("book", "trade_id", "leg", "pay_date", "currency"),
    ("kind",),
    ("amount", "discount_factor", "value"),
)


def compared_whole(table: str) -> Compared:
    """How a table of an analysis is compared: rows by everything that is no number, numbers within the tolerance."""
    fields = [field for field in SCHEMAS[table] if field.name not in _OF_THE_DAY]
    vectors = [field.name for field in fields if pa.types.is_list(field.type)]
    numbers = [field.name for field in fields if pa.types.is_floating(field.type)]
    names = {field.name for field in fields}
    exact = [name for name in _FACTS if name in names and not (name == "scenario" and "factor" in names)]
    keys = [field.name for field in fields if field.name not in {*vectors, *numbers, *exact}]
    numbers.sort(key=lambda name: name == "value_base")  # by which changes are ranked
    return Compared(table, tuple(keys), (), tuple(vectors or numbers), tuple(exact))


# Columns that say which day and run a row is of, and those that are found with the numbers (a scenario with factors is
# declared, and names the row).
_OF_THE_DAY = {"as_of_date", "run_id", "previous_run_id"}
_FACTS = (
    "trades",
    "failed_trades",
    "scenario",
    "scenario_date",
    "scenarios",
    "first_date",
    "last_date",
    "exceptions",
    "zone",
    "pla_zone",
    "status",
)


class Total(Struct):
    """Rows and sums of one group in both runs. Sums are of numbers in base currency; None where they do not add up."""

    rows_a: int = 0
    rows_b: int = 0
    changed: int = 0
    a: float | None = None
    b: float | None = None


class TableDiff(Struct):
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
