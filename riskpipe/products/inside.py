"""What prepared trades know, taken apart for people: levels of the market at their dates, amounts, strikes.

Preparing turns trades into arrays and market nodes in structs. Of one trade alone all of these are its own, so that
whatever a product keeps can be shown under the names that its code has for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import asdict

from riskpipe.arrays import FloatArray
from riskpipe.market.nodes import CubeNodes, DatedNodes, VarianceNodes
from riskpipe.products.shared_nodes import TradeNodes

MOST = 600


class Inside(Struct, frozen=True):
    """:param name: of the field, as the product's code has it; with a position where there are several.
    :param day: days since 1970-01-01 that a level is of, where that is known."""

    name: str
    value: float
    day: int | None = None


def inside(parts: Mapping[str, Any], x: FloatArray, name: str) -> Iterator[Inside]:
    """What one prepared trade is made of: numbers, and market nodes at their levels.

    :param parts: its attributes. :param x: float64[n_factors, 1], the levels that nodes are read at.
    :param name: of what has them; "" for the trade itself.
    """
    for part, value in parts.items():
        yield from _part(value, x, f"{name}.{part}" if name else part)


def _part(value: Any, x: FloatArray, name: str) -> Iterator[Inside]:
    if isinstance(value, TradeNodes):
        yield from _levels(value.nodes, x, name, value.position)
    elif hasattr(value, "evaluate"):
        yield from _levels(value, x, name, None)
    elif hasattr(value, "inside"):
        yield from value.inside(x, name)
    elif isinstance(value, Struct):
        yield from inside(asdict(value), x, name)
    elif is_dataclass(value):  # such as a leg
        yield from inside(vars(value), x, name)
    elif isinstance(value, tuple | list):
        for k, each in enumerate(value):
            yield from _part(each, x, f"{name}[{k}]")
    elif isinstance(value, np.ndarray):
        if value.ndim == 1 and value.dtype.kind in "fb":  # integers are positions among nodes
            yield from several(name, value.astype(np.float64))
    elif isinstance(value, float):
        yield Inside(name, value)


def _levels(nodes: Any, x: FloatArray, name: str, position: Any) -> Iterator[Inside]:
    values = nodes.evaluate(x)[:, 0]
    if isinstance(nodes, VarianceNodes | CubeNodes):
        time = nodes.time_weight.sum(axis=1)
        volatility = np.sqrt(np.divide(values, time, out=np.zeros(len(values)), where=time > 0.0))
        yield from several(f"{name}.time", time)
        yield from several(f"{name}.volatility", volatility)
        return
    days = nodes.day if isinstance(nodes, DatedNodes) else None
    if position is not None:
        values, days = values[position], None if days is None else days[position]
    yield from several(name, values, days)


def several(name: str, values: FloatArray, days: Any = None) -> Iterator[Inside]:
    """One for each value. :param days: of each, where they are known."""
    for k, value in enumerate(values[:MOST].tolist()):
        yield Inside(name if len(values) == 1 else f"{name}[{k}]", value, None if days is None else int(days[k]))
