"""Addresses that may be used, and a cluster behind TLS."""

import shutil
import subprocess

import dask
import pytest
from distributed import LocalCluster, Security

from riskpipe.clusters.address import at_address, check_address
from riskpipe.errors import ClusterError, UsageError


@pytest.mark.parametrize(
    "address",
    ["tls://scheduler:8786", "tls://10.0.0.1:8786", "tcp://127.0.0.1:8786", "tcp://localhost:1", "tcp://[::1]:8786"],
)
def test_good_addresses(address):
    check_address(address)


@pytest.mark.parametrize(
    "address", ["tcp://10.0.0.1:8786", "tcp://scheduler:8786", "tcp://0.0.0.0:8786", "tcp://localhost.evil.org:1"]
)
def test_plaintext_beyond_this_machine_is_refused(address):
    with pytest.raises(UsageError, match="neither encrypted nor authenticated"):
        check_address(address)


@pytest.mark.parametrize(
    "address", ["", "scheduler:8786", "ws://h:1", "inproc://x", "tls://h", "tls://:1", "tls://h:x"]
)
def test_addresses_that_mean_nothing(address):
    with pytest.raises(UsageError, match=r"tls://"):
        check_address(address)


def openssl(directory, *arguments):
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    """A self-signed certificate, which is its own authority."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command")
    directory = tmp_path_factory.mktemp("pem")
    subject = ("-subj", "/CN=riskpipe", "-addext", "subjectAltName=IP:127.0.0.1")
    openssl(directory, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key", "-out", "cert", *subject)
    return directory


def test_tls_with_certificates(pem):
    cert, key = str(pem / "cert"), str(pem / "key")
    roles = {
        f"tls_{role}_{part}": path
        for role in ("scheduler", "worker", "client")
        for part, path in (("cert", cert), ("key", key))
    }
    security = Security(tls_ca_file=cert, require_encryption=True, **roles)
    options = {"host": "127.0.0.1", "protocol": "tls://", "dashboard_address": None, "silence_logs": 50}
    with LocalCluster(
        n_workers=1,
        processes=False,
        threads_per_worker=1,
        security=security,
        scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
        **options,
    ) as cluster:
        address = cluster.scheduler_address
        assert address.startswith("tls://")
        pair = {f"distributed.comm.tls.client.{part}": str(pem / part) for part in ("cert", "key")}
        named = dask.config.set({"distributed.comm.tls.ca-file": cert, **pair})
        with named, at_address(address, deadline=30.0) as client:
            assert client.submit(lambda: 42).result(timeout=30) == 42
        with (
            pytest.raises(ClusterError, match="no scheduler answered"),
            at_address(address.replace("tls://", "tcp://"), deadline=2.0),
        ):
            pass
