"""The DaskCluster resource of a run, as a pure function of the options: no cluster and no client needed."""

from __future__ import annotations

import json

from riskpipe.clusters.kind import ClusterIdentity
from riskpipe.clusters.kubernetes.cluster_options import Driver, Json, KubernetesOptions
from riskpipe.clusters.kubernetes.names import DRIVER, cluster_name, labels
from riskpipe.clusters.kubernetes.pods import COMM_PORT, HTTP_PORT, merged, protocol, scheduler_pod, worker_pod
from riskpipe.errors import UsageError
from riskpipe.store.process import ProcessIdentity
from riskpipe.structs import asdict

API_VERSION = "kubernetes.dask.org/v1"
KIND = "DaskCluster"


def dask_cluster(
    options: KubernetesOptions,
    identity: ClusterIdentity,
    *,
    namespace: str,
    session: str,
    suffix: str,
    workers: int,
    memory_limit: int | None = None,
    driver: Driver | ProcessIdentity | None,
) -> Json:
    """The resource that the operator makes scheduler, service and workers of.

    :param session: of this driver process.
    :param suffix: of the cluster's name.
    :param workers: processes; rounded up to whole pods.
    :param memory_limit: bytes of one worker process.
    :param driver: whose cluster it is, where that is known. A pod owns it: with the pod's deletion it goes, too.
    :raises UsageError: options that make no cluster.
    """
    check_options(options)
    name = cluster_name(identity, suffix)
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": labels(identity, session),
            **({} if driver is None else {"annotations": {DRIVER: _annotation(driver)}}),
            **_owner(driver, namespace),
        },
        "spec": {
            "idleTimeout": options.idle_seconds,
            "scheduler": {
                **_metadata(options, scheduler=True),
                "spec": scheduler_pod(options),
                "service": _service(name),
            },
            "worker": {
                **_metadata(options, scheduler=False),
                "replicas": pods(workers, options.processes_per_pod),
                "spec": worker_pod(options, scheduler_address(options, name, namespace), memory_limit),
            },
        },
    }


def check_options(options: KubernetesOptions) -> None:
    """:raises UsageError: no image, or plaintext that nobody has allowed."""
    if not options.image:
        raise UsageError("cluster kind kubernetes needs an image: cluster.kubernetes.image")
    if options.tls_secret is None and not options.allow_plaintext:
        raise UsageError(
            "cluster kind kubernetes needs cluster.kubernetes.tls_secret: without certificates whoever reaches the"
            " scheduler's port can run code on the cluster. Name a Secret, or set cluster.kubernetes.allow_plaintext"
        )


def pods(workers: int, processes_per_pod: int) -> int:
    """Worker pods for so many processes."""
    return -(-workers // processes_per_pod)


def scheduler_address(options: KubernetesOptions, name: str, namespace: str) -> str:
    """As workers and driver reach it; any cluster domain resolves it."""
    return f"{protocol(options)}://{name}-scheduler.{namespace}.svc:{COMM_PORT}"


def _annotation(driver: Driver | ProcessIdentity) -> str:
    """Whether the driver lives can be told from this: its pod, else its process."""
    return json.dumps({"pod" if isinstance(driver, Driver) else "process": asdict(driver)})


def _owner(driver: Driver | ProcessIdentity | None, namespace: str) -> Json:
    """An owner of another namespace is none: the garbage collector would delete the cluster at once.

    Without blockOwnerDeletion, for which OpenShift wants rights on the pod's finalizers.
    """
    if not isinstance(driver, Driver) or driver.namespace != namespace:
        return {}
    return {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": driver.name, "uid": driver.uid}]}


def _metadata(options: KubernetesOptions, scheduler: bool) -> Json:
    own = merged(options.pods, options.scheduler if scheduler else options.worker)
    found = {"labels": dict(own.labels), "annotations": dict(own.annotations)}
    metadata = {name: value for name, value in found.items() if value}
    return {"metadata": metadata} if metadata else {}


def _service(name: str) -> Json:
    return {
        "type": "ClusterIP",
        "selector": {"dask.org/cluster-name": name, "dask.org/component": "scheduler"},
        "ports": [
            {"name": "tcp-comm", "protocol": "TCP", "port": COMM_PORT, "targetPort": "tcp-comm"},
            {"name": "http-dashboard", "protocol": "TCP", "port": HTTP_PORT, "targetPort": "http-dashboard"},
        ],
    }
