"""Rules of the market table as rows of tables: what each looks at, what it says, and how grave it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec import Struct

from riskpipe.errors import Level
from riskpipe.market.factors import MarketFault
from riskpipe.market.points import Points


class Rule(Struct, frozen=True):
    """One thing that points must not be.

    :param column: the column at fault; a rule of one that is broken as a whole says nothing.
    :param name: short, in the faults' column `rule`.
    :param broken_by: which of some rows break it: all rows, or those of one group at a time.
    """

    column: str
    name: str
    message: str
    broken_by: Callable[[Points, Sequence[int]], list[int]]
    level: Level = Level.ERROR


def each(breaks: Callable[[Points, int], bool]) -> Callable[[Points, Sequence[int]], list[int]]:
    """`Rule.broken_by` of a rule that looks at one row at a time."""
    return lambda points, rows: [k for k in rows if breaks(points, k)]


def each_of_kind(kind: str, breaks: Callable[[Points, int], bool]) -> Callable[[Points, Sequence[int]], list[int]]:
    """The same, of the points of a kind alone: most rules are about few points of a market."""
    return lambda points, rows: [k for k in points.rows_of_kind(kind) if k in rows and breaks(points, k)]


def faults_of(points: Points, rules: Sequence[Rule], groups: Iterable[Sequence[int]]) -> Iterator[MarketFault]:
    """A fault for every rule that is broken, in the rules' order.

    :param groups: rows that a rule looks at together.
    """
    groups = list(groups)
    for rule in rules:
        rows = [k for group in groups for k in rule.broken_by(points, group)]
        yield from points.report(rule.level, rule.column, rule.name, rows, rule.message)
