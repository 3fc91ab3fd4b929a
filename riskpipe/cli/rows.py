"""Rows as an answer: to a file, which appears whole or not at all, or to stdout."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from riskpipe.cli.streams import binary
from riskpipe.errors import StorageError, UsageError

if TYPE_CHECKING:
    import pyarrow as pa

OutputOption = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="FILE", help="Where to; else stdout. Replaced when it is whole."),
]


def form_of(given: str | None, output: Path | None, known: Iterable[str], default: str) -> str:
    """The format that is asked for, or that the file's name ends with."""
    suffix = "" if output is None else output.suffix.lower().removeprefix(".")
    return given or (suffix if suffix in known else default)


def answer_rows(form: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch], output: Path | None) -> int:
    """Writes all rows; returns how many.

    :raises UsageError: a format that takes a file. :raises StorageError: it cannot be written.
    """
    from riskpipe.results.row_files import RowFormat, write_rows

    if output is None and form == RowFormat.XLSX:
        raise UsageError("an Excel file does not go to stdout: name one with -o FILE")
    if output is None:
        return write_rows(RowFormat(form), schema, batches, binary())
    with _replaced(output) as sink:
        return write_rows(RowFormat(form), schema, batches, sink)


@contextmanager
def _replaced(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of `path` when the body ends without error."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=".tmp-", dir=path.parent)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
    try:
        with open(descriptor, "wb") as sink:
            yield sink
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
    finally:
        with suppress(OSError):
            os.unlink(name)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
