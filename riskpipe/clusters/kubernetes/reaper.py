"""Clusters whose driver is gone. The decision is a pure function of what was listed."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

from riskpipe.clusters.kubernetes.api import Kube
from riskpipe.clusters.kubernetes.cluster_options import Driver, Json
from riskpipe.clusters.kubernetes.names import DRIVER, SESSION, selector
from riskpipe.store.process import ProcessIdentity

logger = logging.getLogger(__name__)

ENDED = ("Succeeded", "Failed")
FindPod = Callable[[str, str], Json | None]


def reap(kube: Kube, session: str, here: Driver | None, output: str | None = None) -> list[str]:
    """Delete orphans; the names of those deleted.

    :param session: this driver's own, whose clusters are none.
    :param output: only clusters of this output; None: of any.
    """
    reaped = []
    for cluster in kube.clusters(selector(output)):
        why = why_orphan(cluster, session, here, kube.pod)
        name = str(cluster["metadata"]["name"])
        if why and kube.delete(name):
            logger.warning("DaskCluster %s is deleted: %s", name, why)
            reaped.append(name)
    return reaped


def why_orphan(cluster: Json, session: str, here: Driver | None, find_pod: FindPod) -> str | None:
    """Why nobody needs the cluster any more; None: somebody does, or may.

    Another driver's cluster is an orphan only when that driver is certainly gone: its pod has ended, is another or is
    not there; or its process on this machine is not. What cannot be known is left to the cluster's idle timeout.

    :param find_pod: (name, namespace) -> the pod, None if there is none.
    """
    metadata = cluster["metadata"]
    if metadata.get("deletionTimestamp") or metadata.get("labels", {}).get(SESSION) == session:
        return None
    driver = _annotated(metadata.get("annotations", {}).get(DRIVER))
    if isinstance(driver, Driver):
        return _why_gone(driver, here, find_pod)
    if isinstance(driver, ProcessIdentity) and driver.is_known_gone():
        return f"its driver, process {driver.pid} on {driver.host}, is gone"
    return None


def _why_gone(driver: Driver, here: Driver | None, find_pod: FindPod) -> str | None:
    if here is not None and here.uid == driver.uid:
        return "it was left by an earlier container of this pod"
    pod = find_pod(driver.name, driver.namespace)
    if pod is None or pod["metadata"].get("uid") != driver.uid:
        return f"its driver, pod {driver.name}, is gone"
    phase = pod.get("status", {}).get("phase")
    return f"its driver, pod {driver.name}, has ended ({phase})" if phase in ENDED else None


def _annotated(text: str | None) -> Driver | ProcessIdentity | None:
    try:
        found: dict[str, Any] = json.loads(text or "")
        if "pod" in found:
            return Driver(**{name: str(found["pod"][name]) for name in ("name", "uid", "namespace")})
        return ProcessIdentity.from_json(found["process"])
    except (ValueError, KeyError, TypeError):
        return None
