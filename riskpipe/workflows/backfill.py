"""`riskpipe backfill`: a run for each business day of a span, several at once under one lease, each in a process."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from msgspec import Struct, field

from riskpipe.config import Settings, load_settings
from riskpipe.errors import ExitCode, RiskpipeError, UsageError, described
from riskpipe.execute.signals import StopSignal, stop_on_signals
from riskpipe.measures.measure_names import EXPLAIN
from riskpipe.plan.accounting import Observer, RunStatus, SilentObserver
from riskpipe.plan.selection import Selection
from riskpipe.runs.engine import engine_differences
from riskpipe.runs.freed import freed
from riskpipe.runs.opening import open_output, pause_until_stopped
from riskpipe.runs.planned_inputs import same_inputs
from riskpipe.runs.stored import open_plan
from riskpipe.store.filesystem import Store
from riskpipe.store.lease import Lease
from riskpipe.store.location import open_store
from riskpipe.store.published import read_current
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.run_ids import list_runs
from riskpipe.store.shared_lease import SharedLease, under
from riskpipe.structs import asdict
from riskpipe.workflows.run import run

POLL_SECONDS = 0.2
# From best to worst: a day that cannot be helped by doing the same again is worse than one that can.
SEVERITY = (
    ExitCode.DONE,
    ExitCode.PARTIAL,
    ExitCode.GATE,
    ExitCode.INPUTS,
    ExitCode.USAGE,
    ExitCode.OUTPUT_HELD,
    ExitCode.INFRASTRUCTURE,
    ExitCode.BUG,
    ExitCode.SIGINT,
    ExitCode.SIGTERM,
)


class DayOutcome(Struct, frozen=True):
    """What became of a day.

    :param state: of its run; `published` where it was done before, `failed` where there is no run to show, `not
        started`.
    """

    as_of: str
    run_id: str | None
    state: str
    exit_code: ExitCode
    published: bool = False
    elapsed_seconds: float = 0.0
    message: str = ""


class BackfillReport(Struct, frozen=True):
    """All days, in order."""

    days: tuple[DayOutcome, ...]
    signal_number: int | None = None

    @property
    def exit_code(self) -> ExitCode:
        """The worst of any day's; that of the signal that ended it all."""
        if self.signal_number is not None:
            return ExitCode.of_signal(self.signal_number)
        return max((day.exit_code for day in self.days), key=SEVERITY.index, default=ExitCode.DONE)

    def to_json(self) -> dict[str, Any]:
        return {"schema_version": 1, "days": [asdict(day) for day in self.days], "exit_code": self.exit_code}


class DayRequest(Struct, frozen=True):
    """A day's run, in words that another process understands."""

    as_of: date
    config: str | None
    assignments: tuple[str, ...]
    lock: str


class _Child(Struct):
    """A process at work on a day."""

    process: SpawnProcess
    pipe: Connection
    started: float
    run_id: str | None = None
    outcome: DayOutcome | None = field(default=None)


def backfill(
    settings: Mapping[date, Settings],
    request: Callable[..., DayRequest],
    *,
    parallel: int,
    observer: Observer,
    patience: float = 0.0,
) -> BackfillReport:
    """Run every day that is not published; a day that fails does not stop the others.

    SIGTERM and SIGINT: no further day is started, and those at work drain.

    :param settings: of each day. :param request: a day's request, but for `as_of` and `lock`.
    :param parallel: days at once. :param patience: seconds to wait for a run that holds the output.
    :raises UsageError: days that need one another are to run at once. :raises LeaseError: another run is at work.
    """
    if not settings:
        return BackfillReport(())
    any_day = next(iter(settings.values()))
    if parallel > 1:
        _refuse_dependent(any_day)
    store = open_output(any_day)
    with (
        stop_on_signals(StopSignal()) as stop,
        Lease(store, "", any_day.lease_seconds, patience, pause=partial(pause_until_stopped, stop)) as lease,
        tempfile.NamedTemporaryFile(prefix="riskpipe-backfill-") as lock,
    ):
        done = {day: _done(store, found) for day, found in settings.items()}
        waiting = deque(request(as_of=day, lock=lock.name) for day in settings if done[day] is None)
        outcomes = {day: outcome for day, outcome in done.items() if outcome is not None}
        found = _Days(stop, lease, observer, parallel).all(waiting)
    days = tuple((outcomes | found)[day] for day in settings)
    return BackfillReport(days, stop.signal_number)


def _refuse_dependent(settings: Settings) -> None:
    if EXPLAIN in settings.measures:
        raise UsageError(f"{EXPLAIN} is made from the day before: with it, days run one after the other (--parallel 1)")
    if settings.gates.of_the_day_before:
        raise UsageError("gates compare with the day before: with them, days run one after the other (--parallel 1)")


def _done(store: Store, settings: Settings) -> DayOutcome | None:
    """The day, if it is published whole, with all measures that are asked for."""
    day = settings.as_of.isoformat()
    entry = read_current(store).get(day)
    if (
        entry is None
        or entry.get("selection")
        or set(settings.measures) - set(entry.get("measures", settings.measures))
    ):
        return None
    return DayOutcome(day, entry["run_id"], "published", ExitCode.DONE, published=True, message="done before")


class _Days:
    """Days as processes: some at once, until there are none left."""

    def __init__(self, stop: StopSignal, lease: Lease, observer: Observer, parallel: int) -> None:
        self._stop = stop
        self._lease = lease
        self._observer = observer
        self._parallel = parallel
        self._children: dict[date, _Child] = {}
        self._outcomes: dict[date, DayOutcome] = {}
        self._signals = 0

    def all(self, waiting: deque[DayRequest]) -> dict[date, DayOutcome]:
        """What becomes of each day."""
        try:
            while waiting or self._children:
                self._pass_signals_on(waiting)
                while waiting and len(self._children) < self._parallel:
                    self._start(waiting.popleft())
                self._listen()
                self._lease.check()
        finally:
            for child in self._children.values():  # the lease was lost, or this is a bug: they must not write
                child.process.kill()
                child.process.join()
        return self._outcomes

    def _start(self, request: DayRequest) -> None:
        mine, theirs = get_context("spawn").Pipe()
        process = get_context("spawn").Process(target=_one_day, args=(request, os.getpid(), theirs), daemon=False)
        process.start()
        theirs.close()
        self._children[request.as_of] = _Child(process, mine, time.monotonic())
        self._observer.message("info", f"{request.as_of}: started")

    def _listen(self) -> None:
        pipes = [child.pipe for child in self._children.values()]
        ready = wait(pipes, POLL_SECONDS)
        for day, child in list(self._children.items()):
            if child.pipe not in ready:
                continue
            try:
                said = child.pipe.recv()
            except (EOFError, OSError):
                self._ended(day, child)
                continue
            if isinstance(said, DayOutcome):
                child.outcome = said
            else:
                child.run_id = said
                self._name()

    def _ended(self, day: date, child: _Child) -> None:
        child.process.join()
        child.pipe.close()
        elapsed = time.monotonic() - child.started
        outcome = child.outcome
        if outcome is None:
            how = f"its process ended with {child.process.exitcode}: killed, out of memory?"
            outcome = DayOutcome(
                day.isoformat(), child.run_id, "failed", ExitCode.INFRASTRUCTURE, elapsed_seconds=elapsed, message=how
            )
        self._outcomes[day] = outcome
        del self._children[day]
        self._name()
        level = "info" if outcome.exit_code is ExitCode.DONE else "warning"
        self._observer.message(level, ": ".join(filter(None, [outcome.as_of, outcome.state, outcome.message])))

    def _name(self) -> None:
        """Whoever looks at the lease sees which runs are at work."""
        self._lease.name(",".join(child.run_id for child in self._children.values() if child.run_id))

    def _pass_signals_on(self, waiting: deque[DayRequest]) -> None:
        """Children are in sessions of their own: a Ctrl-C of the terminal reaches this process alone."""
        number = self._stop.signal_number
        wanted = 0 if number is None else 2 if self._stop.immediate else 1
        while number is not None and self._signals < wanted:
            self._signals += 1
            for child in self._children.values():
                with suppress(ProcessLookupError):
                    os.kill(child.process.pid or 0, number)
        if number is not None:
            code = ExitCode.of_signal(number)
            for request in waiting:
                self._outcomes[request.as_of] = DayOutcome(request.as_of.isoformat(), None, "not started", code)
            waiting.clear()


def _one_day(request: DayRequest, parent: int, pipe: Connection) -> None:
    """In the day's process."""
    os.setsid()
    os.dup2(2, 1)  # what libraries print is no answer
    started = time.monotonic()

    def ended(run_id: str | None, state: str, code: int, published: bool, messages: Sequence[str]) -> DayOutcome:
        elapsed, message = time.monotonic() - started, "; ".join(messages)
        return DayOutcome(request.as_of.isoformat(), run_id, state, ExitCode(code), published, elapsed, message)

    try:
        with under(SharedLease(parent, pipe.send), request.lock):
            status = _run(request)
        pipe.send(ended(status.run_id, status.state, status.exit_code, status.published, status.messages[:1]))
    except RiskpipeError as error:
        lines = str(error).splitlines()
        pipe.send(ended(None, "failed", error.exit_code, False, lines[:1]))
    except KeyboardInterrupt:
        pipe.send(ended(None, "interrupted", ExitCode.of_signal(signal.SIGINT), False, ()))
    except Exception as error:
        pipe.send(ended(None, "failed", ExitCode.BUG, False, [described(error)]))
        raise


def _run(request: DayRequest) -> RunStatus:
    settings = load_settings(request.config, as_of=request.as_of.isoformat(), assignments=request.assignments)
    whole = Selection()
    return run(settings, whole, resume=_begun(settings, whole) or "never", observer=SilentObserver())


def _begun(settings: Settings, selection: Selection) -> str | None:
    """The newest run of the day, if it is of the same inputs: it is gone on with, and not done again."""
    store = open_store(settings.output)
    for run_id in reversed(list_runs(store)):
        folder = RunFolder(store, run_id)
        if folder.described()["as_of"] == settings.as_of.isoformat() and folder.planned() and freed(folder) is None:
            same = same_inputs(folder, settings, selection) and not engine_differences(open_plan(folder).header)
            return run_id if same else None
    return None
