"""What is wrong with the rows of a history, counted while they are read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from riskpipe.errors import Level
from riskpipe.market.factors import SAMPLE_SIZE, MarketFault, date_of
from riskpipe.store.columns import Unread

Integers = NDArray[np.int64]

FIRST, AS_OF = "{first}", "{as_of}"
"""In messages: the first date at fault; today."""
NO_RATIO = "is zero or negative and has no ratio: let it move by differences (history.returns: absolute)"
_NO_MOVE = (
    f"first on {FIRST}; its moves to and from there are unknown: what depends on it has no historical P&L (NUMERICAL)"
)


class RowRule(Struct, frozen=True):
    """What rows must not be."""

    level: Level
    column: str
    rule: str
    message: str


def _of_cells(column: str, rule: str, message: str) -> RowRule:
    return RowRule(Level.ERROR, column, rule, f"{message}, {_NO_MOVE}")


INFINITE = _of_cells("value", "not finite", "a value is infinite")
UNREADABLE = _of_cells("value", "unreadable", "a value cannot be read")
NOT_POSITIVE = _of_cells("value", "not positive", "a price or a volatility is zero or negative")
NO_RATIO_OF = _of_cells("value", "not positive", f"a value {NO_RATIO}")
CLASH = _of_cells("factor", "duplicate", "a factor has different values on a date")
TWICE = RowRule(Level.WARNING, "factor", "duplicate", f"a factor has the same value on a date twice, first on {FIRST}")
BLANK = RowRule(Level.WARNING, "date", "blank", "a row is blank")
LATER = RowRule(
    Level.WARNING, "date", "after as_of", f"days after as_of ({AS_OF}) are not used, the first of them {FIRST}"
)
UNDATED = RowRule(Level.ERROR, "date", "null", "a row has no date: where the factor has no value, it is unknown")
NAMELESS = RowRule(
    Level.ERROR,
    "factor",
    "null",
    "a row has no factor: the factors that have no value on its date are unknown there",
)

RULES = (INFINITE, UNREADABLE, NOT_POSITIVE, NO_RATIO_OF, CLASH, TWICE, BLANK, LATER, UNDATED, NAMELESS)


class _Tally(Struct):
    rows: int = 0
    day: int | None = None
    sample: dict[str, None] = field(default_factory=dict)


class RowFaults:
    """Rows that break rules, by rule. What is kept does not grow with them.

    :param names: of factors, as rows name them by position; empty or None: the row has no name.
    :param as_of: days since 1970-01-01.
    """

    def __init__(self, names: Sequence[str | None], as_of: int) -> None:
        self._names = names
        self._as_of = as_of
        self._tallies: dict[RowRule, _Tally] = {}

    def tell(self, rule: RowRule, rows: Integers, name: Integers, day: Integers) -> None:
        """Some more rows that break a rule.

        :param rows: their numbers in the history. :param name: positions of their names. :param day: of each.
        """
        if not len(rows):
            return
        tally = self._tallies.setdefault(rule, _Tally())
        tally.rows += len(rows)
        first = int(day.min())
        tally.day = first if tally.day is None else min(tally.day, first)
        if len(tally.sample) < SAMPLE_SIZE:
            for k in self._telling(name):
                tally.sample.setdefault(self._names[name[k]] or f"row {rows[k]}")
                if len(tally.sample) == SAMPLE_SIZE:
                    break

    def _telling(self, name: Integers) -> list[int]:
        """Rows with the first labels: each name once, and a few rows without one."""
        codes, first = np.unique(name, return_index=True)
        nameless = np.flatnonzero(np.isin(name, [code for code in codes if not self._names[code]]))[:SAMPLE_SIZE]
        return sorted({*first.tolist(), *nameless.tolist()})

    def tell_unread(self, column: str, lost: Sequence[Unread], first: int, name: Integers) -> None:
        """Cells of a column that could not be read, of rows from number `first` on."""
        for reason in lost:
            rows = np.flatnonzero(reason.rows)
            rule = RowRule(Level.ERROR, column, reason.rule, f"{column} {reason.what}")
            self.tell(rule, first + rows, name[rows], np.zeros(len(rows), np.int64))

    def found(self, *, unread: bool) -> list[MarketFault]:
        """Of cells that could not be read, or of all else, in the order of `RULES`."""
        of_cells = [rule for rule in self._tallies if rule not in RULES]
        wanted = of_cells if unread else [rule for rule in RULES if rule in self._tallies]
        return [self._fault(rule, self._tallies[rule]) for rule in wanted]

    def _fault(self, rule: RowRule, tally: _Tally) -> MarketFault:
        message = rule.message.replace(FIRST, date_of(tally.day or 0).isoformat())
        message = message.replace(AS_OF, date_of(self._as_of).isoformat())
        return MarketFault(rule.level, rule.column, rule.rule, tally.rows, tuple(tally.sample), message)
