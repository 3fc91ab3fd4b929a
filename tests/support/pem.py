"""Certificates for tests: an authority and a pair that it signed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

Key = ec.EllipticCurvePrivateKey
DAY = timedelta(days=1)


def pair(since: datetime | None = None, until: datetime | None = None, *, name: str = "riskpipe") -> dict[str, bytes]:
    """ca.crt, tls.crt and tls.key, as a Secret has them; valid from yesterday for 30 days."""
    now = datetime.now(UTC)
    authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    dates = (since or now - DAY, until or now + 30 * DAY)
    root = _certificate(authority, "test authority", authority, "test authority", dates)
    own = _certificate(key, name, authority, "test authority", dates)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {"ca.crt": _pem(root), "tls.crt": _pem(own), "tls.key": private}


def _certificate(
    key: Key, name: str, issuer_key: Key, issuer: str, dates: tuple[datetime, datetime]
) -> x509.Certificate:
    builder = x509.CertificateBuilder(
        issuer_name=_name(issuer),
        subject_name=_name(name),
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=dates[0],
        not_valid_after=dates[1],
    )
    constraints = x509.BasicConstraints(ca=key is issuer_key, path_length=None)
    return builder.add_extension(constraints, critical=True).sign(issuer_key, hashes.SHA256())


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
