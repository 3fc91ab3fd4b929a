"""What the plan says of blocks, by their ids: what tables of attempts and failures repeat of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from riskpipe.plan.block import Block
from riskpipe.plan.state import RunState


class BlockFacts:
    """Product, file, trades and scenarios of a block by its id."""

    def __init__(self, state: RunState) -> None:
        self._state = state
        table = state.plan.columns("product", "path", "trades", "scenario_start", "scenario_stop")
        self._product = table.column("product").combine_chunks().dictionary_encode()
        self._path = table.column("path").combine_chunks().dictionary_encode()
        self._trades = table.column("trades").to_numpy()
        self._scenarios = pc.subtract(table.column("scenario_stop"), table.column("scenario_start")).to_numpy()

    def of(self, block_id: str) -> dict[str, Any]:
        """`product`, `trades` and `scenarios`, as the table `blocks` has them."""
        part: Block | None = self._state.part(block_id)
        if part is not None:
            scenarios = part.scenario_stop - part.scenario_start
            return {"product": part.product, "trades": part.trades, "scenarios": scenarios}
        index = self._index(block_id)
        return {
            "product": self._product[index].as_py(),
            "trades": int(self._trades[index]),
            "scenarios": int(self._scenarios[index]),
        }

    def of_all(self, block_ids: Sequence[str]) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64]]:
        """The same of many, a column each."""
        places = self._state.plan.indices_of(block_ids)
        products = self._product.take(pa.array(places, mask=places < 0)).to_pylist()
        trades, scenarios = self._trades[places], self._scenarios[places]
        for row in np.flatnonzero(places < 0).tolist():
            facts = self.of(block_ids[row])
            products[row], trades[row], scenarios[row] = facts["product"], facts["trades"], facts["scenarios"]
        return products, trades, scenarios

    def path(self, block_id: str) -> str:
        """The trade file that its rows are counted from."""
        part: Block | None = self._state.part(block_id)
        return part.path if part is not None else str(self._path[self._index(block_id)])

    def _index(self, block_id: str) -> int:
        index = self._state.plan.index_of(block_id)
        assert index is not None
        return index
