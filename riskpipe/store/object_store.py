"""Files in an object store (S3, GCS, Azure): puts of whole objects, no directories, every request a round trip."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Any, TypeVar

import pyarrow as pa
import pyarrow.fs as pafs

from riskpipe.store import objects
from riskpipe.store.filesystem import FileEntry, Store, explained
from riskpipe.store.object_uri import open_uri
from riskpipe.store.objects import Objects

S = TypeVar("S")
T = TypeVar("T")

MOST_OPEN_FILES = 64
_MAP_NORESERVE = 0x4000  # of Linux; Python has no name for it before 3.13


class ObjectStore(Store):
    """A directory of an object store.

    :param root: a URI (s3://, gs://, abfs://), or a path in `filesystem`.
    :param filesystem: a pyarrow file system with an object store's manners.
    :raises StorageError: the URI means nothing to pyarrow, or its service refuses.
    :raises UsageError: there are credentials in the URI.
    """

    prebuffers = True
    most_open_files = MOST_OPEN_FILES
    """They are read a whole column chunk at a time, so fewer fit in memory than descriptors would allow."""

    def __init__(self, root: str, filesystem: Any = None) -> None:
        self.root = root
        self._given = filesystem
        filesystem, path = open_uri(root) if filesystem is None else (filesystem, root)
        self.base = path.rstrip("/") or "/"
        self._objects = Objects(filesystem)

    def __reduce__(self) -> tuple[type[ObjectStore], tuple[str, Any]]:
        # A worker opens the URI anew: with its own credentials, and its own process's client.
        return type(self), (self.root, self._given)

    def local_path(self, path: str = "") -> None:
        return None

    # -- writing

    @contextmanager
    def atomic_sink(self, path: str, durable: bool = True) -> Iterator[IO[bytes]]:
        """The bytes go to a local spool file first: a put that has begun cannot be called off safely."""
        full = self.full_path(path)
        with explained(full, "write"), tempfile.NamedTemporaryFile(prefix="riskpipe-spool-") as spool:
            yield spool
            spool.flush()
            whole = pa.memory_map(spool.name).read_buffer() if os.path.getsize(spool.name) else b""
            self._objects.put(full, whole)

    def write_bytes(self, path: str, data: bytes) -> None:
        full = self.full_path(path)
        with explained(full, "write"):
            self._objects.put(full, data)

    def copy(self, source: str, target: str, durable: bool = True) -> None:
        """Within the service."""
        with explained(self.full_path(target), "write"):
            self._objects.copy(self.full_path(source), self.full_path(target))

    def _move(self, path: str, target: str) -> None:
        self.copy(path, target)
        self.delete(path)

    def replace_directory(self, source: str, target: str) -> None:
        """File by file, then those that are surplus are deleted: one file changes at once, several do not."""
        kept = {f"{target}/{entry.path[len(source) + 1 :]}": entry.path for entry in self.list_files(source)}
        for path, copied in kept.items():
            self.copy(copied, path)
        for entry in self.list_files(target):
            if entry.path not in kept:
                self.delete(entry.path)

    def remove_directory(self, directory: str, aside: str) -> None:
        """Nothing is put aside."""
        self.delete_tree(directory)

    # -- reading

    def read_bytes(self, path: str, changing: bool = False) -> bytes:
        full = self.full_path(path)
        with explained(full, "read"):
            return bytes(self._objects.get_changing(full) if changing else self._objects.get(full))

    def open_input_file(self, path: str) -> Any:
        """Read at once when it is a small object."""
        full = self.full_path(path)
        with explained(full, "read"):
            return self._objects.open(full)

    def with_ranges(self, file: Any, ranges: Sequence[tuple[int, int]]) -> Any:
        """Each range is fetched once; what is asked of the rest of a large object is zeros."""
        size = file.size()
        if size <= objects.SMALL_BYTES:  # its bytes are here
            return file
        whole = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE)
        for start, stop in ranges:
            file.seek(start)
            whole[start:stop] = file.read(stop - start)
        return pa.BufferReader(pa.py_buffer(whole))

    def overlapped(self, action: Callable[[S], T], items: Iterable[S]) -> Iterator[T]:
        return objects.overlapped(action, items)

    def size(self, path: str) -> int | None:
        full = self.full_path(path)
        with explained(full, "read"):
            info = self._objects.info(full)
            return int(info.size) if info.type == pafs.FileType.File else None

    def is_directory(self, path: str) -> bool:
        full = self.full_path(path)
        with explained(full, "read"):
            return bool(self._objects.info(full).type == pafs.FileType.Directory)

    def list_directories(self, directory: str = "") -> list[str]:
        full = self.full_path(directory)
        with explained(full, "list"):
            found = self._objects.list(full, recursive=False)
            return sorted(info.base_name for info in found if info.type == pafs.FileType.Directory)

    def _entries(self, directory: str, recursive: bool) -> list[FileEntry]:
        full = self.full_path(directory)
        with explained(full, "list"):
            base = len(self.base.rstrip("/")) + 1
            found = self._objects.list(full, recursive)
            return sorted(FileEntry(i.path[base:], int(i.size)) for i in found if i.type == pafs.FileType.File)

    # -- deleting

    def delete(self, path: str) -> None:
        full = self.full_path(path)
        with explained(full, "delete"), suppress(FileNotFoundError):
            self._objects.delete(full)

    def _delete_tree(self, directory: str) -> None:
        full = self.full_path(directory)
        with explained(full, "delete"), suppress(FileNotFoundError):
            self._objects.delete_tree(full)

    def delete_temporary(self, directory: str) -> int:
        return super().delete_temporary(directory) if self._objects.leaves_temporary else 0
