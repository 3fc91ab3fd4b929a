"""The ledger: what happened to every block, as typed records that are only ever added.

Records are JSON lines in segments `ledger/<session>-<seq>.jsonl`. A segment is put in one piece and never
rewritten. Its first line names the session, the sequence number, how many records follow and their SHA-256,
so that a segment that was torn, edited or lost is noticed. The first one of a session also names the last segment
that was there when it began: what is lost at the end of a session shows when there is a later one.

A session's name begins with a number, one above the greatest that it saw when it began, under the lease: reading by
number is reading in order, whatever clocks said. The time in the name is for people. Sessions of the first version,
named by time alone, come before all others.

The drivers of a run's shards write under names of their own, several of which have the same number: what they record is
of blocks that no other of them has, so their order does not matter. The first driver goes on under another name once
they have ended, and the first segment there names the last one of each.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

from msgspec import Struct

from riskpipe.errors import StorageError
from riskpipe.fault_points import FaultPoint, fault_point
from riskpipe.store.filesystem import Store
from riskpipe.store.records import VERSION, BlockDone, Record, SessionEnded, SessionStarted, decode, encode
from riskpipe.store.run_folder import RunFolder

T = TypeVar("T")
FLUSH_RECORDS = 256
FLUSH_SECONDS = 0.25
FLUSH_SHARE = 0.01

_HEADER = {"v", "type", "session", "seq", "records", "sha256"}
_OPTIONAL = {"after", "beside"}
_MISSING = "the segment is missing"
_KIND = re.compile(rb'\{"v":\d+,"type":"(\w+)"')
_SEGMENT = re.compile(r"((?:(\d{6,})-)?\d{8}T\d{6}(?:\.\d{6})?Z-[0-9a-f]{6})-(\d{6,})\.jsonl")


def new_session_id(folder: RunFolder, now: datetime) -> str:
    """A session's name, such as `000003-20261120T193055Z-3f9a1c`, after those that the run's ledger has.

    :param now: with a time zone; for people.
    """
    last = max((segment.number for segment in _segments(folder)), default=0)
    return f"{last + 1:06d}-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


class LedgerWriter:
    """Appends one session's records. Not thread-safe.

    The number of segments is bounded: one for every 256 records, and between those one for every per cent
    that the session's age has grown (at most four a second), about 100 a factor of e in time.

    :param session: of `new_session_id`; no other writer may have it.
    :param started: the clock's reading when the session began; the same clock as for `maybe_flush`.
    :param beside: names that others have written under meanwhile, and have ended.
    :param written: told every segment that is durable: its number and its records, a line each.
    """

    def __init__(
        self,
        folder: RunFolder,
        session: str,
        started: float,
        beside: Iterable[str] = (),
        written: Callable[[int, bytes], None] = lambda sequence, lines: None,
    ) -> None:
        if _SEGMENT.fullmatch(f"{session}-000000.jsonl") is None:
            raise ValueError(f"{session!r} is not of new_session_id()")
        self._store = folder.store
        self._layout = folder
        self._session = session
        self._started = started
        self._flushed = started
        self._sequence = 0
        self._pending: list[str] = []
        self._unsent: tuple[bytes, int] | None = None
        self._written = written
        there = _segments(folder)
        last = {segment.session: _name(segment.path) for segment in there}
        self._after = _name(there[-1].path) if there else ""
        self._beside = sorted(last[name] for name in set(beside) & last.keys())

    @property
    def pending(self) -> int:
        """Records that are not yet durable."""
        return len(self._pending)

    def append(self, record: Record) -> None:
        """Takes a record; durable after the next flush."""
        self._pending.append(encode(record))

    def flush(self) -> None:
        """Makes all records durable, in one segment; after a StorageError they are kept for another call.

        A segment whose put failed is put again as it was, before later records get a segment of their own: the put
        may have been done, or be done late, and a name has one content for ever.
        """
        while self._pending:
            segment, records = self._unsent or self._segment()
            self._unsent = segment, records
            fault_point(FaultPoint.PUT_SEGMENT)
            self._store.write_bytes(f"{self._layout.ledger}/{self._session}-{self._sequence:06d}.jsonl", segment)
            self._unsent = None
            self._sequence += 1
            del self._pending[:records]
            self._written(self._sequence - 1, segment.partition(b"\n")[2])

    def _segment(self) -> tuple[bytes, int]:
        """All that is pending as the next segment, and how many records that is."""
        body = ("\n".join(self._pending) + "\n").encode()
        header = {
            "v": VERSION,
            "type": "segment",
            "session": self._session,
            "seq": self._sequence,
            "records": len(self._pending),
            "sha256": hashlib.sha256(body).hexdigest(),
            **({"after": self._after} if self._sequence == 0 else {}),
            **({"beside": self._beside} if self._sequence == 0 and self._beside else {}),
        }
        return json.dumps(header, separators=(",", ":")).encode() + b"\n" + body, len(self._pending)

    def maybe_flush(self, now: float) -> bool:
        """Flushes when 256 records wait, or records have waited long enough; returns whether it did.

        :param now: the clock's reading, seconds.
        """
        waited = now - self._flushed
        due = waited >= max(FLUSH_SECONDS, FLUSH_SHARE * (now - self._started))
        if not self._pending or not (due or len(self._pending) >= FLUSH_RECORDS):
            return False
        self.flush()
        self._flushed = now
        return True


def read_lines(lines: bytes) -> Iterator[Record]:
    """The records of a segment, as its writer told them."""
    return map(decode, lines.splitlines())


def read_session(folder: RunFolder, session: str, first: int) -> Iterator[Record]:
    """What was written under a name, from one segment on. :raises StorageError: a segment is damaged."""
    for segment in _segments(folder):
        if segment.session == session and segment.sequence >= first:
            yield from _decoded(folder.store, segment, folder.store.read_bytes(segment.path), _decode_all)[1]


def read_ledger(folder: RunFolder) -> Iterator[Record]:
    """All records in the order of sessions and their sequence, one segment in memory at a time.

    :raises StorageError: naming the segment that is missing, torn, edited or of a newer version.
    """
    yield from _sound(folder, _decode_all)


class LedgerSession(Struct):
    """A session by the ledger. :param ended: None: it is at work, or was killed. :param done: blocks that it did."""

    started: SessionStarted
    ended: SessionEnded | None = None
    done: int = 0

    @property
    def records(self) -> list[Record]:
        """Of its begin and end."""
        return [self.started] if self.ended is None else [self.started, self.ended]


def read_sessions(folder: RunFolder) -> list[LedgerSession]:
    """The sessions in order: of a million blocks in a fraction of the time of `read_ledger`, since what became of each
    is counted, and not decoded.

    :raises StorageError: as `read_ledger`, but for records of blocks that are not what was agreed.
    """
    sessions: list[LedgerSession] = []
    for found in _sound(folder, _outlined):
        if isinstance(found, SessionStarted):
            sessions.append(LedgerSession(found))
        elif isinstance(found, SessionEnded):
            sessions[-1].ended = found
        else:
            sessions[-1].done += found
    return sessions


def session_records(folder: RunFolder) -> list[Record]:
    """Begins and ends of sessions, in order. :raises StorageError: as `read_sessions`."""
    return [record for session in read_sessions(folder) for record in session.records]


def ledger_faults(folder: RunFolder) -> list[StorageError]:
    """All that `read_ledger` would stop at."""
    return [found for found in _examined(folder, _decode_all) if isinstance(found, StorageError)]


def _decode_all(lines: list[bytes]) -> list[Record]:
    return list(map(decode, lines))


def _outlined(lines: list[bytes]) -> list[SessionStarted | SessionEnded | int]:
    """Begin and end of sessions as they are, and how many blocks were done between."""
    found: list[SessionStarted | SessionEnded | int] = []
    done = 0
    for line in lines:
        kind = _KIND.match(line)
        if kind is not None and kind[1].decode() == BlockDone.type:
            done += 1
        elif kind is None or kind[1].decode() in (SessionStarted.type, SessionEnded.type):
            record = decode(line)
            if isinstance(record, SessionStarted | SessionEnded):
                found += [done, record] if done else [record]
                done = 0
    return [*found, done] if done else found


def _sound(folder: RunFolder, take: Callable[[list[bytes]], list[T]]) -> Iterator[T]:
    """What is taken of every segment's lines. :raises StorageError: at the first that is not sound."""
    for found in _examined(folder, take):
        if isinstance(found, StorageError):
            raise found
        yield from found


def _examined(folder: RunFolder, take: Callable[[list[bytes]], list[T]]) -> Iterator[list[T] | StorageError]:
    """What is taken of every segment in order, or what is wrong with it, or what is missing before it."""
    segments = _segments(folder)
    there = {_name(segment.path) for segment in segments}
    contents = folder.store.overlapped(lambda segment: folder.store.read_bytes(segment.path), segments)
    before: _Segment | None = None
    for segment, content in zip(segments, contents, strict=True):
        expected = 0 if before is None or before.session != segment.session else before.sequence + 1
        if segment.sequence != expected:
            yield _damaged(folder.store, f"{folder.ledger}/{segment.session}-{expected:06d}.jsonl", _MISSING)
        last = 0 if before is None else before.number
        if segment.number > last + 1:
            yield _damaged(folder.store, f"{folder.ledger}/{last + 1:06d}-...", "a session is missing")
        before = segment
        try:
            header, records = _decoded(folder.store, segment, content, take)
        except StorageError as error:
            yield error
            continue
        for name in (header.get("after", ""), *header.get("beside", ())):
            if name and name not in there:
                yield _damaged(folder.store, f"{folder.ledger}/{name}", _MISSING)
        yield records


class _Segment(Struct, frozen=True, order=True):
    """A segment by its name; in order. :param number: of the session, 0 of one of the first version."""

    number: int
    session: str
    sequence: int
    path: str


def _segments(folder: RunFolder) -> list[_Segment]:
    found = []
    for entry in folder.store.list_files(folder.ledger, recursive=False):
        match = _SEGMENT.fullmatch(_name(entry.path))
        if match is not None:
            found.append(_Segment(int(match[2] or 0), match[1], int(match[3]), entry.path))
    return sorted(found)


def _decoded(
    store: Store, segment: _Segment, content: bytes, take: Callable[[list[bytes]], list[T]]
) -> tuple[dict[str, Any], list[T]]:
    head, _, body = content.partition(b"\n")
    try:
        header = json.loads(head)
        if header["v"] > VERSION:
            raise ValueError(f"version {header['v']} of the ledger: install a newer riskpipe")
        if (header["session"], header["seq"]) != (segment.session, segment.sequence):
            raise ValueError("it belongs under another name")
        if header["sha256"] != hashlib.sha256(body).hexdigest():
            raise ValueError("its checksum is wrong")
        lines = body.splitlines()
        records = take(lines)
        known = (header["v"] >= 1, header["type"], header["records"], header.keys() - _OPTIONAL)
        if known != (True, "segment", len(lines), _HEADER):
            raise ValueError("its first line is not what was written")
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(store, segment.path, str(error)) from error
    return header, records


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _damaged(store: Store, path: str, why: str) -> StorageError:
    return StorageError(
        f"the ledger is damaged at {store.full_path(path)}: {why}. Segments are put whole and never changed, "
        "so something else did this: restore the file from a copy, or start a new run"
    )
