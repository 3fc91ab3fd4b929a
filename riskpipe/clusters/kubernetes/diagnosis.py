"""Why pods do not run, read off their statuses and events; pure functions of what the API says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from riskpipe.clusters.kubernetes.cluster_options import Json

# These never go away by themselves.
HOPELESS = frozenset({"InvalidImageName", "ErrImageNeverPull"})
# These may (a registry that comes back, a Secret that is made a moment later), but seldom do.
STUCK = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
    }
)
ORDINARY = frozenset({"ContainerCreating", "PodInitializing", ""})
RESTARTED = "Restarted"
WARNINGS_SHOWN = 3
PODS_SHOWN = 3


class PodTrouble(Struct, frozen=True):
    """What keeps one pod from running.

    :param reason: Kubernetes' own word, such as ImagePullBackOff or Unschedulable.
    :param crashed: its container ended, so that its log may say why.
    """

    pod: str
    component: str
    reason: str
    message: str
    crashed: bool = False

    @property
    def before_restart(self) -> bool:
        """Whether the log that may say why is that of an earlier container."""
        return self.reason in ("CrashLoopBackOff", RESTARTED)


def is_ready(pod: Json) -> bool:
    """Whether the pod counts as Ready and is not about to end."""
    if pod["metadata"].get("deletionTimestamp"):
        return False
    conditions = pod.get("status", {}).get("conditions") or []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def component(pod: Json) -> str:
    """scheduler or worker."""
    return str(pod["metadata"].get("labels", {}).get("dask.org/component", ""))


def troubles(pods: Sequence[Json]) -> list[PodTrouble]:
    """Of every pod that is not ready, the scheduler's first."""
    found = [trouble for pod in pods if not is_ready(pod) for trouble in _of(pod)]
    return sorted(found, key=lambda trouble: (trouble.component != "scheduler", trouble.pod))


def quiet(pods: Sequence[Json]) -> list[PodTrouble]:
    """Of pods that run as far as Kubernetes knows, and yet are not what is waited for: their logs may say why."""
    found = [
        (str(pod["metadata"]["name"]), component(pod), pod.get("status", {}).get("phase", "Pending")) for pod in pods
    ]
    return [PodTrouble(*pod, "nothing is known to be wrong with it", crashed=pod[2] == "Running") for pod in found]


def _of(pod: Json) -> Iterator[PodTrouble]:
    name, status = str(pod["metadata"]["name"]), pod.get("status", {})
    for condition in status.get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            reason, message = condition.get("reason") or "Pending", condition.get("message") or "no node takes it"
            yield PodTrouble(name, component(pod), reason, message)
    if status.get("phase") == "Failed" and status.get("reason"):
        yield PodTrouble(name, component(pod), status["reason"], status.get("message") or "the pod failed")
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        yield from _of_container(pod, container)


def _of_container(pod: Json, container: Json) -> Iterator[PodTrouble]:
    name = str(pod["metadata"]["name"])
    state = container.get("state") or {}
    waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
    last = (container.get("lastState") or {}).get("terminated") or {}
    before = f"{_ending(last)}, {container.get('restartCount', 0)} restarts" if last else ""
    if (reason := waiting.get("reason", "")) not in ORDINARY:
        yield PodTrouble(name, component(pod), reason, before or waiting.get("message") or "", crashed=bool(last))
    elif ended:
        yield PodTrouble(name, component(pod), ended.get("reason") or "Ended", _ending(ended), crashed=True)
    elif last:
        yield PodTrouble(name, component(pod), RESTARTED, before, crashed=True)


def _ending(ended: Json) -> str:
    reason = ended.get("reason")
    return f"its container ended with exit code {ended.get('exitCode')}" + (f" ({reason})" if reason else "")


def hopeless(found: Sequence[PodTrouble]) -> PodTrouble | None:
    """A trouble that no waiting cures."""
    return next((trouble for trouble in found if trouble.reason in HOPELESS), None)


def stuck(found: Sequence[PodTrouble]) -> set[str]:
    """Names of the pods in a trouble that seldom goes away."""
    return {trouble.pod for trouble in found if trouble.reason in STUCK}


def described(trouble: PodTrouble, events: Sequence[Json], log: Sequence[str]) -> list[str]:
    """Lines about one pod: its state, the warnings among its events, the end of its log."""
    lines = [f"{trouble.component or 'pod'} {trouble.pod}: {trouble.reason}: {trouble.message}".rstrip(": ")]
    for event in [event for event in events if event.get("type") == "Warning"][-WARNINGS_SHOWN:]:
        count = event.get("count") or 1
        told = str(event.get("message", "")).strip()
        if told and told != trouble.message:
            lines.append(f"    {event.get('reason', 'Warning')}: {told}" + (f" ({count} times)" if count > 1 else ""))
    lines += [f"    log: {line}" for line in log if line.strip()]
    return lines


def without_pods(cluster: Json | None) -> str:
    """Why there may be no pods at all."""
    if cluster is None:
        return "the DaskCluster is gone: somebody deleted it, or its owner's end did"
    phase = (cluster.get("status") or {}).get("phase")
    if phase is None:
        return (
            "nobody has looked at the DaskCluster: is the dask-kubernetes operator running, and does it watch this"
            " namespace? (kubectl get pods -A -l app.kubernetes.io/name=dask-kubernetes-operator)"
        )
    return (
        f"the operator has made no pods (phase {phase}); a quota or an admission rule may refuse them:"
        " kubectl describe the Deployments and ReplicaSets of this cluster"
    )
