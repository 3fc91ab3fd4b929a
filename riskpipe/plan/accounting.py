"""Every planned number accounted for: planned = ok + reused + failed + not applicable + cancelled."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Protocol

from msgspec import Struct, field

from riskpipe.errors import ExitCode
from riskpipe.structs import asdict

SUMMARY_VERSION = 1


class Counts(Struct, frozen=True):
    """Where the planned ones ended. `reused` were done by an earlier session of the same run."""

    planned: int = 0
    ok: int = 0
    reused: int = 0
    failed: int = 0
    not_applicable: int = 0
    cancelled: int = 0

    @property
    def settled(self) -> int:
        return self.ok + self.reused + self.failed + self.not_applicable + self.cancelled

    @property
    def balanced(self) -> bool:
        return self.planned == self.settled

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(a + b for a, b in zip(asdict(self).values(), asdict(other).values(), strict=True)))


class RunLifecycle(StrEnum):
    """How a run stands.

    :cvar RUNNING: a session is at work on it. :cvar INTERRUPTED: none is, and blocks are left. :cvar PARTIAL: nothing
        is left, but some numbers failed, or scenarios were left out. :cvar DAMAGED: its files cannot be read.
    """

    RUNNING = "running"
    COMPLETE = "complete"
    PARTIAL = "partial"
    INTERRUPTED = "interrupted"
    DAMAGED = "damaged"

    @property
    def ended(self) -> bool:
        """Whether its last session did all that it was to do."""
        return self in (RunLifecycle.COMPLETE, RunLifecycle.PARTIAL)


class PublishRule(StrEnum):
    """When a run's results are published: once every block is done, whatever failed, or not at all."""

    COMPLETE = "complete"
    ALWAYS = "always"
    NEVER = "never"


class GateResult(Struct, frozen=True):
    """What a gate of the publication says.

    :param name: its key in the configuration. :param result: passed, warning, error.
    """

    name: str
    result: str
    message: str


class RunStatus(Struct, frozen=True):
    """The one status object: exit code, table, JSON, report and metrics are all read from it.

    :cvar refused: it was to be published, and would have taken the place of more than it has.
    :cvar deadline: when it is to be published, and `finishes_at` when it will be by its pace; UTC, ISO 8601.
    :cvar at_risk: it will not be published by then, or was not.
    :cvar gates: what each gate said, of a run that was to be published.
    :cvar superseded_by: the run that its day is from now, when it was from this one before.
    :cvar selection: the terms of --select.
    :cvar phase: what the session is at: plan, cluster, value, combine, account, publish; "" when it has ended.
    :cvar compiling: while kernels are being compiled, products that have theirs and all whose blocks the session does.
    :cvar headline: of all books, in `currency`: pv, var_99, es_97_5, those that there are.
    :cvar second_starts: blocks that took too long and were started a second time, in all sessions.
    :cvar second_starts_won: those whose second attempt came first.
    :cvar reuse: of a run that took numbers over: `since`, the run that they are of, trades `taken_over` and `priced`.
    """

    run_id: str
    as_of: str
    state: RunLifecycle
    blocks: Counts
    numbers: Counts
    trades: int = 0
    valuations: int = 0
    running: int = 0
    elapsed_seconds: float = 0.0
    remaining_seconds: float | None = None
    deadline: str | None = None
    finishes_at: str | None = None
    at_risk: bool = False
    failures_by_reason: Mapping[str, int] = field(default_factory=dict)
    published: bool = False
    refused: bool = False
    gated: bool = False
    gates: tuple[GateResult, ...] = ()
    superseded_by: str | None = None
    selection: tuple[tuple[str, ...], ...] = ()
    output: str = ""
    messages: tuple[str, ...] = ()
    phases: Mapping[str, float] = field(default_factory=dict)
    signal_number: int | None = None
    phase: str = ""
    compiling: tuple[int, int] | None = None
    headline: Mapping[str, float] = field(default_factory=dict)
    currency: str = ""
    reuse: Mapping[str, Any] | None = None
    second_starts: int = 0
    second_starts_won: int = 0

    @property
    def exit_code(self) -> ExitCode:
        if self.signal_number is not None and self.state is RunLifecycle.INTERRUPTED:
            return ExitCode.of_signal(self.signal_number)
        if self.refused and self.state.ended:
            return ExitCode.USAGE
        if self.gated and self.state.ended:
            return ExitCode.GATE
        return _EXIT_CODES[self.state]

    def to_json(self) -> dict[str, Any]:
        return {"schema_version": SUMMARY_VERSION, **asdict(self), "exit_code": self.exit_code}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> RunStatus:
        fields = {k: v for k, v in value.items() if k in RunStatus.__struct_fields__}
        fields["state"] = RunLifecycle(value["state"])
        fields["blocks"] = Counts(**value["blocks"])
        fields["numbers"] = Counts(**value["numbers"])
        fields["messages"] = tuple(value["messages"])
        fields["gates"] = tuple(GateResult(**gate) for gate in value.get("gates", ()))
        fields["compiling"] = None if value.get("compiling") is None else tuple(value["compiling"])
        fields["selection"] = tuple(tuple(terms) for terms in value.get("selection", ()))
        return RunStatus(**fields)


_EXIT_CODES = {
    RunLifecycle.COMPLETE: ExitCode.DONE,
    RunLifecycle.RUNNING: ExitCode.DONE,
    RunLifecycle.PARTIAL: ExitCode.PARTIAL,
    RunLifecycle.INTERRUPTED: ExitCode.SIGINT,
    RunLifecycle.DAMAGED: ExitCode.INFRASTRUCTURE,
}


class Observer(Protocol):
    """Who is told while a run goes on; called from the driver's thread."""

    def update(self, status: RunStatus) -> None:
        """At least once a second while blocks run."""

    def message(self, level: str, text: str) -> None:
        """level: debug, info, warning, error."""


class SilentObserver:
    """Tells nobody: of a run whose outcome alone matters."""

    def update(self, status: RunStatus) -> None:
        pass

    def message(self, level: str, text: str) -> None:
        pass
