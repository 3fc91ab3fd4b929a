"""What tells whether a trade of one run is that of another: digests of its id and of all that is read of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from riskpipe.kernels.hashing import hash_strings
from riskpipe.store.trade_rows import FileRows

Digests = NDArray[np.uint64]

CONTENTS = pa.schema(
    [("path", pa.dictionary(pa.int32(), pa.string())), ("trade", pa.uint64()), ("content", pa.uint64())]
)
"""Of every row of every trade file, file after file: of the id, and of the columns that results are made of."""


@dataclass(frozen=True)
class PieceContents:
    """Of the rows of one piece. :param trade, content: uint64[n], as in `CONTENTS`."""

    piece: FileRows
    trade: Digests
    content: Digests


def contents_table(found: Sequence[PieceContents]) -> pa.Table:
    """The rows of `CONTENTS`."""
    paths = list(dict.fromkeys(each.piece.file.path for each in found))
    number = {path: k for k, path in enumerate(paths)}
    codes = np.repeat([number[each.piece.file.path] for each in found], [len(each.piece) for each in found])
    coded = pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(paths, pa.string()))
    empty = np.empty(0, np.uint64)
    trade, content = (
        pa.array(np.concatenate([empty, *(getattr(each, name) for each in found)])) for name in ("trade", "content")
    )
    return pa.table([coded, trade, content], schema=CONTENTS)


def trade_digests(column: pa.ChunkedArray) -> Digests:
    """uint64[n]: of ids."""
    chunks = [chunk for chunk in column.cast(pa.large_string()).chunks if len(chunk)]
    parts = []
    for chunk in chunks:
        _, offsets, data = chunk.buffers()
        bounds = np.frombuffer(offsets, np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
        text = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(1, np.uint8)
        parts.append(hash_strings(bounds, text))
    return np.concatenate(parts) if parts else np.empty(0, np.uint64)
