"""One run at a time on an output, where there is nothing but atomic puts, listings and deletions.

Every contender has a file of its own, `meta/lease/<uuid>.json`, and writes to no other:

1. put mine as *pending*, list: somebody holds: give up; a smaller uuid is pending: withdraw and try again;
2. put mine as *held*, list again: somebody else holds: withdraw and try again;
3. renew it every quarter of its time to live, delete it at the end.

Whoever takes the lease lists after its own put and always gives way there, so of two that take it at once at
least one sees the other: never do both keep it. Step 1 only makes such collisions rare. A holder that does
not renew in time (stopped, asleep, cut off) has lost, even if nobody followed: without conditional puts it
could not know whether somebody came and went. A file whose time has run out, or whose process is known to be
gone (same machine, same boot), counts for nothing. "In time" is a quarter of the time to live before the end,
which is how far the clocks of different machines may differ.
"""

from __future__ import annotations

import json
import random
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal

from riskpipe.errors import LeaseError, StorageError
from riskpipe.store.filesystem import MissingFileError, Store
from riskpipe.store.layout import LEASES
from riskpipe.store.process import ProcessIdentity

TIME_TO_LIVE = 60.0
_RENEWALS = 4
_FIRST_WAIT = 0.02
_LONGEST_WAIT = 1.0


@dataclass(frozen=True)
class Claim:
    """The content of a lease file. Times are seconds since 1970, UTC."""

    id: str
    run_id: str
    state: Literal["pending", "held"]
    since: float
    expires_at: float
    process: ProcessIdentity

    def encode(self) -> bytes:
        return json.dumps({"v": 1, **asdict(self)}).encode()

    @staticmethod
    def decode(data: bytes) -> Claim:
        """:raises ValueError, KeyError, TypeError: not a lease."""
        values = json.loads(data)
        state: Literal["pending", "held"] = "held" if values["state"] == "held" else "pending"
        process = ProcessIdentity.from_json(values["process"])
        return Claim(
            values["id"],
            values["run_id"],
            state,
            float(values["since"]),
            float(values["expires_at"]),
            process,
        )

    def is_stale(self, now: float) -> bool:
        return now >= self.expires_at or self.process.is_known_gone()


class Lease:
    """The right to write to an output; a context manager.

    :param run_id: shown to whoever comes second.
    :param clock: seconds since 1970; :param wait: sleeps that many seconds. For tests.
    """

    def __init__(
        self,
        store: Store,
        run_id: str,
        time_to_live: float = TIME_TO_LIVE,
        clock: Callable[[], float] = time.time,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = store
        self._ttl = time_to_live
        self._clock = clock
        self._wait = wait
        self._claim = Claim(uuid.uuid4().hex, run_id, "pending", 0.0, 0.0, ProcessIdentity.current())
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._heartbeat: threading.Thread | None = None
        self._lost: str | None = None

    # -- taking and giving back

    def acquire(self) -> None:
        """Takes the lease and renews it in the background.

        :raises LeaseError: another run holds it (which one, where, since when, until when at most).
        :raises StorageError: the output does not serve.
        """
        give_up_at = self._clock() + self._ttl
        pause = _FIRST_WAIT
        while not self._try():
            self._withdraw()
            if self._clock() >= give_up_at:
                raise LeaseError(f"too many runs want {self._store.root} at once: try again")
            self._wait(random.uniform(pause / 2, pause))
            pause = min(2 * pause, _LONGEST_WAIT)
        self._lost = None
        self._stop.clear()
        self._heartbeat = threading.Thread(target=self._beat, name="riskpipe-lease", daemon=True)
        self._heartbeat.start()

    def _try(self) -> bool:
        try:
            self._put("pending")
            others = self._others()
            self._refuse_if_held(others)
            if any(other.id < self._claim.id for other in others):
                return False
            if others:
                # Mine is the smallest: the others withdraw when they see it.
                self._wait(_FIRST_WAIT)
                others = self._others()
                self._refuse_if_held(others)
                if others:
                    return False
            self._put("held")
            if any(other.state == "held" for other in self._others()):
                return False
            self._sweep()
            return self._clock() < self._last_moment()
        except BaseException:
            self._withdraw()
            raise

    def _refuse_if_held(self, others: list[Claim]) -> None:
        for other in others:
            if other.state == "held":
                raise LeaseError(self._describe(other))

    def _describe(self, holder: Claim) -> str:
        return (
            f"run {holder.run_id} is writing to {self._store.root} "
            f"(host {holder.process.host}, pid {holder.process.pid}, since {_said(holder.since)}). "
            f"Wait for it or stop it; if it is dead, its lease ends by itself at {_said(holder.expires_at)}"
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

    def check(self, confirm: bool = False) -> None:
        """Call before anything that only the holder may do: a flush of the ledger, a publication.

        :param confirm: renews at once rather than trust the last renewal; before a publication.
        :raises LeaseError: the lease was lost; what was not yet written must not be written.
        """
        if confirm or self._clock() >= self._claim.expires_at - self._ttl / 2:
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
            last_moment = self._last_moment()
            if self._clock() >= last_moment:
                self._lose("it was not renewed in time")
            elif not self._store.exists(self._path(self._claim.id)):
                self._lose("its file was deleted")
            else:
                self._put("held")
                if self._clock() >= last_moment:
                    self._withdraw()
                    self._lose("it was not renewed in time")

    def _last_moment(self) -> float:
        return self._claim.expires_at - self._ttl / 4

    def _lose(self, why: str) -> None:
        self._lost = (
            f"run {self._claim.run_id} lost its lease on {self._store.root}: {why}; "
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

    def _path(self, claim_id: str) -> str:
        return f"{LEASES}/{claim_id}.json"

    def _put(self, state: Literal["pending", "held"]) -> None:
        now = self._clock()
        since = self._claim.since if state == self._claim.state == "held" else now
        self._claim = replace(self._claim, state=state, since=since, expires_at=now + self._ttl)
        self._store.write_bytes(self._path(self._claim.id), self._claim.encode())

    def _withdraw(self) -> None:
        self._store.delete(self._path(self._claim.id))

    def _others(self) -> list[Claim]:
        """Everybody else's living claims."""
        now = self._clock()
        return [claim for claim in self._read_others() if not claim.is_stale(now)]

    def _sweep(self) -> None:
        now = self._clock()
        for claim in self._read_others():
            if claim.is_stale(now):
                self._store.delete(self._path(claim.id))

    def _read_others(self) -> list[Claim]:
        claims = []
        for entry in self._store.list_files(LEASES, recursive=False):
            if entry.path == self._path(self._claim.id) or not entry.path.endswith(".json"):
                continue
            try:
                claims.append(Claim.decode(self._store.read_bytes(entry.path, changing=True)))
            except MissingFileError:
                continue
            except (ValueError, KeyError, TypeError) as error:
                where = self._store.full_path(entry.path)
                raise StorageError(f"{where} is not a lease: delete it if no run is at work") from error
        return claims


def holder(store: Store) -> str | None:
    """The run whose living process holds an output, None when nobody does. Only looks."""
    now = time.time()
    for entry in store.list_files(LEASES, recursive=False):
        with suppress(MissingFileError, ValueError, KeyError, TypeError):
            claim = Claim.decode(store.read_bytes(entry.path, changing=True))
            if claim.state == "held" and not claim.is_stale(now):
                return claim.run_id
    return None


def _said(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S} UTC"
