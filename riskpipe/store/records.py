"""The records of the ledger: what can happen to a block and to a run, and each as a line of JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, get_args

from msgspec import Struct, field
from msgspec.structs import asdict

from riskpipe.store.written_files import Piece, WrittenFile

VERSION = 2


class SessionStarted(Struct, frozen=True):
    """A process began to work on the run. Times everywhere are seconds since 1970, UTC.

    :param deadline: when it is to be done. :param finishing: seconds that are expected after its last block.
    """

    type: ClassVar[str] = "session_started"
    session: str
    at: float
    host: str
    pid: int
    version: str
    deadline: float | None = None
    finishing: float = 0.0


class BlockDone(Struct, frozen=True):
    """A block's outputs are in place.

    :param parent_block_id: the block that it was split from.
    :param attempt: 1 for the first.
    :param queue_s, fetch_s, price_s, write_s: wall seconds; cpu_s: of the worker's process.
    :param ok, failed, not_applicable: cells (trade x measure) by outcome.
    :param outputs: by table; of `scenario_pnl` there are `vectors` instead, files that follow each other.
    """

    type: ClassVar[str] = "block_done"
    block_id: str
    parent_block_id: str | None
    attempt: int
    worker: str
    host: str
    queued_at: float
    started_at: float
    ended_at: float
    queue_s: float
    fetch_s: float
    price_s: float
    write_s: float
    cpu_s: float
    peak_rss_bytes: int
    projected_bytes: int
    projected_s: float
    rows: int
    bytes_in: int
    bytes_out: int
    ok: int
    failed: int
    not_applicable: int
    outputs: Mapping[str, WrittenFile] = field(default_factory=dict)
    vectors: tuple[Piece, ...] = ()


class BlockFailed(Struct, frozen=True):
    """An attempt at a block failed as a whole.

    :param reason: of `riskpipe.errors.Reason`.
    :param final: no further attempt in this session.
    """

    type: ClassVar[str] = "block_failed"
    block_id: str
    parent_block_id: str | None
    attempt: int
    reason: str
    message: str
    worker: str | None
    retryable: bool
    final: bool


class BlockStartedAgain(Struct, frozen=True):
    """A block took too long, and another worker began with it as well; the first result counts.

    :param attempt: the second one. :param worker: that has the first. :param seconds: that it had been at it.
    """

    type: ClassVar[str] = "block_started_again"
    block_id: str
    attempt: int
    worker: str
    seconds: float
    at: float


class BlockSplit(Struct, frozen=True):
    """A block was replaced by its children, as the planner describes them."""

    type: ClassVar[str] = "block_split"
    block_id: str
    children: tuple[Mapping[str, Any], ...]
    reason: str


class BlockVoid(Struct, frozen=True):
    """A block that failed as a whole has its rows, with the reason in place of numbers."""

    type: ClassVar[str] = "block_void"
    block_id: str
    outputs: Mapping[str, WrittenFile] = field(default_factory=dict)
    vectors: tuple[Piece, ...] = ()


class OutputLost(Struct, frozen=True):
    """A file that was in place is missing, or its content is another: it is to be made again.

    :param name: of the block, or of the combined file.
    """

    type: ClassVar[str] = "output_lost"
    name: str
    path: str
    why: str


class Combined(Struct, frozen=True):
    """A file made of blocks' outputs is in place: sums, whole P&L vectors, a correction, merged rows, a day's part.

    :param name: follows from what it is made of.
    :param table, level, group: of which table and which neighbours of the plan it holds everything
        (runs.combined_files); None: of others.
    """

    type: ClassVar[str] = "combined"
    name: str
    path: str
    sha256: str
    rows: int = 0
    bytes: int = 0
    table: str | None = None
    level: int | None = None
    group: int | None = None


class Published(Struct, frozen=True):
    """The run's tables were published."""

    type: ClassVar[str] = "published"
    tables: tuple[str, ...]
    at: float


class SessionEnded(Struct, frozen=True):
    """The process stopped in order; a session without this record was killed.

    :param files: what sessions write anew, by name within the run: its SHA-256.
    """

    type: ClassVar[str] = "session_ended"
    session: str
    state: str
    exit_code: int
    at: float
    files: Mapping[str, str] = field(default_factory=dict)


Record = (
    SessionStarted
    | BlockDone
    | BlockFailed
    | BlockStartedAgain
    | BlockSplit
    | BlockVoid
    | OutputLost
    | Combined
    | Published
    | SessionEnded
)


def encode(record: Record) -> str:
    """One line of JSON, without the line feed."""
    return json.dumps({"v": VERSION, "type": record.type, **_plain(record)}, separators=(",", ":"))


def _plain(record: Any) -> dict[str, Any]:
    plain = asdict(record)
    if isinstance(record, BlockDone | BlockVoid):
        plain["outputs"] = {
            table: asdict(file) if isinstance(file, Struct) else file for table, file in record.outputs.items()
        }
        plain["vectors"] = [asdict(piece) for piece in record.vectors]
    return plain


def decode(line: str | bytes) -> Record:
    """The record of a line; fields that this version does not know are left out.

    :raises ValueError: not JSON, a newer version, an unknown type or a field missing.
    """
    values = json.loads(line)
    version, kind = values.pop("v"), values.pop("type")
    if version > VERSION:
        raise ValueError(f"version {version} of the ledger, this riskpipe reads up to {VERSION}: install a newer one")
    make = _DECODERS.get(kind)
    if make is None:
        raise ValueError(f"unknown record type {kind!r}")
    return make(values)


def _decode_written(kind: Any, values: dict[str, Any]) -> Record:
    values["outputs"] = {table: _build(WrittenFile, file) for table, file in values["outputs"].items()}
    values["vectors"] = tuple(map(_decode_piece, values.get("vectors", ())))
    record: Record = _build(kind, values)
    return record


def _decode_piece(values: dict[str, Any]) -> Piece:
    keys = {"first": tuple(values["first"]), "last": tuple(values["last"])}
    piece: Piece = _build(Piece, {"of_run": None, **values, **keys})  # earlier versions had none of other runs
    return piece


def _decode_combined(values: dict[str, Any]) -> Combined:
    added = {"rows": 0, "bytes": 0, "table": None, "level": None, "group": None}  # those of earlier versions lack some
    record: Combined = _build(Combined, {**added, **values})
    return record


def _decode_started(values: dict[str, Any]) -> SessionStarted:
    record: SessionStarted = _build(SessionStarted, {"deadline": None, "finishing": 0.0, **values})
    return record


def _decode_ended(values: dict[str, Any]) -> SessionEnded:
    record: SessionEnded = _build(SessionEnded, {"files": {}, **values})  # those of earlier versions lack it
    return record


def _decode_split(values: dict[str, Any]) -> BlockSplit:
    values["children"] = tuple(values["children"])
    record: BlockSplit = _build(BlockSplit, values)
    return record


def _decode_merge_done(values: dict[str, Any]) -> Combined:
    """The record of version 1 in the place of `combined`."""
    values["name"] = values.pop("group")
    return _decode_combined(values)


def _decode_published(values: dict[str, Any]) -> Published:
    values["tables"] = tuple(values["tables"])
    record: Published = _build(Published, values)
    return record


def _build(kind: Any, values: dict[str, Any]) -> Any:
    names = _FIELDS[kind]
    if values.keys() != names:
        missing = names - values.keys()
        if missing:
            raise ValueError(f"{kind.__name__} without {', '.join(sorted(missing))}")
        values = {name: value for name, value in values.items() if name in names}
    return kind(**values)


_DECODERS: dict[str, Callable[[dict[str, Any]], Record]] = {
    **{kind.type: partial(_decode_written, kind) for kind in (BlockDone, BlockVoid)},
    BlockSplit.type: _decode_split,
    Published.type: _decode_published,
    Combined.type: _decode_combined,
    "merge_done": _decode_merge_done,
    SessionStarted.type: _decode_started,
    SessionEnded.type: _decode_ended,
    **{kind.type: partial(_build, kind) for kind in (BlockFailed, BlockStartedAgain, OutputLost)},
}
_FIELDS: dict[Any, frozenset[str]] = {
    kind: frozenset(kind.__struct_fields__) for kind in (WrittenFile, Piece, *get_args(Record))
}
