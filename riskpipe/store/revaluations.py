"""The file of a run that has what books lose under the moves of `reverse_stress`: made by workers, read by analyses."""

from __future__ import annotations

import pyarrow as pa

REVALUED = pa.schema(
    [
        pa.field("scenario", pa.string(), False),
        pa.field("book", pa.string(), False),
        pa.field("loss_base", pa.float64(), False),
        *(pa.field(name, pa.int64(), False) for name in ("high", "middle", "low", "failed_trades")),
    ]
)
"""By scenario: what was asked for, the exact sum of the trades' P&L (`riskpipe.kernels.sums`), and how many trades
with a vector have none under the move."""
