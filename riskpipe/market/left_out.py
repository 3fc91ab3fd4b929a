"""What of a market its errors keep out of the snapshot."""

from __future__ import annotations

import pyarrow as pa
from msgspec import Struct

from riskpipe.market.factors import KINDS


class LeftOut(Struct, frozen=True):
    """What of the market its errors keep out of the snapshot: factor ids; kind and name of whole groups."""

    factors: frozenset[str] = frozenset()
    groups: frozenset[tuple[str, str]] = frozenset()


def without_errors(table: pa.Table, errors: frozenset[str]) -> tuple[pa.Table, LeftOut]:
    """A canonical table less every curve, surface or spot of which a point has an error: half a curve is no curve.

    Facts (fixings) stand each for itself. A point whose kind or name cannot be read takes all that it may belong to.

    :param errors: factor ids, or `row k` for a row without id.
    """
    if not errors:
        return table, LeftOut()
    given: list[str | None] = table.column("factor").to_pylist()
    ids = [factor or f"row {row}" for row, factor in enumerate(given)]
    pairs = list(zip(table.column("kind").to_pylist(), table.column("name").to_pylist(), strict=True))
    wrong = [row for row, factor in enumerate(ids) if factor in errors and not _is_fact(pairs[row][0])]
    bad = {pairs[row] for row in wrong}
    for row in (row for row in wrong if None in pairs[row]):
        bad |= {pair for pair in set(pairs) if _may_be(pair, given[row], *pairs[row])}
    dropped = [factor in errors or pair in bad for factor, pair in zip(ids, pairs, strict=True)]
    groups = frozenset((str(kind), str(name)) for kind, name in bad)
    factors = frozenset(factor for factor, drop in zip(ids, dropped, strict=True) if drop)
    return table.filter(pa.array([not drop for drop in dropped], pa.bool_())), LeftOut(factors, groups)


def _may_be(pair: tuple[str | None, str | None], factor: str | None, kind: str | None, name: str | None) -> bool:
    """Whether a point of which not all is known may belong to a group; one of which nothing is known stands alone."""
    if pair[0] is None or pair[1] is None or _is_fact(pair[0]) or factor is kind is name is None:
        return False
    start = f"{pair[0]}:{pair[1]}"
    fits = factor is None or factor == start or factor.startswith(start + ":")
    return fits and kind in (None, pair[0]) and name in (None, pair[1])


def _is_fact(kind: str | None) -> bool:
    return kind in KINDS and KINDS[kind].fact
