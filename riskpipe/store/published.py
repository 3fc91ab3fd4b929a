"""A staged day takes the place of the published one, table by table, each at once.

On a local file system the staged directory and the published one change places in one system call (rename where
nothing is published yet), so who opens a day finds it whole: the old one or the new one. Where the file system cannot
exchange, the old directory is moved away and the new one in: for that moment the day is not there (local_store.py).

Readers do not open a day at once, though: they list, read footers, then open again for the rows, and all of them by
name. A day of one part therefore keeps the bytes of the one that it replaces where they were (parquet.Remnant), so
whoever read the old footer goes on to read the old rows. The parts of a larger day get numbers that the replaced one
did not have, so whoever listed the old ones misses them with an error instead of adding up two runs.

In an object store, which has no directories, the parts are put one by one and surplus ones deleted after: a day of one
part changes at once, one of several does not (object_store.py).

`meta/CURRENT.json` is written last and says what belongs to every day, with checksums. After a crash at any point each
table's day is the old or the new one; publishing again mends the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any

from msgspec.structs import asdict

from riskpipe.errors import StorageError
from riskpipe.fault_points import FaultPoint, fault_point
from riskpipe.store.checksums import content_sha256
from riskpipe.store.filesystem import Store
from riskpipe.store.layout import CURRENT, PUBLISHED, published_day
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.sealed import sealed, unsealed
from riskpipe.store.shared_lease import alone
from riskpipe.store.written_files import WrittenFile

CURRENT_VERSION = 1


def publish_day(
    folder: RunFolder,
    as_of: date,
    tables: Mapping[str, Sequence[WrittenFile]],
    now: datetime,
    contents: Mapping[str, Any] | None = None,
) -> None:
    """Makes what was staged the published day, then deletes what it replaced.

    Tables of that day which are not in `tables` are taken away: a day is of one run. May be called again after a crash
    with the same arguments, or after staging anew. Only under the lease.

    :param tables: what `stage` and `stage_merged` returned.
    :param contents: what else meta/CURRENT.json is to say of the day: trades, selection, measures.
    :raises StorageError: what was staged is gone (stage again), or the output does not serve.
    """
    for table in sorted(tables):
        _place(folder, as_of, table, tables[table])
    for table in folder.store.list_directories(PUBLISHED):
        if table not in tables and folder.store.is_directory(published_day(table, as_of)):
            folder.store.remove_directory(published_day(table, as_of), f"{folder.staging}/removed/{table}")
    with alone():
        days = read_current(folder.store)
        days[as_of.isoformat()] = {
            "run_id": folder.run_id,
            "published_at": now.astimezone(UTC).isoformat(timespec="seconds"),
            **(contents or {}),
            "tables": {table: _described(table, as_of, files) for table, files in sorted(tables.items())},
        }
        _put_current(folder.store, days)
    folder.store.delete_tree(folder.staging)


def read_current(store: Store) -> dict[str, Any]:
    """What is published: `{"2026-11-20": {"run_id", "published_at", "tables": {name: {"rows", "bytes", "files"}}}}`.

    Days that were published before they were written down lack "trades", "selection" and "measures".

    :raises StorageError: meta/CURRENT.json is damaged or of a later version.
    """
    if not store.exists(CURRENT):
        return {}
    try:
        content = unsealed(store.read_bytes(CURRENT, changing=True))
        if content["schema_version"] > CURRENT_VERSION:
            raise ValueError("written by a later riskpipe")
        return dict(content["days"])
    except (ValueError, KeyError, TypeError) as error:
        where = store.full_path(CURRENT)
        raise StorageError(f"{where} is damaged ({error}): delete it and publish again") from error


def published_runs(store: Store) -> set[str]:
    """Ids of the runs that the published days are from; none where meta/CURRENT.json is damaged."""
    with suppress(StorageError):
        return {str(day["run_id"]) for day in read_current(store).values()}
    return set()


def _put_current(store: Store, days: Mapping[str, Any]) -> None:
    content = {"schema_version": CURRENT_VERSION, "days": dict(sorted(days.items()))}
    store.write_bytes(CURRENT, sealed(content))


def _described(table: str, as_of: date, files: Sequence[WrittenFile]) -> dict[str, Any]:
    day = published_day(table, as_of)
    return {
        "rows": sum(file.rows for file in files),
        "bytes": sum(file.bytes for file in files),
        "files": [{**asdict(file), "path": f"{day}/{_name(file)}"} for file in files],
    }


def _name(file: WrittenFile) -> str:
    return file.path.rpartition("/")[2]


def _place(folder: RunFolder, as_of: date, table: str, files: Sequence[WrittenFile]) -> None:
    fault_point(FaultPoint.PLACE_TABLE)
    staged, target = folder.staged_day(table, as_of), published_day(table, as_of)
    # After an exchange the staged directory holds the replaced day. Sizes tell them apart, or else checksums do.
    is_staged, looks_placed = _has(folder.store, staged, files), _has(folder.store, target, files)
    if looks_placed and all(content_sha256(folder.store, f"{target}/{_name(file)}") == file.sha256 for file in files):
        return
    if not is_staged:
        raise StorageError(f"what was staged in {folder.store.full_path(staged)} is gone: publish the run again")
    folder.store.replace_directory(staged, target)


def _has(store: Store, directory: str, files: Sequence[WrittenFile]) -> bool:
    found = {entry.path.rpartition("/")[2]: entry.bytes for entry in store.list_files(directory)}
    return bool(files) and found == {_name(file): file.bytes for file in files}


def replace_table(
    folder: RunFolder,
    as_of: date,
    table: str,
    files: Sequence[WrittenFile],
    of: tuple[str, datetime],
    expected: Sequence[str],
) -> None:
    """Puts staged files of the same rows in place of one published table of a day; the day's other tables stay.

    :param folder: whose staging directory holds them. :param of: the run that published the day, and when, for a day
        that CURRENT.json does not know.
    :param expected: paths of the files that they replace.
    :raises StorageError: the day is not what was read, or what was staged is gone.
    """
    day = published_day(table, as_of)
    if [entry.path for entry in folder.store.list_files(day)] != sorted(expected):
        raise StorageError(f"{folder.store.full_path(day)} changed meanwhile: try again")
    _place(folder, as_of, table, files)
    describe_table(folder.store, as_of, table, files, of)


def describe_table(
    store: Store, as_of: date, table: str, files: Sequence[WrittenFile], of: tuple[str, datetime]
) -> None:
    """Says in CURRENT.json what a day's table is made of, as it lies there; see `replace_table`."""
    run_id, now = of
    days = read_current(store)
    published = {"run_id": run_id, "published_at": now.astimezone(UTC).isoformat(timespec="seconds"), "tables": {}}
    entry = days.setdefault(as_of.isoformat(), published)
    entry["tables"] = dict(sorted({**entry["tables"], table: _described(table, as_of, files)}.items()))
    _put_current(store, days)
