"""Files of this machine, as the operating system has them.

A file is written under a temporary name (`.tmp-<uuid>`, same directory), fsynced, renamed and the directory fsynced, so
one that is there is complete even after a power cut. The bytes of files that are not `durable` go to the disk when the
kernel sees fit.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Any, TypeVar

from riskpipe.store.filesystem import TEMPORARY_PREFIX, FileEntry, Store, explained

S = TypeVar("S")
T = TypeVar("T")

_CANNOT_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
# Another device; too many names; not by this file system, or not by this user (fs.protected_hardlinks).
_CANNOT_LINK = (errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.ENOSYS)
_CANNOT_EXCHANGE = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM)


class LocalStore(Store):
    """A local directory; files are read through memory maps.

    :param directory: where it lies, if `root` is a URI.
    """

    prebuffers = False

    def __init__(self, root: str, directory: str | None = None) -> None:
        self.root = root
        path = os.path.abspath(os.path.expanduser(root)) if directory is None else directory
        self.base = path.rstrip("/") or "/"

    def local_path(self, path: str = "") -> str:
        return self.full_path(path)

    @property
    def most_open_files(self) -> int:
        """Half of what `ulimit -n` allows."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return soft // 2

    # -- writing

    @contextmanager
    def atomic_sink(self, path: str, durable: bool = True) -> Iterator[IO[bytes]]:
        full = self.full_path(path)
        with explained(full, "write"), _sink(full, durable) as file:
            yield file

    def write_bytes(self, path: str, data: bytes) -> None:
        with self.atomic_sink(path) as file:
            file.write(data)

    def copy(self, source: str, target: str, durable: bool = True) -> None:
        """A second name of the same file, where the file system has that."""
        if self._link(self.full_path(source), self.full_path(target), durable):
            return
        with self.open_input_file(source) as file, self.atomic_sink(target, durable) as sink:
            while piece := file.read(8 << 20):
                sink.write(piece)

    def _link(self, source: str, target: str, durable: bool) -> bool:
        directory = os.path.dirname(target)
        with explained(target, "write"):
            make_directories(directory)
            temporary = os.path.join(directory, TEMPORARY_PREFIX + uuid.uuid4().hex)
            try:
                os.link(source, temporary)
                if durable:
                    _fsync(temporary)
            except OSError as error:
                if error.errno in _CANNOT_LINK:
                    return False
                raise
            os.replace(temporary, target)
            with suppress(FileNotFoundError):  # rename(2) leaves both where they are the same file already
                os.unlink(temporary)
            if durable:
                fsync_directory(directory)
        return True

    def _move(self, path: str, target: str) -> None:
        with explained(self.full_path(target), "write"):
            os.rename(self.full_path(path), self.full_path(target))

    def replace_directory(self, source: str, target: str) -> None:
        """In one step; where the file system cannot exchange two directories, with a moment without any.

        What was replaced is left in `source`, or beside it.
        """
        new, place = self.full_path(source), self.full_path(target)
        with explained(place, "publish"):
            fsync_directory(new)
            make_directories(os.path.dirname(place))
            if not os.path.isdir(place):
                os.rename(new, place)
            elif not exchange(new, place):
                away = f"{new}-replaced"
                shutil.rmtree(away, ignore_errors=True)
                os.rename(place, away)
                os.rename(new, place)
            fsync_directory(os.path.dirname(place))
            fsync_directory(os.path.dirname(new))

    def remove_directory(self, directory: str, aside: str) -> None:
        """In one step; a directory above that has become empty goes, too."""
        full, away = self.full_path(directory), self.full_path(aside)
        above = os.path.dirname(full)
        with explained(full, "publish"):
            make_directories(away)
            os.rename(full, f"{away}/{uuid.uuid4().hex}")
            fsync_directory(above)
            with suppress(OSError):
                os.rmdir(above)

    # -- reading

    def read_bytes(self, path: str, changing: bool = False) -> bytes:
        full = self.full_path(path)
        with explained(full, "read"), open(full, "rb") as file:
            return file.read()

    def open_input_file(self, path: str) -> Any:
        import pyarrow as pa

        full = self.full_path(path)
        with explained(full, "read"):
            return pa.memory_map(full) if os.path.getsize(full) else pa.OSFile(full)

    def with_ranges(self, file: Any, ranges: Sequence[tuple[int, int]]) -> Any:
        return file

    def overlapped(self, action: Callable[[S], T], items: Iterable[S]) -> Iterator[T]:
        return map(action, items)

    def size(self, path: str) -> int | None:
        full = self.full_path(path)
        with explained(full, "read"):
            try:
                return os.path.getsize(full) if os.path.isfile(full) else None
            except FileNotFoundError:
                return None

    def is_directory(self, path: str) -> bool:
        return os.path.isdir(self.full_path(path))

    def list_directories(self, directory: str = "") -> list[str]:
        full = self.full_path(directory)
        with explained(full, "list"):
            try:
                with os.scandir(full) as entries:
                    return sorted(e.name for e in entries if e.is_dir())
            except FileNotFoundError:
                return []

    def _entries(self, directory: str, recursive: bool) -> list[FileEntry]:
        full = self.full_path(directory)
        with explained(full, "list"):
            return sorted(_scan(full, f"{directory}/" if directory else "", recursive))

    # -- deleting

    def delete(self, path: str) -> None:
        full = self.full_path(path)
        with explained(full, "delete"), suppress(FileNotFoundError):
            os.unlink(full)

    def _delete_tree(self, directory: str) -> None:
        full = self.full_path(directory)
        with explained(full, "delete"), suppress(FileNotFoundError):
            shutil.rmtree(full)


def _fsync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_directory(path: str) -> None:
    """Makes renames in a local directory durable, where its file system can (NFS and FUSE may not, and say EINVAL)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise
    finally:
        os.close(descriptor)


def make_directories(path: str) -> None:
    """Creates a local directory and its missing parents, durably."""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    if parent and parent != path:
        make_directories(parent)
    with suppress(FileExistsError):
        os.mkdir(path)
        fsync_directory(parent)
    if not os.path.isdir(path):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)


def exchange(one: str, other: str) -> bool:
    """Two local directories change places in one step (renameat2, Linux 3.15); False where that does not exist.

    :raises OSError: for any other reason.
    """
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    first, second = os.fsencode(one), os.fsencode(other)
    if call(_AT_FDCWD, first, _AT_FDCWD, second, ctypes.c_uint(_RENAME_EXCHANGE)) == 0:
        return True
    number = ctypes.get_errno()
    if number in _CANNOT_EXCHANGE:
        return False
    raise OSError(number, os.strerror(number), one, None, other)


def _scan(full: str, prefix: str, recursive: bool) -> Iterator[FileEntry]:
    try:
        with os.scandir(full) as entries:
            for entry in entries:
                if entry.is_dir():
                    if recursive:
                        yield from _scan(entry.path, f"{prefix}{entry.name}/", recursive)
                    continue
                with suppress(FileNotFoundError):
                    yield FileEntry(prefix + entry.name, entry.stat().st_size)
    except FileNotFoundError:
        return


@contextmanager
def _sink(full: str, durable: bool) -> Iterator[IO[bytes]]:
    directory = os.path.dirname(full)
    make_directories(directory)
    temporary = os.path.join(directory, TEMPORARY_PREFIX + uuid.uuid4().hex)
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(temporary, full)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    if durable:
        fsync_directory(directory)
