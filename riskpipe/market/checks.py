"""The input contract of the market table: every fault of every rule in one pass."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa

from riskpipe.errors import Level
from riskpipe.market.factors import DIVIDENDS, KINDS, NO_DATE, MarketFault, fault, nearest
from riskpipe.market.point_rules import check_names, check_tenors, check_values
from riskpipe.market.point_table import MARKET_SCHEMA, REQUIRED_COLUMNS
from riskpipe.market.points import Points
from riskpipe.market.rules import Rule, faults_of
from riskpipe.market.strike_checks import check_slices, check_strikes
from riskpipe.store.columns import ColumnKind, Unread, can_read, composed, nearest_name, read_column

_KINDS: dict[pa.DataType, ColumnKind] = {pa.string(): "string", pa.float64(): "number", pa.date32(): "date"}
_IDENTIFIERS = ("name", "scenario")
"""Columns in which integers are names."""
_NAMED_BY = ("scenario", "factor")
"""Which column names a row in a fault: the first that the table has."""


def check_market_table(table: pa.Table, as_of: int, *, derived: bool = False) -> list[MarketFault]:
    """Everything wrong with a market table (contracts.md, "Market data"), errors before warnings.

    :param as_of: days since 1970-01-01.
    :param derived: the table may have points of kinds that inputs have not.
    :return: empty for a clean table; any error means that no snapshot can be made of it.
    """
    if table.num_rows == 0:
        return [fault(Level.ERROR, "factor", "empty", (), "the market table has no rows")]
    canonical, faults = canonical_table(table, MARKET_SCHEMA, REQUIRED_COLUMNS)
    broken = frozenset(f.column for f in faults if not f.rows)
    points = Points(canonical, as_of, broken, derived)
    for check in _CHECKS:
        faults.extend(check(points))
    return sorted(faults, key=lambda f: f.level)


def canonical_table(
    table: pa.Table, schema: pa.Schema, required: tuple[str, ...]
) -> tuple[pa.Table, list[MarketFault]]:
    """The columns of `schema`, read by store.columns, and what is wrong with them.

    Missing, doubled or unusable columns become null columns; what is due, doubled or unusable is a fault without rows.
    Cells that cannot be read become null and are a fault of their rows.
    """
    faults: list[MarketFault] = []
    columns = []
    unread: list[tuple[str, Unread]] = []
    for field in schema:
        problem = _unusable(table, field, required)
        if problem is None and field.name in table.column_names:
            given, optional = table.schema.field(field.name), field.name not in required
            values, lost = read_column(table.column(field.name), given, _KINDS[field.type], optional=optional)
            columns.append(composed(values) if _KINDS[field.type] == "string" else values)
            unread += [(field.name, reason) for reason in lost]
            continue
        if problem is not None:
            faults.append(problem)
        columns.append(pa.nulls(table.num_rows, field.type))
    canonical = pa.table(columns, schema=schema).combine_chunks()
    names = canonical.column(_NAMED_BY[0] if _NAMED_BY[0] in schema.names else _NAMED_BY[1])
    for column, reason in unread:
        rows = np.flatnonzero(reason.rows)
        ids = [name or f"row {k}" for name, k in zip(names.take(pa.array(rows)).to_pylist(), rows, strict=True)]
        faults.append(fault(Level.ERROR, column, reason.rule, ids, f"{column} {reason.what}"))
    return canonical, faults


def _unusable(table: pa.Table, field: pa.Field, required: tuple[str, ...]) -> MarketFault | None:
    name = field.name
    fields = [given for given in table.schema if given.name == name]
    if len(fields) > 1:
        return fault(Level.ERROR, name, "duplicate column", (), f"the column {name!r} occurs {len(fields)} times")
    if not fields and name in required:
        near = nearest_name(name, table.column_names)
        hint = f"; is it {near!r}?" if near else ""
        return fault(Level.ERROR, name, "missing column", (), f"the column {name!r} is missing{hint}")
    if fields and not can_read(fields[0], _KINDS[field.type], identifier=name in _IDENTIFIERS):
        return fault(Level.ERROR, name, "wrong type", (), f"the column {name!r} is {fields[0].type}, not {field.type}")
    return None


def _check_kinds(points: Points) -> Iterator[MarketFault]:
    for kind in sorted({k for k in points.kind if k and k not in points.kinds}):
        rows = [k for k, given in enumerate(points.kind) if given == kind]
        message = f"unknown kind {kind!r}{nearest(kind, points.kinds)}"
        yield from points.report(Level.ERROR, "kind", "unknown kind", rows, message)


def _check_ids(points: Points) -> Iterator[MarketFault]:
    counts = Counter(points.factor)
    rows = points.rows(lambda k: bool(points.factor[k]) and counts[points.factor[k]] > 1)
    yield from points.report(Level.ERROR, "factor", "duplicate factor", rows, "a factor id occurs more than once")
    if points.broken & {"kind", "name"}:
        return

    def contradicts(k: int) -> bool:
        factor, prefix = points.factor[k], f"{points.kind[k]}:{points.name[k]}"
        return bool(factor) and factor != prefix and not str(factor).startswith(prefix + ":")

    rows = points.rows(contradicts)
    yield from points.report(Level.ERROR, "factor", "contradicting id", rows, "a factor id must start with kind:name")


def _check_past(points: Points) -> Iterator[MarketFault]:
    """Points at or before as_of, where it matters: not of forward prices, nor of quotes, whose tenors may be starts."""
    used = ("forward_price", "par_rate", "cds_spread")
    specs = [spec if spec and spec.needs and not spec.fact else None for spec in points.specs]
    dated = [k for k, spec in enumerate(specs) if spec and points.days[k] > NO_DATE and points.kind[k] not in used]
    living = {(points.kind[k], points.name[k]) for k in dated if points.days[k] > points.as_of}
    past = [k for k in dated if points.days[k] <= points.as_of]

    def is_spare(k: int) -> bool:
        return (points.kind[k], points.name[k]) in living or points.kind[k] in DIVIDENDS

    rows = [k for k in past if is_spare(k)]
    yield from points.report(
        Level.WARNING, "tenor", "point in the past", rows, "a point at or before as_of is not used"
    )
    rows = [k for k in past if not is_spare(k)]
    message = "no point of the curve or surface is after as_of: it is flat at its last one"
    yield from points.report(Level.WARNING, "tenor", "all in the past", rows, message)


def _check_groups(points: Points) -> Iterator[MarketFault]:
    """Points of one curve or surface against each other."""
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for k in range(points.size):
        if points.kind[k] and points.name[k]:
            groups[str(points.kind[k]), str(points.name[k])].append(k)
    yield from faults_of(points, _OF_GROUPS, groups.values())


def _twins(points: Points, rows: Sequence[int]) -> list[int]:
    counts = Counter(_coordinates(points, k) for k in rows)
    return [k for k in rows if counts[_coordinates(points, k)] > 1]


def _in_different_currencies(points: Points, rows: Sequence[int]) -> list[int]:
    return list(rows) if len({points.currency[k] for k in rows} - {None}) > 1 else []


def _coordinates(points: Points, k: int) -> tuple[object, ...]:
    date = points.tenor[k] if points.days[k] == NO_DATE else points.days[k]
    strike, strike_type = points.strike[k], points.strike_type[k]
    return (date, points.underlying_tenor[k], None if strike_type == "atm" else strike, strike_type or "atm")


def _several(points: Points, rows: Sequence[int]) -> list[int]:
    single = points.kind[rows[0]] in _SINGLE and len({_coordinates(points, k) for k in rows}) > 1
    return list(rows) if single else []


def _rising_survival(points: Points, rows: Sequence[int]) -> list[int]:
    ordered = sorted((points.days[k], k) for k in rows if _is_hazard_ahead(points, k))
    integrals = [(days - points.as_of) * points.value[k] for days, k in ordered]
    return [ordered[i + 1][1] for i, (a, b) in enumerate(pairwise(integrals)) if b < a and a > 0]


def _is_hazard_ahead(points: Points, k: int) -> bool:
    return points.kind[k] == "hazard_rate" and points.days[k] > points.as_of


_SINGLE = tuple(name for name, kind in KINDS.items() if "tenor" not in kind.needs)

_OF_GROUPS = (
    Rule("factor", "duplicate point", "two factors are the same point of a curve", _twins),
    Rule(
        "currency",
        "contradicting currency",
        "the points of one name differ in currency",
        _in_different_currencies,
    ),
    Rule(
        "tenor",
        "several points",
        f"{', '.join(_SINGLE)} have one point a name: there is no curve of them",
        _several,
    ),
    Rule("value", "rising survival", "the survival probability rises at this point", _rising_survival, Level.WARNING),
)

_CHECKS: tuple[Callable[[Points], Iterator[MarketFault]], ...] = (
    check_names,
    _check_kinds,
    _check_ids,
    check_values,
    check_tenors,
    _check_past,
    check_strikes,
    check_slices,
    _check_groups,
)
