"""What a block will cost: seconds and bytes, from coefficients that earlier runs correct.

Projected seconds of a block = sum over its trades of weight x (columns priced) x seconds a unit, plus a preparation
that does not depend on scenarios. One unit is one valuation of a European option. A product's factor is learnt: what
its blocks took in earlier runs over what was projected for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.sums import BYTES_A_SUM

SECONDS_PER_UNIT = 1.2e-8
SECONDS_PER_TRADE = 1.2e-5
SECONDS_PER_BLOCK = 0.02
# To open, read and check a trade file, however few trades it has.
SECONDS_PER_FILE = 0.0005

# What a worker process holds whatever its block: interpreter, numpy, numba, pyarrow, distributed, compiled kernels; the
# levels of scenarios that it keeps (64 MiB), and some sixty calendars of 0.9 MiB.
WORKER_BASELINE_BYTES = 480 * 2**20
BYTES_PER_TRADE = 2_600
BYTES_PER_WEIGHT = 900
# Beyond this a weight is arithmetic (a boundary to be solved, a strip of options), not more flows to hold.
MOST_WEIGHT_HELD = 64.0
# Buffers of reading and writing, and of compiling kernels where the cache is cold.
BYTES_PER_BLOCK = 128 * 2**20

# A block's sums per book are made, turned into rows and written so many bytes at a time, in about so many copies.
SUM_RANGE_BYTES = 16 * 2**20
SUM_COPIES = 4
# On disk, of what they take in memory: most of the high and low bits are the same.
SUMS_COMPRESSED = 0.4

LEARNING_RANGE = (0.05, 20.0)


class CostModel(Struct, frozen=True):
    """Seconds and bytes of a trade in a block.

    :param factors: product -> learnt correction of the seconds.
    """

    factors: Mapping[str, float] = field(default_factory=dict)

    def seconds_per_unit(self, product: str) -> float:
        return SECONDS_PER_UNIT * self.factors.get(product, 1.0)

    def seconds_per_trade(self, product: str) -> float:
        return SECONDS_PER_TRADE * self.factors.get(product, 1.0)

    @staticmethod
    def trade_bytes(pnl_columns: int, stored: bool) -> float:
        """Bytes that one trade of weight 0 needs while its block is valued.

        :param pnl_columns: P&L columns of the block: one float64 each, twice when the vectors are written as well.
        """
        return BYTES_PER_TRADE + 8.0 * pnl_columns * (2.2 if stored else 1.2)

    def learnt(self, observed: Iterable[tuple[str, float, float]]) -> CostModel:
        """A model corrected by what blocks took.

        :param observed: (product, projected seconds, priced seconds), of runs that were planned with this model.
        """
        projected: dict[str, float] = {}
        taken: dict[str, float] = {}
        for product, plan_seconds, priced_seconds in observed:
            projected[product] = projected.get(product, 0.0) + plan_seconds
            taken[product] = taken.get(product, 0.0) + priced_seconds
        low, high = LEARNING_RANGE
        factors = dict(self.factors)
        for product, seconds in taken.items():
            if seconds > 0.0 and projected[product] > 0.0:
                ratio = self.factors.get(product, 1.0) * seconds / projected[product]
                factors[product] = min(high, max(low, ratio))
        return CostModel(factors)


def block_bytes(trade_bytes: FloatArray, books: NDArray[np.int64], sums: int) -> NDArray[np.int64]:
    """int64[n]: what a worker holds at most while it values each of n blocks.

    :param trade_bytes: float64[n], of their trades. :param books: int64[n], that have trades in them.
    :param sums: of each book.
    """
    of_sums = SUM_COPIES * np.minimum(books * (sums * BYTES_A_SUM), SUM_RANGE_BYTES)
    return np.asarray(trade_bytes + of_sums + BYTES_PER_BLOCK + WORKER_BASELINE_BYTES, np.int64)
