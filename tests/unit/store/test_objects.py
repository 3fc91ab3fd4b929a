"""A service that throttles, cuts connections and loses answers: nothing half-written, and what to do is said."""

from __future__ import annotations

import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from object_server import ObjectServer

from riskpipe.errors import LeaseError, StorageError, UsageError
from riskpipe.store import objects
from riskpipe.store.filesystem import MissingFileError, Store
from riskpipe.store.layout import LEASES
from riskpipe.store.lease import Lease
from riskpipe.store.ledger import LedgerWriter, new_session_id, read_ledger
from riskpipe.store.location import open_store
from riskpipe.store.object_errors import is_permanent
from riskpipe.store.objects import ATTEMPTS, FIRST_DELAY_SECONDS, LAST_ATTEMPT_SECONDS, SMALL_BYTES, retried
from riskpipe.store.records import SessionEnded, SessionStarted
from riskpipe.store.run_folder import RunFolder

LARGE = os.urandom(1 << 20) * 12  # over the size at which Arrow uploads in parts
SDK_ATTEMPTS = 2  # AWS_MAX_ATTEMPTS of the fixture


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long they are: test_pauses_grow_and_end."""
    monkeypatch.setattr(objects, "FIRST_DELAY_SECONDS", FIRST_DELAY_SECONDS / 100.0)


@pytest.fixture
def store(s3: ObjectServer, bucket: str) -> Store:
    return open_store(s3.uri(f"{bucket}/out"))


@pytest.mark.parametrize("fault", ["slow down", "cut before", "swallow the answer"])
def test_a_put_is_repeated_until_it_is_done(s3: ObjectServer, store: Store, fault) -> None:
    s3.fail(fault, "PUT", "out/a", times=SDK_ATTEMPTS + 1)
    store.write_bytes("a", b"content")
    assert store.read_bytes("a") == b"content"
    assert s3.count("PUT", "out/a") == SDK_ATTEMPTS + 2


@pytest.mark.parametrize(
    "fault",
    [
        "slow down",
        "cut in the answer",
        pytest.param("cut before", marks=pytest.mark.slow),
        pytest.param("swallow the answer", marks=pytest.mark.slow),
    ],
)
def test_reading_and_listing_are_repeated(s3: ObjectServer, store: Store, fault) -> None:
    store.write_bytes("a", b"content" * 1000)
    s3.fail(fault, "GET", "out/a", times=SDK_ATTEMPTS)
    assert store.read_bytes("a") == b"content" * 1000
    s3.fail(fault, "GET", "out/a", times=SDK_ATTEMPTS)
    assert store.open_input_file("a").read() == b"content" * 1000
    s3.fail(fault, "GET", "list-type", times=SDK_ATTEMPTS)
    assert [entry.path for entry in store.list_files()] == ["a"]


@pytest.mark.parametrize("fault", ["cut before", pytest.param("slow down", marks=pytest.mark.slow)])
def test_deleting_is_repeated(s3: ObjectServer, store: Store, fault) -> None:
    store.write_bytes("d/a", b"1")
    store.write_bytes("d/b", b"1")
    s3.fail(fault, "DELETE", "out/d/a", times=SDK_ATTEMPTS)
    store.delete("d/a")
    s3.fail(fault, "POST", "delete", times=SDK_ATTEMPTS)
    store.delete_tree("d")
    assert store.list_files() == []


def test_a_deletion_whose_answer_was_lost(s3: ObjectServer, store: Store) -> None:
    store.write_bytes("d/a", b"1")
    s3.fail("swallow the answer", "DELETE", "out/d/a", times=SDK_ATTEMPTS)
    store.delete("d/a")
    assert not store.exists("d/a")


def test_a_put_that_fails_leaves_what_was_there(s3: ObjectServer, store: Store) -> None:
    store.write_bytes("a", b"old")
    s3.fail("cut before", "PUT", "out/a")
    with pytest.raises(StorageError, match=r"cannot write .*out/a: the object store was not reached.*check endpoint"):
        store.write_bytes("a", b"new" * 1000)
    assert s3.count("PUT", "out/a") == 1 + SDK_ATTEMPTS * ATTEMPTS
    s3.forget()
    assert store.read_bytes("a") == b"old"


def test_a_large_put_that_fails_in_a_part_is_not_seen(s3: ObjectServer, store: Store) -> None:
    s3.fail("slow down", "PUT", "partNumber=2")
    with (
        pytest.raises(StorageError, match="asked for fewer requests, also after pauses"),
        store.atomic_sink("large") as sink,
    ):
        sink.write(LARGE)
    assert s3.count("PUT", "partNumber=1") >= 1
    assert store.list_files() == []


def test_a_large_put_that_was_completed_without_an_answer(s3: ObjectServer, store: Store) -> None:
    """The SDK asks again, is told that there is no such upload, and gives up; the put is then done anew."""
    s3.fail("swallow the answer", "POST", "uploadId", times=1)
    store.write_bytes("large", LARGE)
    assert store.read_bytes("large") == LARGE
    assert s3.count("POST", "uploadId") >= 2


def test_a_segment_of_the_ledger_has_one_content_for_ever(s3: ObjectServer, store: Store) -> None:
    """Its put is done and the answer lost: later records get a segment of their own, in whatever order puts arrive."""
    folder = RunFolder(store, "20261120-193055-3f9a1c")
    session = new_session_id(folder, datetime.now(UTC))
    first, second = SessionStarted(session, 0.0, "host", 1, "1.0"), SessionEnded(session, "complete", 0, 1.0)
    writer = LedgerWriter(folder, session, 0.0)
    writer.append(first)
    s3.fail("swallow the answer", "PUT", "ledger")
    with pytest.raises(StorageError, match="was not reached"):
        writer.flush()
    segment = store.list_files(folder.ledger)[0].path
    content = store.read_bytes(segment)
    s3.forget()
    writer.append(second)
    writer.flush()
    assert store.read_bytes(segment) == content
    assert list(read_ledger(folder)) == [first, second]


def test_a_lease_whose_put_lost_its_answer_is_given_back(s3: ObjectServer, store: Store) -> None:
    s3.fail("swallow the answer", "PUT", "lease")
    with pytest.raises(StorageError, match="was not reached"):
        Lease(store, "first").acquire()
    s3.forget()
    assert store.list_files(LEASES) == []
    with Lease(store, "second") as lease:
        lease.check(confirm=True)
        with pytest.raises(LeaseError, match="run second is writing to s3://"):
            Lease(store, "third").acquire()


def test_one_of_many_contenders_holds_the_lease(store: Store) -> None:
    ready = threading.Barrier(20)

    def contend(number: int) -> Lease | str:
        lease = Lease(store, f"run-{number}")
        ready.wait()
        try:
            lease.acquire()
        except LeaseError as error:
            return str(error)
        return lease

    with ThreadPoolExecutor(20) as pool:
        ended = list(pool.map(contend, range(20)))
    ((winner, held),) = [(number, lease) for number, lease in enumerate(ended) if isinstance(lease, Lease)]
    assert all(text.startswith(f"run run-{winner} is writing to") for text in ended if isinstance(text, str))
    held.release()
    assert store.list_files(LEASES) == []


@pytest.mark.slow
def test_contenders_that_wait_come_one_after_the_other(store: Store) -> None:
    inside: list[int] = []

    def contend(number: int) -> list[int]:
        with Lease(store, f"run-{number}", patience=600.0) as lease:
            inside.append(number)
            lease.check(confirm=True)
            seen = list(inside)
            inside.remove(number)
        return seen

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(contend, range(8))) == [[number] for number in range(8)]
    assert store.list_files(LEASES) == []


def test_what_would_be_refused_again_is_not_asked_again(s3: ObjectServer, store: Store) -> None:
    s3.fail("forbid", "PUT")
    with pytest.raises(StorageError, match="this identity may not do that: check its role or policy"):
        store.write_bytes("a", b"1")
    assert s3.count("PUT") == 1


def test_a_bucket_that_is_not_there(s3: ObjectServer, bucket: str) -> None:
    with pytest.raises(StorageError, match="no such bucket or container: create it, or correct the URI"):
        open_store(s3.uri("not-there-at-all/out")).probe_writable()


def test_a_missing_object_is_asked_for_once(s3: ObjectServer, store: Store) -> None:
    with pytest.raises(MissingFileError):
        store.read_bytes("none")
    assert s3.count("HEAD", "out/none") == 1


def test_requests_of_small_objects(s3: ObjectServer, store: Store) -> None:
    store.write_bytes("a", b"1" * 1000)
    assert [method for method, path in s3.requests if "out/a" in path] == ["PUT"]
    s3.forget()
    file = store.open_input_file("a")
    for start in (900, 0, 500):
        file.seek(start)
        file.read(10)
    assert [method for method, _ in s3.requests] == ["HEAD", "GET"]


@pytest.mark.parametrize("successor", [b"new", b"a longer one"])
def test_an_object_that_is_replaced_while_it_is_read(s3: ObjectServer, store: Store, successor: bytes) -> None:
    store.write_bytes("a", b"before")
    s3.before("GET", "out/a", lambda: store.write_bytes("a", successor))
    assert store.read_bytes("a", changing=True) == successor


def test_ranges_of_large_objects(s3: ObjectServer, store: Store) -> None:
    store.write_bytes("large", LARGE)
    s3.forget()
    with store.open_input_file("large") as file:
        file.seek(SMALL_BYTES)
        assert file.read(1000) == LARGE[SMALL_BYTES : SMALL_BYTES + 1000]
    assert s3.bytes["GET"] < 2000


@pytest.mark.parametrize(
    "uri",
    [
        "s3://AKIA:very-secret@bucket/x",
        "s3://AKIA@bucket/x",
        "abfs://container:very-secret@account.dfs.core.windows.net/x",
        "abfs://account.dfs.core.windows.net/container/x?client_secret=very-secret",
        "abfs://account.dfs.core.windows.net/container/x?sig=very-secret",
    ],
)
def test_credentials_in_a_uri_are_refused_and_not_shown(uri: str) -> None:
    with pytest.raises(UsageError, match="credentials do not belong in a URI") as refused:
        open_store(uri)
    assert "very-secret" not in str(refused.value)
    assert "AKIA" not in str(refused.value)


def test_parameters_that_s3_does_not_have() -> None:
    with pytest.raises(StorageError, match=r"cannot open s3://b/x\?regoin=y: regoin is not a parameter.*region"):
        open_store("s3://b/x?regoin=y")
    with pytest.raises(StorageError, match="allow_bucket_creation is true or false, got 'perhaps'"):
        open_store("s3://b/x?region=x&allow_bucket_creation=perhaps")


def test_an_account_key_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_KEY", "very/secret==")
    with pytest.raises(StorageError, match="cannot open abfs://") as refused:
        open_store("abfs://container@account.dfs.core.windows.net/x?no_such=parameter")
    assert not re.search("very.{0,3}secret", str(refused.value))


def test_pauses_grow_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "FIRST_DELAY_SECONDS", FIRST_DELAY_SECONDS)
    pauses: list[float] = []

    def fail() -> None:
        raise OSError("AWS Error SLOW_DOWN during PutObject operation")

    with pytest.raises(OSError, match="SLOW_DOWN"):
        retried(fail, wait=pauses.append, clock=lambda: 0.0)
    assert len(pauses) == ATTEMPTS - 1
    assert 0.25 <= pauses[0] <= 0.5 <= pauses[1] <= 1.0
    pauses.clear()
    times = iter([0.0, LAST_ATTEMPT_SECONDS + 1])
    with pytest.raises(OSError, match="SLOW_DOWN"):
        retried(fail, wait=pauses.append, clock=lambda: next(times))
    assert pauses == []


@pytest.mark.parametrize(
    ("said", "permanent"),
    [
        ("AWS Error ACCESS_DENIED during HeadObject operation", True),
        ("AWS Error NO_SUCH_BUCKET during PutObject operation", True),
        ("google::cloud::Status(PERMISSION_DENIED: no)", True),
        ("AWS Error UNKNOWN (HTTP status 503) during HeadObject operation", False),
        ("AWS Error NETWORK_CONNECTION during GetObject operation: curlCode: 18", False),
        ("AWS Error NO_SUCH_UPLOAD during CompleteMultipartUpload operation", False),
    ],
)
def test_what_is_worth_another_attempt(said: str, permanent: bool) -> None:
    assert is_permanent(OSError(said)) is permanent
