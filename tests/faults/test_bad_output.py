"""Outputs that cannot be written: exit code 6, a message with the path and what to do, and nothing half-written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from published import assert_same_bits
from selections import one_in
from spoiled import Answer, Book, run_directory

from riskpipe.store.ledger import LedgerWriter, new_session_id, read_ledger
from riskpipe.store.location import open_store
from riskpipe.store.records import BlockDone, BlockFailed
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.run_ids import list_runs

FULL = "the disk that holds it is full: free space there, or choose another directory"
ONCE = ("--set", "retry.storage=0")
Mount = Callable[..., Path]


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """mount("size=1m") -> a file system of its own in memory; mount("remount,...") changes it."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = False

    def act(options: str) -> Path:
        nonlocal mounted
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"no mounting here: {done.stderr.strip()}")
        mounted = True
        return place

    yield act
    if mounted:  # lazily: this process has files of it mapped
        subprocess.run(["umount", "-l", str(place)], check=True)


def refused(answer: Answer, path: Path, why: str) -> None:
    assert answer.code == 6, answer.stderr
    assert answer.stdout == ""
    (line,) = answer.errors
    assert line.startswith(f"cannot write {path}/"), line
    assert line.endswith(f": {why}"), line


def test_a_file_in_the_place_of_the_output(sound: Book) -> None:
    sound.output.write_text("mine")
    refused(sound.riskpipe("run"), sound.output, "a part of that path is a file, not a directory")
    checked = sound.check()
    assert checked.code == 6
    (fault,) = checked.faults
    assert (fault["level"], fault["table"], fault["rule"]) == ("error", "output", "not writable")
    assert fault["file"] == f"{sound.output}/meta/checks.parquet"
    assert "a part of that path is a file" in fault["message"]
    assert checked.json["path"] is None
    assert sound.riskpipe("plan").code == 0
    assert sound.output.read_text() == "mine"


def test_check_tells_of_an_output_with_the_faults_of_inputs(spoilt: Book) -> None:
    spoilt.output.write_text("mine")
    spoilt.input("history").unlink()
    answer = spoilt.check()
    assert answer.code == 3
    assert {(fault["table"], fault["rule"]) for fault in answer.faults} == {
        ("history", "no such file"),
        ("output", "not writable"),
    }


def test_a_read_only_output(sound: Book, mount: Mount) -> None:
    book = Book(sound.directory, mount("size=1m,ro"))
    refused(book.riskpipe("run"), book.output, "the file system is read-only: choose another directory")
    assert book.check().code == 6
    assert book.riskpipe("plan").code == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not bind root")
def test_an_output_of_somebody_else(sound: Book) -> None:
    sound.output.mkdir()
    sound.output.chmod(0o500)
    why = "this user may not do that: check the permissions of the file and of its directory"
    refused(sound.riskpipe("run"), sound.output, why)


def test_a_disk_that_is_full_from_the_start(sound: Book, mount: Mount) -> None:
    book = Book(sound.directory, mount("size=64k"))
    (book.output / "filler").write_bytes(bytes(64 * 1024))
    refused(book.riskpipe("run"), book.output, FULL)
    assert book.nothing_was_done()
    assert book.check().code == 6


def used(directory: Path) -> int:
    """Bytes of the disk below a directory, in whole pages, as tmpfs counts them."""
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in directory.rglob("*") if path.is_file())


@pytest.mark.parametrize("share", one_in(4, [0.05, 0.6, 0.75, 0.8, 0.85, 0.9, 0.95]))
def test_a_disk_that_fills_up(sound: Book, clean: Path, mount: Mount, share: float) -> None:
    """Wherever it stops: what there is is whole, and the run goes on once there is space."""
    room = int(used(clean) * share)
    book = Book(sound.directory, mount(f"size={room // 1024}k"))
    answer = book.riskpipe("run", "--json", *ONCE)
    assert answer.code == 6, answer.stderr
    assert answer.json["exit_code"] == 6
    message = answer.json["error"]["message"]
    assert f"cannot write {book.output}/runs/" in message
    assert FULL in message
    assert_whole(book)
    done = blocks_done(book)
    mount("remount,size=64m")
    answer = book.riskpipe("run", "--json", *ONCE)
    assert answer.code == 0, answer.stderr
    assert answer.json["blocks"]["reused"] == done
    assert answer.json["published"] is True
    assert_same_bits(clean, book.output)
    assert_whole(book)


def test_what_was_given_up_for_want_of_storage_is_tried_again(sound: Book, clean: Path) -> None:
    assert sound.riskpipe("run", "--publish", "never").code == 0
    store = open_store(str(sound.output))
    folder = RunFolder(store, list_runs(store)[-1])
    lost = next(record for record in read_ledger(folder) if isinstance(record, BlockDone))
    for written in lost.outputs.values():
        store.delete(written.path)
    writer = LedgerWriter(folder, new_session_id(folder, datetime.now(UTC)), 0.0)
    message = f"cannot write {sound.output}: {FULL}"
    writer.append(BlockFailed(lost.block_id, None, 6, "STORAGE", message, "serial", True, True))
    writer.flush()
    answer = sound.riskpipe("run", "--json", "--resume", "latest")
    assert answer.code == 0, answer.stderr
    assert (answer.json["blocks"]["ok"], answer.json["blocks"]["reused"]) == (1, 6)
    assert_same_bits(clean, sound.output)


def assert_whole(book: Book) -> None:
    """No temporary file, every ledger can be read, nothing is published in part, and commands say so."""
    assert not list(book.output.rglob(".tmp-*"))
    listed = book.riskpipe("runs", "list", "--json")
    assert listed.code == 0, listed.stderr
    current = book.output / "meta" / "CURRENT.json"
    if not current.exists():
        assert not [path for path in (book.output / "published").rglob("*") if path.is_file()]
    for path in book.output.rglob("*.json"):
        json.loads(path.read_text())
    blocks_done(book)


def blocks_done(book: Book) -> int:
    """Of the newest run, by its ledger; each with the output that it names."""
    store = open_store(str(book.output))
    runs = list_runs(store)
    folder = RunFolder(store, runs[-1])
    if not folder.planned():
        return 0
    done = [record for record in read_ledger(folder) if isinstance(record, BlockDone)]
    for record in done:
        for written in record.outputs.values():
            assert store.size(written.path) == written.bytes
    return len(done)


@pytest.mark.slow
def test_a_file_that_may_not_grow(sound: Book) -> None:
    """`ulimit -f`, in a process of its own."""
    limited = "import resource, runpy; resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)); "
    program = limited + "runpy.run_module('riskpipe', run_name='__main__')"
    words = sound.command("run", *ONCE)
    result = subprocess.run(
        [sys.executable, "-c", program, *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 6, result.stderr
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert line.startswith(f"error: cannot write {sound.output}/runs/")
    assert line.endswith("the file may not grow that large here: check `ulimit -f` and the file system's limit")
    assert_whole(sound)
    answer = sound.riskpipe("run")
    assert answer.code == 0, answer.stderr


@pytest.fixture(scope="module")
def finished(small_book: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output with one run in it. Read only."""
    output = tmp_path_factory.mktemp("finished") / "output"
    assert Book(small_book, output).riskpipe("run").code == 0
    return output


@pytest.mark.parametrize("name", one_in(4, ["blocks.parquet", "plan.parquet", "summary.json", "run.json", "ledger"]))
def test_a_damaged_old_run_stands_in_nobody_s_way(sound: Book, finished: Path, name: str) -> None:
    shutil.copytree(finished, sound.output)
    damaged = run_directory(sound.output) / name
    damaged = next(damaged.iterdir()) if damaged.is_dir() else damaged
    damaged.write_bytes(damaged.read_bytes()[: damaged.stat().st_size // 2])
    assert sound.riskpipe("plan").code == 0
    listed = sound.riskpipe("runs", "list", "--json")
    assert listed.code == 0, listed.stderr
    (status,) = listed.json["runs"]
    assert (status["state"] == "damaged") == (name in ("summary.json", "run.json", "ledger"))
    if status["state"] == "damaged":
        assert str(damaged) in status["messages"][0]
        shown = sound.riskpipe("runs", "show")
        assert shown.code == 6
        assert str(damaged) in shown.errors[0]
    answer = sound.riskpipe("run")
    assert answer.code == 0, answer.stderr
    assert len(list((sound.output / "runs").iterdir())) == 2
