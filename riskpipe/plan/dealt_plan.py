"""A plan of which a process knows the blocks that it was dealt, and no more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskpipe.plan.block import Block
from riskpipe.plan.stored_plan import StoredPlan


class DealtPlan(StoredPlan):
    """Positions and ids of dealt blocks alone: of millions of blocks a shard's driver has a few thousand.

    Of others `index_of` says None and `id_at` raises KeyError.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._places: dict[str, int] = {}
        self._names: dict[int, str] = {}

    def deal(self, indices: NDArray[np.integer[Any]]) -> Iterator[tuple[int, Block]]:
        """(index, block) of blocks that are known from here on. :param indices: ascending."""
        for index, block in self.blocks_at(indices):
            self._places[block.block_id] = index
            self._names[index] = block.block_id
            yield index, block

    def id_at(self, index: int) -> str:
        return self._names[index]

    def index_of(self, block_id: str) -> int | None:
        return self._places.get(block_id)
