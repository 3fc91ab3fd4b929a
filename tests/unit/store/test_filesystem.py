"""Files appear whole or not at all; errors say where and what to do."""

from __future__ import annotations

import errno
import os
import pickle
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.fs as pafs
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from riskpipe.errors import StorageError
from riskpipe.store.filesystem import FileEntry, MissingFileError, Store, checked_name, fsync_directory, storage_error


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "output"))


@pytest.fixture(params=["local", "objects", "s3"])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A local store, one in memory, which goes the way of the object stores, and one of a real S3 server."""
    if request.param == "local":
        return Store(str(tmp_path / "output"))
    if request.param == "s3":
        server, bucket = request.getfixturevalue("s3"), request.getfixturevalue("bucket")
        return Store(server.uri(f"{bucket}/output"))
    return Store(f"/{tmp_path.name}", pafs.PyFileSystem(pafs.FSSpecHandler(MemoryFileSystem())))


@contextmanager
def file_size_limit(limit: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_written_bytes_are_read_back_and_replaced(any_store: Store) -> None:
    any_store.write_bytes("a/b/c.json", b"one")
    any_store.write_bytes("a/b/c.json", b"two")
    any_store.write_bytes("a/empty", b"")
    assert any_store.read_bytes("a/b/c.json") == b"two"
    assert any_store.read_bytes("a/empty") == b""
    assert any_store.open_input_file("a/b/c.json").read() == b"two"
    assert any_store.list_files("a") == [FileEntry("a/b/c.json", 3), FileEntry("a/empty", 0)]
    assert any_store.list_files("a", recursive=False) == [FileEntry("a/empty", 0)]
    assert any_store.list_directories("a") == ["b"]
    assert (any_store.size("a/b/c.json"), any_store.size("a/b"), any_store.size("x/y")) == (3, None, None)
    assert (any_store.is_directory("a"), any_store.is_directory("a/b/c.json")) == (True, False)


def test_what_is_not_there(any_store: Store) -> None:
    assert any_store.list_files("nothing") == []
    assert any_store.list_directories("nothing") == []
    assert not any_store.exists("nothing")
    any_store.delete("nothing")
    any_store.delete_tree("nothing")
    with pytest.raises(MissingFileError, match=r"cannot read .*nothing: there is no such file"):
        any_store.read_bytes("nothing")
    with pytest.raises(MissingFileError, match="nothing"):
        any_store.open_input_file("nothing")


def test_deletion(any_store: Store) -> None:
    any_store.write_bytes("a/b/1", b"x")
    any_store.write_bytes("a/2", b"x")
    any_store.delete("a/2")
    assert [entry.path for entry in any_store.list_files()] == ["a/b/1"]
    any_store.delete_tree("a/b")
    assert any_store.list_files() == []
    with pytest.raises(StorageError, match="refused to delete all"):
        any_store.delete_tree("")


def test_a_sink_that_ends_well_is_in_place(any_store: Store) -> None:
    with any_store.atomic_sink("a/file") as sink:
        sink.write(b"first ")
        assert not any_store.exists("a/file")
        sink.write(b"second")
    assert any_store.read_bytes("a/file") == b"first second"


def test_a_sink_that_fails_leaves_the_old_file_and_nothing_else(any_store: Store) -> None:
    any_store.write_bytes("a/file", b"old")

    def interrupted() -> None:
        with any_store.atomic_sink("a/file") as sink:
            sink.write(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert any_store.read_bytes("a/file") == b"old"
    if (local := any_store.local_path("a")) is not None:
        assert sorted(os.listdir(local)) == ["file"]


def test_file_uris_are_local(tmp_path: Path) -> None:
    store = Store(f"file://{tmp_path}/output")
    store.write_bytes("x", b"1")
    assert (tmp_path / "output/x").read_bytes() == b"1"
    assert store.local_path("x") == str(tmp_path / "output/x")


def test_a_store_travels_by_its_root(store: Store) -> None:
    store.write_bytes("x", b"1")
    assert pickle.loads(pickle.dumps(store)).read_bytes("x") == b"1"


def test_the_store_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "market.parquet").write_bytes(b"m")
    for location in ("market.parquet", f"{tmp_path}/market.parquet", f"file://{tmp_path}/market.parquet"):
        store, name = Store.of_file(location)
        assert (name, store.read_bytes(name)) == ("market.parquet", b"m")


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a//b", "a/./b", "a/", "a\0b"])
def test_paths_stay_within_the_root(store: Store, path: str) -> None:
    with pytest.raises(StorageError, match="not a path within"):
        store.write_bytes(path, b"")


@pytest.mark.parametrize("name", ["", ".hidden", "..", "a/b", "a\\b", "a\0"])
def test_ids_that_cannot_be_names(name: str) -> None:
    with pytest.raises(StorageError, match="cannot be a file name"):
        checked_name(name)


def test_an_unknown_scheme() -> None:
    with pytest.raises(StorageError, match=r"cannot open gopher://x"):
        Store("gopher://x")


def test_a_killed_writer_leaves_only_a_temporary_file(store: Store) -> None:
    store.write_bytes("a/file", b"old")
    program = """
        import os, signal, sys
        from riskpipe.store.filesystem import Store
        with Store(sys.argv[1]).atomic_sink("a/file") as sink:
            sink.write(b"new")
            sink.flush()
            os.kill(os.getpid(), signal.SIGKILL)
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(program), store.root], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert store.read_bytes("a/file") == b"old"
    local = Path(store.root, "a")
    assert len(list(local.iterdir())) == 2
    assert [entry.path for entry in store.list_files()] == ["a/file"]
    assert store.delete_temporary("a") == 1
    assert [path.name for path in local.iterdir()] == ["file"]


def test_probe_leaves_nothing(any_store: Store) -> None:
    any_store.probe_writable()
    assert any_store.list_files() == []
    if (local := any_store.local_path()) is not None:
        assert os.listdir(local) == []


def test_a_renamed_and_a_copied_file(any_store: Store) -> None:
    any_store.write_bytes("a/one", b"1")
    any_store.copy("a/one", "b/two")
    assert any_store.rename("a/one", "three") == "a/three"
    assert [(entry.path, entry.bytes) for entry in any_store.list_files()] == [("a/three", 1), ("b/two", 1)]


def test_a_sink_that_is_written_by_name(any_store: Store) -> None:
    with any_store.atomic_sink("a/file") as sink:
        Path(sink.name).write_bytes(b"by another file object")
    assert any_store.read_bytes("a/file") == b"by another file object"


def test_results_come_in_the_order_of_the_items(any_store: Store) -> None:
    for number in range(40):
        any_store.write_bytes(f"n/{number}", str(number).encode())
    read = any_store.overlapped(lambda number: int(any_store.read_bytes(f"n/{number}")), range(40))
    assert list(read) == list(range(40))


def test_a_directory_that_cannot_be_synced_is_no_failure() -> None:
    """procfs says EINVAL, as NFS and FUSE do."""
    fsync_directory("/proc/self")


def test_probe_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match=r"cannot write .*file/output.*is a file, not a directory"):
        Store(str(tmp_path / "file/output")).probe_writable()
    with pytest.raises(StorageError, match="a file, not a directory"):
        Store(str(tmp_path / "file")).probe_writable()


def test_probe_where_nobody_may_write() -> None:
    with pytest.raises(StorageError, match=r"cannot write /proc/riskpipe"):
        Store("/proc/riskpipe").probe_writable()


def test_a_file_that_may_not_grow(store: Store) -> None:
    store.write_bytes("a/file", b"old")
    with file_size_limit(1000), pytest.raises(StorageError, match="may not grow that large"):
        store.write_bytes("a/file", b"x" * 5000)
    assert store.read_bytes("a/file") == b"old"
    assert os.listdir(Path(store.root, "a")) == ["file"]


def test_a_full_disk(tmp_path: Path) -> None:
    """A real one: a 64 KiB tmpfs in a mount namespace of its own."""
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let its users make mount namespaces")
    program = """
        import sys
        from riskpipe.errors import StorageError
        from riskpipe.store.filesystem import Store
        store = Store(sys.argv[1])
        store.write_bytes("small", b"x")
        try:
            store.write_bytes("large", b"x" * 100_000)
        except StorageError as error:
            print(error)
        store.write_bytes("room", b"x" * 8192)
        print([entry.path for entry in store.list_files()])
    """
    mount = f'mount -t tmpfs -o size=64k none {tmp_path} && exec {sys.executable} -c "$0" {tmp_path}'
    done = subprocess.run(
        [unshare, "-rm", "sh", "-c", mount, textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=True,
    )
    said, listed = done.stdout.splitlines()
    assert said.startswith(f"cannot write {tmp_path}/large: the disk that holds it is full")
    assert listed == "['room', 'small']"


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
