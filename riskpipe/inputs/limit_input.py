"""Limits of books, `inputs.limits`: read whole and looked at row by row."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import pyarrow as pa

from riskpipe.analyses.limit_terms import AGGREGATED_TAILS, DIRECTIONS, FIGURES_OF_THE_TAIL, Limit
from riskpipe.config import Settings
from riskpipe.errors import Level
from riskpipe.inputs.inspection import Inspection
from riskpipe.market.factors import MarketFault, fault
from riskpipe.measures.catalogue import additive_measures
from riskpipe.plan.fault import Fault
from riskpipe.store.columns import ColumnKind, can_read, read_column
from riskpipe.store.dataset import DataSet

COLUMNS: Mapping[str, ColumnKind] = {
    "book": "string",
    "measure": "string",
    "name": "string",
    "warning": "number",
    "limit": "number",
    "direction": "string",
}
REQUIRED = ("book", "measure", "limit")
UNKNOWN_BOOK = "unknown book"


def limit_locations(settings: Settings) -> dict[str, str]:
    """Where they lie, if there are any, by their name among the inputs."""
    return {} if settings.inputs.limits is None else {"limits": settings.inputs.limits}


def open_limits(inspection: Inspection, stresses: Collection[str] | None) -> tuple[Limit, ...]:
    """The limits; what is wrong with any of them is a fault that stands in the way.

    :param stresses: names of the scenarios; None: they are not known.
    """
    for name, location in limit_locations(inspection.settings).items():
        table = inspection.read(name, location, DataSet.read)
        if table is None:
            return ()
        found = list(_column_faults(table))
        limits = [] if found else list(_limits(table))
        found += _row_faults(inspection.settings, limits, stresses)
        for each in found:
            inspection.add_found(name, location, each, blocking=each.level == Level.ERROR)
        return () if found else tuple(limit for _, limit in limits)
    return ()


def unknown_books(settings: Settings, limits: Sequence[Limit], books: Iterable[str]) -> list[Fault]:
    """Limits of books that are not there. :param books: all that have trades, by path."""
    nodes = {""}.union(*(_above(book) for book in books))
    missing = [
        pattern
        for pattern in dict.fromkeys(limit.book for limit in limits)
        if not any(fnmatchcase(node, pattern) for node in nodes)
    ]
    if not missing:
        return []
    message = "no book with trades is called so: correct the path or pattern, or take the limit out"
    location = settings.inputs.limits or ""
    return [Fault(Level.ERROR, "limits", location, "book", UNKNOWN_BOOK, len(missing), tuple(missing[:5]), message)]


def _above(book: str) -> set[str]:
    """A book and those that it lies in."""
    parts = book.split("/")
    return {"/".join(parts[:k]) for k in range(1, len(parts) + 1)}


def _column_faults(table: pa.Table) -> Iterator[MarketFault]:
    for name, kind in COLUMNS.items():
        if table.column_names.count(name) > 1:
            yield fault(Level.ERROR, name, "schema", (), f"there are several columns {name!r}")
        elif name not in table.column_names:
            if name in REQUIRED:
                yield fault(Level.ERROR, name, "schema", (), f"limits need a column {name!r}")
        elif not can_read(table.schema.field(name), kind):
            yield fault(Level.ERROR, name, "schema", (), f"the column {name!r} must be of {kind}s")


def _limits(table: pa.Table) -> Iterator[tuple[int, Limit]]:
    """Rows, from 1, as limits; what is missing in them is NaN or empty."""
    columns: dict[str, list[Any]] = {}
    for name, kind in COLUMNS.items():
        if name in table.column_names:
            read = read_column(table.column(name), table.schema.field(name), kind, optional=True)[0]
            columns[name] = read.to_pylist()
        else:
            columns[name] = [None] * len(table)
    for row in range(len(table)):
        of = {name: values[row] for name, values in columns.items()}
        yield (
            row + 1,
            Limit(
                of["book"] if of["book"] is not None else "",
                of["measure"] or "",
                of["name"] or None,
                of["warning"],
                math.nan if of["limit"] is None else float(of["limit"]),
                of["direction"] or "upper",
            ),
        )


def _row_faults(
    settings: Settings, limits: Sequence[tuple[int, Limit]], stresses: Collection[str] | None
) -> Iterator[MarketFault]:
    figures = sorted(each.name for each in settings.risk.var)
    known = [*additive_measures(), "stress", *AGGREGATED_TAILS, FIGURES_OF_THE_TAIL]
    names: dict[str, Collection[str]] = {FIGURES_OF_THE_TAIL: figures}
    if stresses is not None:
        names["stress"] = stresses
    rules: tuple[tuple[str, str, str, Callable[[Limit], bool]], ...] = (
        ("limit", "missing", "a limit is a number", lambda limit: not math.isfinite(limit.limit)),
        (
            "measure",
            "unknown measure",
            f"books have no such value: they have {', '.join(known)}",
            lambda limit: limit.measure not in known,
        ),
        (
            "name",
            "unknown name",
            f"{FIGURES_OF_THE_TAIL} has the figures {', '.join(figures) or '(none)'}, stress has its scenarios, and "
            "other measures have no names",
            lambda limit: limit.name is not None and limit.name not in names.get(limit.measure, _any_of(limit)),
        ),
        (
            "direction",
            "unknown direction",
            f"one of {', '.join(DIRECTIONS)}",
            lambda limit: limit.direction not in DIRECTIONS,
        ),
        (
            "warning",
            "beyond the limit",
            "a warning comes before its limit",
            lambda limit: limit.warning is not None and limit.beyond(limit.warning, limit.limit),
        ),
    )
    for column, rule, message, is_wrong in rules:
        rows = [f"row {row}" for row, limit in limits if is_wrong(limit)]
        if rows:
            yield fault(Level.ERROR, column, rule, rows, message)
    first: dict[tuple[object, ...], int] = {}
    for row, limit in limits:
        first.setdefault((limit.book, limit.measure, limit.name, limit.direction), row)
    twice = [f"row {row}" for row, _ in limits if row not in first.values()]
    if twice:
        message = "the same book, measure, name and direction have a limit already"
        yield fault(Level.ERROR, "limit", "twice", twice, message)


def _any_of(limit: Limit) -> Collection[str | None]:
    """Names of stresses that could not be read are not looked at."""
    return (limit.name,) if limit.measure == "stress" else ()
