"""`riskpipe compact`: the days of a published table that lie in many small files, put together into few."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
from msgspec import Struct

from riskpipe.config import Settings
from riskpipe.errors import UsageError
from riskpipe.store.checksums import content_sha256
from riskpipe.store.filesystem import Store
from riskpipe.store.layout import PUBLISHED, published_day
from riskpipe.store.lease import Lease
from riskpipe.store.location import open_store
from riskpipe.store.parquet import open_parquet
from riskpipe.store.published import describe_table, read_current, replace_table
from riskpipe.store.result_tables import SCHEMA_VERSION, Provenance, metadata
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.stage import FILE_BYTES, stage
from riskpipe.store.table_schemas import SCHEMAS
from riskpipe.store.written_files import WrittenFile
from riskpipe.structs import asdict

OWNER = "compact"
ROWS_AT_A_TIME = 65_536
_DAY = re.compile(r"as_of=(\d{4}-\d{2}-\d{2})")
_PART = re.compile(r"part-(\d+)\.parquet$")


class Compacted(Struct, frozen=True):
    """One day: files and bytes before and after. Rows are the same."""

    as_of: str
    rows: int
    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int


class CompactReport(Struct, frozen=True):
    """What was done.

    :param days: those that were looked at. :param described: days whose entry in CURRENT.json was brought up to date.
    """

    table: str
    days: int
    compacted: tuple[Compacted, ...]
    described: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class _Part(Struct, frozen=True):
    """A published file. `bytes` is without what it keeps of the file that it replaced (see parquet.Remnant)."""

    path: str
    rows: int
    bytes: int
    size: int
    footer: tuple[tuple[str, str], ...]


def compact(settings: Settings, table: str, as_of: date | None = None, file_bytes: int = FILE_BYTES) -> CompactReport:
    """Rewrite each day of which two or more files are under half of `file_bytes`; each day changes at once.

    Rows, their order and the footers' provenance stay; other tables of the day are not touched.

    :param as_of: that day only; None: all.
    :raises UsageError: no such table or day; files of one day that do not belong together.
    :raises LeaseError: a run is at work on the output.
    """
    store = open_store(settings.output)
    days = _days(store, table, as_of)
    scratch = RunFolder(store, OWNER)
    compacted, described = [], []
    with Lease(store, OWNER, settings.lease_seconds) as lease:
        store.delete_tree(scratch.root)
        for day in days:
            parts = _parts(store, table, day)
            provenance = _provenance(store, table, day, parts)
            if sum(1 for part in parts if part.bytes < file_bytes // 2) < 2:
                if _describe(store, table, day, parts, provenance):
                    described.append(day.isoformat())
                continue
            rows = _rows(store, parts, _recorded(store, table, day))
            files = stage(scratch, table, rows, provenance, file_bytes)
            lease.check(confirm=True)
            paths = [part.path for part in parts]
            replace_table(scratch, day, table, files, (provenance.run_id, datetime.now(UTC)), paths)
            compacted.append(_compacted(day, parts, files))
        store.delete_tree(scratch.root)
    return CompactReport(table, len(days), tuple(compacted), tuple(described))


def _days(store: Store, table: str, as_of: date | None) -> list[date]:
    tables = store.list_directories(PUBLISHED)
    if table not in tables or table not in SCHEMAS:
        near = difflib.get_close_matches(table, tables, 1)
        known = f"did you mean {near[0]}?" if near else f"published are: {', '.join(tables) or 'none'}"
        raise UsageError(f"no published table {table!r} in {store.root}: {known}")
    found = store.list_directories(f"{PUBLISHED}/{table}")
    days = [date.fromisoformat(match[1]) for name in found if (match := _DAY.fullmatch(name))]
    if as_of is None:
        return days
    if as_of not in days:
        known = ", ".join(day.isoformat() for day in days[-5:]) or "none"
        raise UsageError(f"{table} is not published for {as_of.isoformat()}; the last days there are: {known}")
    return [as_of]


def _parts(store: Store, table: str, day: date) -> list[_Part]:
    """The day's files in the order of their rows."""
    found = []
    for entry in store.list_files(published_day(table, day)):
        footer = metadata(store, entry.path)
        kept = int(footer.pop("begins_at", "0"))
        with open_parquet(store, entry.path) as file:
            rows = file.metadata.num_rows
        found.append(_Part(entry.path, rows, entry.bytes - kept, entry.bytes, tuple(sorted(footer.items()))))
    return sorted(found, key=lambda part: _place(part.path))


def _place(path: str) -> tuple[int, str]:
    number = _PART.search(path)
    return (int(number[1]) if number else 0, path)


def _provenance(store: Store, table: str, day: date, parts: Sequence[_Part]) -> Provenance:
    where = store.full_path(published_day(table, day))
    if not parts:
        raise UsageError(f"there are no files in {where}: publish the day again")
    footers = {part.footer for part in parts}
    if len(footers) > 1:
        raise UsageError(f"the files in {where} are of more than one run: publish the day again")
    footer = dict(parts[0].footer)
    if (footer.get("table"), footer.get("schema_version")) != (table, str(SCHEMA_VERSION)):
        raise UsageError(f"the files in {where} are not of table {table}, version {SCHEMA_VERSION}: they stay")
    return Provenance.of_footer(footer, day)


def _recorded(store: Store, table: str, day: date) -> dict[str, str]:
    """Path -> SHA-256, as CURRENT.json has them."""
    entry = read_current(store).get(day.isoformat(), {}).get("tables", {}).get(table, {"files": []})
    return {file["path"]: file["sha256"] for file in entry["files"]}


def _rows(store: Store, parts: Sequence[_Part], sha256: Mapping[str, str]) -> Iterator[pa.Table]:
    """:param sha256: by path; a part that is not in it was put there by a compaction that was killed."""
    for part in parts:
        with open_parquet(store, part.path, sha256=sha256.get(part.path)) as file:
            for batch in file.iter_batches(ROWS_AT_A_TIME):
                yield pa.Table.from_batches([batch])


def _describe(store: Store, table: str, day: date, parts: Sequence[_Part], provenance: Provenance) -> bool:
    """Mend the day's entry in CURRENT.json where it is of other files: a compaction was killed before its end."""
    entry = read_current(store).get(day.isoformat(), {}).get("tables", {}).get(table, {"files": []})
    if {(f["path"], f["bytes"]) for f in entry["files"]} == {(part.path, part.size) for part in parts}:
        return False
    files = [WrittenFile(p.path, p.rows, p.size, content_sha256(store, p.path)) for p in parts]
    describe_table(store, day, table, files, (provenance.run_id, datetime.now(UTC)))
    return True


def _compacted(day: date, parts: Sequence[_Part], files: Sequence[WrittenFile]) -> Compacted:
    rows, after = sum(part.rows for part in parts), sum(file.rows for file in files)
    if rows != after:
        raise AssertionError(f"{rows} rows became {after}")
    return Compacted(
        day.isoformat(),
        rows,
        len(parts),
        len(files),
        sum(part.size for part in parts),
        sum(file.bytes for file in files),
    )
