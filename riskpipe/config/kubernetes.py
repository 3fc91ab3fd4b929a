"""The section `cluster.kubernetes`: the pods of a DaskCluster, their certificates and their patience."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from riskpipe.config.values import unwanted

NAME_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
IMAGE_PATTERN = r"^[\w][\w.\-/:@]*$"

Mapping = dict[str, Any]
Mappings = Annotated[tuple[dict[str, Any], ...], Field(strict=False)]
Labels = dict[str, str]
Seconds = Annotated[float, Field(gt=0)]
Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=63)]


def _named(entries: object) -> object:
    """Entries of env, volumes and mounts are told apart by their names."""
    if isinstance(entries, list | tuple) and not all(isinstance(e, dict) and e.get("name") for e in entries):
        raise unwanted("a list of mappings, each with a name")
    return entries


Named = Annotated[tuple[dict[str, Any], ...], Field(strict=False), BeforeValidator(_named)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)


class PodSettings(_Section):
    """Parts of a pod, in the words of Kubernetes' own API; what is unset follows riskpipe's safe defaults."""

    resources: Mapping = Field(default_factory=dict, description="Requests and limits of the container.")
    node_selector: Labels = Field(default_factory=dict, description="Labels that a node must have.")
    tolerations: Mappings = Field(default=(), description="Taints that the pod may be placed on.")
    affinity: Mapping = Field(default_factory=dict, description="Where the pod prefers to run.")
    priority_class: str | None = Field(default=None, min_length=1, description="Name of its PriorityClass.")
    service_account: Name | None = Field(default=None, description="ServiceAccount; its token is not mounted.")
    security_context: Mapping = Field(
        default_factory=dict, description="Of the pod, over runAsNonRoot and seccompProfile RuntimeDefault."
    )
    container_security_context: Mapping = Field(
        default_factory=dict,
        description="Of the container, over no privilege escalation, no capabilities, a read-only root file system.",
    )
    labels: Labels = Field(default_factory=dict, description="Further labels.")
    annotations: Labels = Field(default_factory=dict, description="Further annotations.")
    env: Named = Field(default=(), description="Environment (name, and value or valueFrom); not for secrets as text.")
    env_from: Mappings = Field(default=(), description="Secrets and ConfigMaps that become environment.")
    volumes: Named = Field(default=(), description="Volumes, such as the claim that holds inputs and output.")
    volume_mounts: Named = Field(default=(), description="Where the container has them.")
    spec: Mapping = Field(
        default_factory=dict,
        description="Anything else of a PodSpec, laid over the rest (topologySpreadConstraints, dnsConfig, ...).",
    )


class Kubernetes(_Section):
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
    pods: PodSettings = Field(default_factory=PodSettings, description="Of scheduler and workers.")
    scheduler: PodSettings = Field(default_factory=PodSettings, description="Of the scheduler alone, over pods.")
    worker: PodSettings = Field(default_factory=PodSettings, description="Of the workers alone, over pods.")
