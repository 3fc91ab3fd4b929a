"""Dictionary-encoded names: how trades refer to curves, surfaces, currencies and underlyings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray


class Labels(Struct, frozen=True):
    """A name per trade: `names[codes[k]]`; code -1 means that the trade has none.

    :param codes: int32[n], each in [-1, len(names)).
    :param names: the distinct names, in any order; some may be unused.
    """

    codes: NDArray[np.int32]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)

    @staticmethod
    def of(values: Sequence[str | None]) -> Labels:
        """Encode a sequence of names; None becomes code -1."""
        position: dict[str, int] = {}
        codes = np.fromiter(
            (-1 if v is None else position.setdefault(v, len(position)) for v in values), np.int32, len(values)
        )
        return Labels(codes, tuple(position))

    @staticmethod
    def constant(name: str, size: int) -> Labels:
        return Labels(np.zeros(size, np.int32), (name,))

    def map(self, function: Callable[[str], str]) -> Labels:
        """The same trades under other names: `function` is called once a distinct name."""
        encoded = Labels.of([function(name) for name in self.names])
        return Labels(np.append(encoded.codes, np.int32(-1)).take(self.codes), encoded.names)

    def take(self, rows: NDArray[np.integer]) -> Labels:
        return Labels(self.codes.take(rows), self.names)

    def is_one(self, name: str) -> NDArray[np.bool_]:
        """bool[n]: the trade has this name."""
        if name not in self.names:
            return np.zeros(len(self), np.bool_)
        return np.asarray(self.codes == self.names.index(name))

    def where(self, mask: NDArray[np.bool_]) -> Labels:
        """Names kept where `mask` holds, none elsewhere."""
        return Labels(np.where(mask, self.codes, np.int32(-1)).astype(np.int32), self.names)

    def otherwise(self, other: Labels) -> Labels:
        """The names of `other` where there is none."""
        names = tuple(dict.fromkeys((*self.names, *other.names)))
        place = np.array([*(names.index(name) for name in other.names), -1], np.int32)
        return Labels(np.where(self.codes < 0, place[other.codes], self.codes).astype(np.int32), names)

    def same_as(self, other: Labels) -> NDArray[np.bool_]:
        """bool[n]: both have a name, and one name."""
        place = {name: code for code, name in enumerate(self.names)}
        codes = np.array([*(place.get(name, -2) for name in other.names), -2], np.int32)
        return np.asarray(codes[other.codes] == self.codes)

    def combine(self, other: Labels, function: Callable[[str, str], str]) -> Labels:
        """A name per trade made of two; -1 where either is missing. `function` is called once a distinct pair."""
        width = len(other.names) + 1
        pairs = (self.codes.astype(np.int64) + 1) * width + other.codes + 1
        cells = (len(self.names) + 1) * width
        if cells > max(64 * len(pairs), 1024):
            distinct, pairs = np.unique(pairs, return_inverse=True)
        else:  # a table of all pairs takes less time than a sort
            distinct = np.flatnonzero(np.bincount(pairs, minlength=cells))
            place = np.empty(cells, np.int64)
            place[distinct] = np.arange(len(distinct))
            pairs = place[pairs]
        names: list[str | None] = []
        for pair in distinct.tolist():
            a, b = divmod(pair, width)
            names.append(function(self.names[a - 1], other.names[b - 1]) if a and b else None)
        encoded = Labels.of(names)
        return Labels(encoded.codes[pairs], encoded.names)

    def to_list(self) -> list[str | None]:
        return [None if code < 0 else self.names[code] for code in self.codes]
