"""Where everything of a run lies, and how runs are named and found."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from riskpipe.errors import UsageError
from riskpipe.store.filesystem import Store, checked_name

RUNS = "runs"
PUBLISHED = "published"
LEASES = "meta/lease"
CURRENT = "meta/CURRENT.json"
CHECKS = "meta/checks.parquet"

_RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}(?:-([1-9]\d{0,8}))?")
_CANDIDATES_SHOWN = 5


@dataclass(frozen=True)
class RunLayout:
    """Paths of a run's files, relative to the output's store."""

    run_id: str

    def __post_init__(self) -> None:
        checked_name(self.run_id)

    @property
    def root(self) -> str:
        return f"{RUNS}/{self.run_id}"

    @property
    def run(self) -> str:
        return f"{self.root}/run.json"

    @property
    def config(self) -> str:
        return f"{self.root}/config.resolved.yaml"

    @property
    def plan(self) -> str:
        return f"{self.root}/plan.parquet"

    @property
    def inputs(self) -> str:
        return f"{self.root}/inputs.json"

    @property
    def market(self) -> str:
        return f"{self.root}/inputs/market.arrow"

    @property
    def scenarios(self) -> str:
        return f"{self.root}/inputs/scenarios.arrow"

    @property
    def valuation(self) -> str:
        """What all blocks share (valuation.spec)."""
        return f"{self.root}/inputs/valuation.json"

    @property
    def ledger(self) -> str:
        """The directory of the ledger's segments."""
        return f"{self.root}/ledger"

    @property
    def block_outputs(self) -> str:
        """The directory of all block outputs."""
        return f"{self.root}/blocks"

    def block_output(self, table: str, block_id: str) -> str:
        return f"{self.block_outputs}/{checked_name(table)}/{checked_name(block_id)}.parquet"

    @property
    def combined(self) -> str:
        """The directory of what is combined of blocks' outputs: sums, whole P&L vectors, corrections."""
        return f"{self.root}/combined"

    def combined_file(self, name: str) -> str:
        return f"{self.combined}/{checked_name(name)}.parquet"

    @property
    def blocks(self) -> str:
        return f"{self.root}/blocks.parquet"

    @property
    def failures(self) -> str:
        return f"{self.root}/failures.parquet"

    @property
    def checks(self) -> str:
        return f"{self.root}/checks.parquet"

    @property
    def quarantine(self) -> str:
        return f"{self.root}/quarantine.parquet"

    @property
    def summary(self) -> str:
        return f"{self.root}/summary.json"

    @property
    def report(self) -> str:
        return f"{self.root}/report.html"

    @property
    def log(self) -> str:
        return f"{self.root}/logs/run.jsonl"

    @property
    def staging(self) -> str:
        """The directory in which a publication is put together."""
        return f"{self.root}/publish"

    @property
    def merged(self) -> str:
        """The directory of files merged of many block outputs, in whose place they stand until the run is published."""
        return f"{self.staging}/merged"

    def merged_file(self, name: str) -> str:
        return f"{self.merged}/{checked_name(name)}.parquet"

    def staged_day(self, table: str, as_of: date) -> str:
        return f"{self.staging}/{checked_name(table)}/{day_name(as_of)}"


def day_name(as_of: date) -> str:
    """The hive partition directory of a day: `as_of=2026-11-20`."""
    return f"as_of={as_of:%Y-%m-%d}"


def published_day(table: str, as_of: date) -> str:
    """The directory of a table's day."""
    return f"{PUBLISHED}/{checked_name(table)}/{day_name(as_of)}"


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
    there = store.overlapped(lambda name: store.exists(RunLayout(name).run), names)
    return [name for name, exists in zip(names, there, strict=True) if exists]


def resolve_run(store: Store, text: str) -> RunLayout:
    """The run that a person means.

    :param text: an id, a unique prefix of one, or `latest`.
    :raises UsageError: none or several fit; the message lists the candidates.
    """
    runs = list_runs(store)
    if not runs:
        raise UsageError(f"there are no runs in {store.root}: `riskpipe run` makes one")
    if text == "latest":
        return RunLayout(runs[-1])
    fitting = [run for run in runs if run.startswith(text)] if text else []
    if text in fitting or len(fitting) == 1:
        return RunLayout(text if text in fitting else fitting[0])
    if not fitting:
        raise UsageError(f"no run {text!r} in {store.root}; the last ones are: {_listed(runs)}")
    raise UsageError(f"{text!r} fits {len(fitting)} runs, give more of the id: {_listed(fitting)}")


def _listed(runs: list[str]) -> str:
    shown = ", ".join(reversed(runs[-_CANDIDATES_SHOWN:]))
    return shown if len(runs) <= _CANDIDATES_SHOWN else f"{shown}, ... ({len(runs)} in all)"
