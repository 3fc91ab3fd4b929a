"""One copy a node of what is memory-mapped: fetched once, verified, held while it is used, deleted for room."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from object_server import ObjectServer

from riskpipe.errors import StorageError
from riskpipe.store import local_files
from riskpipe.store.filesystem import Store
from riskpipe.store.local_files import local_file
from riskpipe.store.location import open_store

FETCH = """
    import sys
    from riskpipe.store.location import open_store
    from riskpipe.store.local_files import local_file
    sys.stdin.readline()
    print(local_file(open_store(sys.argv[1]), sys.argv[2], sys.argv[3]), flush=True)
    sys.stdin.readline()
"""


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def store(s3: ObjectServer, bucket: str) -> Store:
    return open_store(s3.uri(f"{bucket}/out"))


@pytest.fixture(autouse=True)
def _let_go():
    yield
    while local_files._held:
        os.close(local_files._held.popitem()[1])


def process(store: Store, path: str, digest: str) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", textwrap.dedent(FETCH), store.root, path, digest]
    return subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_local_file_is_itself(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    store.write_bytes("a", b"1")
    assert local_file(store, "a", sha256(b"1")) == str(tmp_path / "a")


def test_processes_of_a_node_share_one_copy(s3: ObjectServer, store: Store) -> None:
    content = b"market" * 1000
    store.write_bytes("market.arrow", content)
    s3.forget()
    processes = [process(store, "market.arrow", sha256(content)) for _ in range(4)]
    for one in processes:
        print(file=one.stdin, flush=True)
    paths = {one.stdout.readline().strip() for one in processes}  # type: ignore[union-attr]
    for one in processes:
        one.communicate("\n")
    assert len(paths) == 1
    assert Path(paths.pop()).read_bytes() == content
    assert s3.count("GET", "market.arrow") == 1


def test_nobody_else_reads_or_writes_there(store: Store) -> None:
    store.write_bytes("a", b"1")
    path = Path(local_file(store, "a", sha256(b"1")))
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600
    path.parent.chmod(0o777)
    with pytest.raises(StorageError, match="may be written by others, so it is not trusted"):
        local_file(store, "a", sha256(b"1"))


def test_a_link_in_its_place_is_not_followed(store: Store, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "tmp" / f"riskpipe-files-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="not trusted"):
        local_file(store, "a", sha256(b"1"))


def test_another_content_is_refused(store: Store, tmp_path: Path) -> None:
    store.write_bytes("a", b"changed")
    with pytest.raises(StorageError, match="out/a is not the file that the run put there"):
        local_file(store, "a", sha256(b"1"))
    assert [path.name for path in (tmp_path / "tmp").glob("*/*")] == ["lock"]
    with pytest.raises(StorageError, match="the run does not say what its content is"):
        local_file(store, "a", "../../etc/passwd")


def test_a_fetch_that_is_cut_leaves_nothing(s3: ObjectServer, store: Store, tmp_path: Path) -> None:
    content = os.urandom(100_000)
    store.write_bytes("a", content)
    s3.fail("cut in the answer", "GET", "out/a")
    with pytest.raises(StorageError, match="was not reached"):
        local_file(store, "a", sha256(content))
    assert [path.name for path in (tmp_path / "tmp").glob("*/*")] == ["lock"]
    s3.forget()
    assert Path(local_file(store, "a", sha256(content))).read_bytes() == content


def test_older_copies_make_room_unless_they_are_in_use(store: Store, tmp_path: Path) -> None:
    contents = [bytes([k]) * 1000 for k in range(4)]
    for k, content in enumerate(contents):
        store.write_bytes(str(k), content)
    used = process(store, "0", sha256(contents[0]))
    print(file=used.stdin, flush=True)
    assert used.stdout is not None
    held = Path(used.stdout.readline().strip())
    for k in (1, 2):
        os.utime(local_file(store, str(k), sha256(contents[k]), cache_bytes=10_000), (k, k))
    while local_files._held:
        os.close(local_files._held.popitem()[1])
    kept = local_file(store, "3", sha256(contents[3]), cache_bytes=2000)
    assert held.exists()
    assert sorted(p.name for p in held.parent.iterdir()) == sorted([held.name, Path(kept).name, "lock"])
    used.communicate("\n")


def test_a_killed_fetch_is_swept_and_its_lock_is_free(store: Store, tmp_path: Path) -> None:
    content = b"x" * 1000
    store.write_bytes("a", content)
    program = f"""
        import os, signal, sys
        import riskpipe.store.local_files as files
        from riskpipe.store.location import open_store
        files.os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
        files.local_file(open_store(sys.argv[1]), "a", "{sha256(content)}")
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(program), store.root], check=False)
    assert killed.returncode == -signal.SIGKILL
    directory = next((tmp_path / "tmp").glob("riskpipe-files-*"))
    assert len(list(directory.glob(".tmp-*"))) == 1
    kept = Path(local_file(store, "a", sha256(content)))
    assert kept.read_bytes() == content
    assert sorted(p.name for p in directory.iterdir()) == sorted([kept.name, "lock"])
