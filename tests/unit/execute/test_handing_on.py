"""Files that go from node to node: real workers, each with a directory of its own as nodes have, on a real S3."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from distributed import Client, Future, KilledWorker
from kube import until
from object_server import Fault, ObjectServer, Rule

from riskpipe.clusters.local import local
from riskpipe.errors import StorageError
from riskpipe.execute.dask_executor import DaskExecutor
from riskpipe.store.growing_copy import PIECE_BYTES, pieces_sha256
from riskpipe.store.location import open_store

WORKERS = 4
CONTENT = os.urandom(PIECE_BYTES) * 2 + os.urandom(PIECE_BYTES // 3)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PIECES = pieces_sha256(io.BytesIO(CONTENT))

Copying = Callable[[str], Future]


@pytest.fixture(scope="module")
def nodes(s3: ObjectServer) -> Iterator[Client]:
    with local(WORKERS, memory_limit="600MiB") as client:
        yield client


@pytest.fixture
def copying(nodes: Client, s3: ObjectServer, bucket: str, tmp_path: Path) -> Iterator[Copying]:
    """copying(worker): the worker gets the file, as the only one of its node."""
    executor = DaskExecutor(nodes, {})
    nodes.wait_for_workers(WORKERS, timeout=60)
    root = s3.uri(f"{bucket}/out")
    open_store(root).write_bytes("market.arrow", CONTENT)
    s3.forget()

    def copied(root: str, directory: str) -> str:
        import os
        import tempfile

        from riskpipe.store.local_files import local_file
        from riskpipe.store.location import open_store

        os.makedirs(directory, exist_ok=True)
        tempfile.tempdir = directory
        return local_file(open_store(root), "market.arrow", SHA256, PIECES)

    def copying(worker: str) -> Future:
        return nodes.submit(copied, root, str(directory_of(tmp_path, worker)), workers=[worker], pure=False)

    yield copying
    executor.close()


def directory_of(tmp_path: Path, worker: str) -> Path:
    return tmp_path / worker.rpartition(":")[2]


def content_of(future: Future) -> bytes:
    return Path(future.result(60)).read_bytes()


def addresses(client: Client) -> list[str]:
    return sorted(client.nthreads())


def test_a_source_that_cannot_be_reached_is_left_soon(nodes, copying, s3) -> None:
    """As behind policies that keep workers apart: nobody answers. None of these workers has met another yet."""

    def soon():
        from riskpipe.execute import worker_neighbours

        worker_neighbours.CONNECT_SECONDS = 1.0
        return os.getpid()

    first, second, *_ = addresses(nodes)
    processes = nodes.run(soon)
    assert content_of(copying(first)) == CONTENT
    os.kill(processes[first], signal.SIGSTOP)
    try:
        s3.forget()
        assert content_of(copying(second)) == CONTENT
        assert s3.count("GET", "market.arrow") == len(PIECES)
    finally:
        os.kill(processes[first], signal.SIGCONT)
        nodes.restart_workers(addresses(nodes))


def test_a_file_leaves_the_store_once(nodes: Client, copying: Copying, s3: ObjectServer) -> None:
    assert [content_of(future) == CONTENT for future in map(copying, addresses(nodes))] == [True] * WORKERS
    assert s3.count("GET", "market.arrow") == len(PIECES)
    assert s3.bytes["GET"] < 1.1 * len(CONTENT)


def hold_last_piece(s3: ObjectServer, then: Fault = "act") -> tuple[threading.Event, threading.Event]:
    """The store has been asked for the last piece; and it may go on and give it, or fail."""
    asked, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        asked.set()
        go_on.wait(60)

    s3.rules.append(Rule(then, "GET", "market.arrow", times=1, after=len(PIECES) - 1, action=wait))
    return asked, go_on


def grows_to(directory: Path, size: int, future: Future) -> None:
    """Until what is being fetched there is so large."""
    while not any(file.stat().st_size >= size for file in directory.glob("*/.tmp-*")):
        assert not future.done()
        threading.Event().wait(0.01)


def two_at_the_last_piece(
    nodes: Client, copying: Copying, s3: ObjectServer, tmp_path: Path, then: Fault = "act"
) -> tuple[Future, Future, threading.Event]:
    """The first worker waits for the store's last piece, the second, which has what there is, for the first."""
    first, second, *_ = addresses(nodes)
    asked, go_on = hold_last_piece(s3, then)
    one = copying(first)
    assert asked.wait(60)
    other = copying(second)
    grows_to(directory_of(tmp_path, second), 2 * PIECE_BYTES, other)
    return one, other, go_on


def test_what_is_there_goes_on_before_the_rest_has_come(nodes, copying, s3, tmp_path) -> None:
    one, other, go_on = two_at_the_last_piece(nodes, copying, s3, tmp_path)
    go_on.set()
    assert content_of(one) == content_of(other) == CONTENT
    assert s3.count("GET", "market.arrow") == len(PIECES)


def test_the_store_has_what_a_source_that_dies_had_not(nodes, copying, s3, tmp_path) -> None:
    one, other, go_on = two_at_the_last_piece(nodes, copying, s3, tmp_path)
    first = addresses(nodes)[0]
    os.kill(nodes.run(os.getpid, workers=[first])[first], signal.SIGKILL)
    assert content_of(other) == CONTENT  # while the first one's request still hangs
    assert s3.count("GET", "market.arrow") == len(PIECES) + 1
    go_on.set()
    with pytest.raises(KilledWorker):
        one.result(60)


def test_a_source_whose_bytes_are_wrong_is_left(nodes, copying, s3) -> None:
    first, second, third, fourth = addresses(nodes)
    spoiled = Path(copying(first).result(60))
    with open(spoiled, "r+b") as file:
        file.seek(PIECE_BYTES + 5)
        file.write(b"spoiled")
    assert content_of(copying(second)) == CONTENT
    assert s3.count("GET", "market.arrow") == 2 * len(PIECES) - 1  # the first piece was sound
    s3.forget()
    assert content_of(copying(third)) == CONTENT  # the first one again, and then the second
    assert content_of(copying(fourth)) == CONTENT
    assert s3.count("GET", "market.arrow") == 0


def test_a_source_that_fails_lets_the_others_go(nodes, copying, s3, tmp_path) -> None:
    one, other, go_on = two_at_the_last_piece(nodes, copying, s3, tmp_path, then="forbid")
    go_on.set()
    with pytest.raises(StorageError):
        one.result(60)
    assert content_of(other) == CONTENT


def test_a_scheduler_keeps_nothing_of_an_executor_that_is_closed(nodes) -> None:
    def known(dask_scheduler=None):
        return {name for name in dask_scheduler.handlers if "-copy-" in name}

    executor = DaskExecutor(nodes, {})
    with_it = nodes.run_on_scheduler(known)
    executor.close()
    assert with_it
    until(lambda: not nodes.run_on_scheduler(known) & with_it or None, "the handlers are gone", 30.0)
