"""Pod specifications of scheduler and workers."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from riskpipe.clusters.kubernetes.cluster_options import Json, KubernetesOptions, PodOptions
from riskpipe.clusters.kubernetes.environment import pod_environment
from riskpipe.clusters.kubernetes.memory import worker_memory

COMM_PORT = 8786
HTTP_PORT = 8787
SCRATCH = "/tmp"  # an emptyDir of the pod
# Without a scheduler for so long a worker ends, and Kubernetes starts it again with growing delays.
DEATH_SECONDS = 120

POD_SECURITY: Json = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
CONTAINER_SECURITY: Json = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
SCHEDULER_RESOURCES: Json = {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"memory": "4Gi"}}


def scheduler_pod(options: KubernetesOptions) -> Json:
    """The scheduler's PodSpec."""
    pod = merged(options.pods, options.scheduler)
    args = ["dask", "scheduler", "--protocol", protocol(options), "--port", str(COMM_PORT)]
    args += ["--dashboard-address", f":{HTTP_PORT}", "--no-dashboard"]
    container = {
        "name": "scheduler",
        "args": args,
        "ports": [
            {"name": "tcp-comm", "containerPort": COMM_PORT, "protocol": "TCP"},
            {"name": "http-dashboard", "containerPort": HTTP_PORT, "protocol": "TCP"},
        ],
        "resources": _overlaid(SCHEDULER_RESOURCES, pod.resources),
        "readinessProbe": {**_health(), "periodSeconds": 2, "timeoutSeconds": 5},
        # Only for one that hangs for good: its end would cost the run all that is in flight.
        "livenessProbe": {**_health(), "periodSeconds": 30, "timeoutSeconds": 30, "failureThreshold": 10},
    }
    return _pod(options, pod, container, {})


def worker_pod(options: KubernetesOptions, address: str, memory_limit: int | None) -> Json:
    """A worker pod's PodSpec: `processes_per_pod` processes of one thread each.

    :param address: the scheduler's; the operator leaves an address that is there alone.
    :param memory_limit: bytes of one process, or None to derive it from the pod's.
    """
    pod = merged(options.pods, options.worker)
    processes = options.processes_per_pod
    process_bytes, pod_bytes = worker_memory(memory_limit, pod.resources.get("limits", {}).get("memory"), processes)
    args = ["dask", "worker", "--name", "$(DASK_WORKER_NAME)"]
    args += ["--nworkers", str(processes), "--nthreads", "1", "--memory-limit", str(process_bytes)]
    args += ["--local-directory", SCRATCH, "--death-timeout", str(DEATH_SECONDS)]
    # HTTP is not encrypted: nobody beyond the pod may have it.
    args += ["--no-dashboard", "--dashboard-address", "127.0.0.1:0"]
    defaults = {
        "requests": {"cpu": str(processes), "memory": str(pod_bytes)},
        "limits": {"memory": str(pod_bytes)},
    }
    container = {"name": "worker", "args": args, "resources": _overlaid(defaults, pod.resources)}
    return _pod(options, pod, container, {"DASK_SCHEDULER_ADDRESS": address})


def _health() -> Json:
    return {"httpGet": {"path": "/health", "port": "http-dashboard"}}


def protocol(options: KubernetesOptions) -> str:
    return "tcp" if options.tls_secret is None else "tls"


def merged(common: PodOptions, own: PodOptions) -> PodOptions:
    """`own` laid over `common`: mappings merge, lists add up (a later name replaces an earlier one)."""
    return PodOptions(
        resources=_overlaid(common.resources, own.resources),
        node_selector={**common.node_selector, **own.node_selector},
        tolerations=(*common.tolerations, *own.tolerations),
        affinity=_overlaid(common.affinity, own.affinity),
        priority_class=own.priority_class or common.priority_class,
        service_account=own.service_account or common.service_account,
        security_context=_overlaid(common.security_context, own.security_context),
        container_security_context=_overlaid(common.container_security_context, own.container_security_context),
        labels={**common.labels, **own.labels},
        annotations={**common.annotations, **own.annotations},
        env=_by_key("name", *common.env, *own.env),
        env_from=(*common.env_from, *own.env_from),
        volumes=_by_key("name", *common.volumes, *own.volumes),
        volume_mounts=_by_key("mountPath", *common.volume_mounts, *own.volume_mounts),
        spec=_overlaid(common.spec, own.spec),
    )


def _pod(options: KubernetesOptions, pod: PodOptions, container: Json, env: Mapping[str, str]) -> Json:
    environment = [{"name": name, "value": value} for name, value in {**pod_environment(options), **env}.items()]
    volumes: list[Json] = [{"name": "scratch", "emptyDir": {}}]
    mounts: list[Json] = [{"name": "scratch", "mountPath": SCRATCH}]
    if options.tls_secret is not None:
        volumes.append({"name": "tls", "secret": {"secretName": options.tls_secret}})
        mounts.append({"name": "tls", "mountPath": options.tls_directory, "readOnly": True})
    spec: Json = {
        "containers": [
            {
                **container,
                "image": options.image,
                "imagePullPolicy": options.image_pull_policy,
                "env": _listed(_by_key("name", *environment, *pod.env)),
                "envFrom": _listed(pod.env_from),
                "securityContext": _overlaid(CONTAINER_SECURITY, pod.container_security_context),
                "volumeMounts": _listed(_by_key("mountPath", *mounts, *pod.volume_mounts)),
            }
        ],
        "imagePullSecrets": [{"name": name} for name in options.image_pull_secrets],
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": _overlaid(POD_SECURITY, pod.security_context),
        "nodeSelector": dict(pod.node_selector),
        "tolerations": _listed(pod.tolerations),
        "affinity": dict(pod.affinity),
        "priorityClassName": pod.priority_class,
        "serviceAccountName": pod.service_account,
        "volumes": _listed(_by_key("name", *volumes, *pod.volumes)),
    }
    return _overlaid(_without_empty(spec), pod.spec)


def _without_empty(spec: Json) -> Json:
    """Without what says nothing: an empty list in a resource is a difference for whoever compares."""
    (container,) = spec["containers"]
    spec["containers"] = [{name: value for name, value in container.items() if value not in ([], {})}]
    return {name: value for name, value in spec.items() if value not in ([], {}, None)}


def _listed(entries: tuple[Mapping[str, Any], ...]) -> list[Json]:
    return [copy.deepcopy(dict(entry)) for entry in entries]


def _by_key(key: str, *entries: Json) -> tuple[Json, ...]:
    return tuple({entry.get(key): entry for entry in entries}.values())


def _overlaid(below: Mapping[str, Any], above: Mapping[str, Any]) -> Json:
    """Mappings merged at every depth; anything else, lists too, is replaced, and None takes a key away."""
    result = copy.deepcopy(dict(below))
    for name, value in above.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping) and isinstance(result.get(name), Mapping):
            result[name] = _overlaid(result[name], value)
        else:
            result[name] = copy.deepcopy(value)
    return result
