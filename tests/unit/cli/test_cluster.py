"""`riskpipe cluster` and doctor's part of it, without a cluster."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

CONFIG = """\
as_of: 2026-11-20
inputs: {portfolio: data/portfolio, market: data/market.parquet}
cluster:
  kind: kubernetes
  deadline: 100
  kubernetes: {image: "riskpipe:1", tls_secret: riskpipe-tls, processes_per_pod: 4, namespace: risk}
"""

# The program in a Python that does not have the extra.
WITHOUT_EXTRA = """
import sys
for name in ("kr8s", "dask_kubernetes", "kubernetes", "kopf", "httpx", "cryptography"):
    sys.modules[name] = None
from riskpipe.cli.main import main
main()
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "riskpipe.yaml"
    path.write_text(CONFIG)
    return path


def without_extra(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT_EXTRA, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("size", "replicas"), [("0", 1), ("1500", 5)])
def test_render_needs_neither_a_cluster_nor_the_extra(config: Path, size: str, replicas: int) -> None:
    done = without_extra("cluster", "render", "-c", config, "--run-size", size)
    assert (done.returncode, done.stderr) == (0, "")
    (resource,) = yaml.safe_load_all(done.stdout)
    assert resource["kind"] == "DaskCluster"
    assert resource["metadata"]["namespace"] == "risk"
    assert resource["spec"]["worker"]["replicas"] == replicas
    assert "&id" not in done.stdout


def test_a_resource_for_every_shard(config: Path) -> None:
    done = without_extra("cluster", "render", "-c", config, "--run-size", "1500", "--set", "cluster.shards=3")
    resources = list(yaml.safe_load_all(done.stdout))
    assert [each["metadata"]["labels"]["riskpipe.io/shard"] for each in resources] == ["0", "1", "2"]
    assert [each["spec"]["worker"]["replicas"] for each in resources] == [2, 2, 2]  # 7, 7 and 6 processes
    assert len({each["metadata"]["name"] for each in resources}) == 3


def test_other_kinds_make_no_resources(config: Path) -> None:
    done = without_extra("cluster", "render", "-c", config, "--set", "cluster.kind=local")
    assert done.returncode == 2
    assert "cluster.kind is local, which makes no resources; kubernetes does" in done.stderr


def test_the_missing_extra_is_named(config: Path) -> None:
    done = without_extra("cluster", "gc", "-c", config)
    assert done.returncode == 6
    assert done.stderr.strip() == (
        "error: cluster kind kubernetes needs the extra `kubernetes`: pip install 'riskpipe[kubernetes]'"
    )


def test_doctor_names_what_is_missing(config: Path, tmp_path: Path) -> None:
    done = without_extra(
        "doctor",
        "-c",
        config,
        "--set",
        f"cluster.kubernetes.tls_directory={tmp_path}",
        "--set",
        f"output={tmp_path}/out",
    )
    assert done.returncode == 6
    assert f"no {tmp_path}/ca.crt and no {tmp_path}/tls.crt and no {tmp_path}/tls.key: mount" in done.stdout
    assert "pip install 'riskpipe[kubernetes]'" in done.stdout
    assert "no POD_NAME, POD_UID and POD_NAMESPACE (downward API)" in done.stdout
