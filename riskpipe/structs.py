"""Structs as plain values, which all rooms may import: it imports msgspec alone."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


def asdict(struct: Struct) -> dict[str, Any]:
    """Its fields by name, with structs in them, and in their tuples, lists and mappings, as mappings too.

    Unlike msgspec's `to_builtins` it leaves all else as it is: dates, sets and numpy's numbers go on as they are.
    """
    return {name: _plain(getattr(struct, name)) for name in struct.__struct_fields__}


def _plain(value: Any) -> Any:
    if isinstance(value, Struct):
        return asdict(value)
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    if isinstance(value, list):
        return list(map(_plain, value))
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return value
