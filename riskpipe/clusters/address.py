"""A cluster that is already there, by the address of its scheduler."""

from __future__ import annotations

import ipaddress
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec import Struct
from pydantic import Field

from riskpipe.clusters.kind import ClusterKind, ClusterRequest
from riskpipe.clusters.settings import SETTINGS
from riskpipe.clusters.versions import check_versions
from riskpipe.errors import ClusterError, UsageError

if TYPE_CHECKING:
    from distributed import Client, Security

    from riskpipe.clusters.initialise import Initialise

POLL_SECONDS = 0.2


class Address(ClusterKind):
    """Its options are the address itself."""

    name = "address"
    summary = "a Dask scheduler that runs already"
    standing = True
    key = (
        str | None,
        Field(
            default=None,
            min_length=1,
            description="Scheduler such as tls://host:8786 (kind address); tcp:// on this machine only.",
        ),
    )

    def faults(self, section: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        if section["address"] is None:
            yield "kind", "address needs cluster.address, such as tls://host:8786"

    def check(self, options: str | None) -> None:
        check_address(options or "")

    def open(self, request: ClusterRequest) -> AbstractContextManager[Client]:
        return at_address(request.options or "", workers=request.workers, initialise=request.initialise)


class TlsFiles(Struct, frozen=True):
    """PEM files of the driver: the authority that signed the scheduler's certificate, and its own pair."""

    authority: str
    certificate: str
    key: str

    def security(self) -> Security:
        from distributed import Security

        return Security(
            tls_ca_file=self.authority,
            tls_client_cert=self.certificate,
            tls_client_key=self.key,
            require_encryption=True,
        )


@contextmanager
def at_address(
    address: str,
    *,
    workers: int = 1,
    deadline: float = 60.0,
    initialise: Initialise | None = None,
) -> Iterator[Client]:
    """A client of the scheduler at `address`; the cluster is left as it was found.

    Certificates for tls:// are those that dask's own configuration names (distributed.comm.tls).

    :param address: tls://host:port, or tcp://host:port on loopback.
    :param workers: how many must be there before anything is submitted.
    :param deadline: seconds for the scheduler to answer and the workers to be there.
    :raises UsageError: an address that cannot or must not be used.
    :raises ClusterError: nothing answers in time, no worker comes, or other software runs there.
    """
    import dask

    from riskpipe.clusters.initialise import initialise_workers

    check_address(address)
    until = time.monotonic() + deadline
    with ExitStack() as stack:
        stack.enter_context(dask.config.set(SETTINGS))
        client = stack.enter_context(connect(address, deadline))
        _await_workers(client, workers, until, deadline)
        check_versions(client)
        initialise_workers(client, initialise)
        yield client


def check_address(address: str) -> None:
    """:raises UsageError: not tls:// or tcp://, no host or port, or plaintext beyond this machine."""
    parts = urlsplit(address)
    if parts.scheme not in ("tls", "tcp"):
        raise UsageError(f"cluster address {address!r}: give tls://host:port (or tcp:// on this machine)")
    try:
        complete = bool(parts.hostname) and parts.port is not None
    except ValueError:
        complete = False
    if not complete:
        raise UsageError(f"cluster address {address!r}: it needs a host and a port, as in tls://host:8786")
    if parts.scheme == "tcp" and not _is_loopback(parts.hostname or ""):
        raise UsageError(
            f"cluster address {address!r}: tcp:// beyond this machine is neither encrypted nor authenticated,"
            " and whoever reaches the port can run code on the cluster: use tls://"
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def connect(address: str, deadline: float, tls: TlsFiles | None = None) -> Client:
    """:param tls: None: what dask's own configuration names. :raises ClusterError: nothing answers in time."""
    from distributed import Client
    from distributed.versions import VersionMismatchWarning

    security = tls.security() if tls is not None else None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", VersionMismatchWarning)
            return Client(address, timeout=deadline, security=security, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise ClusterError(f"no scheduler answered at {address} within {deadline:g} s: {error}") from error


@contextmanager
def joined(address: str, deadline: float = 60.0, tls: TlsFiles | None = None) -> Iterator[Client]:
    """A further client of a cluster that is at work. :raises ClusterError: nothing answers in time."""
    import dask

    with dask.config.set(SETTINGS), connect(address, deadline, tls) as client:
        yield client


def _await_workers(client: Client, workers: int, until: float, deadline: float) -> None:
    """Polls the count alone: `Client.wait_for_workers` fetches every worker's identity each time."""
    while (there := len(client.nthreads())) < workers:
        if time.monotonic() > until:
            raise ClusterError(f"{there} of {workers} workers were there after {deadline:g} s")
        time.sleep(POLL_SECONDS)
