"""Which groups of factors a change of conventions reaches: trades that depend on none of them keep their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from riskpipe.market.conventions import Conventions
from riskpipe.market.snapshot import FactorGroup, MarketSnapshot


class ChangedConvention(Struct, frozen=True):
    """:param name: its key below `market`. :param groups: positions in the snapshot; None: nobody knows, so all."""

    name: str
    groups: tuple[int, ...] | None


def changed_conventions(
    earlier: Conventions, later: Conventions, snapshot: MarketSnapshot
) -> Iterator[ChangedConvention]:
    """What differs. A convention that is not named here reaches every trade.

    :param snapshot: of the later run.
    """
    for field in Conventions.__struct_fields__:
        before, after = getattr(earlier, field), getattr(later, field)
        if before == after:
            continue
        if field in ("credit_model", "credit_step_in"):
            yield ChangedConvention(field, _of(snapshot, lambda group: group.kind in ("hazard_rate", "cds_spread")))
        elif field in _BY_NAME:
            for name in sorted(before.keys() | after.keys()):
                if before.get(name) != after.get(name):
                    names = set(_BY_NAME[field](name, before, after))
                    reached = _of(snapshot, lambda group, names=names: not names.isdisjoint(_names(group)))
                    yield ChangedConvention(f"{field}.{name}", reached)
        else:
            yield ChangedConvention(field, None)


def _names(group: FactorGroup) -> tuple[str, str]:
    """Its own, and of a surface that was made of quotes by delta (`fx_vol:EURUSD`) that of these."""
    return group.name, group.name.rpartition(":")[2]


def _of(snapshot: MarketSnapshot, wanted: Any) -> tuple[int, ...]:
    return tuple(k for k, group in enumerate(snapshot.groups) if wanted(group))


def _itself(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    yield name


def _discount_curves(currency: str, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    yield from (curves.get(currency, f"{currency}.OIS") for curves in (before, after))


def _index_curves(index: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    yield index  # its fixings, and the curve of an index without an entry
    yield from (entries[index].curve for entries in (before, after) if index in entries)


# Field -> names of the groups that every trade which an entry reaches depends on.
_BY_NAME = {
    "discount_curves": _discount_curves,
    "indices": _index_curves,
    "curve_interpolation": _itself,
    "curve_extrapolation": _itself,
    "surfaces": _itself,
    "curves": _itself,
    "commodities": _itself,
}
