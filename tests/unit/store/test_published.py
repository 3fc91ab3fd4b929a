"""A day is replaced whole, whatever happens on the way, and nothing but Parquet is ever in published/."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from msgspec.structs import asdict

from riskpipe.errors import StorageError
from riskpipe.store import local_store
from riskpipe.store import result_tables as tables
from riskpipe.store.checksums import content_sha256
from riskpipe.store.filesystem import Store
from riskpipe.store.layout import published_day
from riskpipe.store.location import open_store
from riskpipe.store.object_store import ObjectStore
from riskpipe.store.parquet import ROW_GROUP_ROWS, open_parquet, read_parquet
from riskpipe.store.published import publish_day, read_current
from riskpipe.store.result_tables import Provenance, write_result
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.sorted_merge import Source
from riskpipe.store.stage import merge_part, part_paths, stage
from riskpipe.store.table_schemas import SCHEMAS
from riskpipe.store.written_files import WrittenFile

DAY = date(2026, 11, 20)
NOW = datetime(2026, 11, 20, 19, 30, 55, tzinfo=UTC)
OLD, NEW = "20261120-070000-aaaaaa", "20261120-193055-bbbbbb"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path))


@pytest.fixture
def objects(tmp_path: Path) -> Store:
    return ObjectStore(f"/{tmp_path.name}", pafs.PyFileSystem(pafs.FSSpecHandler(MemoryFileSystem())))


def provenance(run: str) -> Provenance:
    return Provenance(run, DAY, "c" * 64, "d" * 64, "0.1.0", "USD")


def valuations(rows: int, start: int = 0) -> pa.Table:
    numbers = np.arange(start, start + rows)
    return pa.table(
        {
            "book": pa.repeat("fx", rows),
            "trade_id": [f"T{n:09d}" for n in numbers],
            "product": pa.repeat("fx_forward", rows),
            "measure": pa.repeat("pv", rows),
            "value": numbers * 0.5,
            "currency": pa.repeat("USD", rows),
            "value_base": numbers * 0.5,
            "status": pa.repeat("ok", rows),
        }
    )


def scenarios(rows: int) -> pa.Table:
    return pa.table(
        {
            "scenario_set": pa.repeat("history", rows),
            "index": pa.array(range(rows), pa.int32()),
            "scenario": [f"s{n}" for n in range(rows)],
        }
    )


def staged(store: Store, run: str, rows: int, file_bytes: int = 1 << 30) -> dict[str, list[WrittenFile]]:
    groups = [valuations(min(50_000, rows - start), start) for start in range(0, rows, 50_000)]
    folder = RunFolder(store, run)
    return {
        "valuations": stage(folder, "valuations", groups, provenance(run), file_bytes),
        "scenarios": stage(folder, "scenarios", [scenarios(rows)], provenance(run)),
    }


def publish(store: Store, run: str, rows: int, file_bytes: int = 1 << 30) -> dict[str, list[WrittenFile]]:
    files = staged(store, run, rows, file_bytes)
    publish_day(RunFolder(store, run), DAY, files, NOW)
    return files


def day(store: Store, table: str) -> tuple[set[str], int]:
    """Run ids and rows of a published day."""
    parts = [read_parquet(store, entry.path) for entry in store.list_files(published_day(table, DAY))]
    rows = pa.concat_tables(parts)
    return set(rows["run_id"].to_pylist()), rows.num_rows


def everything(store: Store) -> list[str]:
    return [entry.path for entry in store.list_files()]


def describe_published(*names: str) -> list[str]:
    return ["meta/CURRENT.json", *[f"published/{name}" for name in names]]


# -- staging


def test_staged_files_keep_the_contract(store: Store) -> None:
    for number, start in enumerate((0, 1, 2)):
        data = valuations(100_000, 0).slice(start).take(pa.array(range(0, 100_000 - start, 3)))
        data = data.append_column("as_of_date", pa.repeat(pa.scalar(date(2000, 1, 1)), data.num_rows))
        data = data.append_column("run_id", pa.repeat("another-run", data.num_rows))
        write_result(store, f"b/{number}.parquet", "valuations", data, provenance("another-run"))
    folder = RunFolder(store, NEW)
    sources = [Source(f"b/{number}.parquet") for number in range(3)]
    (path,), _ = part_paths(folder, "valuations", DAY, 1)
    written = merge_part(store, "valuations", sources, path, provenance(NEW), window_bytes=1 << 20)
    assert written.path == f"runs/{NEW}/publish/valuations/as_of=2026-11-20/part-000.parquet"
    assert written.sha256 == content_sha256(store, written.path)
    assert tables.metadata(store, written.path)["run_id"] == NEW
    data = read_parquet(store, written.path)
    assert data.schema.equals(SCHEMAS["valuations"])
    assert set(data["run_id"].to_pylist()) == {NEW}
    assert set(data["as_of_date"].to_pylist()) == {DAY}
    assert data["trade_id"].to_pylist() == [f"T{n:09d}" for n in range(100_000)]
    assert data["value"].to_pylist() == [n * 0.5 for n in range(100_000)]
    assert everything(store) == ["b/0.parquet", "b/1.parquet", "b/2.parquet", written.path]


def test_row_groups_are_even_and_indexed(store: Store) -> None:
    pieces = [valuations(70_000, start) for start in range(0, 280_000, 70_000)]
    (written,) = stage(RunFolder(store, NEW), "valuations", pieces, provenance(NEW))
    with open_parquet(store, written.path) as file:
        groups = [file.metadata.row_group(g) for g in range(file.num_row_groups)]
    assert [g.num_rows for g in groups] == [ROW_GROUP_ROWS, ROW_GROUP_ROWS, 280_000 - 2 * ROW_GROUP_ROWS]
    assert all(g.column(c).has_offset_index and g.column(c).compression == "ZSTD" for g in groups for c in range(9))


def test_row_groups_of_wide_rows_are_bounded_in_bytes(store: Store) -> None:
    rows = 9_000
    data = pa.table(
        {
            "book": pa.repeat("fx", rows),
            "trade_id": [f"T{n:05d}" for n in range(rows)],
            "product": pa.repeat("fx_forward", rows),
            "scenario_set": pa.repeat("history", rows),
            "pnl": pa.FixedSizeListArray.from_arrays(np.zeros(rows * 1000), 1000).cast(pa.list_(pa.float64())),
            "status": pa.repeat("ok", rows),
        }
    )
    (written,) = stage(RunFolder(store, NEW), "scenario_pnl", [data], provenance(NEW))
    with open_parquet(store, written.path) as file:
        groups = [file.metadata.row_group(g).num_rows for g in range(file.num_row_groups)]
    assert sum(groups) == rows
    assert 7_000 < groups[0] < 8_500


def test_a_table_without_rows_is_one_file(store: Store) -> None:
    written = merge_part(store, "valuations", [], "day/part-000.parquet", provenance(NEW))
    assert read_parquet(store, written.path).schema.equals(SCHEMAS["valuations"])


def test_large_days_are_cut(store: Store) -> None:
    many = [valuations(ROW_GROUP_ROWS, n * ROW_GROUP_ROWS) for n in range(3)]
    files = stage(RunFolder(store, NEW), "valuations", many, provenance(NEW), file_bytes=1)
    assert [file.path[-16:] for file in files] == ["part-000.parquet", "part-001.parquet", "part-002.parquet"]
    assert [file.rows for file in files] == [ROW_GROUP_ROWS] * 3


def test_a_failing_merge_leaves_no_part(store: Store) -> None:
    def rows() -> pa.Table:
        yield valuations(ROW_GROUP_ROWS)
        yield valuations(ROW_GROUP_ROWS)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stage(RunFolder(store, NEW), "valuations", rows(), provenance(NEW))
    assert everything(store) == []
    assert not [path for path in Path(store.root).rglob("*") if path.is_file()]


# -- publishing


@pytest.mark.parametrize("kind", ["store", "objects"])
def test_a_day_is_published_and_replaced(kind: str, request: pytest.FixtureRequest) -> None:
    store: Store = request.getfixturevalue(kind)
    publish(store, OLD, 100)
    assert day(store, "valuations") == ({OLD}, 100)
    files = publish(store, NEW, 50)
    assert day(store, "valuations") == ({NEW}, 50)
    assert day(store, "scenarios") == ({NEW}, 50)
    assert everything(store) == describe_published(
        "scenarios/as_of=2026-11-20/part-000.parquet", "valuations/as_of=2026-11-20/part-000.parquet"
    )
    current = read_current(store)["2026-11-20"]
    assert (current["run_id"], current["published_at"]) == (NEW, "2026-11-20T19:30:55+00:00")
    (described,) = current["tables"]["valuations"]["files"]
    assert described == {
        "path": "published/valuations/as_of=2026-11-20/part-000.parquet",
        "rows": 50,
        "bytes": files["valuations"][0].bytes,
        "sha256": content_sha256(store, described["path"]),
    }


def test_other_days_stay(store: Store) -> None:
    earlier = Provenance(OLD, date(2026, 11, 19), "c" * 64, "d" * 64, "0.1.0", "USD")
    files = {"valuations": stage(RunFolder(store, OLD), "valuations", [valuations(3)], earlier)}
    publish_day(RunFolder(store, OLD), earlier.as_of_date, files, NOW)
    publish(store, NEW, 10)
    assert list(read_current(store)) == ["2026-11-19", "2026-11-20"]
    assert store.exists("published/valuations/as_of=2026-11-19/part-000.parquet")


@pytest.mark.parametrize("kind", ["store", "objects"])
def test_a_day_is_of_one_run(kind: str, request: pytest.FixtureRequest) -> None:
    store: Store = request.getfixturevalue(kind)
    publish(store, OLD, 10)
    files = staged(store, NEW, 10)
    publish_day(RunFolder(store, NEW), DAY, {"valuations": files["valuations"]}, NOW)
    assert everything(store) == describe_published("valuations/as_of=2026-11-20/part-000.parquet")


def test_a_reader_between_footer_and_rows_still_finds_the_old_rows(store: Store) -> None:
    for number, rows in enumerate((500, 20, 3000, 40)):
        publish(store, f"20261120-070000-{number:06x}", rows)
        path = Path(store.root, published_day("valuations", DAY), "part-000.parquet")
        size, footer = path.stat().st_size, pq.read_metadata(path)
        before = pq.read_table(path, partitioning=None)
        publish(store, f"20261120-080000-{number:06x}", 60)
        with path.open("rb") as file:
            assert pq.ParquetFile(file, metadata=footer).read().equals(before)
            file.seek(0)
            older = pa.BufferReader(file.read(size))
        assert pq.read_table(older).equals(before)
        assert pq.read_table(path, partitioning=None).num_rows == 60


def test_only_one_older_day_is_kept_in_a_file(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose hole would be larger than allowed is of another name: none is where a footer of the last looks."""
    allocated, sizes, names = [], [], []
    for number in range(12):
        publish(store, f"20261120-070000-{number:06x}", 20_000)
        (path,) = Path(store.root, published_day("valuations", DAY)).glob("*.parquet")
        allocated.append(path.stat().st_blocks * 512)
        sizes.append(path.stat().st_size)
        names.append(path.name)
        monkeypatch.setattr("riskpipe.store.stage._MOST_HOLE", int(2.5 * sizes[0]))
    assert max(allocated) < 2.5 * allocated[0]
    assert max(sizes) < 4.5 * sizes[0]
    assert names == 4 * ["part-000.parquet"] + 4 * ["part-001.parquet"] + 4 * ["part-000.parquet"]
    assert tables.metadata(store, f"{published_day('valuations', DAY)}/{names[-1]}")["begins_at"]


@pytest.mark.slow
def test_the_parts_of_a_large_day_never_take_the_names_of_the_replaced(store: Store) -> None:
    rows = 2 * ROW_GROUP_ROWS + 1
    names = []
    for number, file_bytes in enumerate((1 << 30, 1, 1, 1, 1 << 30)):
        publish(store, f"20261120-070000-{number:06x}", rows, file_bytes)
        names.append({entry.path[-11:-8] for entry in store.list_files(published_day("valuations", DAY))})
        assert day(store, "valuations") == ({f"20261120-070000-{number:06x}"}, rows)
    assert names == [{"000"}, {"001", "002", "003"}, {"004", "005", "006"}, {"000", "001", "002"}, {"003"}]


def test_a_part_that_a_block_wrote_never_takes_the_name_of_the_replaced(store: Store) -> None:
    """It has nothing of the published file in front, so whoever has that one's footer must miss it."""
    folder = RunFolder(store, NEW)
    assert part_paths(folder, "valuations", DAY, 1, merged=False)[0][0].endswith("part-000.parquet")
    publish(store, OLD, 100)
    published = f"{published_day('valuations', DAY)}/part-000.parquet"
    (linked,), kept = part_paths(folder, "valuations", DAY, 1, merged=False)
    (merged,), replaced = part_paths(folder, "valuations", DAY, 1)
    assert (linked[-16:], kept) == ("part-001.parquet", None)
    assert (merged[-16:], replaced) == ("part-000.parquet", published)


def test_the_names_of_very_many_parts_are_in_order(store: Store) -> None:
    paths, _ = part_paths(RunFolder(store, NEW), "valuations", DAY, 1200)
    assert paths == sorted(paths)
    assert len({len(path) for path in paths}) == 1


def test_publishing_twice_is_publishing_once(store: Store) -> None:
    publish(store, OLD, 10)
    files = publish(store, NEW, 20)
    publish_day(RunFolder(store, NEW), DAY, files, NOW)
    assert day(store, "valuations") == ({NEW}, 20)


def test_what_is_no_longer_staged_cannot_be_published(store: Store) -> None:
    files = staged(store, OLD, 10)
    store.delete_tree(RunFolder(store, OLD).staging)
    with pytest.raises(StorageError, match="is gone: publish the run again"):
        publish_day(RunFolder(store, OLD), DAY, files, NOW)


def test_files_of_the_same_size_are_told_apart(store: Store) -> None:
    target = f"{published_day('valuations', DAY)}/part-000.parquet"
    store.write_bytes(target, b"older")
    path = f"{RunFolder(store, NEW).staged_day('valuations', DAY)}/part-000.parquet"
    store.write_bytes(path, b"newer")
    file = WrittenFile(path, 1, 5, content_sha256(store, path))
    publish_day(RunFolder(store, NEW), DAY, {"valuations": [file]}, NOW)
    assert store.read_bytes(target) == b"newer"


def test_without_exchange_directories_are_moved(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(store, OLD, 10)
    monkeypatch.setattr(local_store, "exchange", lambda one, other: False)
    remains = Path(store.root, f"{RunFolder(store, NEW).staged_day('valuations', DAY)}-replaced")
    remains.mkdir(parents=True)
    (remains / "part-000.parquet").touch()
    publish(store, NEW, 20)
    assert day(store, "valuations") == ({NEW}, 20)
    assert len(everything(store)) == 3


def test_a_damaged_current_is_named(store: Store) -> None:
    for content in (b"{", b"[]", b'{"schema_version": 9, "days": {}}'):
        store.write_bytes("meta/CURRENT.json", content)
        with pytest.raises(StorageError, match=r"CURRENT\.json is damaged"):
            read_current(store)


# -- crashes

KILLED_AT_STEP = """
    import json, os, signal, sys
    from datetime import UTC, date, datetime
    from riskpipe.store.location import open_store
    from riskpipe.store.run_folder import RunFolder
    from riskpipe.store.written_files import WrittenFile
    from riskpipe.store.published import publish_day

    root, run, step = sys.argv[1], sys.argv[2], int(sys.argv[3])
    tables = {t: [WrittenFile(**f) for f in files] for t, files in json.load(sys.stdin).items()}
    steps = 0

    def count(event, arguments):
        global steps
        changes = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree", "open")
        if event in changes and root in str(arguments[0]):
            steps += 1
            if steps == step:
                os.kill(os.getpid(), signal.SIGKILL)

    store = open_store(root)
    sys.addaudithook(count)
    publish_day(RunFolder(store, run), date(2026, 11, 20), tables, datetime(2026, 11, 20, 19, 30, 55, tzinfo=UTC))
"""


def killed_at(store: Store, run: str, files: dict[str, list[WrittenFile]], step: int) -> bool:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED_AT_STEP), store.root, run, str(step)],
        input=json.dumps({table: [asdict(file) for file in parts] for table, parts in files.items()}).encode(),
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL)
    return done.returncode != 0


def test_killed_anywhere_each_table_is_old_or_new_and_publishing_again_mends_it(store: Store) -> None:
    publish(store, OLD, 30)
    stale = {"aggregates": stage(RunFolder(store, OLD), "aggregates", [], provenance(OLD))}
    os.rename(Path(store.root, stale["aggregates"][0].path).parent.parent, Path(store.root, "published/aggregates"))
    seen = set()
    step, run, rows = 1, OLD, 30
    while True:
        new_run, new_rows = f"20261120-193055-{step:06x}", 30 + step
        files = staged(store, new_run, new_rows)
        killed = killed_at(store, new_run, files, step)
        state = tuple(day(store, table) for table in ("scenarios", "valuations"))
        for found in state:
            assert found in (({run}, rows), ({new_run}, new_rows)), f"killed at step {step}"
        seen.add(tuple(found[0] == {new_run} for found in state))
        foreign = [p for p in Path(store.root, "published").rglob("*") if p.is_file() and p.suffix != ".parquet"]
        assert foreign == []
        if killed:
            publish_day(RunFolder(store, new_run), DAY, files, NOW)
        run, rows = new_run, new_rows
        assert day(store, "valuations") == day(store, "scenarios") == ({run}, rows)
        assert read_current(store)["2026-11-20"]["run_id"] == run
        if not killed:
            break
        step += 1
    assert seen >= {(False, False), (True, False), (True, True)}
    assert step > 10
    assert len(everything(store)) == 3
