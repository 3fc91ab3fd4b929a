"""Whether the certificates of a cluster can serve: dates, names, and whether they belong together."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from riskpipe.clusters.address import TlsFiles
from riskpipe.errors import ClusterError, Level

SOON = timedelta(days=14)
HANDSHAKE_ROUNDS = 4  # enough for either version of the protocol


class CertificateFault(Struct, frozen=True):
    """`level` is warning or error."""

    level: Level
    text: str


class Certificate(Struct, frozen=True):
    """What is of interest in one PEM file."""

    path: str
    name: str
    since: datetime
    until: datetime

    def __str__(self) -> str:
        return f"{self.path} (CN {self.name or 'none'})"


def read_certificate(path: str) -> Certificate:
    """The first certificate of a PEM file.

    :raises ClusterError: none can be read, or the extra is not installed.
    """
    try:
        from cryptography import x509
    except ImportError as error:
        raise ClusterError("certificates cannot be looked at without the extra `kubernetes`") from error
    try:
        with open(path, "rb") as file:
            found = x509.load_pem_x509_certificate(file.read())
    except (OSError, ValueError) as error:
        raise ClusterError(f"{path}: no certificate in PEM form can be read: {error}") from error
    names = found.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    name = str(names[0].value) if names else ""
    return Certificate(path, name, found.not_valid_before_utc, found.not_valid_after_utc)


def certificate_faults(files: TlsFiles, now: datetime | None = None) -> list[CertificateFault]:
    """Everything that is wrong with a pair and its authority.

    :param now: with a time zone; None: now.
    """
    now = now or datetime.now(UTC)
    faults = []
    for path in (files.certificate, files.authority):
        try:
            faults += _of_dates(read_certificate(path), now)
        except ClusterError as error:
            faults.append(CertificateFault(Level.ERROR, str(error)))
    if any(fault.level == Level.ERROR for fault in faults):
        return faults
    broken = handshake_fault(files)
    return faults if broken is None else [*faults, CertificateFault(Level.ERROR, f"{broken}; renew the Secret")]


def _of_dates(certificate: Certificate, now: datetime) -> list[CertificateFault]:
    if now < certificate.since:
        text = f"{certificate} is not valid before {certificate.since:%Y-%m-%d %H:%M} UTC: is the clock right?"
        return [CertificateFault(Level.ERROR, text)]
    if now > certificate.until:
        text = f"{certificate} expired on {certificate.until:%Y-%m-%d}: renew the Secret"
        return [CertificateFault(Level.ERROR, text)]
    if certificate.until - now < SOON:
        text = f"{certificate} expires on {certificate.until:%Y-%m-%d}: renew the Secret"
        return [CertificateFault(Level.WARNING, text)]
    return []


def handshake_fault(files: TlsFiles) -> str | None:
    """What is wrong between two sides that both use these files, as scheduler, workers and driver do; None: nothing.

    A handshake in memory, in which each side asks for the other's certificate.
    """
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    try:
        for context in (server, client):
            context.load_cert_chain(files.certificate, files.key)
            context.load_verify_locations(files.authority)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        return f"{files.certificate} and {files.key} do not belong together, or one cannot be read: {error}"
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (client.wrap_bio(down, up), server.wrap_bio(up, down, server_side=True))
    for _ in range(HANDSHAKE_ROUNDS):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError as error:
                return f"{files.authority} did not sign {files.certificate} ({error.reason or error})"
    return None
