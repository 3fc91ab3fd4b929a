"""The checksums of blocks' outputs as the ledger has them: which tables a block has, and what their files must be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from riskpipe.store.written_files import Piece, WrittenFile

VECTORS = "scenario_pnl"
"""The table whose files can stand in the published day as a block wrote them (store.pieces)."""

_DIGEST_BYTES = 32
_NOTHING = bytes(_DIGEST_BYTES)


class Recorded:
    """By table and block: the SHA-256 and the size of the block's file. Arrays for the plan's blocks, 40 bytes each.

    P&L vectors, of which a block may leave several files, are kept as they were recorded.
    """

    def __init__(self, blocks: int) -> None:
        self._blocks = blocks
        self._digests: dict[str, NDArray[np.uint8]] = {}
        self._bytes: dict[str, NDArray[np.int64]] = {}
        self._parts: dict[str, dict[str, tuple[str, int]]] = {}
        self._vectors: dict[int | str, tuple[Piece, ...]] = {}

    def note(self, block: int | str, outputs: Mapping[str, WrittenFile], vectors: tuple[Piece, ...] = ()) -> None:
        """A block's outputs, in place of those noted before.

        :param block: its position in the plan, or the id of a part.
        """
        self.forget(block)
        if vectors:
            self._vectors[block] = vectors
        for table, file in outputs.items():
            if isinstance(block, str):
                self._parts.setdefault(table, {})[block] = (file.sha256, file.bytes)
                continue
            if table not in self._digests:
                self._digests[table] = np.zeros((self._blocks, _DIGEST_BYTES), np.uint8)
                self._bytes[table] = np.zeros(self._blocks, np.int64)
            self._digests[table][block] = np.frombuffer(bytes.fromhex(file.sha256), np.uint8)
            self._bytes[table][block] = file.bytes

    def forget(self, block: int | str) -> None:
        """The block has no outputs."""
        self._vectors.pop(block, None)
        if isinstance(block, str):
            for files in self._parts.values():
                files.pop(block, None)
        else:
            for digests in self._digests.values():
                digests[block] = 0

    def sha256(self, table: str, block: int | str) -> str | None:
        """The checksum of a block's file, in hexadecimal; None: it has no such table."""
        if isinstance(block, str):
            return self._parts.get(table, {}).get(block, (None, 0))[0]
        if table not in self._digests:
            return None
        digest = self._digests[table][block].tobytes()
        return None if digest == _NOTHING else digest.hex()

    def size(self, table: str, block: int | str) -> int:
        """Bytes of a block's file; 0: it has no such table."""
        if isinstance(block, str):
            return self._parts.get(table, {}).get(block, (None, 0))[1]
        return int(self._bytes[table][block]) if table in self._bytes else 0

    def vectors(self, block: int | str) -> tuple[Piece, ...]:
        """The files of a block's P&L vectors, in order."""
        return self._vectors.get(block, ())

    def all_vectors(self) -> Iterator[tuple[int | str, Piece]]:
        """Block and file of all P&L vectors."""
        for block, pieces in self._vectors.items():
            for piece in pieces:
                yield block, piece

    def has(self, table: str, start: int, stop: int) -> NDArray[np.bool_]:
        """bool[stop - start]: which of the plan's blocks have a file of a table, or a file of P&L vectors."""
        found = np.zeros(stop - start, np.bool_)
        if table in self._digests:
            found |= self._digests[table][start:stop].any(axis=1)
        if table == VECTORS and self._vectors:
            found |= np.fromiter((index in self._vectors for index in range(start, stop)), np.bool_, stop - start)
        return found

    def tables(self) -> list[str]:
        """Tables of which any block has a file."""
        return sorted({*self._digests, *self._parts})

    def files(self, table: str) -> Iterator[tuple[int | str, int, str]]:
        """Block, bytes and SHA-256 of every file of a table."""
        if table in self._digests:
            for index in np.flatnonzero(self._digests[table].any(axis=1)):
                yield int(index), int(self._bytes[table][index]), self._digests[table][index].tobytes().hex()
        for block_id, (sha256, size) in self._parts.get(table, {}).items():
            yield block_id, size, sha256
