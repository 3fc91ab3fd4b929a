"""Checksums of whole files."""

from __future__ import annotations

import hashlib
from typing import Any

from riskpipe.store.filesystem import Store, explained

_CHUNK = 8 << 20


def hexdigest(source: Any) -> str:
    """SHA-256 of what is left of an opened file, read in pieces."""
    digest = hashlib.sha256()
    while piece := source.read_buffer(_CHUNK):
        digest.update(piece)
    return digest.hexdigest()


def content_sha256(store: Store, path: str) -> str:
    """SHA-256 of a file's bytes, read once in pieces. :raises StorageError: it cannot be read."""
    with store.open_input_file(path) as source, explained(store.full_path(path), "read"):
        return hexdigest(source)
