"""What a DaskCluster is made from: plain values, so that the resource is a pure function of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
NAMESPACE_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"


@dataclass(frozen=True)
class PodOptions:
    """Parts of a pod in the words of Kubernetes' API; empty: the default.

    :param security_context: of the pod; container_security_context: of the container.
    :param spec: anything else of a PodSpec, laid over the rest.
    """

    resources: Mapping[str, Any] = field(default_factory=dict)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()
    affinity: Mapping[str, Any] = field(default_factory=dict)
    priority_class: str | None = None
    service_account: str | None = None
    security_context: Mapping[str, Any] = field(default_factory=dict)
    container_security_context: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    env: tuple[Mapping[str, Any], ...] = ()
    env_from: tuple[Mapping[str, Any], ...] = ()
    volumes: tuple[Mapping[str, Any], ...] = ()
    volume_mounts: tuple[Mapping[str, Any], ...] = ()
    spec: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class KubernetesOptions:
    """One DaskCluster; see the section `cluster.kubernetes` of the configuration.

    :param namespace: None: the driver's own.
    :param tls_secret: None: tcp://, which `allow_plaintext` must allow.
    :param tls_directory: where pods and driver have the Secret's files.
    :param startup_seconds: from the creation until the cluster is usable.
    :param quorum: the part of the workers that must be there.
    :param pods: of scheduler and workers; `scheduler` and `worker` are laid over it.
    """

    image: str = ""
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    namespace: str | None = None
    tls_secret: str | None = None
    tls_directory: str = "/etc/riskpipe/tls"
    allow_plaintext: bool = False
    processes_per_pod: int = 1
    startup_seconds: float = 600.0
    quorum: float = 0.5
    idle_seconds: int = 900
    pods: PodOptions = field(default_factory=PodOptions)
    scheduler: PodOptions = field(default_factory=PodOptions)
    worker: PodOptions = field(default_factory=PodOptions)


@dataclass(frozen=True)
class ClusterIdentity:
    """Whose cluster it is: names and labels follow.

    :param output: the output's root, which may be long or hold secrets: only its hash is shown.
    :param shard: of a run that is spread over several clusters, from 0.
    :param attempt: from 1; a cluster that replaces a lost one has the next.
    """

    run_id: str
    output: str
    shard: int = 0
    attempt: int = 1


@dataclass(frozen=True)
class Driver:
    """The pod that this process runs in."""

    name: str
    uid: str
    namespace: str

    @staticmethod
    def here(environment: Mapping[str, str] | None = None) -> Driver | None:
        """From POD_NAME, POD_UID and POD_NAMESPACE (downward API); None: not in a pod, or it does not say which."""
        environment = os.environ if environment is None else environment
        values = [environment.get(name, "") for name in ("POD_NAME", "POD_UID", "POD_NAMESPACE")]
        return Driver(*values) if all(values) else None


def own_namespace() -> str | None:
    """The namespace of the pod that this process runs in; None outside of one."""
    if namespace := os.environ.get("POD_NAMESPACE"):
        return namespace
    try:
        with open(NAMESPACE_FILE, encoding="utf-8") as file:
            return file.read().strip() or None
    except OSError:
        return None
