"""A copy of a stored file that is being made: who makes it, and who has what is there of it already."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

PIECE_BYTES = 8 << 20


def pieces_sha256(source: Any) -> tuple[str, ...]:
    """SHA-256 of each `PIECE_BYTES` of what is left of an opened file."""
    return tuple(hashlib.sha256(piece).hexdigest() for piece in iter(lambda: source.read(PIECE_BYTES), b""))


class GrowingCopy:
    """Pieces of `PIECE_BYTES` in their order, each written once; other threads read those that are there.

    :param descriptor: of the file, open for writing and reading; it is this object's from now on.
    :param sha256: of the whole. :param pieces: SHA-256 of each piece; empty where they are not known.
    """

    def __init__(self, descriptor: int, sha256: str, pieces: Sequence[str]) -> None:
        self.sha256 = sha256
        self.pieces = tuple(pieces)
        self.present = 0
        self._descriptor = descriptor
        self._changed = threading.Condition()
        self._given_up = False

    def __del__(self) -> None:
        os.close(self._descriptor)

    def is_next(self, piece: bytes) -> bool:
        """Whether these bytes are those that are missing next."""
        return hashlib.sha256(piece).hexdigest() == self.pieces[self.present]

    def add(self, piece: bytes) -> None:
        written = 0
        while written < len(piece):
            written += os.pwrite(self._descriptor, piece[written:], self.present * PIECE_BYTES + written)
        with self._changed:
            self.present += 1
            self._changed.notify_all()

    def give_up(self) -> None:
        """Nothing more will come, for those that wait."""
        with self._changed:
            self._given_up = True
            self._changed.notify_all()

    def sync(self) -> None:
        os.fsync(self._descriptor)

    def piece(self, number: int, seconds: float) -> bytes | None:
        """A piece as it was written, waited for. Empty: it has not come yet; None: it never will."""
        with self._changed:
            self._changed.wait_for(lambda: self._given_up or number < self.present, seconds)
            if number >= self.present:
                return None if self._given_up else b""
        return os.pread(self._descriptor, PIECE_BYTES, number * PIECE_BYTES)


class Neighbours(Protocol):
    """Other nodes, which have copies of the files that this one needs, or make them."""

    def pieces(self, copy: GrowingCopy) -> Iterator[bytes]:
        """What is missing of it, piece by piece, each held against its checksum; ends early where nobody has it.

        From now on they may have of it what there is.
        """

    def ended(self, copy: GrowingCopy, complete: bool) -> None:
        """It grows no more."""
