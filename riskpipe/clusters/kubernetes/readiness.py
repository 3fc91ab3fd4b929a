"""Waiting for a DaskCluster, under one deadline; the operator's own status is not believed (it may never come)."""

from __future__ import annotations

import time
from collections.abc import Callable

from distributed import Client
from msgspec import Struct, field

from riskpipe.clusters.kubernetes.api import Kube
from riskpipe.clusters.kubernetes.cluster_options import Json
from riskpipe.clusters.kubernetes.diagnosis import (
    PODS_SHOWN,
    PodTrouble,
    described,
    hopeless,
    is_ready,
    quiet,
    stuck,
    troubles,
    without_pods,
)
from riskpipe.errors import ClusterError

POLL_SECONDS = 0.5
LOOK_SECONDS = 5.0
# So long may a pod be in a trouble that seldom goes away.
STUCK_SECONDS = 60.0


class Wait(Struct):
    """One DaskCluster's way to being usable.

    :param seconds: for all of it.
    :param stopped: asked now and then, whether to give up.
    """

    kube: Kube
    name: str
    seconds: float
    stopped: Callable[[], bool] | None = None
    since: float = field(default_factory=time.monotonic)
    stuck_since: dict[str, float] = field(default_factory=dict)
    looked: float = 0.0

    @property
    def passed(self) -> float:
        """Seconds since the wait began."""
        return time.monotonic() - self.since

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return max(self.seconds - self.passed, 0.0)

    def for_scheduler(self) -> None:
        """Until its pod is Ready. :raises ClusterError: it does not get so."""
        while not any(map(is_ready, pods := self._pods("scheduler"))):
            self._look(pods)
            if not self.left:
                raise self._late("the scheduler is not ready")
            time.sleep(POLL_SECONDS)

    def for_workers(self, client: Client, quorum: int) -> int:
        """Until a quorum is there, or at the deadline one worker; their number.

        Polls the count alone: `Client.wait_for_workers` fetches every worker's identity each time.

        :raises ClusterError: none came, or none will.
        """
        while (there := len(client.nthreads())) < quorum:
            if not self.left:
                if there:
                    return there
                raise self._late("no worker has come")
            if not there and time.monotonic() - self.looked > LOOK_SECONDS:
                self._look(self._pods("worker"))
            self._check_stopped()
            time.sleep(POLL_SECONDS)
        return there

    def _pods(self, component: str) -> list[Json]:
        """Of one component: of workers there may be a thousand, and a list of them is long."""
        self.looked = time.monotonic()
        return self.kube.pods(f"dask.org/cluster-name={self.name},dask.org/component={component}")

    def _look(self, pods: list[Json]) -> None:
        """:raises ClusterError: waiting is in vain, or nobody wants the cluster any more."""
        self._check_stopped()
        found = troubles(pods)
        if lost := hopeless(found):
            raise self._failed("waiting is in vain", [lost])
        now = time.monotonic()
        self.stuck_since = {pod: self.stuck_since.get(pod, now) for pod in stuck(found)}
        if any(now - since > STUCK_SECONDS for since in self.stuck_since.values()):
            raise self._failed(f"a pod has been stuck for {STUCK_SECONDS:g} s", found)

    def _check_stopped(self) -> None:
        if self.stopped is not None and self.stopped():
            raise ClusterError(f"DaskCluster {self.name}: stopped while it was starting")

    def _late(self, what: str) -> ClusterError:
        pods = [*self._pods("scheduler"), *self._pods("worker")]
        text = f"{what} after {self.seconds:g} s (cluster.kubernetes.startup_seconds)"
        if pods:
            return self._failed(text, troubles(pods) or quiet(pods))
        return ClusterError(f"DaskCluster {self.name}: {text}: {without_pods(self.kube.cluster(self.name))}")

    def _failed(self, what: str, found: list[PodTrouble]) -> ClusterError:
        lines = [f"DaskCluster {self.name} in namespace {self.kube.namespace}: {what}"]
        for trouble in found[:PODS_SHOWN]:
            log = self.kube.log_tail(trouble.pod, previous=trouble.before_restart)
            lines += described(trouble, self.kube.events(trouble.pod), log if trouble.crashed else [])
        if len(found) > PODS_SHOWN:
            lines.append(f"and {len(found) - PODS_SHOWN} more pods")
        return ClusterError("\n  ".join(lines))
