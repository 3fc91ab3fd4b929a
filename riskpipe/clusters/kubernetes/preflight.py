"""What a run on Kubernetes needs, looked at one by one: for `riskpipe doctor`."""

from __future__ import annotations

from collections.abc import Iterator

from riskpipe.clusters.findings import Finding
from riskpipe.clusters.kubernetes.api import Kube
from riskpipe.clusters.kubernetes.certificates import certificate_faults
from riskpipe.clusters.kubernetes.cluster_options import Driver, KubernetesOptions
from riskpipe.clusters.kubernetes.lifecycle import tls_files
from riskpipe.clusters.kubernetes.resource import API_VERSION, check_options
from riskpipe.errors import Level, RiskpipeError

GROUP = API_VERSION.partition("/")[0]
RESOURCES = ("daskclusters", "daskworkergroups")
# (group, resource, subresource, verbs): what the driver does. Its Role may well give more.
RIGHTS = (
    (GROUP, "daskclusters", "", ("get", "list", "create", "delete")),
    ("", "pods", "", ("get", "list")),
    ("", "pods", "log", ("get",)),
    ("", "events", "", ("list",)),
)


def preflight(options: KubernetesOptions) -> Iterator[Finding]:
    """Options, certificates, API server, CRDs and rights; what depends on something missing is left out."""
    try:
        check_options(options)
        yield Finding(Level.OK, "image", options.image or "")
        yield from _certificates(options)
        kube = Kube(options.namespace)
        yield Finding(Level.OK, "kubernetes", f"{kube.version()}, namespace {kube.namespace}")
        yield from _operator(kube)
        yield from _rights(kube)
    except RiskpipeError as error:
        yield Finding(Level.ERROR, "kubernetes", str(error))
    yield _driver()


def _certificates(options: KubernetesOptions) -> Iterator[Finding]:
    if options.tls_secret is None:
        yield Finding(
            Level.WARNING, "certificates", "none: whoever reaches the scheduler's port can run code on the cluster"
        )
        return
    try:
        files = tls_files(options)
        assert files is not None
        faults = certificate_faults(files)
    except RiskpipeError as error:
        yield Finding(Level.ERROR, "certificates", str(error))
        return
    for fault in faults:
        yield Finding(fault.level, "certificates", fault.text)
    if not faults:
        yield Finding(Level.OK, "certificates", f"{files.certificate} and {files.authority} are in order")


def _operator(kube: Kube) -> Iterator[Finding]:
    served = kube.served(API_VERSION)
    missing = [name for name in RESOURCES if name not in served]
    if missing:
        text = (
            f"{', '.join(missing)} not served as {API_VERSION}: install the dask-kubernetes operator (its Helm chart)"
        )
        yield Finding(Level.ERROR, "operator", text)
    else:
        yield Finding(Level.OK, "operator", f"its resources are served as {API_VERSION}")


def _rights(kube: Kube) -> Iterator[Finding]:
    missing = [
        f"{verb} {'/'.join(filter(None, (resource, subresource)))}" + (f" ({group})" if group else "")
        for group, resource, subresource, verbs in RIGHTS
        for verb in verbs
        if not kube.allowed(verb, group, resource, subresource)
    ]
    if missing:
        yield Finding(
            Level.ERROR, "rights", f"the driver may not: {', '.join(missing)}; extend its Role and RoleBinding"
        )
    else:
        yield Finding(Level.OK, "rights", f"the driver may do all that it needs in namespace {kube.namespace}")


def _driver() -> Finding:
    driver = Driver.here()
    if driver is not None:
        return Finding(Level.OK, "driver", f"pod {driver.name} in namespace {driver.namespace} owns its clusters")
    return Finding(
        Level.WARNING,
        "driver",
        "no POD_NAME, POD_UID and POD_NAMESPACE (downward API): clusters have no owner, and one that outlives its"
        " driver is left to its idle timeout",
    )
