"""Names of files, and errors that say what, where, why and what to do."""

from __future__ import annotations

import errno
import os

import pytest

from riskpipe.errors import StorageError
from riskpipe.store.filesystem import checked_name, storage_error


@pytest.mark.parametrize("name", ["", ".hidden", "..", "a/b", "a\\b", "a\0"])
def test_ids_that_cannot_be_names(name: str) -> None:
    with pytest.raises(StorageError, match="cannot be a file name"):
        checked_name(name)


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "is full: free space"),
        (errno.EACCES, "check the permissions"),
        (errno.EROFS, "read-only"),
        (errno.EMFILE, "ulimit -n"),
    ],
)
def test_advice(number: int, advice: str) -> None:
    assert advice in str(storage_error(OSError(number, os.strerror(number)), "/x/y", "write"))


def test_an_object_store_s_own_words_are_kept() -> None:
    error = storage_error(OSError("AWS Error ACCESS_DENIED during PutObject operation\nmore"), "b/x", "write")
    said = "check its role or policy for the bucket (AWS Error ACCESS_DENIED during PutObject operation)"
    assert str(error) == f"cannot write b/x: this identity may not do that: {said}"
