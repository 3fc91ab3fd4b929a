"""What the bytes of a trade file were when it was planned: a checksum for its footer and for every row group.

File systems may show any mixture of old and new when a file is overwritten in place, under the same inode, length and
even times. So what a block has read is held against the checksums of just these bytes, after it was decoded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import pyarrow.parquet as pq
from msgspec import Struct

_CHUNK = 8 << 20
_TAIL_BYTES = 8  # the footer's length and Parquet's four magic bytes


class Span(Struct, frozen=True):
    """Bytes [start, stop) of a file and their SHA-256."""

    start: int
    stop: int
    sha256: str


def take_fingerprints(source: Any) -> tuple[str, tuple[Span, ...]]:
    """SHA-256 of an opened Parquet file, and the spans of its row groups and, last, of its footer; read once."""
    bounds = _bounds(pq.ParquetFile(source).metadata, source.size())
    whole, digests = hashlib.sha256(), [hashlib.sha256() for _ in bounds]
    source.seek(0)
    at = 0
    while piece := source.read_buffer(_CHUNK):
        view = memoryview(piece)
        whole.update(view)
        for digest, (start, stop) in zip(digests, bounds, strict=True):
            if start < at + len(view) and stop > at:
                digest.update(view[max(start - at, 0) : stop - at])
        at += len(view)
    source.seek(0)
    spans = (Span(*bound, digest.hexdigest()) for bound, digest in zip(bounds, digests, strict=True))
    return whole.hexdigest(), tuple(spans)


def _bounds(metadata: Any, size: int) -> list[tuple[int, int]]:
    groups = []
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        chunks = [group.column(k) for k in range(group.num_columns)]
        starts = [_start(chunk) for chunk in chunks]
        stops = [start + chunk.total_compressed_size for start, chunk in zip(starts, chunks, strict=True)]
        groups.append((min(starts, default=0), max(stops, default=0)))
    return [*groups, (size - _TAIL_BYTES - metadata.serialized_size, size)]


def _start(chunk: Any) -> int:
    return int(min(filter(None, (chunk.dictionary_page_offset, chunk.data_page_offset))))


def is_unchanged(source: Any, spans: Sequence[Span]) -> bool:
    """Whether these bytes of an opened file are what they were."""
    for span in spans:
        digest = hashlib.sha256()
        source.seek(span.start)
        for at in range(span.start, span.stop, _CHUNK):
            digest.update(source.read_buffer(min(_CHUNK, span.stop - at)))
        if digest.hexdigest() != span.sha256:
            return False
    return True
