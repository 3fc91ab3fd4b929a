"""The columns of a table of risk-factor points."""

from __future__ import annotations

import pyarrow as pa

MARKET_SCHEMA = pa.schema(
    [
        ("factor", pa.string()),
        ("kind", pa.string()),
        ("name", pa.string()),
        ("currency", pa.string()),
        ("tenor", pa.string()),
        ("underlying_tenor", pa.string()),
        ("strike", pa.float64()),
        ("strike_type", pa.string()),
        ("instrument", pa.string()),
        ("value", pa.float64()),
    ]
)
REQUIRED_COLUMNS = ("factor", "kind", "name", "value")
"""The columns a market table must have; the others may be left out and then count as null."""
