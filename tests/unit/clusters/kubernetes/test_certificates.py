"""Certificates that can serve, and what is said of those that cannot."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pem import DAY, pair

from riskpipe.clusters.address import TlsFiles
from riskpipe.clusters.kubernetes.certificates import certificate_faults, read_certificate
from riskpipe.clusters.kubernetes.cluster_options import KubernetesOptions
from riskpipe.clusters.kubernetes.lifecycle import tls_files
from riskpipe.errors import ClusterError

NOW = datetime.now(UTC)


def written(directory: Path, contents: dict[str, bytes]) -> TlsFiles:
    for name, content in contents.items():
        (directory / name).write_bytes(content)
    return TlsFiles(*(str(directory / name) for name in ("ca.crt", "tls.crt", "tls.key")))


def test_a_pair_of_its_authority_is_in_order(tmp_path: Path) -> None:
    files = written(tmp_path, pair())
    assert certificate_faults(files) == []
    assert read_certificate(files.certificate).name == "riskpipe"


@pytest.mark.parametrize(
    ("since", "until", "level", "text"),
    [
        (NOW - 9 * DAY, NOW - DAY, "error", "expired on"),
        (NOW + DAY, NOW + 9 * DAY, "error", "is not valid before"),
        (NOW - DAY, NOW + timedelta(days=13), "warning", "expires on"),
    ],
)
def test_dates(tmp_path: Path, since: datetime, until: datetime, level: str, text: str) -> None:
    faults = certificate_faults(written(tmp_path, pair(since, until)), NOW)
    assert {fault.level for fault in faults} == {level}
    assert all(text in fault.text for fault in faults)
    assert "tls.crt (CN riskpipe)" in faults[0].text


def test_another_authority(tmp_path: Path) -> None:
    files = written(tmp_path, {**pair(), "ca.crt": pair()["ca.crt"]})
    (fault,) = certificate_faults(files)
    assert fault.level == "error"
    assert "did not sign" in fault.text


def test_another_key(tmp_path: Path) -> None:
    (fault,) = certificate_faults(written(tmp_path, {**pair(), "tls.key": pair()["tls.key"]}))
    assert "do not belong together" in fault.text


def test_no_certificate(tmp_path: Path) -> None:
    (fault,) = certificate_faults(written(tmp_path, {**pair(), "ca.crt": b"hello"}))
    assert "no certificate in PEM form" in fault.text


def test_files_that_are_not_mounted_are_named(tmp_path: Path) -> None:
    written(tmp_path, {"tls.crt": b""})
    options = KubernetesOptions(image="a", tls_secret="riskpipe-tls", tls_directory=str(tmp_path))
    with pytest.raises(ClusterError, match=r"no .*ca\.crt and no .*tls\.key: mount the Secret riskpipe-tls"):
        tls_files(options)
