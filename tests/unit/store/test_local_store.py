"""What only local directories have: killed writers, disks that are full, directories that change places."""

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

import pytest

from riskpipe.errors import StorageError
from riskpipe.store.local_store import LocalStore, exchange, fsync_directory


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path / "output"))


@contextmanager
def file_size_limit(limit: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_store_lies_where_it_was_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for a worker that works elsewhere."""
    monkeypatch.chdir(tmp_path)
    sent = pickle.dumps(LocalStore("output"))
    monkeypatch.chdir("/")
    assert pickle.loads(sent).local_path("x") == str(tmp_path / "output/x")


def test_a_killed_writer_leaves_only_a_temporary_file(store: LocalStore) -> None:
    store.write_bytes("a/file", b"old")
    program = """
        import os, signal, sys
        from riskpipe.store.local_store import LocalStore
        with LocalStore(sys.argv[1]).atomic_sink("a/file") as sink:
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


def test_a_directory_that_has_become_empty_goes_with_the_last_that_was_in_it(store: LocalStore) -> None:
    for path in ("tables/a/day/1", "tables/b/day/1", "tables/b/other/1"):
        store.write_bytes(path, b"x")
    for table in ("a", "b"):
        store.remove_directory(f"tables/{table}/day", "aside")
    assert store.list_directories("tables") == ["b"]


def test_a_directory_that_cannot_be_synced_is_no_failure() -> None:
    """procfs says EINVAL, as NFS and FUSE do."""
    fsync_directory("/proc/self")


def test_probe_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match=r"cannot write .*file/output.*is a file, not a directory"):
        LocalStore(str(tmp_path / "file/output")).probe_writable()
    with pytest.raises(StorageError, match="a file, not a directory"):
        LocalStore(str(tmp_path / "file")).probe_writable()


def test_probe_where_nobody_may_write() -> None:
    with pytest.raises(StorageError, match=r"cannot write /proc/riskpipe"):
        LocalStore("/proc/riskpipe").probe_writable()


def test_a_file_that_may_not_grow(store: LocalStore) -> None:
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
        from riskpipe.store.local_store import LocalStore
        store = LocalStore(sys.argv[1])
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


def test_exchange(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"was-{name}").touch()
    assert exchange(str(tmp_path / "one"), str(tmp_path / "other"))
    assert os.listdir(tmp_path / "one") == ["was-other"]
    with pytest.raises(FileNotFoundError) as caught:
        exchange(str(tmp_path / "one"), str(tmp_path / "none"))
    assert caught.value.errno == errno.ENOENT
