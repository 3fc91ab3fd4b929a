"""What a store is: a directory of files, on this machine or in an object store; each appears whole or not at all.

All paths are relative to its root, with "/" between the parts. `store.location` opens one.
"""

from __future__ import annotations

import errno
import uuid
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import IO, Any, Protocol, TypeVar

from msgspec import Struct

from riskpipe.errors import StorageError
from riskpipe.store.masking import masked
from riskpipe.store.object_errors import advice_on

S = TypeVar("S")
T = TypeVar("T")

TEMPORARY_PREFIX = ".tmp-"

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


class MissingFileError(StorageError):
    """There is no such file."""


class FileEntry(Struct, frozen=True, order=True):
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


class Store(Protocol):
    """A directory of files. Implementations are `LocalStore` and `ObjectStore`; both can be pickled, to go to workers.

    What can be said of all of them stands here, in terms of what each does in its own way. Everything that asks the
    operating system or a service raises StorageError, which names the path and what to do.
    """

    root: str
    """A local path or a URI, as it was given: what opens it again."""

    base: str
    """The root within the file system."""

    prebuffers: bool
    """Whether column chunks of a Parquet file that lie side by side are best fetched with one request, ahead."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.root!r})"

    def full_path(self, path: str) -> str:
        """What to show to people, and to give to the file system."""
        parts = path.split("/") if path else []
        if any(part in ("", ".", "..") or "\0" in part for part in parts):
            raise StorageError(f"{path!r} is not a path within {self.root}")
        return "/".join([self.base.rstrip("/"), *parts]) or "/"

    @abstractmethod
    def local_path(self, path: str = "") -> str | None:
        """The path for the operating system; None where there is none."""

    @property
    @abstractmethod
    def most_open_files(self) -> int:
        """How many files may be read side by side."""

    # -- writing

    @abstractmethod
    def atomic_sink(self, path: str, durable: bool = True) -> AbstractContextManager[IO[bytes]]:
        """A binary file to write to, sequentially; in place, durable and complete when the body ends well.

        After an error nothing is left behind.

        :param durable: else it is complete for whoever reads it, but a power cut may take it, or its content: for files
            whose checksum is recorded and that can be made again.
        """

    @abstractmethod
    def write_bytes(self, path: str, data: bytes) -> None:
        """Puts a file in place, atomically, over an older one if there is one."""

    @abstractmethod
    def copy(self, source: str, target: str, durable: bool = True) -> None:
        """Puts a file that never changes in another place too, atomically; its bytes stay if that can be.

        :param durable: see `atomic_sink`.
        """

    def rename(self, path: str, name: str) -> str:
        """Gives a file another name in its directory; returns its path."""
        renamed = f"{path.rpartition('/')[0]}/{checked_name(name)}"
        if renamed != path:
            self._move(path, renamed)
        return renamed

    @abstractmethod
    def _move(self, path: str, target: str) -> None:
        """Gives a file another path."""

    @abstractmethod
    def replace_directory(self, source: str, target: str) -> None:
        """Puts the files of a directory in place of another one's, or where there is none.

        As close to one step as can be, for readers who look meanwhile. What `source` holds after it is to be deleted.
        """

    @abstractmethod
    def remove_directory(self, directory: str, aside: str) -> None:
        """Takes a directory that is there away, as close to one step as can be.

        :param aside: a directory for what was taken away, if it is not gone at once; to be deleted by the caller.
        """

    def probe_writable(self) -> None:
        """Creates the root if it is missing, writes a small file, finds and reads it, and deletes it again.

        :raises StorageError: the output cannot be written to, or does not give back what was written; it says why.
        """
        name, content = f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}", b"riskpipe" * 512
        try:
            self.write_bytes(name, content)
            found = any(entry.path == name for entry in self._entries("", recursive=False))
            if not found or self.read_bytes(name) != content:
                raise StorageError(f"{self.full_path(name)} was written but is not there: is there a cache in between?")
        finally:
            with suppress(StorageError):
                self.delete(name)

    # -- reading

    @abstractmethod
    def read_bytes(self, path: str, changing: bool = False) -> bytes:
        """All of a file.

        :param changing: others may put another in its place meanwhile; it is one or the other.
        :raises MissingFileError: there is no such file.
        """

    @abstractmethod
    def open_input_file(self, path: str) -> Any:
        """A pyarrow file for random access.

        :raises MissingFileError: there is no such file.
        """

    @abstractmethod
    def with_ranges(self, file: Any, ranges: Sequence[tuple[int, int]]) -> Any:
        """An opened file of which no other bytes than these ranges [start, stop) will be read, perhaps more than once.

        :return: a pyarrow file in which they stand at their places.
        """

    @abstractmethod
    def overlapped(self, action: Callable[[S], T], items: Iterable[S]) -> Iterator[T]:
        """`map(action, items)`, in order; several at a time where most of an action is waiting for an answer."""

    @abstractmethod
    def size(self, path: str) -> int | None:
        """Bytes of a file; None if there is none."""

    def exists(self, path: str) -> bool:
        """Whether there is a file of that name."""
        return self.size(path) is not None

    @abstractmethod
    def is_directory(self, path: str) -> bool:
        """Whether there is a directory of that name."""

    def list_files(self, directory: str = "", recursive: bool = True) -> list[FileEntry]:
        """The files below a directory, by path, without temporary ones; a directory not there has none."""
        return [entry for entry in self._entries(directory, recursive) if not is_temporary(entry.path)]

    @abstractmethod
    def list_directories(self, directory: str = "") -> list[str]:
        """The names of the directories in a directory, sorted; none if there is no such directory."""

    @abstractmethod
    def _entries(self, directory: str, recursive: bool) -> list[FileEntry]:
        """As `list_files`, with temporary ones."""

    # -- deleting

    @abstractmethod
    def delete(self, path: str) -> None:
        """Deletes a file; one that is not there is fine."""

    def delete_tree(self, directory: str) -> None:
        """Deletes a directory and all that is in it; one that is not there is fine."""
        if not directory:
            raise StorageError(f"refused to delete all of {self.root}")
        self._delete_tree(directory)

    @abstractmethod
    def _delete_tree(self, directory: str) -> None: ...

    def delete_temporary(self, directory: str) -> int:
        """Deletes what killed writers left below a directory, while nobody writes there; returns how many."""
        stale = [entry.path for entry in self._entries(directory, True) if is_temporary(entry.path)]
        for path in stale:
            self.delete(path)
        return len(stale)


def is_temporary(path: str) -> bool:
    """Whether a file is one that is being written, or that a killed writer left."""
    return path.rpartition("/")[2].startswith(TEMPORARY_PREFIX)
