"""A DaskCluster of its own for each run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from pydantic import Field

from riskpipe.clusters.findings import Finding
from riskpipe.clusters.kind import SESSION, ClusterKind, ClusterRequest, Sizing
from riskpipe.clusters.kubernetes.cluster_options import Driver, Json, KubernetesOptions, own_namespace
from riskpipe.clusters.sizing import needed_workers, workers_for_deadline

if TYPE_CHECKING:
    from distributed import Client

EXAMPLE_SESSION, EXAMPLE_SUFFIX = "00000000", "0000"


class Kubernetes(ClusterKind):
    name = "kubernetes"
    summary = "a DaskCluster of its own for each run"
    key = (KubernetesOptions, Field(default_factory=KubernetesOptions, description="The pods of a DaskCluster."))
    shardable = True
    has_resource = True

    def faults(self, section: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        own = section.get("kubernetes")
        options = own if isinstance(own, dict) else {}
        if "image" not in options:
            yield "kind", "kubernetes needs cluster.kubernetes.image"
        if "tls_secret" not in options and options.get("allow_plaintext") is not True:
            yield (
                "kind",
                "kubernetes needs cluster.kubernetes.tls_secret, a Secret with ca.crt, tls.crt and tls.key"
                " (or allow_plaintext, where whoever reaches a pod may run code on it)",
            )
        low, high = section["min_workers"], section["max_workers"]
        if isinstance(low, int) and isinstance(high, int) and low > high:
            yield "min_workers", f"{low} is more than cluster.max_workers, {high}"

    def planned_workers(self, sizing: Sizing, projected_seconds: float) -> int:
        return workers_for_deadline(sizing, projected_seconds)

    def size_warnings(self, sizing: Sizing, projected_seconds: float) -> Iterator[str]:
        if sizing.deadline is None:
            return
        needed = needed_workers(sizing.deadline, projected_seconds)
        if needed > sizing.max_workers:
            yield (
                f"cluster.deadline of {sizing.deadline:g} s needs {needed:,} workers, "
                f"cluster.max_workers allows {sizing.max_workers:,}: the run will be late"
            )

    def open(self, request: ClusterRequest) -> AbstractContextManager[Client]:
        from riskpipe.clusters.kubernetes.lifecycle import on_kubernetes

        return on_kubernetes(
            request.options,
            replace(request.identity, shard=request.shard),
            workers=request.workers_here,
            memory_limit=request.memory_limit,
            initialise=request.initialise,
            stopped=request.stopped,
        )

    def join(self, options: KubernetesOptions, address: str) -> AbstractContextManager[Client]:
        from riskpipe.clusters.address import joined
        from riskpipe.clusters.kubernetes.lifecycle import tls_files

        return joined(address, tls=tls_files(options))

    def discard(self, request: ClusterRequest) -> None:
        from riskpipe.clusters.kubernetes.api import Kube
        from riskpipe.clusters.kubernetes.names import selector_of

        kube = Kube(request.options.namespace)
        for cluster in kube.clusters(selector_of(replace(request.identity, shard=request.shard))):
            kube.delete(str(cluster["metadata"]["name"]))

    def findings(self, options: KubernetesOptions) -> Iterator[Finding]:
        from riskpipe.clusters.kubernetes.preflight import preflight

        return preflight(options)

    def resource(self, request: ClusterRequest) -> Json:
        from riskpipe.clusters.kubernetes.resource import dask_cluster

        options: KubernetesOptions = request.options
        return dask_cluster(
            options,
            replace(request.identity, shard=request.shard),
            namespace=options.namespace or own_namespace() or "default",
            session=EXAMPLE_SESSION,
            suffix=EXAMPLE_SUFFIX,
            workers=request.workers_here,
            memory_limit=request.memory_limit,
            driver=Driver.here(),
        )

    def collect(self, options: KubernetesOptions, output: str | None) -> list[str]:
        from riskpipe.clusters.kubernetes.api import Kube
        from riskpipe.clusters.kubernetes.reaper import reap

        return reap(Kube(options.namespace), SESSION, Driver.here(), output)
