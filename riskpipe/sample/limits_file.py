"""limits.parquet: some limits of the book and of all its parts, of a size that a few are close to or beyond."""

from __future__ import annotations

import math

import pyarrow as pa

# Book, measure, name, direction; warning and limit for one trade.
_LIMITS = (
    ("", "var", "var_99", "upper", 80_000.0, 120_000.0),
    ("", "var", "es_97_5", "upper", 80_000.0, 120_000.0),
    ("?*", "var", "var_99", "upper", 60_000.0, 90_000.0),
    ("*", "dv01", None, "absolute", 2_000.0, 4_000.0),
    ("*", "stress", "rates_up_200", "lower", -400_000.0, -800_000.0),
)


def limits_table(trades: int) -> pa.Table:
    """:param trades: of the book. Its risk grows with less than their number; a few trades may have much of it."""
    size = max(trades, 2_000) ** 0.75
    rows = [(*names, _round(warning * size), _round(limit * size)) for *names, warning, limit in _LIMITS]
    book, measure, name, direction, warning, limit = zip(*rows, strict=True)
    text, number = pa.string(), pa.float64()
    columns = {"book": (book, text), "measure": (measure, text), "name": (name, text)}
    columns |= {"warning": (warning, number), "limit": (limit, number), "direction": (direction, text)}
    return pa.table({key: pa.array(values, kind) for key, (values, kind) in columns.items()})


def _round(value: float) -> float:
    """To two digits."""
    digits = 1 - math.floor(math.log10(abs(value)))
    return round(value, digits)
