"""DaskClusters on a real cluster, from this process: made, used over TLS, explained when they fail, and gone."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import Client
from kube import Namespace, until
from msgspec.structs import replace
from pem import pair

from riskpipe.clusters.kind import SESSION, ClusterIdentity
from riskpipe.clusters.kubernetes.api import Kube
from riskpipe.clusters.kubernetes.cluster_options import Driver, KubernetesOptions, PodOptions
from riskpipe.clusters.kubernetes.lifecycle import on_kubernetes
from riskpipe.clusters.kubernetes.names import selector
from riskpipe.clusters.kubernetes.preflight import preflight
from riskpipe.clusters.kubernetes.reaper import reap
from riskpipe.clusters.kubernetes.resource import dask_cluster, scheduler_address
from riskpipe.errors import ClusterError

pytestmark = [pytest.mark.kubernetes, pytest.mark.filterwarnings("ignore::DeprecationWarning:kr8s.*")]

SECRET = "cluster-tls"
LITTLE = PodOptions(
    resources={"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
    spec={"terminationGracePeriodSeconds": 1},
)
IDENTITY = ClusterIdentity("20261120-193055-3f9a1c", "/data/output")


@pytest.fixture(scope="module")
def options(space: Namespace, image: str, tmp_path_factory: pytest.TempPathFactory) -> KubernetesOptions:
    """Small pods, with certificates in a Secret, which this process has in a directory."""
    directory, files = tmp_path_factory.mktemp("tls"), pair()
    for name, content in files.items():
        (directory / name).write_bytes(content)
    data = {name: base64.b64encode(content).decode() for name, content in files.items()}
    space.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET}, "data": data})
    return KubernetesOptions(
        image=image,
        namespace=space.name,
        tls_secret=SECRET,
        tls_directory=str(directory),
        startup_seconds=120.0,
        processes_per_pod=2,
        pods=LITTLE,
    )


@pytest.fixture(scope="module")
def kube(space: Namespace) -> Kube:
    return Kube(space.name)


@pytest.fixture(autouse=True)
def no_orphans(kube: Kube) -> Iterator[None]:
    yield
    until(lambda: not kube.clusters(selector()), "the end of all DaskClusters")
    until(lambda: not kube.pods("dask.org/cluster-name"), "the end of all Dask pods")


def test_works_run_over_tls_and_nothing_is_left(options: KubernetesOptions, kube: Kube) -> None:
    with on_kubernetes(options, IDENTITY, workers=2) as client:
        (cluster,) = kube.clusters(selector(IDENTITY.output))
        assert cluster["spec"]["worker"]["replicas"] == 1
        until(lambda: len(client.nthreads()) == 2, "both processes of the pod")
        users = client.run(os.getuid)
        assert len(users) == 2
        assert all(address.startswith("tls://") and user != 0 for address, user in users.items())
        # Whoever has no certificate is not served.
        plain = scheduler_address(
            options.model_copy(update={"tls_secret": None}), cluster["metadata"]["name"], kube.namespace
        )
        with pytest.raises(OSError, match="8786"):
            Client(plain, timeout=3)
    assert kube.clusters(selector()) == []


def test_two_clusters_of_one_run_at_once(options: KubernetesOptions, kube: Kube) -> None:
    first, second = IDENTITY, replace(IDENTITY, shard=1)
    with on_kubernetes(options, first, workers=1) as one, on_kubernetes(options, second, workers=1) as other:
        assert len(kube.clusters(selector(IDENTITY.output))) == 2
        assert one.submit(int, 7).result() == other.submit(int, 7).result() == 7


def failure(options: KubernetesOptions, **more: Any) -> str:
    """What is said of a cluster that does not start."""
    with pytest.raises(ClusterError) as caught, on_kubernetes(options, IDENTITY, workers=1, **more):
        pytest.fail("it has started")
    return str(caught.value)


def test_an_image_that_is_not_there(options: KubernetesOptions) -> None:
    text = failure(options.model_copy(update={"image": "registry.invalid/riskpipe:none", "startup_seconds": 45.0}))
    assert "ImagePull" in text
    assert "registry.invalid/riskpipe:none" in text


def test_an_image_that_never_can_be_there(options: KubernetesOptions) -> None:
    text = failure(options.model_copy(update={"image": "riskpipe:no-such-tag", "image_pull_policy": "Never"}))
    assert "waiting is in vain" in text
    assert "ErrImageNeverPull" in text


def test_pods_that_no_node_takes(options: KubernetesOptions) -> None:
    nowhere = options.model_copy(
        update={"worker": PodOptions(node_selector={"nowhere": "true"}), "startup_seconds": 30.0}
    )
    text = failure(nowhere)
    assert "no worker has come after 30 s" in text
    assert "Unschedulable" in text


def test_a_scheduler_that_crashes(options: KubernetesOptions) -> None:
    wrong = ({"name": "DASK_DISTRIBUTED__COMM__TLS__SCHEDULER__KEY", "value": "/nowhere"},)
    text = failure(options.model_copy(update={"scheduler": PodOptions(env=wrong), "startup_seconds": 45.0}))
    assert "exit code 1" in text
    assert "log: " in text
    assert "No such file" in text


def test_a_stop_while_it_starts(options: KubernetesOptions) -> None:
    assert "stopped while it was starting" in failure(options, stopped=lambda: True)


def left_behind(options: KubernetesOptions, kube: Kube, driver: Driver, suffix: str) -> str:
    """The name of a cluster without pods, made by a driver that is no more."""
    resource = dask_cluster(
        options.model_copy(update={"worker": PodOptions(node_selector={"nowhere": "true"})}),
        IDENTITY,
        namespace=kube.namespace,
        session="00000000",
        suffix=suffix,
        workers=1,
        driver=driver,
    )
    resource["metadata"].pop("ownerReferences", None)
    kube.create(resource)
    return str(resource["metadata"]["name"])


def driver_pod(space: Namespace, image: str, name: str) -> Driver:
    """A pod that stands for a driver."""
    space.create(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name},
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "containers": [{"name": "driver", "image": image, "args": ["sleep", "infinity"]}],
            },
        }
    )
    return Driver(name, str(space.one("pod", name)["metadata"]["uid"]), space.name)


def test_only_what_a_driver_that_is_gone_has_left_is_deleted(
    options: KubernetesOptions, kube: Kube, space: Namespace, image: str
) -> None:
    alive = driver_pod(space, image, "alive")
    kept = left_behind(options, kube, alive, "0001")
    orphan = left_behind(options, kube, Driver("gone", "00000000-0000-0000-0000-000000000000", space.name), "0002")
    assert reap(kube, SESSION, None, IDENTITY.output) == [orphan]
    until(lambda: kube.cluster(orphan) is None, "the orphan's end")
    assert kube.cluster(kept) is not None
    space.delete("pod", alive.name, at_once=True)
    until(lambda: kube.pod(alive.name, space.name) is None, "the driver's end")
    assert reap(kube, SESSION, None) == [kept]


def test_a_cluster_goes_with_the_pod_that_owns_it(
    options: KubernetesOptions, kube: Kube, space: Namespace, image: str
) -> None:
    driver = driver_pod(space, image, "owner")
    resource = dask_cluster(
        options, IDENTITY, namespace=space.name, session="00000000", suffix="0003", workers=1, driver=driver
    )
    kube.create(resource)
    until(lambda: kube.pods("dask.org/cluster-name"), "its pods")
    space.delete("pod", driver.name, at_once=True)
    until(lambda: kube.cluster(resource["metadata"]["name"]) is None, "the cluster's end")


def test_doctor_finds_nothing_wrong(options: KubernetesOptions) -> None:
    found = list(preflight(options))
    assert [check for check in found if check.level == "error"] == []
    assert {check.what for check in found} >= {"image", "certificates", "kubernetes", "operator", "rights"}


def test_doctor_without_certificates(options: KubernetesOptions, tmp_path: Path) -> None:
    found = {check.what: check for check in preflight(options.model_copy(update={"tls_directory": str(tmp_path)}))}
    assert found["certificates"].level == "error"
    assert "mount the Secret" in found["certificates"].detail
    assert found["rights"].level == "ok"
