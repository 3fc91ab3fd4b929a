"""What every store promises, of a local directory and of a bucket of a real S3 server alike."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pyarrow as pa
import pytest

from riskpipe.errors import StorageError
from riskpipe.store.filesystem import FileEntry, MissingFileError, Store
from riskpipe.store.local_store import LocalStore
from riskpipe.store.location import open_store
from riskpipe.store.object_store import ObjectStore
from riskpipe.store.objects import SMALL_BYTES
from riskpipe.store.parquet import read_parquet, write_parquet


@pytest.fixture(params=[LocalStore, ObjectStore])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param is LocalStore:
        opened = open_store(str(tmp_path / "output"))
    else:
        server, bucket = request.getfixturevalue("s3"), request.getfixturevalue("bucket")
        opened = open_store(server.uri(f"{bucket}/output"))
    assert type(opened) is request.param
    return opened


def paths(store: Store, directory: str = "") -> list[str]:
    return [entry.path for entry in store.list_files(directory)]


def test_written_bytes_are_read_back_and_replaced(store: Store) -> None:
    store.write_bytes("a/b/c.json", b"one")
    store.write_bytes("a/b/c.json", b"two")
    store.write_bytes("a/empty", b"")
    assert store.read_bytes("a/b/c.json") == b"two"
    assert store.read_bytes("a/empty") == b""
    assert store.open_input_file("a/b/c.json").read() == b"two"
    assert store.list_files("a") == [FileEntry("a/b/c.json", 3), FileEntry("a/empty", 0)]
    assert store.list_files("a", recursive=False) == [FileEntry("a/empty", 0)]
    assert store.list_directories("a") == ["b"]
    assert (store.size("a/b/c.json"), store.size("a/b"), store.size("x/y")) == (3, None, None)
    assert (store.is_directory("a"), store.is_directory("a/b/c.json")) == (True, False)


def test_what_is_not_there(store: Store) -> None:
    assert store.list_files("nothing") == []
    assert store.list_directories("nothing") == []
    assert not store.exists("nothing")
    store.delete("nothing")
    store.delete_tree("nothing")
    with pytest.raises(MissingFileError, match=r"cannot read .*nothing: there is no such file"):
        store.read_bytes("nothing")
    with pytest.raises(MissingFileError, match="nothing"):
        store.open_input_file("nothing")


def test_deletion(store: Store) -> None:
    store.write_bytes("a/b/1", b"x")
    store.write_bytes("a/2", b"x")
    store.delete("a/2")
    assert [entry.path for entry in store.list_files()] == ["a/b/1"]
    store.delete_tree("a/b")
    assert store.list_files() == []
    with pytest.raises(StorageError, match="refused to delete all"):
        store.delete_tree("")


def test_a_sink_that_ends_well_is_in_place(store: Store) -> None:
    with store.atomic_sink("a/file") as sink:
        sink.write(b"first ")
        assert not store.exists("a/file")
        sink.write(b"second")
    assert store.read_bytes("a/file") == b"first second"


def test_a_sink_that_fails_leaves_the_old_file_and_nothing_else(store: Store) -> None:
    store.write_bytes("a/file", b"old")

    def interrupted() -> None:
        with store.atomic_sink("a/file") as sink:
            sink.write(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert store.read_bytes("a/file") == b"old"
    if (local := store.local_path("a")) is not None:
        assert sorted(os.listdir(local)) == ["file"]


def test_a_sink_that_is_written_by_name(store: Store) -> None:
    with store.atomic_sink("a/file") as sink:
        Path(sink.name).write_bytes(b"by another file object")
    assert store.read_bytes("a/file") == b"by another file object"


def test_a_renamed_and_a_copied_file(store: Store) -> None:
    store.write_bytes("a/one", b"1")
    store.copy("a/one", "b/two")
    assert store.rename("a/one", "three") == "a/three"
    assert [(entry.path, entry.bytes) for entry in store.list_files()] == [("a/three", 1), ("b/two", 1)]


def test_a_copy_takes_the_place_of_an_older_file_and_stays_when_the_first_is_replaced(store: Store) -> None:
    store.write_bytes("a/one", b"1")
    store.write_bytes("b/two", b"older")
    for _ in range(2):
        store.copy("a/one", "b/two")
    store.write_bytes("a/one", b"newer")
    assert store.read_bytes("b/two") == b"1"
    assert [entry.path for entry in store.list_files()] == ["a/one", "b/two"]
    if (local := store.local_path("b")) is not None:
        assert os.listdir(local) == ["two"]


def test_results_come_in_the_order_of_the_items(store: Store) -> None:
    for number in range(40):
        store.write_bytes(f"n/{number}", str(number).encode())
    read = store.overlapped(lambda number: int(store.read_bytes(f"n/{number}")), range(40))
    assert list(read) == list(range(40))


def test_probe_leaves_nothing(store: Store) -> None:
    store.probe_writable()
    assert store.list_files() == []
    if (local := store.local_path()) is not None:
        assert os.listdir(local) == []


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a//b", "a/./b", "a/", "a\0b"])
def test_paths_stay_within_the_root(store: Store, path: str) -> None:
    with pytest.raises(StorageError, match="not a path within"):
        store.write_bytes(path, b"")


def test_a_directory_takes_the_place_of_another(store: Store) -> None:
    files = {"new/1": b"1", "new/2": b"2", "place/1": b"older", "place/3": b"3", "beside/1": b""}
    for path, content in files.items():
        store.write_bytes(path, content)
    store.replace_directory("new", "place")
    assert paths(store, "place") == ["place/1", "place/2"]
    assert [store.read_bytes(path) for path in ("place/1", "place/2")] == [b"1", b"2"]
    store.delete_tree("new")
    assert paths(store) == ["beside/1", "place/1", "place/2"]
    store.write_bytes("new/4", b"4")
    store.replace_directory("new", "not/yet/there")
    assert paths(store, "not") == ["not/yet/there/4"]


def test_a_directory_is_taken_away(store: Store) -> None:
    for path in ("tables/a/day/1", "tables/b/day/1", "tables/b/other/1"):
        store.write_bytes(path, b"x")
    for table in ("a", "b"):
        store.remove_directory(f"tables/{table}/day", f"aside/{table}")
        assert not store.is_directory(f"tables/{table}/day")
    store.delete_tree("aside")
    assert paths(store) == ["tables/b/other/1"]


@pytest.mark.parametrize("size", [1000, SMALL_BYTES + 1000])
def test_ranges_of_a_file(store: Store, size: int) -> None:
    content = os.urandom(size)
    store.write_bytes("a", content)
    ranges = [(10, 20), (size - 50, size), (500, 600)]
    with store.open_input_file("a") as file:
        found = store.with_ranges(file, ranges)
        assert found.size() == size
        for start, stop in [*ranges, *ranges]:
            found.seek(start)
            assert found.read(stop - start) == content[start:stop]


def test_a_store_travels(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write_bytes("x", b"1")
    there = pickle.loads(pickle.dumps(store))
    assert (type(there), there.root, repr(there)) == (type(store), store.root, repr(store))
    assert there.read_bytes("x") == b"1"


def test_a_table_of_any_size_is_read_back(store: Store) -> None:
    table = pa.table({"n": range(1000), "text": [f"{n}" * 50 for n in range(1000)]})
    write_parquet(store, "a/table.parquet", table)
    assert read_parquet(store, "a/table.parquet").equals(table)
    assert read_parquet(store, "a/table.parquet", ["n"]).equals(table.select(["n"]))


def test_some_files_can_be_read_side_by_side(store: Store) -> None:
    store.write_bytes("a", b"content")
    files = [store.open_input_file("a") for _ in range(min(store.most_open_files, 64))]
    assert [file.read() for file in files] == [b"content"] * len(files)
    assert len(files) == 64
