"""One run at a time: real processes, killed ones and late ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import asdict

from riskpipe.errors import LeaseError, StorageError
from riskpipe.store.filesystem import Store
from riskpipe.store.lease import Lease, holder
from riskpipe.store.local_store import LocalStore
from riskpipe.store.location import open_store
from riskpipe.store.process import ProcessIdentity

CONTENDER = """
    import sys
    from riskpipe.errors import LeaseError
    from riskpipe.store.lease import Lease, holder
    from riskpipe.store.location import open_store

    print("ready", flush=True)
    for _ in sys.stdin:
        lease = Lease(open_store(sys.argv[1]), sys.argv[2])
        try:
            lease.acquire()
        except LeaseError as error:
            print(error, flush=True)
        else:
            lease.check()
            print("won", flush=True)
        sys.stdin.readline()
        lease.release()
        print("ready", flush=True)
"""


class Contender:
    """Another process that takes the lease when told to."""

    def __init__(self, root: str, name: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(CONTENDER), root, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def __enter__(self) -> Contender:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


class Clock:
    """Seconds that pass when somebody waits; the machine's time of day is another thing, and may jump."""

    def __init__(self) -> None:
        self.now = 500.0
        self.day = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.day + self.now - 500.0

    def wait(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path))


@pytest.fixture
def clock() -> Clock:
    return Clock()


def lease(store: Store, name: str, clock: Clock, patience: float = 0.0) -> Lease:
    return Lease(store, name, patience=patience, clock=clock, wall=clock.wall, pause=clock.wait)


def from_elsewhere(store: Store, **changes: Any) -> dict[str, Any]:
    """The only claim there is, as if a process of another machine had put it."""
    (path,) = files(store)
    claim: dict[str, Any] = json.loads(store.read_bytes(path)) | changes
    claim["process"].update(host="elsewhere", boot_id="other", pid=1)
    store.write_bytes(path, json.dumps(claim).encode())
    return claim


def files(store: Store) -> list[str]:
    return [entry.path for entry in store.list_files("meta/lease")]


def test_exactly_one_of_eight_processes_wins(store: Store) -> None:
    with ExitStack() as stack:
        contenders = [stack.enter_context(Contender(store.root, f"run{i}")) for i in range(8)]
        for _ in range(4):
            assert [contender.answer() for contender in contenders] == ["ready"] * 8
            for contender in contenders:
                contender.tell()
            answers = [contender.answer() for contender in contenders]
            assert answers.count("won") == 1
            winner = contenders[answers.index("won")]
            refused = [answer for answer in answers if answer != "won"]
            assert all(f"run run{answers.index('won')} is writing to" in answer for answer in refused)
            assert all(f"pid {winner.process.pid}," in answer for answer in refused)
            assert len(files(store)) == 1
            for contender in contenders:
                contender.tell()
        assert [contender.answer() for contender in contenders] == ["ready"] * 8
        assert files(store) == []


@pytest.mark.parametrize("reaped", [True, False])
def test_a_killed_holder_on_this_machine_counts_for_nothing_at_once(store: Store, reaped: bool) -> None:
    with Contender(store.root, "killed") as other:
        assert other.answer() == "ready"
        other.tell()
        assert other.answer() == "won"
        with pytest.raises(LeaseError, match="run killed is writing"):
            Lease(store, "mine").acquire()
        os.kill(other.process.pid, signal.SIGKILL)
        os.waitid(os.P_PID, other.process.pid, os.WEXITED | (0 if reaped else os.WNOWAIT))
        with Lease(store, "mine") as mine:
            mine.check(confirm=True)
            assert len(files(store)) == 1


def test_a_lease_that_ran_out_is_taken_though_its_process_lives(store: Store) -> None:
    with Contender(store.root, "stopped") as other:
        assert other.answer() == "ready"
        other.tell()
        assert other.answer() == "won"
        os.kill(other.process.pid, signal.SIGSTOP)
        clock = Clock()
        clock.day = time.time() + 61
        with lease(store, "later", clock) as later:
            later.check(confirm=True)
            assert len(files(store)) == 1
        assert clock.now >= 560


def test_the_message_says_who_and_until_when(store: Store, clock: Clock) -> None:
    me = ProcessIdentity.current()
    with lease(store, "20261120-193055-3f9a1c", clock):
        clock.now += 10
        with pytest.raises(LeaseError) as caught:
            lease(store, "second", clock).acquire()
    message = str(caught.value)
    assert f"run 20261120-193055-3f9a1c is writing to {store.root}" in message
    assert f"host {me.host}, pid {me.pid}, since 2027-01-15 08:00:00 UTC" in message
    assert "ends by itself at 2027-01-15 08:01:00 UTC by its own clock, or when --wait has seen no sign" in message
    assert LeaseError.exit_code == 75
    assert files(store) == []


def test_a_lease_of_another_machine_runs_out(store: Store, clock: Clock) -> None:
    first = lease(store, "first", clock)
    first.acquire()
    from_elsewhere(store)
    clock.now += 59.5
    with pytest.raises(LeaseError, match="host elsewhere"):
        lease(store, "second", clock).acquire()
    clock.now += 0.5
    began = clock.now
    with lease(store, "second", clock) as second:
        assert clock.now >= began + 60, "taken without having been watched for its time to live"
        second.check(confirm=True)
        with pytest.raises(LeaseError, match="run first lost its lease"):
            first.check()
        second.check(confirm=True)
    first.release()
    assert files(store) == []


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_jump_of_the_clock_does_not_cost_the_lease(store: Store, clock: Clock, hours: int) -> None:
    with lease(store, "first", clock) as first:
        clock.day += 3600 * hours
        first.check()
        clock.now += 14
        first.check(confirm=True)
        clock.now += 14
        first.check()


def test_a_holder_whose_clock_is_behind_is_seen_to_live(store: Store, clock: Clock) -> None:
    with lease(store, "first", clock) as first:
        renewal = iter(range(10))

        def wait(seconds: float) -> None:
            clock.wait(seconds)
            if clock.now >= 515:
                from_elsewhere(store, expires_at=clock.wall() - 3600, renewals=100 + next(renewal))

        from_elsewhere(store, expires_at=clock.wall() - 3600)
        late = Lease(store, "second", clock=clock, wall=clock.wall, pause=wait)
        with pytest.raises(LeaseError, match="run first is writing"):
            late.acquire()
        assert 515 <= clock.now < 520, "it is watched until it is renewed, and no longer"
        first.check()


def test_a_dead_holder_whose_clock_was_ahead_is_followed_by_who_waits(store: Store, clock: Clock) -> None:
    lease(store, "first", clock).acquire()
    from_elsewhere(store, expires_at=clock.wall() + 36_000)
    with pytest.raises(LeaseError, match="host elsewhere"):
        lease(store, "second", clock).acquire()
    assert clock.now == 500
    with lease(store, "third", clock, patience=90) as third:
        third.check(confirm=True)
        assert 560 <= clock.now < 570


def test_who_waits_comes_next_or_gives_up_after_its_time(store: Store, clock: Clock) -> None:
    first = lease(store, "first", clock)
    first.acquire()
    with pytest.raises(LeaseError, match="run first is writing"):
        lease(store, "second", clock, patience=10).acquire()
    assert 510 <= clock.now < 512

    def wait(seconds: float) -> None:
        clock.wait(seconds)
        if clock.now > 520:
            first.release()

    Lease(store, "third", patience=30, clock=clock, wall=clock.wall, pause=wait).acquire()
    assert 520 <= clock.now < 525


def test_what_a_killed_contender_left_stands_in_nobodys_way(store: Store, clock: Clock) -> None:
    claim = {"id": "0" * 32, "run_id": "dead", "since": 0.0, "expires_at": clock.wall() + 3600, "time_to_live": 60.0}
    process = asdict(ProcessIdentity.current()) | {"host": "elsewhere", "boot_id": "other"}
    store.write_bytes(
        f"meta/lease/{'0' * 32}.pending", json.dumps({**claim, "renewals": 0, "process": process}).encode()
    )
    with lease(store, "first", clock):
        assert 515 <= clock.now < 520
        assert len(files(store)) == 1


def test_a_run_is_named_when_it_is_known(store: Store, clock: Clock) -> None:
    with lease(store, "", clock) as first:
        with pytest.raises(LeaseError, match="a run that begins is writing"):
            lease(store, "second", clock).acquire()
        first.name("20261120-193055-3f9a1c-7")
        with pytest.raises(LeaseError, match="run 20261120-193055-3f9a1c-7 is writing"):
            lease(store, "second", clock).acquire()
        assert holder(store) == "20261120-193055-3f9a1c-7"
    assert holder(store) is None


def test_a_lease_of_the_first_version_is_understood(store: Store, clock: Clock) -> None:
    process = asdict(ProcessIdentity.current()) | {"host": "elsewhere", "boot_id": "other"}
    old = {"v": 1, "id": "a", "run_id": "old", "state": "held", "since": 1.0, "expires_at": clock.wall() + 30}
    store.write_bytes("meta/lease/a.json", json.dumps({**old, "process": process}).encode())
    with pytest.raises(LeaseError, match="run old is writing"):
        lease(store, "first", clock).acquire()
    clock.now += 31
    with lease(store, "first", clock):
        assert clock.now >= 591


def test_a_process_of_another_container_is_not_thought_dead(store: Store, clock: Clock) -> None:
    first = lease(store, "first", clock)
    first.acquire()
    (path,) = files(store)
    claim = json.loads(store.read_bytes(path))
    claim["process"].update(pid_namespace="pid:[1]", pid=2**22, started=1)
    store.write_bytes(path, json.dumps(claim).encode())
    with pytest.raises(LeaseError, match="run first is writing"):
        lease(store, "second", clock).acquire()
    claim["process"].update(pid_namespace=ProcessIdentity.current().pid_namespace)
    store.write_bytes(path, json.dumps(claim).encode())
    lease(store, "second", clock).acquire()
    first.release()


def test_a_holder_that_is_late_has_lost_even_if_nobody_followed(store: Store, clock: Clock) -> None:
    with lease(store, "late", clock) as late:
        clock.now += 44.9
        late.check()
        clock.now += 45
        with pytest.raises(LeaseError, match=r"not renewed in time.*Resume this one"):
            late.check()
    assert files(store) == []


def test_a_put_that_lands_late_is_taken_back(tmp_path: Path, clock: Clock) -> None:
    class Slow(LocalStore):
        seconds = 0.0

        def write_bytes(self, path: str, data: bytes) -> None:
            super().write_bytes(path, data)
            clock.now += self.seconds

    store = Slow(str(tmp_path))
    with lease(store, "slow", clock) as slow:
        store.seconds = 50.0
        with pytest.raises(LeaseError, match="not renewed in time"):
            slow.check(confirm=True)
        assert files(store) == []
    with pytest.raises(LeaseError, match="too many runs"):
        lease(store, "slow", clock).acquire()
    assert files(store) == []


def test_renewing_pushes_the_end_back_and_keeps_the_beginning(store: Store, clock: Clock) -> None:
    with lease(store, "first", clock) as first:
        for _ in range(10):
            clock.now += 15
            first.renew()
        with pytest.raises(LeaseError, match=r"since 2027-01-15 08:00:00 UTC.*at 2027-01-15 08:03:30 UTC"):
            lease(store, "second", clock).acquire()


def test_a_deleted_file_is_a_lost_lease(store: Store, clock: Clock) -> None:
    with lease(store, "first", clock) as first:
        store.delete_tree("meta/lease")
        first.check()
        with pytest.raises(LeaseError, match="its file was deleted"):
            first.check(confirm=True)
        with pytest.raises(LeaseError, match="its file was deleted"):
            first.check()


def test_released_even_after_an_error(store: Store, clock: Clock) -> None:
    with pytest.raises(ZeroDivisionError), lease(store, "first", clock):
        _ = 1 / 0
    assert files(store) == []
    with lease(store, "second", clock):
        pass


def test_what_is_not_a_lease_is_named(store: Store, clock: Clock) -> None:
    store.write_bytes("meta/lease/x.json", b"{}")
    with pytest.raises(StorageError, match=r"x\.json is not a lease"):
        lease(store, "first", clock).acquire()
    assert files(store) == ["meta/lease/x.json"]


def test_the_heartbeat_renews_by_itself(tmp_path: Path) -> None:
    renewed = threading.Semaphore(0)

    class Watched(LocalStore):
        def write_bytes(self, path: str, data: bytes) -> None:
            super().write_bytes(path, data)
            renewed.release()

    with Lease(Watched(str(tmp_path)), "first", time_to_live=0.4) as held:
        for _ in range(6):
            assert renewed.acquire(timeout=20)
        held.check()
    assert files(open_store(str(tmp_path))) == []
