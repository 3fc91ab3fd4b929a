"""A function over many items: in processes, and on workers that die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client

from riskpipe.clusters.client_map import client_map
from riskpipe.clusters.local import local
from riskpipe.clusters.process_map import process_map
from riskpipe.errors import ClusterError, InputError

ITEMS = list(range(12))

KILLED = """
import os, signal, sys
from pathlib import Path
from riskpipe.clusters.process_map import process_map

def pid(shared, item):
    return os.getpid()

if __name__ == "__main__":
    with process_map(2) as mapped:
        print(*set(mapped(pid, None, range(4))), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
"""


def add(shared: tuple[int, Path], item: int) -> int:
    return shared[0] + item


def die_once(shared: tuple[int, Path], item: int) -> int:
    """The process that gets item 5 first ends."""
    if item == 5 and not shared[1].exists():
        shared[1].touch()
        os._exit(1)
    return add(shared, item)


def die(shared: tuple[int, Path], item: int) -> int:
    if item == 5:
        os._exit(1)
    return add(shared, item)


def refuse(shared: tuple[int, Path], item: int) -> int:
    if item == 5:
        raise InputError("item 5 is not read")
    return add(shared, item)


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with local(2) as client:
        yield client


@pytest.mark.slow
def test_an_item_whose_worker_dies_is_done_by_another(client: Client, tmp_path: Path) -> None:
    shared = (100, tmp_path / "died")

    assert list(client_map(client)(die_once, shared, ITEMS)) == [100 + k for k in ITEMS]
    assert shared[1].exists()


@pytest.mark.slow
def test_an_item_that_kills_every_worker_is_told(client: Client, tmp_path: Path) -> None:
    found = client_map(client)(die, (0, tmp_path), ITEMS)

    assert [next(found) for _ in range(5)] == ITEMS[:5]
    with pytest.raises(ClusterError, match="workers of the cluster"):
        next(found)


@pytest.mark.slow
def test_what_a_worker_raises_is_raised_where_its_result_would_be(client: Client, tmp_path: Path) -> None:
    found = client_map(client)(refuse, (0, tmp_path), ITEMS)

    assert [next(found) for _ in range(5)] == ITEMS[:5]
    with pytest.raises(InputError, match="item 5"):
        next(found)


def test_processes_raise_and_die_in_the_order_of_the_items(tmp_path: Path) -> None:
    with process_map(2) as mapped:
        assert list(mapped(add, (1, tmp_path), ITEMS)) == [1 + k for k in ITEMS]
        found = mapped(refuse, (0, tmp_path), ITEMS)
        assert [next(found) for _ in range(5)] == ITEMS[:5]
        with pytest.raises(InputError, match="item 5"):
            next(found)
        with pytest.raises(ClusterError, match=r"cluster\.kind=serial"):
            list(mapped(die, (0, tmp_path), ITEMS))


def test_processes_end_when_the_driver_is_killed(tmp_path: Path) -> None:
    program = tmp_path / "killed.py"
    program.write_text(KILLED)
    # What it prints to ends when all that hold it have ended, and no sooner.
    done = subprocess.run([sys.executable, str(program)], stdout=subprocess.PIPE, text=True, timeout=60)

    assert done.returncode == -signal.SIGKILL
    assert done.stdout.split()
