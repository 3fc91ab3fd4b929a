"""Structs as plain values, and where data classes are left (docs/design.md, Rooms and floors)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
from msgspec import Struct

import riskpipe
from riskpipe.structs import asdict

PACKAGE = Path(riskpipe.__file__).parent


class Key(NamedTuple):
    book: str
    trade: str


class Inner(Struct, frozen=True):
    key: Key
    day: date


class Outer(Struct):
    one: Inner
    several: tuple[Inner, ...]
    by_name: dict[str, list[Inner]]
    value: np.float64
    names: frozenset[str]


def test_structs_within_structs_and_nothing_else_are_taken_apart() -> None:
    day = date(2026, 11, 20)
    inner = Inner(Key("a", "T1"), day)
    value, names = np.float64(0.1), frozenset({"x"})

    found = asdict(Outer(inner, (inner,), {"x": [inner]}, value, names))

    plain = {"key": ("a", "T1"), "day": day}
    assert found == {"one": plain, "several": (plain,), "by_name": {"x": [plain]}, "value": value, "names": names}
    assert found["value"] is value
    assert found["names"] is names


def data_classes() -> Iterator[tuple[str, ast.ClassDef]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and any("dataclass" in ast.unparse(each) for each in node.decorator_list):
                yield str(path.relative_to(PACKAGE)), node


def test_data_classes_are_left_where_a_struct_is_not_enough() -> None:
    """Each costs a command half a millisecond before it begins."""
    below_an_abstract_class = {"ABC", "Prepared", "Leg", "InflationLeg"}
    found = list(data_classes())
    assert any(node.name == "Session" for _, node in found)
    for path, node in found:
        makes_more = any(isinstance(each, ast.FunctionDef) and each.name == "__post_init__" for each in node.body)
        bases = {ast.unparse(base) for base in node.bases}
        assert makes_more or bases & below_an_abstract_class, f"{path}: {node.name} can be a struct"
