"""One namespace for the suite: a volume with a sample book, the chart, and a run on this machine to compare with."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm_chart import CHART
from kube import CommandError, Json, Namespace, command, until
from nightly import DESK, MEASURES, TRADES, Release

from riskpipe.config import load_settings
from riskpipe.plan.accounting import SilentObserver
from riskpipe.plan.selection import Selection
from riskpipe.workflows.run import run

AS_OF = "2026-11-20"
DAYS = 80


@pytest.fixture(scope="session")
def image() -> str:
    found = os.environ.get("TEST_IMAGE")
    if not found:
        pytest.fail("TEST_IMAGE names no image: run `make test-kubernetes`, which builds and loads one")
    return found


@pytest.fixture(scope="session")
def space() -> Iterator[Namespace]:
    """A new namespace of the cluster that KUBECONFIG names; deleted at the end."""
    try:
        command("kubectl", "get", "crd", "daskclusters.kubernetes.dask.org", seconds=30.0)
    except (CommandError, TimeoutError) as error:
        pytest.fail(f"no cluster with the Dask operator (docs/kubernetes.md says how to install it): {error}")
    name = f"riskpipe-test-{secrets.token_hex(3)}"
    command("kubectl", "create", "namespace", name)
    try:
        yield Namespace(name)
    finally:
        command("kubectl", "delete", "namespace", name, "--timeout=180s")


@pytest.fixture(scope="session")
def claim(space: Namespace) -> Iterator[dict[str, Any]]:
    """Values of storage.claim: of the default storage class, else of a directory of the (one) node."""
    classes = json_of("storageclass")
    annotation = "storageclass.kubernetes.io/is-default-class"
    if any(c["metadata"].get("annotations", {}).get(annotation) == "true" for c in classes):
        yield {"create": True, "size": "1Gi", "accessModes": ["ReadWriteOnce"]}
        return
    space.create(_volume(space.name))
    yield {"create": True, "size": "1Gi", "storageClassName": "", "volumeName": space.name}
    command("kubectl", "delete", "persistentvolume", space.name, "--wait=false")


def json_of(kind: str) -> list[Json]:
    return yaml.safe_load(command("kubectl", "get", kind, "-o", "json"))["items"]


def _volume(name: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "",
            "hostPath": {"path": f"/var/tmp/{name}", "type": "DirectoryOrCreate"},
        },
    }


@pytest.fixture(scope="session")
def release(space: Namespace, image: str, claim: dict[str, Any]) -> Iterator[Release]:
    """The chart installed, and the sample book on its volume."""
    repository, _, tag = image.rpartition(":")
    release = Release(space, CHART, _values(repository, tag, claim))
    release.install()
    space.create(_desk(space.name, image))
    until(lambda: space.one("pod", DESK)["status"].get("phase") == "Running", "the pod that has the volume")
    space.shell(DESK, f"riskpipe init /data/book --trades {TRADES} --scenarios {DAYS} --as-of {AS_OF} -q")
    release.configure(yaml.safe_load(space.shell(DESK, "cat /data/book/riskpipe.yaml")))
    yield release
    space.shell(DESK, "rm -rf /data/*")
    release.uninstall()


def _values(repository: str, tag: str, claim: dict[str, Any]) -> dict[str, Any]:
    """Small pods, so that they fit on one small node."""
    little: dict[str, Any] = {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"memory": "2Gi"}}
    return {
        "image": {"repository": repository, "tag": tag},
        "storage": {"claim": claim},
        "driver": {"resources": little},
        "nightly": {"schedule": "0 0 1 1 *", "asOf": AS_OF, "backoffLimit": 6},
        "config": {
            "lease_seconds": 20,
            "measures": MEASURES,
            # Many small blocks: a run that lasts long enough to be disturbed in its middle.
            "partition": {"max_trades": 100, "max_scenarios": 64},
            "cluster": {
                "workers": 2,
                "kubernetes": {
                    "quorum": 1.0,
                    "scheduler": {"resources": little},
                    "worker": {"resources": little},
                },
            },
        },
    }


def _desk(space: str, image: str) -> Json:
    """A pod that has the volume and does nothing, to look at files with; it opens the volume to any user id first."""
    mounts = [{"name": "data", "mountPath": "/data"}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": DESK, "namespace": space},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "initContainers": [
                {
                    "name": "open",
                    "image": image,
                    "command": ["chmod", "0777", "/data"],
                    "securityContext": {"runAsUser": 0},
                    "volumeMounts": mounts,
                }
            ],
            "containers": [{"name": "desk", "image": image, "args": ["sleep", "infinity"], "volumeMounts": mounts}],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "risk-riskpipe-data"}}],
        },
    }


@pytest.fixture(scope="session")
def local(space: Namespace, release: Release, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a run on this machine, in one process and cut otherwise, of the book that the cluster has."""
    book = space.fetch(DESK, "/data/book", tmp_path_factory.mktemp("book"))
    output = tmp_path_factory.mktemp("local")
    config = book / "riskpipe.yaml"
    # As Helm writes it: keys in alphabetical order, and so the stresses that they name.
    config.write_text(yaml.safe_dump(yaml.safe_load(config.read_text())))
    given = ("cluster.kind=serial", f"output={output}", f"measures=[{', '.join(MEASURES)}]")
    settings = load_settings(config, assignments=given, environment={})
    assert run(settings, Selection(), observer=SilentObserver()).state == "complete"
    return output


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """After every test: no DaskCluster, no pod of one, no lease."""
    yield
    if "release" in request.fixturenames:
        space: Namespace = request.getfixturevalue("space")
        until(lambda: not space.all("daskclusters"), "the deletion of all DaskClusters")
        until(lambda: not space.all("pods", "dask.org/cluster-name"), "the deletion of all Dask pods")
        # Who is killed while it writes leaves a part of a file, under a name that says so: `runs gc` clears it away.
        assert space.shell(DESK, "find /data -path '*/meta/lease/*' ! -name '.tmp-*'").split() == []
