"""Objects of a store (S3, GCS, Azure) put whole or not at all, and tried again when the service does not serve.

Every operation here may be repeated: a put of the same bytes, a get, a listing, a deletion. So one whose answer was
lost, though it was done, is harmless. The SDK below repeats single requests; this repeats the operation, which also
mends what the SDK cannot: a multi-part upload that was completed without an answer, an object cut while it was read.
"""

from __future__ import annotations

import itertools
import random
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.fs as pafs

from riskpipe.fault_points import FaultPoint, fault_point
from riskpipe.store.filesystem import TEMPORARY_PREFIX
from riskpipe.store.object_errors import is_permanent
from riskpipe.store.object_uri import puts_show_early

S = TypeVar("S")
T = TypeVar("T")

ATTEMPTS = 3
FIRST_DELAY_SECONDS = 0.5
# Later no further attempt begins: a lease of 60 s must not run out while its renewal is tried.
LAST_ATTEMPT_SECONDS = 20.0
# Up to this size an object is read with one request, however many ranges of it are wanted.
SMALL_BYTES = 4 << 20
OVERLAP = 16
MOST_CHANGES = 8


def retried(
    action: Callable[[], T], wait: Callable[[float], None] = time.sleep, clock: Callable[[], float] = time.monotonic
) -> T:
    """The outcome of an action that may be repeated, after at most `ATTEMPTS` of them with growing, uneven pauses.

    :raises OSError: of the last attempt, or one that would come again.
    """
    began = clock()
    for attempt in itertools.count(1):
        try:
            return action()
        except OSError as error:
            if is_permanent(error) or attempt == ATTEMPTS or clock() - began > LAST_ATTEMPT_SECONDS:
                raise
        wait(random.uniform(0.5, 1.0) * FIRST_DELAY_SECONDS * 2.0 ** (attempt - 1))
    raise AssertionError


def overlapped(action: Callable[[S], T], items: Iterable[S]) -> Iterator[T]:
    """`map(action, items)` in order, `OVERLAP` at a time: most of every one is waiting for an answer."""
    with ThreadPoolExecutor(OVERLAP) as pool:
        begun: deque[Future[T]] = deque()
        try:
            for item in items:
                begun.append(pool.submit(action, item))
                if len(begun) >= OVERLAP:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()


class Objects:
    """A pyarrow file system with an object store's manners; paths are its own. All raise OSError."""

    def __init__(self, filesystem: Any) -> None:
        self.filesystem = filesystem
        self.leaves_temporary = puts_show_early(filesystem)

    def put(self, path: str, data: Any) -> None:
        """Puts an object in place of an older one; what is half written is never seen under `path`."""
        if not self.leaves_temporary:
            retried(lambda: self._put(path, data))
            return
        temporary = f"{path.rpartition('/')[0]}/{TEMPORARY_PREFIX}{uuid.uuid4().hex}"
        try:
            retried(lambda: self._put(temporary, data))
            self.copy(temporary, path)
        finally:
            with suppress(OSError):
                self.delete(temporary)

    def _put(self, path: str, data: Any) -> None:
        fault_point(FaultPoint.PUT_OBJECT)
        # One write of everything, then close: nothing but the service itself can fail in between, and Arrow
        # completes a multi-part upload only when all of its parts arrived.
        with self.filesystem.open_output_stream(path) as stream:
            stream.write(data)

    def get(self, path: str) -> bytes:
        """Of an object that never changes."""
        return retried(lambda: self._get(path))

    def get_changing(self, path: str) -> bytes:
        """Of an object that others replace meanwhile.

        Arrow asks for the size first and then for so many bytes: of a longer successor it would be a part.
        """
        for _ in range(MOST_CHANGES):
            content = self.get(path)
            if self.info(path).size in (len(content), None):
                return content
        raise OSError(f"replaced {MOST_CHANGES} times while it was read")

    def _get(self, path: str) -> bytes:
        with self.filesystem.open_input_stream(path) as stream:
            return bytes(stream.read())

    def open(self, path: str) -> Any:
        """A pyarrow file for random access; of a small object, over its bytes."""
        return retried(lambda: self._open(path))

    def _open(self, path: str) -> Any:
        file = self.filesystem.open_input_file(path)
        if file.size() > SMALL_BYTES:
            return file
        with file:
            return pa.BufferReader(file.read_buffer())

    def info(self, path: str) -> Any:
        return retried(lambda: self.filesystem.get_file_info(path))

    def list(self, path: str, recursive: bool) -> list[Any]:
        selector = pafs.FileSelector(path, allow_not_found=True, recursive=recursive)
        return list(retried(lambda: self.filesystem.get_file_info(selector)))

    def copy(self, source: str, target: str) -> None:
        retried(lambda: self.filesystem.copy_file(source, target))

    def delete(self, path: str) -> None:
        retried(lambda: self.filesystem.delete_file(path))

    def delete_tree(self, path: str) -> None:
        retried(lambda: self.filesystem.delete_dir(path))
