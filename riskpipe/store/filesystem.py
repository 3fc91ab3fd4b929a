"""One directory of files, on this machine or in an object store; every file appears whole or not at all.

Local files are written under a temporary name (`.tmp-<uuid>`, same directory), fsynced, renamed and the
directory fsynced, so a file that is there is complete even after a power cut. Object stores put a whole
object or none (objects.py). All paths are relative to the root, with "/" between the parts.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any, TypeVar

import pyarrow as pa
import pyarrow.fs as pafs

from riskpipe.errors import StorageError
from riskpipe.store.masking import masked
from riskpipe.store.object_uri import open_uri
from riskpipe.store.objects import TEMPORARY_PREFIX, Objects, advice_on, overlapped

S = TypeVar("S")
T = TypeVar("T")

_ADVICE = {
    errno.ENOSPC: "the disk that holds it is full: free space there, or choose another directory",
    errno.EDQUOT: "the disk quota is used up: free space there, or choose another directory",
    errno.EFBIG: "the file may not grow that large here: check `ulimit -f` and the file system's limit",
    errno.EACCES: "this user may not do that: check the permissions of the file and of its directory",
    errno.EPERM: "this user may not do that: check the permissions of the file and of its directory",
    errno.EROFS: "the file system is read-only: choose another directory",
    errno.ENOENT: "there is no such file or directory",
    errno.ENOTDIR: "a part of that path is a file, not a directory",
    errno.EEXIST: "a file is in the place of the directory",
    errno.EISDIR: "a directory is in the place of the file",
    errno.ENAMETOOLONG: "the name is too long for this file system",
    errno.EMFILE: "too many files are open: raise `ulimit -n`",
    errno.ENFILE: "too many files are open on this machine",
    errno.EXDEV: "source and target lie on different file systems: all of the output must be on one",
    errno.EIO: "the device reports an input/output error",
    errno.ESTALE: "the network file system lost the file: mount it again",
}

_CANNOT_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)


class MissingFileError(StorageError):
    """There is no such file."""


@dataclass(frozen=True, order=True)
class FileEntry:
    """A file found by a listing; `path` is relative to the store's root."""

    path: str
    bytes: int


def checked_name(name: str) -> str:
    """An id as one part of a path: refuses what would lead out of its directory or hide the file.

    :raises StorageError: empty, with a separator or a NUL, or beginning with a dot.
    """
    if not name or name.startswith(".") or any(c in name for c in "/\\\0"):
        raise StorageError(f"{name!r} cannot be a file name: no separators, no leading dot")
    return name


def storage_error(error: OSError, path: str, action: str) -> StorageError:
    """The error to show in place of an operating system's or object store's: what, where, why, what to do.

    :param action: a verb: "write", "read", "list", "delete", "publish".
    """
    missing = isinstance(error, FileNotFoundError)
    advice = _ADVICE.get(errno.ENOENT if missing else error.errno or 0)
    if advice is None:
        said = masked(str(error).strip().splitlines()[0]) if str(error).strip() else type(error).__name__
        known = advice_on(error)
        advice = said if known is None else f"{known} ({said})"
    kind = MissingFileError if missing else StorageError
    return kind(f"cannot {action} {path}: {advice}")


@contextmanager
def explained(path: str, action: str) -> Iterator[None]:
    """Turns an OSError of the body into a StorageError about `path`."""
    try:
        yield
    except OSError as error:
        raise storage_error(error, path, action) from error


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


class Store:
    """A directory: `root` is a local path or a URI (file://, s3://, gs://, abfs://). Picklable.

    :param filesystem: a pyarrow file system with an object store's manners, in which `root` is a path.
    :raises StorageError: the URI means nothing to pyarrow, or its service refuses.
    :raises UsageError: there are credentials in the URI.
    """

    def __init__(self, root: str, filesystem: Any = None) -> None:
        self.root = root
        if filesystem is not None:
            base = root
        elif "://" in root:
            filesystem, base = open_uri(root)
        else:
            filesystem, base = pafs.LocalFileSystem(), os.path.abspath(os.path.expanduser(root))
        self._base = base.rstrip("/") or "/"
        self.is_local = isinstance(filesystem, pafs.LocalFileSystem)
        self._objects: Any = None if self.is_local else Objects(filesystem)

    @staticmethod
    def of_file(location: str) -> tuple[Store, str]:
        """The store of a file's directory, and the file's name in it; `location` is a local path or a URI."""
        location, _, query = location.partition("?") if "://" in location else (location, "", "")
        directory, _, name = location.rpartition("/")
        if not directory and "://" not in location:
            directory = "/" if location.startswith("/") else "."
        return Store(directory + ("?" + query if query else "")), name

    def __reduce__(self) -> tuple[type[Store], tuple[str, Any]]:
        return Store, (self.root, None if "://" in self.root or self.is_local else self._objects.filesystem)

    def __repr__(self) -> str:
        return f"Store({self.root!r})"

    def full_path(self, path: str) -> str:
        """What to show to people, and to give to the file system."""
        parts = path.split("/") if path else []
        if any(part in ("", ".", "..") or "\0" in part for part in parts):
            raise StorageError(f"{path!r} is not a path within {self.root}")
        return "/".join([self._base.rstrip("/"), *parts]) or "/"

    def local_path(self, path: str = "") -> str | None:
        """The path for the operating system; None in an object store."""
        return self.full_path(path) if self.is_local else None

    # -- writing

    @contextmanager
    def atomic_sink(self, path: str) -> Iterator[IO[bytes]]:
        """A binary file to write to, sequentially; in place, durable and complete when the body ends well.

        After an error nothing is left behind. In an object store the bytes go to a local spool file first: a
        put that has begun cannot be called off safely.

        :raises StorageError: naming the path and what to do.
        """
        full = self.full_path(path)
        with explained(full, "write"):
            if self.is_local:
                with _local_sink(full) as file:
                    yield file
            else:
                with tempfile.NamedTemporaryFile(prefix="riskpipe-spool-") as spool:
                    yield spool
                    spool.flush()
                    whole = pa.memory_map(spool.name).read_buffer() if os.path.getsize(spool.name) else b""
                    self._objects.put(full, whole)

    def write_bytes(self, path: str, data: bytes) -> None:
        """Puts a file in place, atomically, over an older one if there is one."""
        full = self.full_path(path)
        with explained(full, "write"):
            if self.is_local:
                with _local_sink(full) as file:
                    file.write(data)
            else:
                self._objects.put(full, data)

    def copy(self, source: str, target: str) -> None:
        """Puts a copy of a file in another place, atomically; within the service in an object store."""
        if self.is_local:
            with self.open_input_file(source) as file, self.atomic_sink(target) as sink:
                while piece := file.read(8 << 20):
                    sink.write(piece)
        else:
            with explained(self.full_path(target), "write"):
                self._objects.copy(self.full_path(source), self.full_path(target))

    def rename(self, path: str, name: str) -> str:
        """Gives a file another name in its directory; returns its path."""
        renamed = f"{path.rpartition('/')[0]}/{checked_name(name)}"
        if renamed == path:
            return path
        if self.is_local:
            with explained(self.full_path(renamed), "write"):
                os.rename(self.full_path(path), self.full_path(renamed))
        else:
            self.copy(path, renamed)
            self.delete(path)
        return renamed

    def probe_writable(self) -> None:
        """Creates the root if it is missing, writes a small file, finds and reads it, and deletes it again.

        :raises StorageError: the output cannot be written to, or does not give back what was written; it says why.
        """
        name, content = f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}", b"riskpipe" * 512
        try:
            self.write_bytes(name, content)
            found = any(entry.path == name for entry in self._entries("", recursive=False))
            if not found or self.read_bytes(name) != content:
                raise StorageError(f"{self.full_path(name)} was written but is not there: another cache lies between?")
        finally:
            with suppress(StorageError):
                self.delete(name)

    # -- reading

    def read_bytes(self, path: str, changing: bool = False) -> bytes:
        """All of a file.

        :param changing: others may put another in its place meanwhile; it is one or the other.
        :raises MissingFileError: there is no such file. :raises StorageError: it cannot be read.
        """
        full = self.full_path(path)
        with explained(full, "read"):
            if self.is_local:
                with open(full, "rb") as file:
                    return file.read()
            return bytes(self._objects.get_changing(full) if changing else self._objects.get(full))

    def open_input_file(self, path: str) -> Any:
        """A pyarrow file for random access: memory-mapped when local, read at once when it is a small object.

        :raises MissingFileError: there is no such file. :raises StorageError: it cannot be read.
        """
        full = self.full_path(path)
        with explained(full, "read"):
            if self.is_local:
                return pa.memory_map(full) if os.path.getsize(full) else pa.OSFile(full)
            return self._objects.open(full)

    def overlapped(self, action: Callable[[S], T], items: Iterable[S]) -> Iterator[T]:
        """`map(action, items)`, in order; in an object store several at a time."""
        return map(action, items) if self.is_local else overlapped(action, items)

    def read_json(self, path: str) -> dict[str, Any]:
        """A file that holds a JSON object. :raises StorageError: it does not, or cannot be read."""
        try:
            value = json.loads(self.read_bytes(path, changing=True))
        except ValueError as error:
            raise StorageError(f"cannot read {self.full_path(path)}: damaged, not JSON ({error})") from error
        if not isinstance(value, dict):
            raise StorageError(f"cannot read {self.full_path(path)}: damaged, not a JSON object")
        return value

    def size(self, path: str) -> int | None:
        """Bytes of a file; None if there is none."""
        full = self.full_path(path)
        with explained(full, "read"):
            if self.is_local:
                try:
                    return os.path.getsize(full) if os.path.isfile(full) else None
                except FileNotFoundError:
                    return None
            info = self._objects.info(full)
            return int(info.size) if info.type == pafs.FileType.File else None

    def exists(self, path: str) -> bool:
        """Whether there is a file of that name."""
        return self.size(path) is not None

    def is_directory(self, path: str) -> bool:
        full = self.full_path(path)
        with explained(full, "read"):
            if self.is_local:
                return os.path.isdir(full)
            return bool(self._objects.info(full).type == pafs.FileType.Directory)

    def list_files(self, directory: str = "", recursive: bool = True) -> list[FileEntry]:
        """The files below a directory, by path, without temporary ones; a directory not there has none."""
        return [entry for entry in self._entries(directory, recursive) if not _is_temporary(entry.path)]

    def list_directories(self, directory: str = "") -> list[str]:
        """The names of the directories in a directory, sorted; none if there is no such directory."""
        full = self.full_path(directory)
        with explained(full, "list"):
            if self.is_local:
                try:
                    with os.scandir(full) as entries:
                        return sorted(e.name for e in entries if e.is_dir())
                except FileNotFoundError:
                    return []
            found = self._objects.list(full, recursive=False)
            return sorted(info.base_name for info in found if info.type == pafs.FileType.Directory)

    def _entries(self, directory: str, recursive: bool) -> list[FileEntry]:
        full = self.full_path(directory)
        with explained(full, "list"):
            if self.is_local:
                return sorted(_scan(full, f"{directory}/" if directory else "", recursive))
            base = len(self._base.rstrip("/")) + 1
            found = self._objects.list(full, recursive)
            return sorted(FileEntry(i.path[base:], int(i.size)) for i in found if i.type == pafs.FileType.File)

    # -- deleting

    def delete(self, path: str) -> None:
        """Deletes a file; one that is not there is fine."""
        full = self.full_path(path)
        with explained(full, "delete"), suppress(FileNotFoundError):
            if self.is_local:
                os.unlink(full)
            else:
                self._objects.delete(full)

    def delete_tree(self, directory: str) -> None:
        """Deletes a directory and all that is in it; one that is not there is fine."""
        if not directory:
            raise StorageError(f"refused to delete all of {self.root}")
        full = self.full_path(directory)
        with explained(full, "delete"), suppress(FileNotFoundError):
            if self.is_local:
                shutil.rmtree(full)
            else:
                self._objects.delete_tree(full)

    def delete_temporary(self, directory: str) -> int:
        """Deletes what killed writers left below a directory, while nobody writes there; returns how many."""
        if not (self.is_local or self._objects.leaves_temporary):
            return 0
        stale = [entry.path for entry in self._entries(directory, True) if _is_temporary(entry.path)]
        for path in stale:
            self.delete(path)
        return len(stale)


def _is_temporary(path: str) -> bool:
    return path.rpartition("/")[2].startswith(TEMPORARY_PREFIX)


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
def _local_sink(full: str) -> Iterator[IO[bytes]]:
    directory = os.path.dirname(full)
    make_directories(directory)
    temporary = os.path.join(directory, TEMPORARY_PREFIX + uuid.uuid4().hex)
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, full)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    fsync_directory(directory)
