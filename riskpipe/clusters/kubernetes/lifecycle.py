"""From options to a client and back to nothing: the life of a DaskCluster."""

from __future__ import annotations

import logging
import math
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import dask
from distributed import Client

from riskpipe.clusters.address import TlsFiles, connect
from riskpipe.clusters.initialise import Initialise, initialise_workers
from riskpipe.clusters.kind import ClusterIdentity
from riskpipe.clusters.kubernetes.api import Kube
from riskpipe.clusters.kubernetes.cluster_options import Driver, Json, KubernetesOptions
from riskpipe.clusters.kubernetes.environment import AUTHORITY, CERTIFICATE, KEY
from riskpipe.clusters.kubernetes.readiness import POLL_SECONDS, Wait
from riskpipe.clusters.kubernetes.reaper import reap
from riskpipe.clusters.kubernetes.resource import check_options, dask_cluster, scheduler_address
from riskpipe.clusters.settings import SETTINGS
from riskpipe.clusters.versions import check_versions
from riskpipe.errors import ClusterError
from riskpipe.store.process import ProcessIdentity

# For the operator to let a deleted cluster go.
DELETE_SECONDS = 60.0

logger = logging.getLogger(__name__)


@contextmanager
def on_kubernetes(
    options: KubernetesOptions,
    identity: ClusterIdentity,
    *,
    workers: int,
    memory_limit: int | None = None,
    initialise: Initialise | None = None,
    stopped: Callable[[], bool] | None = None,
) -> Iterator[Client]:
    """A client of a DaskCluster that lives as long as the context, whatever ends it.

    :param workers: processes; the context begins with a quorum of them.
    :param memory_limit: bytes of one; None: the pod's limit divided among its processes.
    :param stopped: asked while the cluster starts, whether to give it up.
    :raises UsageError: options that make no cluster.
    :raises ClusterError: no API server, no rights, or the cluster is not usable in time; the message says why.
    """
    check_options(options)
    tls = tls_files(options)
    kube = Kube(options.namespace)
    driver = Driver.here()
    reap(kube, identity.session, driver, identity.output)
    resource = dask_cluster(
        options,
        identity,
        namespace=kube.namespace,
        session=identity.session,
        suffix=secrets.token_hex(2),
        workers=workers,
        memory_limit=memory_limit,
        driver=driver or ProcessIdentity.current(),
    )
    with ExitStack() as stack:
        wait = stack.enter_context(_created(kube, resource, options.startup_seconds, stopped))
        wait.for_scheduler()
        stack.enter_context(dask.config.set(SETTINGS))
        address = scheduler_address(options, wait.name, kube.namespace)
        client = stack.enter_context(connect(address, max(wait.left, 1.0), tls))
        there = wait.for_workers(client, max(math.ceil(options.quorum * workers), 1))
        logger.info(
            "DaskCluster %s: %d of %d workers after %.1f s", wait.name, there, workers, wait.seconds - wait.left
        )
        check_versions(client)
        initialise_workers(client, initialise)
        yield client


def tls_files(options: KubernetesOptions) -> TlsFiles | None:
    """The driver's certificates; None: plaintext. :raises ClusterError: a file is not there."""
    if options.tls_secret is None:
        return None
    directory = Path(options.tls_directory)
    paths = [directory / name for name in (AUTHORITY, CERTIFICATE, KEY)]
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        raise ClusterError(
            f"no {' and no '.join(missing)}: mount the Secret {options.tls_secret} at {directory} in the driver's pod,"
            " or set cluster.kubernetes.tls_directory"
        )
    return TlsFiles(*map(str, paths))


@contextmanager
def _created(kube: Kube, resource: Json, startup_seconds: float, stopped: Callable[[], bool] | None) -> Iterator[Wait]:
    """The resource exists from here on, and at the end it does not."""
    name = str(resource["metadata"]["name"])
    try:
        kube.create(resource)
    except ClusterError:
        with suppress(ClusterError):
            kube.delete(name)  # an answer that came too late
        raise
    try:
        yield Wait(kube, name, startup_seconds, stopped)
    finally:
        _delete(kube, name)


def _delete(kube: Kube, name: str) -> None:
    """A cluster that cannot be deleted is no reason to fail a run: it has an owner and an idle timeout."""
    try:
        if not kube.delete(name):
            return
        until = time.monotonic() + DELETE_SECONDS
        while kube.cluster(name) is not None:
            if time.monotonic() > until:
                raise ClusterError(f"it is still there after {DELETE_SECONDS:g} s; is the operator running?")
            time.sleep(POLL_SECONDS)
    except ClusterError as error:
        logger.warning("DaskCluster %s could not be deleted: %s", name, error)
