"""One run at a time on an output, where there is nothing but atomic puts, listings and deletions.

Every contender has files of its own, named by an id that it draws anew for every attempt, and writes to no other:

0. look: there is another `meta/lease/<id>.json`: give up when it is confirmed, else look again after a pause;
1. put `<id>.pending`, list: a smaller id is pending: withdraw, try again after a pause drawn at random;
2. put `<id>.json`, list: there is another: withdraw both, try again likewise; else put it again, confirmed;
3. renew it every quarter of its time to live, delete it at the end.

Whoever takes the lease lists after its own put and always gives way there, so of two that take it at once at least
one sees the other: never do both keep it. Step 1 only makes such collisions rare: of any number of contenders those
that see no smaller id go on, few at most, and since ids are drawn anew nobody stands in the way of the others for
long. Nobody gives up but for a file that is confirmed: so one always gets it.

No two clocks are ever compared. A holder measures its own renewals with a clock that nobody sets and that runs while
the machine sleeps. It has lost, even if nobody followed, when a quarter of the time to live is left since it began
the last put that was done: without conditional puts it could not know whether somebody came and went. A contender
takes a file for dead when its process is known to be gone (same machine, same boot), or when it has itself seen the
file unchanged for its time to live. Times of day in the files are for people, and a hint: a contender that will not
wait gives up at once where they say that the lease lives, and watches the file where they say that it has run out.
"""

from __future__ import annotations

import json
import random
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType

from msgspec import Struct
from msgspec.structs import replace

from riskpipe.errors import LeaseError, StorageError
from riskpipe.store.filesystem import MissingFileError, Store
from riskpipe.store.layout import LEASES
from riskpipe.store.process import ProcessIdentity
from riskpipe.structs import asdict

TIME_TO_LIVE = 60.0
_RENEWALS = 4
_FIRST_WAIT = 0.02
_LONGEST_WAIT = 1.0
_HELD, _PENDING = ".json", ".pending"
_CONTENT_BYTES = 1024


def elapsed_clock() -> float:
    """Seconds that nobody sets, those that the machine slept among them where it counts them."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class Claim(Struct, frozen=True):
    """The content of a lease file.

    :param run_id: empty until it is known which run it will be. :param renewals: no two contents are the same.
    :param confirmed: its owner looked after it had put it, and was alone.
    :param since, expires_at: seconds since 1970, UTC, by the holder's clock: for people.
    """

    id: str
    run_id: str
    since: float
    expires_at: float
    time_to_live: float
    renewals: int
    confirmed: bool
    process: ProcessIdentity

    def encode(self) -> bytes:
        # "state" is for processes of the first version, who give way to nothing else.
        text = json.dumps({"v": 2, "state": "held", **asdict(self)})
        # All contents of a file have one length: a reader that asked for the size before a renewal reads all of it.
        return text.ljust(_CONTENT_BYTES).encode()

    @staticmethod
    def decode(data: bytes) -> Claim:
        """:raises ValueError, KeyError, TypeError: not a lease."""
        values = json.loads(data)
        return Claim(
            str(values["id"]),
            str(values["run_id"]),
            float(values["since"]),
            float(values["expires_at"]),
            float(values.get("time_to_live", TIME_TO_LIVE)),
            int(values.get("renewals", 0)),
            bool(values.get("confirmed", True)),
            ProcessIdentity.from_json(values["process"]),
        )


class Lease:
    """The right to write to an output; a context manager.

    :param run_id: shown to whoever comes second; "" while it is not known.
    :param patience: seconds to wait for one that somebody else holds.
    :param clock: seconds, never set; :param wall: seconds since 1970; :param pause: sleeps that many seconds.
    """

    def __init__(
        self,
        store: Store,
        run_id: str,
        time_to_live: float = TIME_TO_LIVE,
        patience: float = 0.0,
        clock: Callable[[], float] = elapsed_clock,
        wall: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = store
        self._ttl = time_to_live
        self._patience = patience
        self._clock = clock
        self._wall = wall
        self._pause = pause
        self._claim = Claim("", run_id, 0.0, 0.0, time_to_live, 0, False, ProcessIdentity.current())
        self._last_moment = 0.0
        self._mine: set[str] = set()
        self._others = _Others(store, time_to_live, clock)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._heartbeat: threading.Thread | None = None
        self._lost: str | None = None

    # -- taking and giving back

    def acquire(self) -> None:
        """Takes the lease and renews it in the background.

        :raises LeaseError: another run holds it (which one, where, since when, until when at most), also after
            `patience`. :raises StorageError: the output does not serve.
        """
        began = self._clock()
        pause = _FIRST_WAIT
        while True:
            holder = self._others.holder()
            if holder is not None:
                waited = self._clock() - began
                out_of_patience = waited >= self._patience and not self._worth_watching(holder, waited)
                if out_of_patience and holder.confirmed:
                    raise LeaseError(self._describe(holder))
            elif self._try():
                break
            if self._clock() - began >= self._patience + 2 * self._ttl:
                raise LeaseError(f"too many runs want {self._store.root} at once: try again")
            self._pause(random.uniform(0.0, pause))
            pause = min(2 * pause, _LONGEST_WAIT, self._ttl / _RENEWALS)
        self._lost = None
        self._stop.clear()
        self._heartbeat = threading.Thread(target=self._beat, name="riskpipe-lease", daemon=True)
        self._heartbeat.start()

    def _worth_watching(self, holder: Claim, waited: float) -> bool:
        """Whether the holder seems to be dead, which only time will tell: no renewal seen, and late by its own word."""
        late = self._wall() >= holder.expires_at
        return late and not self._others.was_renewed(holder) and waited < 2 * holder.time_to_live

    def _try(self) -> bool:
        """Steps 1 and 2, with a new id."""
        self._claim = replace(self._claim, id=uuid.uuid4().hex, renewals=0, confirmed=False)
        try:
            self._write(_PENDING)
            if self._others.smaller_pending(self._claim.id):
                self._withdraw()
                return False
            self._put()
            if self._others.holder(besides=self._claim.id) is not None or self._clock() >= self._last_moment:
                self._withdraw()
                return False
            self._delete(_PENDING)
            self._others.sweep(self._claim.id)
            self._claim = replace(self._claim, confirmed=True)
            self.renew()
            if self._lost is not None:
                self._lost = None
                self._withdraw()
                return False
            return True
        except BaseException:
            self._withdraw()
            raise

    def _describe(self, holder: Claim) -> str:
        return (
            f"{_named(holder.run_id)} is writing to {self._store.root} "
            f"(host {holder.process.host}, pid {holder.process.pid}, since {_said(holder.since)}). "
            f"Wait for it (--wait SECONDS) or stop it; if it is dead, its lease ends by itself "
            f"at {_said(holder.expires_at)} by its own clock, or when --wait has seen no sign of life for "
            f"{holder.time_to_live:g} s"
        )

    def release(self) -> None:
        """Gives the lease back; harmless when it was lost or never taken."""
        self._stop.set()
        if self._heartbeat is not None:
            self._heartbeat.join()
            self._heartbeat = None
        self._withdraw()

    def __enter__(self) -> Lease:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.release()
        except StorageError:
            if error is None:
                raise

    # -- keeping

    def name(self, run_id: str) -> None:
        """Which run it is for, now that it is known; others see it with the next renewal, which is done at once.

        :raises LeaseError: it was lost.
        """
        with self._lock:
            self._claim = replace(self._claim, run_id=run_id)
        self.check(confirm=True)

    def check(self, confirm: bool = False) -> None:
        """Call before anything that only the holder may do: a flush of the ledger, a publication.

        :param confirm: renews at once rather than trust the last renewal; before a publication.
        :raises LeaseError: the lease was lost; what was not yet written must not be written.
        """
        if confirm or self._clock() >= self._last_moment - self._ttl / 4:
            self.renew()
        if self._lost is not None:
            raise LeaseError(self._lost)

    def renew(self) -> None:
        """Extends the lease, or notes that it was lost. The heartbeat does this by itself.

        :raises StorageError: the output does not serve; the lease lives on until its time has run out.
        """
        with self._lock:
            if self._lost is not None:
                return
            last_moment = self._last_moment
            if self._clock() >= last_moment:
                self._lose("it was not renewed in time")
            elif not self._store.exists(self._path(_HELD)):
                self._lose("its file was deleted")
            else:
                self._put()
                if self._clock() >= last_moment:
                    self._withdraw()
                    self._lose("it was not renewed in time")

    def _lose(self, why: str) -> None:
        self._lost = (
            f"{_named(self._claim.run_id)} lost its lease on {self._store.root}: {why}; "
            "another run may be writing there. Resume this one when that has ended"
        )

    def _beat(self) -> None:
        while not self._stop.wait(self._ttl / _RENEWALS):
            try:
                self.renew()
            except StorageError:
                # The next beat tries again; check() renews by itself, and raises, before the time is up.
                continue
            if self._lost is not None:
                return

    # -- files

    def _path(self, suffix: str) -> str:
        return f"{LEASES}/{self._claim.id}{suffix}"

    def _put(self) -> None:
        """Puts the held file, anew or again; its time runs from before the put, which others may see late."""
        began, now = self._clock(), self._wall()
        since = self._claim.since if self._claim.renewals else now
        self._claim = replace(self._claim, since=since, expires_at=now + self._ttl, renewals=self._claim.renewals + 1)
        self._write(_HELD)
        self._last_moment = began + 0.75 * self._ttl

    def _write(self, suffix: str) -> None:
        self._mine.add(suffix)
        self._store.write_bytes(self._path(suffix), self._claim.encode())

    def _delete(self, suffix: str) -> None:
        self._store.delete(self._path(suffix))
        self._mine.discard(suffix)

    def _withdraw(self) -> None:
        for suffix in sorted(self._mine):
            self._delete(suffix)


class _Sight(Struct):
    """A content of a file, since when it is known, and whether there was another before."""

    content: bytes
    since: float
    renewed: bool


class _Others:
    """What one contender knows of everybody else's files: how long it has seen each unchanged, by its own clock."""

    def __init__(self, store: Store, time_to_live: float, clock: Callable[[], float]) -> None:
        self._store = store
        self._ttl = time_to_live
        self._clock = clock
        self._seen: dict[str, _Sight] = {}

    def holder(self, besides: str = "") -> Claim | None:
        """Who holds the lease, apart from one id."""
        for path in self._listed(_HELD):
            if path != f"{LEASES}/{besides}{_HELD}":
                claim = self._living(path)
                if claim is not None:
                    return claim
        return None

    def was_renewed(self, holder: Claim) -> bool:
        sight = self._seen.get(f"{LEASES}/{holder.id}{_HELD}")
        return sight is not None and sight.renewed

    def smaller_pending(self, mine: str) -> bool:
        """Whether somebody lives who goes first."""
        paths = self._listed(_PENDING)
        return any(path < f"{LEASES}/{mine}{_PENDING}" and self._living(path) is not None for path in paths)

    def sweep(self, mine: str) -> None:
        """Deletes the files of the dead, as far as they were met."""
        for path in list(self._seen):
            if path != f"{LEASES}/{mine}{_HELD}" and self._living(path) is None:
                self._store.delete(path)

    def _listed(self, suffix: str) -> list[str]:
        found = [entry.path for entry in self._store.list_files(LEASES, recursive=False)]
        return [path for path in found if path.endswith(suffix)]

    def _living(self, path: str) -> Claim | None:
        """A claim that may have a process behind it."""
        asked = self._clock()
        try:
            content = self._store.read_bytes(path, changing=True)
            claim = Claim.decode(content)
        except MissingFileError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            where = self._store.full_path(path)
            raise StorageError(f"{where} is not a lease: delete it if no run is at work") from error
        before = self._seen.get(path)
        if before is None or before.content != content:
            # From after the read: it was there by then, and perhaps not before.
            self._seen[path] = before = _Sight(content, self._clock(), before is not None)
        # A pending claim is a matter of a few requests; one who is slower finds out in step 2.
        lives = claim.time_to_live if path.endswith(_HELD) else claim.time_to_live / _RENEWALS
        return None if asked - before.since >= lives or claim.process.is_known_gone() else claim


def holder(store: Store) -> str | None:
    """The run whose process holds an output, as far as one look can tell; None when nobody seems to."""
    now = time.time()
    for entry in store.list_files(LEASES, recursive=False):
        with suppress(MissingFileError, ValueError, KeyError, TypeError):
            claim = Claim.decode(store.read_bytes(entry.path, changing=True))
            in_time = now < claim.expires_at and not claim.process.is_known_gone()
            if entry.path.endswith(_HELD) and (in_time or claim.process.is_known_to_live()):
                return claim.run_id
    return None


def _named(run_id: str) -> str:
    return f"run {run_id}" if run_id else "a run that begins"


def _said(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S} UTC"
