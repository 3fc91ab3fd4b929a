"""How runs are named, ordered and found."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime

from riskpipe.errors import UsageError
from riskpipe.store.filesystem import Store
from riskpipe.store.layout import RUNS
from riskpipe.store.run_folder import RunFolder

_RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}(?:-([1-9]\d{0,8}))?")
_CANDIDATES_SHOWN = 5


def new_run_id(store: Store, now: datetime, published: Iterable[str] = ()) -> str:
    """A run's name, such as `20261120-193055-3f9a1c-7`: its start (UTC), six random hex digits, and its number.

    Runs are ordered by the number, one above the greatest that the output has: times are for people. The day that is
    valued is not part of the id: it is in run.json. Only under the lease.

    :param now: with a time zone. :param published: ids of runs that may be gone, but for what they published.
    """
    last = max(map(run_number, [*store.list_directories(RUNS), *published]), default=0)
    return f"{now.astimezone(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}-{last + 1}"


def run_number(run_id: str) -> int:
    """By which runs are ordered; 0 of an id of the first version, which had none, and of what is no id."""
    match = _RUN_ID.fullmatch(run_id)
    return 0 if match is None else int(match[1] or 0)


def run_order(run_id: str) -> tuple[int, str]:
    """Sorts ids as the runs came; those without a number come first, by the time in their name."""
    return run_number(run_id), run_id


def is_run_id(text: str) -> bool:
    return _RUN_ID.fullmatch(text) is not None


def list_runs(store: Store) -> list[str]:
    """Ids of the runs in an output, oldest first: directories of that form in which there is a run.json."""
    names = sorted(filter(is_run_id, store.list_directories(RUNS)), key=run_order)
    there = store.overlapped(lambda name: store.exists(RunFolder(store, name).run), names)
    return [name for name, exists in zip(names, there, strict=True) if exists]


def resolve_run(store: Store, text: str) -> RunFolder:
    """The run that a person means.

    :param text: an id, a unique prefix of one, or `latest`.
    :raises UsageError: none or several fit; the message lists the candidates.
    """
    runs = list_runs(store)
    if not runs:
        raise UsageError(f"there are no runs in {store.root}: `riskpipe run` makes one")
    if text == "latest":
        return RunFolder(store, runs[-1])
    fitting = [run for run in runs if run.startswith(text)] if text else []
    if text in fitting or len(fitting) == 1:
        return RunFolder(store, text if text in fitting else fitting[0])
    if not fitting:
        raise UsageError(f"no run {text!r} in {store.root}; the last ones are: {_listed(runs)}")
    raise UsageError(f"{text!r} fits {len(fitting)} runs, give more of the id: {_listed(fitting)}")


def _listed(runs: list[str]) -> str:
    shown = ", ".join(reversed(runs[-_CANDIDATES_SHOWN:]))
    return shown if len(runs) <= _CANDIDATES_SHOWN else f"{shown}, ... ({len(runs)} in all)"
