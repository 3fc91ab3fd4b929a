"""How a pod's memory and that of the worker processes in it follow from each other."""

from __future__ import annotations

import re
from typing import Any

from riskpipe.errors import UsageError

# What a pod needs beside its workers: the process that watches over them.
NANNY_BYTES = 256 * 2**20
DEFAULT_BYTES = 2 * 2**30

_UNITS = {"": 1, **{u: 1000 ** (k + 1) for k, u in enumerate("kMGTPE")}}
_UNITS |= {f"{u}i": 1024 ** (k + 1) for k, u in enumerate("KMGTPE")}


def quantity(value: Any) -> int:
    """Bytes of a Kubernetes quantity such as `4Gi`, `500M` or 1073741824.

    :raises UsageError: not a quantity of whole bytes.
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([kMGTPE]|[KMGTPE]i)?", str(value))
    if match is None:
        raise UsageError(f"memory {value!r}: a quantity such as 4Gi is wanted")
    return int(float(match[1]) * _UNITS[match[2] or ""])


def worker_memory(limit: int | None, pod_limit: Any, processes: int) -> tuple[int, int]:
    """Bytes of one worker process, and of its pod.

    :param limit: configured for a process, or None.
    :param pod_limit: configured for the pod (`resources.limits.memory`), or None.
    :raises UsageError: the pod cannot hold its processes.
    """
    if pod_limit is None:
        process = limit or DEFAULT_BYTES
        return process, process * processes + NANNY_BYTES
    pod = quantity(pod_limit)
    process = limit or (pod - NANNY_BYTES) // processes
    if process <= 0 or process * processes > pod:
        raise UsageError(
            f"cluster.kubernetes.worker.resources: a memory limit of {pod_limit} does not hold {processes} processes"
            f" of {process / 2**20:.0f} MiB: raise it, or lower cluster.memory_limit or processes_per_pod"
            if process > 0
            else f"cluster.kubernetes.worker.resources: a memory limit of {pod_limit} is less than a worker needs"
        )
    return process, pod
