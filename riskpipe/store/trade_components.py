"""The file of a run that has trades' components of figures of the tail: made by workers, read by analyses."""

from __future__ import annotations

import pyarrow as pa

COMPONENTS = pa.schema(
    [
        pa.field("definition", pa.string(), False),
        pa.field("book", pa.string(), False),
        pa.field("trade_id", pa.string(), False),
        pa.field("component_base", pa.float64(), False),
    ]
)
"""By definition (`TailDefinition.text`) and book, in them by size, equal ones by trade."""
