"""As few processes as the work is worth."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from riskpipe.clusters.kind import ClusterRequest, Sizing
from riskpipe.clusters.local import Local
from riskpipe.clusters.serial import Serial

if TYPE_CHECKING:
    from distributed import Client

#: What two workers save of it is about what they take to start: imports, and the scheduler's.
SERIAL_SECONDS = 5.0


class Auto(Local):
    """Local workers where they save time, this process where they would not."""

    name = "auto"
    summary = f"as serial up to {SERIAL_SECONDS:g} projected seconds, else as local"

    def planned_workers(self, sizing: Sizing, projected_seconds: float) -> int:
        return sizing.workers if projected_seconds > SERIAL_SECONDS else 1

    def describe(self, sizing: Sizing, projected_seconds: float) -> str:
        kind = Local if projected_seconds > SERIAL_SECONDS else Serial
        return f"{self.name}: as {kind().describe(sizing, projected_seconds)}"

    def open(self, request: ClusterRequest) -> AbstractContextManager[Client | None]:
        if request.isolated or request.projected_seconds > SERIAL_SECONDS:
            return super().open(request)
        return Serial().open(request)
