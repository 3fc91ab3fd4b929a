"""Records are kept, in order, and what is lost or damaged is noticed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from riskpipe.errors import StorageError
from riskpipe.store import records
from riskpipe.store.ledger import (
    LedgerWriter,
    new_session_id,
    read_ledger,
    read_lines,
    read_session,
    read_sessions,
    session_records,
)
from riskpipe.store.location import open_store
from riskpipe.store.records import (
    BlockDone,
    BlockFailed,
    BlockSplit,
    BlockStartedAgain,
    BlockVoid,
    Combined,
    OutputLost,
    Published,
    Record,
    SessionEnded,
    SessionStarted,
    decode,
    encode,
)
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.written_files import Piece, WrittenFile

SESSION = "20261120T193055.000000Z-aaaaaa"


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(open_store(str(tmp_path)), "20261120-193055-3f9a1c")


def done(block: str) -> BlockDone:
    return BlockDone(
        block_id=block, parent_block_id=None, attempt=1, worker="w", host="h", queued_at=1.5, started_at=2.25,
        ended_at=4.1, queue_s=0.75, fetch_s=0.1, price_s=1.7, write_s=0.05, cpu_s=1.6, peak_rss_bytes=10**9,
        projected_bytes=2 * 10**9, projected_s=2.0, rows=7, bytes_in=100, bytes_out=200, ok=5, failed=1,
        not_applicable=1, outputs={"valuations": WrittenFile("blocks/v/b.parquet", 7, 200, "ab" * 32)},
    )  # fmt: skip


RECORDS: list[Record] = [
    SessionStarted(SESSION, 1.0, "host", 42, "0.1"),
    done("b1"),
    BlockFailed("b2", "b0", 2, "WORKER_LOST", "worker 'é' died\nat once", None, True, False),
    BlockStartedAgain("b2", 2, "w", 120.5, 3.0),
    BlockSplit("b3", ({"start": 0, "stop": 5}, {"start": 5, "stop": 9}), "OUT_OF_MEMORY"),
    BlockVoid(
        "b4",
        {"valuations": WrittenFile("blocks/v/b4.parquet", 7, 200, "ab" * 32)},
        (Piece("blocks/s/b4.parquet", 3, 90, "ef" * 32, ("fx", "T1"), ("fx", "T3")),),
    ),
    OutputLost("b1", "blocks/v/b.parquet", "it is missing"),
    Combined("g1", "combined/g1.parquet", "cd" * 32, 7, 200),
    Published(("valuations", "aggregates"), 9.0),
    SessionEnded(SESSION, "succeeded", 0, 10.0),
]


def segments(folder: RunFolder) -> list[Path]:
    return sorted(Path(folder.store.root, folder.ledger).iterdir())


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.type)
def test_records_come_back_equal(record: Record) -> None:
    line = encode(record)
    assert "\n" not in line
    assert json.loads(line)["v"] == 2
    back = decode(line)
    assert back == record
    assert type(back) is type(record)


def test_every_record_type_is_tried() -> None:
    assert {record.type for record in RECORDS} | {"merge_done"} == set(records._DECODERS)


def test_a_later_version_s_fields_are_left_out_but_not_its_meaning() -> None:
    values = json.loads(encode(RECORDS[0]))
    assert decode(json.dumps({**values, "colour": "red"})) == RECORDS[0]
    with pytest.raises(ValueError, match="install a newer one"):
        decode(json.dumps({**values, "v": 3}))
    with pytest.raises(ValueError, match="unknown record type"):
        decode(json.dumps({**values, "type": "other"}))
    del values["host"]
    with pytest.raises(ValueError, match="without host"):
        decode(json.dumps(values))


def test_what_the_first_version_merged_is_still_read() -> None:
    line = '{"v":1,"type":"merge_done","group":"g1","path":"merges/g1.parquet","sha256":"cd","inputs_sha256":"g1"}'
    assert decode(line) == Combined("g1", "merges/g1.parquet", "cd")


def test_sessions_are_read_in_the_order_in_which_they_began(folder: RunFolder) -> None:
    """Also when the clock was an hour ahead in the first, and after those of the first version."""
    names = {}
    for name, hour in (("first", 20), ("second", 19), ("third", 19)):
        names[name] = new_session_id(folder, datetime(2026, 11, 20, hour, 30, 55, tzinfo=UTC))
        writer = LedgerWriter(folder, names[name], 0.0)
        for part in range(12):
            writer.append(done(f"{name}{part}"))
            writer.flush()
        if name == "first":
            writer = LedgerWriter(folder, "20310101T000000.000000Z-ffffff", 0.0)
            writer.append(done("old"))
            writer.flush()
    assert [name.split("-")[0] for name in names.values()] == ["000001", "000002", "000003"]
    read = [record.block_id for record in read_ledger(folder) if isinstance(record, BlockDone)]
    assert read == ["old", *(f"{name}{i}" for name in names for i in range(12))]


def test_no_ledger_has_no_records(folder: RunFolder) -> None:
    assert list(read_ledger(folder)) == []
    assert read_sessions(folder) == []


def test_sessions_alone_are_those_of_all_records(folder: RunFolder) -> None:
    begun = []
    for number, blocks in enumerate((5, 0, 3), start=1):
        writer = LedgerWriter(folder, f"{number:06d}-20261120T193055Z-aaaaaa", 0.0)
        begun.append(SessionStarted(SESSION, float(number), "host", 42, "0.1"))
        writer.append(begun[-1])
        for k in range(blocks):
            writer.append(done(f"{number}-{k}"))
            writer.append(RECORDS[2])
            if k % 2:
                writer.flush()
        if number != 2:
            writer.append(SessionEnded(SESSION, "complete", 0, 10.0 + number, {"summary.json": "ab"}))
        writer.flush()
    sessions = read_sessions(folder)
    assert [session.done for session in sessions] == [5, 0, 3]
    assert [session.started for session in sessions] == begun
    assert [session.ended and session.ended.at for session in sessions] == [11.0, None, 13.0]
    kept = [record for record in read_ledger(folder) if isinstance(record, SessionStarted | SessionEnded)]
    assert session_records(folder) == kept


def test_sessions_alone_are_refused_where_a_segment_is_not_sound(folder: RunFolder) -> None:
    writer = LedgerWriter(folder, SESSION, 0.0)
    writer.append(RECORDS[0])
    writer.append(done("b1"))
    writer.flush()
    (segment,) = segments(folder)
    segment.write_bytes(segment.read_bytes().replace(b'"rows":7', b'"rows":8'))
    with pytest.raises(StorageError, match="its checksum is wrong"):
        read_sessions(folder)


def test_foreign_and_temporary_files_are_ignored(folder: RunFolder) -> None:
    writer = LedgerWriter(folder, SESSION, 0.0)
    writer.append(RECORDS[0])
    writer.flush()
    directory = Path(folder.store.root, folder.ledger)
    (directory / ".tmp-123").write_bytes(b"half a li")
    (directory / "notes.txt").write_bytes(b"?")
    assert list(read_ledger(folder)) == RECORDS[:1]


def test_nothing_is_durable_before_the_flush_and_nothing_is_written_without_records(folder: RunFolder) -> None:
    writer = LedgerWriter(folder, SESSION, 0.0)
    writer.flush()
    writer.append(RECORDS[0])
    assert writer.pending == 1
    assert list(read_ledger(folder)) == []
    writer.flush()
    assert writer.pending == 0
    assert list(read_ledger(folder)) == RECORDS[:1]


def test_when_it_flushes(folder: RunFolder) -> None:
    writer = LedgerWriter(folder, SESSION, 1000.0)
    writer.append(done("a"))
    assert not writer.maybe_flush(1000.2)
    assert writer.maybe_flush(1000.25)
    assert not writer.maybe_flush(1010.0)  # nothing to flush
    writer.append(done("b"))
    assert writer.maybe_flush(1100.0)
    writer.append(done("c"))
    assert not writer.maybe_flush(1100.9)  # one per cent of 100 s
    assert writer.maybe_flush(1101.1)
    for i in range(256):
        assert not writer.maybe_flush(1101.2)
        writer.append(done(str(i)))
    assert writer.maybe_flush(1101.2)


def test_the_number_of_segments_is_bounded(folder: RunFolder) -> None:
    writer = LedgerWriter(folder, SESSION, 0.0)
    for second in range(5000):  # a block a second, for as long as a night's batch
        writer.append(done(str(second)))
        writer.maybe_flush(float(second))
    writer.flush()
    assert len(segments(folder)) < 550
    assert sum(1 for _ in read_ledger(folder)) == 5000


def test_a_failed_flush_keeps_the_records(folder: RunFolder) -> None:
    writer = LedgerWriter(folder, SESSION, 0.0)
    writer.append(RECORDS[0])
    Path(folder.store.root, "runs").write_bytes(b"in the way")
    with pytest.raises(StorageError):
        writer.flush()
    Path(folder.store.root, "runs").unlink()
    writer.append(RECORDS[1])
    writer.flush()
    assert list(read_ledger(folder)) == RECORDS[:2]


@pytest.mark.parametrize("cut", [1, 100, 10**6])
def test_a_torn_segment_is_named(folder: RunFolder, cut: int) -> None:
    writer = LedgerWriter(folder, SESSION, 0.0)
    for record in RECORDS:
        writer.append(record)
    writer.flush()
    (path,) = segments(folder)
    whole = path.read_bytes()
    path.write_bytes(whole[: max(len(whole) - cut, 0)])
    with pytest.raises(StorageError, match=rf"damaged at .*{path.name}.*restore the file"):
        list(read_ledger(folder))


def test_a_lost_segment_is_noticed(folder: RunFolder) -> None:
    writer = LedgerWriter(folder, SESSION, 0.0)
    for record in RECORDS:
        writer.append(record)
        writer.flush()
    segments(folder)[2].unlink()
    with pytest.raises(StorageError, match=r"000002.jsonl: the segment is missing"):
        list(read_ledger(folder))


def test_a_segment_under_another_name_is_noticed(folder: RunFolder) -> None:
    writer = LedgerWriter(folder, SESSION, 0.0)
    for record in RECORDS[:2]:
        writer.append(record)
        writer.flush()
    first, second = segments(folder)
    second.write_bytes(first.read_bytes())
    with pytest.raises(StorageError, match="belongs under another name"):
        list(read_ledger(folder))


def test_sessions_must_be_named_by_time(folder: RunFolder) -> None:
    with pytest.raises(ValueError, match="new_session_id"):
        LedgerWriter(folder, "mine", 0.0)


def test_several_may_write_at_once_and_what_is_lost_of_any_of_them_is_noticed(folder: RunFolder) -> None:
    """The first one's later records come after all of theirs, and name the last segment of each."""
    now = datetime(2026, 11, 20, 19, 30, 55, tzinfo=UTC)
    first = new_session_id(folder, now)
    writer = LedgerWriter(folder, first, 0.0)
    writer.append(SessionStarted(first, 1.0, "h", 1, "0.1"))
    writer.flush()
    names = [new_session_id(folder, now) for _ in range(3)]
    assert len(set(names)) == 3
    assert len({name[:6] for name in names}) == 1
    told: list[tuple[int, list[Record]]] = []
    for name in names:
        shard = LedgerWriter(
            folder, name, 0.0, written=lambda number, lines: told.append((number, list(read_lines(lines))))
        )
        for part in range(2):
            shard.append(done(f"{name}{part}"))
            shard.flush()
    after = LedgerWriter(folder, new_session_id(folder, now), 0.0, beside=names)
    after.append(SessionEnded(first, "complete", 0, 2.0))
    after.flush()

    found = list(read_ledger(folder))
    assert [number for number, _ in told] == [0, 1] * 3
    assert sorted(encode(record) for _, of in told for record in of) == sorted(map(encode, found[1:-1]))
    assert (found[0].type, found[-1].type) == ("session_started", "session_ended")
    assert list(read_session(folder, names[0], 1)) == [done(f"{names[0]}1")]
    (session,) = read_sessions(folder)
    assert (session.done, session.ended) == (6, found[-1])
    for lost in segments(folder)[1:-1]:
        content = lost.read_bytes()
        lost.unlink()
        with pytest.raises(StorageError, match="the segment is missing"):
            list(read_ledger(folder))
        lost.write_bytes(content)
