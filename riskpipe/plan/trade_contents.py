"""What tells whether a trade of one run is that of another: digests of its id and of all that is read of it."""

from __future__ import annotations

from collections.abc import Sequence

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

DIGESTS = pa.schema([CONTENTS.field("trade"), CONTENTS.field("content")])


def contents_table(pieces: Sequence[FileRows], digests: pa.RecordBatch) -> pa.Table:
    """Rows of `CONTENTS`. :param digests: `DIGESTS` of the rows of the pieces."""
    paths = list(dict.fromkeys(piece.file.path for piece in pieces))
    number = {path: k for k, path in enumerate(paths)}
    codes = np.repeat([number[piece.file.path] for piece in pieces], [len(piece) for piece in pieces])
    coded = pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(paths, pa.string()))
    return pa.table([coded, *digests.columns], schema=CONTENTS)


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
