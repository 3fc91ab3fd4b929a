"""Dask's settings as the environment of a pod."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from riskpipe.clusters.kubernetes.cluster_options import KubernetesOptions
from riskpipe.clusters.settings import ENVIRONMENT, SETTINGS

AUTHORITY, CERTIFICATE, KEY = "ca.crt", "tls.crt", "tls.key"
# The operator asks /api/v1/check_idle; without that route it takes a busy scheduler for an idle one.
ROUTES = ["distributed.http.health", "distributed.http.scheduler.api"]

# Any user id may be the pod's, one without an entry in /etc/passwd too.
HOME = {"HOME": "/tmp", "USER": "riskpipe", "LOGNAME": "riskpipe"}


def pod_environment(options: KubernetesOptions) -> dict[str, str]:
    """What scheduler and workers share: home, threads of libraries, Dask's settings, certificates."""
    settings: dict[str, Any] = {**SETTINGS, "distributed.scheduler.http.routes": ROUTES}
    if options.tls_secret is not None:
        settings |= tls_settings(options.tls_directory)
    return {**HOME, **ENVIRONMENT, **dask_environment(settings)}


def tls_settings(directory: str) -> dict[str, Any]:
    """Dask's settings for encrypted and mutually authenticated connections with one pair for all roles."""
    settings: dict[str, Any] = {
        "distributed.comm.require-encryption": True,
        "distributed.comm.tls.ca-file": f"{directory}/{AUTHORITY}",
    }
    for role in ("scheduler", "worker", "client"):
        settings[f"distributed.comm.tls.{role}.cert"] = f"{directory}/{CERTIFICATE}"
        settings[f"distributed.comm.tls.{role}.key"] = f"{directory}/{KEY}"
    return settings


def dask_environment(settings: Mapping[str, Any]) -> dict[str, str]:
    """`distributed.comm.timeouts.tcp` as DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP; Dask reads values as literals."""
    return {
        "DASK_" + key.replace(".", "__").replace("-", "_").upper(): value if isinstance(value, str) else repr(value)
        for key, value in settings.items()
    }
