"""What lies in a directory of inputs: the Parquet files that are read, and everything else, with why it is not.

A data set is one file, or a directory as Spark and others write it: part files, side by side or in directories that
are named `key=value`, whose keys are columns.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

import pyarrow as pa
from msgspec import Struct

from riskpipe.errors import Level, StorageError
from riskpipe.store.columns import FROM_PATH
from riskpipe.store.filesystem import FileEntry, Store, storage_error

_MAGIC = b"PAR1"
_LOOKS_LIKE = (".parquet", ".parq", ".pq")
_COMPRESSED = (".gz", ".gzip", ".zst", ".bz2", ".snappy", ".lz4", ".xz", ".zip")
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


class FileFault(Struct, frozen=True):
    """Something wrong with files themselves, not with the rows in them.

    :param level: an error where data may be lost by it. :param path: relative to the store.
    :param rule: "misplaced file", "not read", "unreadable"; `store.portfolio` has further ones: "no such directory",
        "no trades", "not parquet", "empty product".
    """

    level: Level
    path: str
    rule: str
    message: str


class Listing(Struct, frozen=True):
    """Both sorted by path."""

    files: tuple[FileEntry, ...]
    faults: tuple[FileFault, ...]


def list_data(store: Store, depth: int = 0) -> Listing:
    """The data files of a directory, and what else is there.

    Hidden names are passed over in silence: those that begin with `.` or `_`, of files and directories.

    :param depth: how many directories, of any name, stand above a data set: 1 in a portfolio.
    :raises StorageError: the directory itself cannot be listed.
    """
    files: list[FileEntry] = []
    odd: list[FileFault] = []
    for entry in _entries(store):
        if isinstance(entry, FileFault):
            odd.append(entry)
            continue
        problem = _why_not(store, entry, depth)
        if problem is None:
            files.append(entry)
        else:
            odd.append(problem)
    return Listing(tuple(sorted(files)), tuple(sorted(odd, key=lambda found: found.path)))


def partitions(path: str) -> dict[str, str | None]:
    """Columns that a file's directories give: `date=2026-11-20/part-0.parquet` -> {"date": "2026-11-20"}."""
    pairs = (part.partition("=") for part in path.split("/")[:-1] if "=" in part)
    return {unquote(key): None if value == _NO_VALUE else unquote(value) for key, _, value in pairs}


def with_partitions(table: pa.Table, given: Mapping[str, str | None]) -> pa.Table:
    """The table with columns that its file's directories name."""
    for key, value in given.items():
        field = pa.field(key, pa.string(), metadata=FROM_PATH)
        table = table.append_column(field, pa.array([value] * table.num_rows, pa.string()))
    return table


def is_text(name: str) -> bool:
    """Whether the name of a local file is UTF-8, as a path in a plan and in messages must be."""
    return name.isprintable() or not any("\ud800" <= letter <= "\udfff" for letter in name)


def _is_hidden(name: str) -> bool:
    # `_key=value` is a directory of data, as in Spark; `x_$folder$` is what Hadoop puts beside a directory in S3.
    return name.startswith(".") or (name.startswith("_") and "=" not in name) or name.endswith("_$folder$")


def _why_not(store: Store, entry: FileEntry, depth: int) -> FileFault | None:
    """None: it is data."""
    *above, name = entry.path.split("/")
    below = above[depth:]
    in_place = len(above) >= depth and all("=" in part or part.endswith(".parquet") for part in below)
    if name.endswith(".parquet"):
        if in_place:
            return None
        where = "<product>/<name>.parquet, or in directories <key>=<value> below the product" if depth else "its place"
        message = f"{entry.path} would be ignored: {'trades belong' if depth else 'a part file belongs'} in {where}"
        return FileFault(Level.ERROR, entry.path, "misplaced file", message)
    stem, _, last = name.lower().rpartition(".")
    unpacked = stem if f".{last}" in _COMPRESSED else name.lower()
    if unpacked.endswith(_LOOKS_LIKE) or _is_parquet(store, entry):
        message = f"{entry.path} holds Parquet data but is not read, for its name: let it end in .parquet, "
        return FileFault(Level.ERROR, entry.path, "not read", message + "or let it begin with _ to leave it out")
    message = f"{entry.path} is no Parquet file and is not read: move it away, or let its name begin with _"
    return FileFault(Level.WARNING, entry.path, "not read", message)


def _is_parquet(store: Store, entry: FileEntry) -> bool:
    if entry.bytes < len(_MAGIC):
        return False
    try:
        with store.open_input_file(entry.path) as file:
            return bool(file.read(len(_MAGIC)) == _MAGIC)
    except (StorageError, OSError):
        return True  # nobody knows what is in it


def _entries(store: Store) -> Iterator[FileEntry | FileFault]:
    base = store.local_path()
    if base is not None:
        if not os.path.isdir(base):
            return
        try:
            yield from _scan(base, "", (os.path.realpath(base),))
        except OSError as error:
            raise storage_error(error, base, "list") from error
        return
    for entry in store.list_files():
        if not any(_is_hidden(part) for part in entry.path.split("/")):
            yield entry


def _scan(directory: str, prefix: str, above: tuple[str, ...]) -> Iterator[FileEntry | FileFault]:
    """Of a local directory, with what cannot be looked into.

    :param above: the real paths of the directories that lead here.
    """
    with os.scandir(directory) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if _is_hidden(entry.name):
            continue
        path = prefix + entry.name
        if not is_text(entry.name):
            shown = os.fsencode(path).decode("utf-8", "backslashreplace")
            yield _lost(shown, "its name is not UTF-8")
            continue
        try:
            status = entry.stat()
            if stat.S_ISDIR(status.st_mode):
                real = os.path.realpath(entry.path)
                if real in above:
                    yield _lost(path, "the link leads back to a directory above it")
                else:
                    yield from _scan(entry.path, path + "/", (*above, real))
            elif stat.S_ISREG(status.st_mode):
                yield FileEntry(path, status.st_size)
            else:
                yield _lost(path, "it is neither a file nor a directory")
        except FileNotFoundError:
            if entry.is_symlink():  # else it has gone since
                yield _lost(path, f"the link leads nowhere ({os.readlink(entry.path)})")
        except OSError as error:
            yield _lost(path, str(storage_error(error, entry.path, "read")))


def _lost(path: str, why: str) -> FileFault:
    return FileFault(Level.ERROR, path, "unreadable", f"{path} cannot be read: {why}; mend it or take it away")
