"""What a DaskCluster is made from: the section `cluster.kubernetes`, and where this process runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Struct
from pydantic import BeforeValidator, Field

from riskpipe.clusters.kind import Options

Json = dict[str, Any]
NAMESPACE_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

NAME_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
IMAGE_PATTERN = r"^[\w][\w.\-/:@]*$"

Mappings = Annotated[tuple[Json, ...], Field(strict=False)]
Labels = dict[str, str]
Seconds = Annotated[float, Field(gt=0)]
Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=63)]


def _named(entries: object) -> object:
    """Entries of env, volumes and mounts are told apart by their names."""
    if isinstance(entries, list | tuple) and not all(isinstance(e, dict) and e.get("name") for e in entries):
        raise ValueError("a list of mappings, each with a name is wanted")
    return entries


Named = Annotated[tuple[Json, ...], Field(strict=False), BeforeValidator(_named)]


class PodOptions(Options):
    """Parts of a pod, in the words of Kubernetes' own API; what is unset follows riskpipe's safe defaults."""

    resources: Json = Field(default_factory=dict, description="Requests and limits of the container.")
    node_selector: Labels = Field(default_factory=dict, description="Labels that a node must have.")
    tolerations: Mappings = Field(default=(), description="Taints that the pod may be placed on.")
    affinity: Json = Field(default_factory=dict, description="Where the pod prefers to run.")
    priority_class: str | None = Field(default=None, min_length=1, description="Name of its PriorityClass.")
    service_account: Name | None = Field(default=None, description="ServiceAccount; its token is not mounted.")
    security_context: Json = Field(
        default_factory=dict, description="Of the pod, over runAsNonRoot and seccompProfile RuntimeDefault."
    )
    container_security_context: Json = Field(
        default_factory=dict,
        description="Of the container, over no privilege escalation, no capabilities, a read-only root file system.",
    )
    labels: Labels = Field(default_factory=dict, description="Further labels.")
    annotations: Labels = Field(default_factory=dict, description="Further annotations.")
    env: Named = Field(default=(), description="Environment (name, and value or valueFrom); not for secrets as text.")
    env_from: Mappings = Field(default=(), description="Secrets and ConfigMaps that become environment.")
    volumes: Named = Field(default=(), description="Volumes, such as the claim that holds inputs and output.")
    volume_mounts: Named = Field(default=(), description="Where the container has them.")
    spec: Json = Field(
        default_factory=dict,
        description="Anything else of a PodSpec, laid over the rest (topologySpreadConstraints, dnsConfig, ...).",
    )


class KubernetesOptions(Options):
    """A DaskCluster of its own for each run (kind kubernetes)."""

    image: str | None = Field(
        default=None,
        pattern=IMAGE_PATTERN,
        description="Image of scheduler and workers, the same as the driver's; kind kubernetes needs it.",
    )
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        default="IfNotPresent", description="When a node asks the registry for the image."
    )
    image_pull_secrets: Annotated[tuple[Name, ...], Field(strict=False)] = Field(
        default=(), description="Secrets that open the registry."
    )
    namespace: Name | None = Field(
        default=None, description="Where the cluster is made; unset: the driver's own namespace."
    )
    tls_secret: Name | None = Field(
        default=None,
        description="Secret with ca.crt, tls.crt and tls.key, for scheduler, workers and driver; without it nothing is "
        "started unless allow_plaintext is set.",
    )
    tls_directory: str = Field(
        default="/etc/riskpipe/tls",
        min_length=1,
        description="Where the driver finds the files of that Secret, and where the pods have them mounted.",
    )
    allow_plaintext: bool = Field(
        default=False,
        description="Without tls_secret, let the cluster speak tcp://: whoever reaches its port runs code on it.",
    )
    processes_per_pod: Annotated[int, Field(ge=1, le=256)] = Field(
        default=1,
        description="Worker processes in a pod, one thread each; more of them make fewer pods for the same workers.",
    )
    startup_seconds: Seconds = Field(
        default=600.0,
        description="For the cluster to be usable, from its creation; then the run ends with exit code 6.",
    )
    quorum: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.5, description="The run begins with this part of the workers; the others join."
    )
    idle_seconds: Annotated[int, Field(ge=60)] = Field(
        default=900, description="The operator deletes a cluster whose scheduler had nothing to do for so long."
    )
    pods: PodOptions = Field(default_factory=PodOptions, description="Of scheduler and workers.")
    scheduler: PodOptions = Field(default_factory=PodOptions, description="Of the scheduler alone, over pods.")
    worker: PodOptions = Field(default_factory=PodOptions, description="Of the workers alone, over pods.")


class Driver(Struct, frozen=True):
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
