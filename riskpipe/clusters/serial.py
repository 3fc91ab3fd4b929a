"""No cluster: blocks are priced in the driver's own process."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from riskpipe.clusters.kind import ClusterKind, ClusterRequest, Sizing


class Serial(ClusterKind):
    name = "serial"
    summary = "in this process, one block after the other, without Dask"

    def planned_workers(self, sizing: Sizing, projected_seconds: float) -> int:
        return 1

    def describe(self, sizing: Sizing, projected_seconds: float) -> str:
        return f"{self.name}, in this process"

    def open(self, request: ClusterRequest) -> AbstractContextManager[None]:
        return nullcontext()
