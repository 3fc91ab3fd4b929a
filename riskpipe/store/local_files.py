"""Files that are memory-mapped: themselves where they are local, else one copy a node, shared by its processes.

Copies lie in a directory of the user under the system's temporary directory ($TMPDIR) and are named by the SHA-256 of
their content. The first process that wants one fetches it under a lock, the others wait and find it. Who uses a copy
holds a shared lock on it, so that it is not deleted to make room; locks end with their process. A worker of a cluster
fetches it from another node that has it (`hand_on`), as far as that goes, and the rest from the store.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import stat
import tempfile
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from riskpipe.errors import StorageError
from riskpipe.store.checksums import hexdigest
from riskpipe.store.filesystem import TEMPORARY_PREFIX, Store, explained
from riskpipe.store.growing_copy import PIECE_BYTES, GrowingCopy, Neighbours
from riskpipe.store.parquet import ChangedFileError

CACHE_BYTES = 4 << 30
_MOST_HELD = 16
_NAME = re.compile(r"[0-9a-f]{64}")
_SEEN = ".seen"
_MOST_SEEN = 512

# A process is a worker of one cluster; several runs may have their ways to its others.
_neighbours: list[Neighbours] = []


def hand_on(neighbours: Neighbours) -> None:
    """From now on this process has files from these, and they have its."""
    _neighbours.append(neighbours)


def keep_to_itself(neighbours: Neighbours) -> None:
    """From now on it has files from others that it knows, or from the store alone."""
    _neighbours.remove(neighbours)


def local_file(store: Store, path: str, sha256: str, pieces: Sequence[str] = (), cache_bytes: int = CACHE_BYTES) -> str:
    """The path of this machine of a stored file that never changes.

    :param sha256: of its content: of a local file looked at once a node, and again when the file has changed since.
    :param pieces: SHA-256 of each `PIECE_BYTES`: such a file comes from another node where one has it.
    :param cache_bytes: of older copies, the least recently used are deleted beyond that.
    :raises StorageError: it cannot be read, is not the file that was recorded, or cannot be kept here.
    """
    if not _NAME.fullmatch(sha256):
        raise StorageError(f"{store.full_path(path)}: the run does not say what its content is: start a new run")
    directory = _directory()
    local = store.local_path(path)
    if local is not None:
        _look_at(store, path, local, sha256, directory)
        return local
    kept = directory / sha256
    with explained(str(kept), "write"):
        if not _hold(kept):
            with _locked(directory):
                if not _hold(kept):
                    _fetch(store, path, sha256, pieces, kept)
                    _hold(kept)
                    _evict(directory, cache_bytes)
    return str(kept)


def _look_at(store: Store, path: str, local: str, sha256: str, directory: Path) -> None:
    """Holds a local file against its checksum, unless a process of this node did since the file last changed."""
    seen = directory / f"{sha256}{_SEEN}"
    with explained(local, "read"):
        if _is_seen(seen, local):
            return
        with _locked(directory):
            if _is_seen(seen, local):
                return
            identity = _identity(local)
            with store.open_input_file(path) as source:
                if hexdigest(source) != sha256:
                    raise _another(store, path)
            seen.write_text(identity)
            marks = [entry for entry in os.scandir(directory) if entry.name.endswith(_SEEN)]
            if len(marks) > _MOST_SEEN:
                for mark in sorted(marks, key=lambda mark: mark.stat().st_mtime)[: -_MOST_SEEN // 2]:
                    os.unlink(mark)


def _is_seen(seen: Path, local: str) -> bool:
    try:
        return seen.read_text() == _identity(local)
    except FileNotFoundError:
        os.stat(local)  # the file itself must be there
        return False


def _identity(local: str) -> str:
    status = os.stat(local)
    return f"{status.st_dev}:{status.st_ino}:{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}"


def _another(store: Store, path: str) -> ChangedFileError:
    where = store.full_path(path)
    return ChangedFileError(
        f"{where} is not the file that the run put there, something else changed it: start a new run"
    )


def _directory() -> Path:
    """This user's own, readable by nobody else."""
    directory = Path(tempfile.gettempdir()) / f"riskpipe-files-{os.getuid()}"
    with explained(str(directory), "write"):
        directory.mkdir(mode=0o700, exist_ok=True)
        status = directory.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise StorageError(f"{directory} may be written by others, so it is not trusted: delete it, or set TMPDIR")
    return directory


# Path -> the descriptor whose shared lock keeps it, to the end of the process; of the files that were used last.
_held: OrderedDict[str, int] = OrderedDict()


def _hold(kept: Path) -> bool:
    """Whether the copy is there; if so, this process holds it from now on."""
    try:
        descriptor = os.open(kept, os.O_RDONLY)
    except FileNotFoundError:
        return False
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    if not os.fstat(descriptor).st_nlink:  # deleted before the lock was there
        os.close(descriptor)
        return False
    os.utime(kept)  # the time of its last use
    before = _held.pop(str(kept), None)
    _held[str(kept)] = descriptor
    if before is not None:
        os.close(before)
    while len(_held) > _MOST_HELD:
        os.close(_held.popitem(last=False)[1])
    return True


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """One process of this node at a time; ends with the process."""
    with open(directory / "lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(store: Store, path: str, sha256: str, pieces: Sequence[str], kept: Path) -> None:
    digest = hashlib.sha256()
    descriptor, temporary = tempfile.mkstemp(prefix=TEMPORARY_PREFIX, dir=kept.parent)
    copy = GrowingCopy(descriptor, sha256, pieces)
    neighbours = _neighbours[-1] if pieces and _neighbours else None
    complete = False
    try:
        for piece in _pieces(store, path, copy, neighbours):
            digest.update(piece)
            copy.add(piece)
        copy.sync()
        if digest.hexdigest() != sha256:
            raise _another(store, path)
        os.replace(temporary, kept)
        complete = True
    finally:
        if not complete:
            with suppress(OSError):
                os.unlink(temporary)
        if neighbours is not None:
            neighbours.ended(copy, complete)


def _pieces(store: Store, path: str, copy: GrowingCopy, neighbours: Neighbours | None) -> Iterator[bytes]:
    if neighbours is not None:
        yield from neighbours.pieces(copy)
        if copy.present == len(copy.pieces):
            return
    with store.open_input_file(path) as source, explained(store.full_path(path), "read"):
        source.seek(copy.present * PIECE_BYTES)
        while piece := source.read(PIECE_BYTES):
            yield piece


def _evict(directory: Path, most: int) -> None:
    """Deletes copies beyond `most` bytes that nobody holds, and what killed processes left; under the lock."""
    files = []
    for entry in os.scandir(directory):
        status = entry.stat(follow_symlinks=False)
        if entry.name.startswith(TEMPORARY_PREFIX):
            os.unlink(entry.path)
        elif _NAME.fullmatch(entry.name):
            files.append((status.st_mtime, status.st_size, entry.path))
    total = 0
    for _, size, path in sorted(files, reverse=True):
        total += size
        if total > most and not _is_held(path):
            os.unlink(path)


def _is_held(path: str) -> bool:
    with open(path, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
