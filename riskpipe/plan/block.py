"""A block: the unit of work, of failure and of accounting. References only, never arrays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from riskpipe.structs import asdict

BLOCK_ID_LENGTH = 24
_ENCODER = json.JSONEncoder(separators=(",", ":"))


class BlockState(IntEnum):
    """How a block, or a part of one, stands; the values are those in the arrays of `RunState`."""

    PENDING = 0
    DONE = 1
    FAILED = 2


class Block(Struct, frozen=True):
    """Some trades of one product under some scenarios of the run's set.

    :param path: trade file in which its rows begin, relative to the portfolio.
    :param row_start, row_stop: rows, half open, counted from the first one of that file; those beyond its last one are
        in the product's next files, by path.
    :param rows: when not None, only these rows of the range (a retry of single trades); ascending.
    :param trades: selected trades in it (quarantined ones included: each still gets its rows in the results).
    :param scenario_start, scenario_stop: columns of the run's ScenarioSet, half open.
    :param measures: what is reported from these columns.
    :param inputs: digest of all that determines the numbers besides the ranges: content of its files, market,
        scenarios, conventions, selection, product version.
    :param parent: the block that this one is a part or a repetition of.
    """

    block_id: str
    product: str
    path: str
    row_start: int
    row_stop: int
    trades: int
    scenario_start: int
    scenario_stop: int
    measures: tuple[str, ...]
    inputs: str
    projected_bytes: int
    projected_seconds: float
    parent: str | None = None
    rows: tuple[int, ...] | None = None

    @property
    def numbers(self) -> int:
        """How many results are planned: trades x measures."""
        return self.trades * len(self.measures)

    def part(self, rows: tuple[int, ...]) -> Block:
        """The child that does only `rows` of this block."""
        return self._child(rows[0], rows[-1] + 1, len(rows), rows)

    def range_part(self, start: int, stop: int, trades: int) -> Block:
        """The child that does rows [start, stop) of this block, in which there are `trades` of its trades."""
        return self._child(start, stop, trades, None)

    def _child(self, start: int, stop: int, trades: int, rows: tuple[int, ...] | None) -> Block:
        # Named by its parent: repeating the trades of a block with mended code is another block, not the same again.
        return replace(
            self,
            block_id=digest_id("part", self.block_id, start, stop, rows),
            row_start=start,
            row_stop=stop,
            trades=trades,
            rows=rows,
            parent=self.block_id,
            projected_seconds=self.projected_seconds * trades / max(self.trades, 1),
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Block:
        """What `to_json` made; fields that this version does not know are left out."""
        known = {name: value[name] for name in Block.__struct_fields__}
        known["measures"] = tuple(known["measures"])
        known["rows"] = None if known["rows"] is None else tuple(known["rows"])
        return Block(**known)


def digest_id(*parts: object) -> str:
    """A hexadecimal name of `BLOCK_ID_LENGTH` characters for plain values."""
    return _digest(_ENCODER.encode(parts))


def digest_ids(
    before: Iterable[tuple[object, ...]], ranges: Iterable[tuple[int, int]], after: tuple[object, ...]
) -> list[str]:
    """`digest_id(*before, start, stop, *after)` of many, in a fifth of the time.

    :param before: of each; mostly the same as of the one before it.
    """
    end = f",{_ENCODER.encode(after)[1:]}"
    last: tuple[object, ...] = ()
    begin, found = "", []
    for parts, (start, stop) in zip(before, ranges, strict=True):
        if parts != last:
            last, begin = parts, _ENCODER.encode(parts)[:-1]
        found.append(_digest(f"{begin},{start},{stop}{end}"))
    return found


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=BLOCK_ID_LENGTH // 2).hexdigest()
