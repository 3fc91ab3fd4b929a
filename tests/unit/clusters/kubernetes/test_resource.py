"""The DaskCluster of a run: valid by the operator's own CRD, safe by default, what the configuration says on top."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import dask
import jsonschema
import pytest
import yaml

from riskpipe.clusters.kind import ClusterIdentity
from riskpipe.clusters.kubernetes.cluster_options import Driver, KubernetesOptions, PodOptions
from riskpipe.clusters.kubernetes.environment import dask_environment
from riskpipe.clusters.kubernetes.names import DRIVER, MAX_NAME, cluster_name, labels, output_label
from riskpipe.clusters.kubernetes.resource import dask_cluster, pods
from riskpipe.clusters.settings import SETTINGS
from riskpipe.errors import UsageError
from riskpipe.store.process import ProcessIdentity

IDENTITY = ClusterIdentity("20261120-193055-3f9a1c", "/data/output")
DRIVER_POD = Driver("nightly-x7k2p", "0b5e", "risk")


def options(**given: Any) -> KubernetesOptions:
    return KubernetesOptions(**{"image": "riskpipe:1", "tls_secret": "riskpipe-tls", **given})


def rendered(given: KubernetesOptions, **more: Any) -> Any:
    arguments = {"namespace": "risk", "session": "9e2f01ab", "suffix": "0a1b", "workers": 4, "driver": DRIVER_POD}
    return dask_cluster(given, more.pop("identity", IDENTITY), **{**arguments, **more})


def pod(resource: Any, component: str) -> Any:
    return resource["spec"][component]["spec"]


def container(resource: Any, component: str) -> Any:
    (found,) = pod(resource, component)["containers"]
    return found


def environment(resource: Any, component: str) -> dict[str, str]:
    return {entry["name"]: entry.get("value") for entry in container(resource, component)["env"]}


FULL = options(
    image_pull_secrets=("registry",),
    processes_per_pod=4,
    pods=PodOptions(
        node_selector={"pool": "batch"},
        volumes=({"name": "data", "persistentVolumeClaim": {"claimName": "risk"}},),
        volume_mounts=({"name": "data", "mountPath": "/data"},),
        env=({"name": "REGION", "value": "eu"},),
        env_from=({"secretRef": {"name": "store"}},),
        labels={"team": "risk"},
    ),
    worker=PodOptions(
        resources={"limits": {"memory": "9Gi", "cpu": "4"}},
        tolerations=({"key": "spot", "operator": "Exists"},),
        affinity={"nodeAffinity": {}},
        priority_class="batch",
        service_account="worker",
        annotations={"cost": "risk"},
        spec={"terminationGracePeriodSeconds": 10},
    ),
)


@pytest.fixture(scope="module")
def schema() -> Any:
    """The CRD's schema, closed: a key that it does not know is a fault, not something to be pruned."""
    crds = files("dask_kubernetes") / "operator/deployment/helm/dask-kubernetes-operator/crds/daskcluster.yaml"
    crd = yaml.safe_load(crds.read_text(encoding="utf-8"))
    return closed(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])


def closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [closed(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: closed(entry) for name, entry in schema.items()}
    if isinstance(found.get("properties"), dict) and found.get("type") == "object":
        found.setdefault("additionalProperties", False)
    if found.get("x-kubernetes-int-or-string"):
        found.pop("type", None)
    return found


def validate(schema: Any, resource: Any) -> None:
    """:raises jsonschema.ValidationError: the specification has what the definition does not know."""
    jsonschema.Draft7Validator(schema["properties"]["spec"]).validate(resource["spec"])


@pytest.mark.parametrize("given", [options(), options(tls_secret=None, allow_plaintext=True), FULL])
def test_the_operators_own_definition_takes_it(schema: Any, given: KubernetesOptions) -> None:
    validate(schema, rendered(given))


def test_the_closed_definition_refuses_what_it_does_not_know(schema: Any) -> None:
    resource = rendered(options(worker=PodOptions(spec={"nodeSelecter": {}})))
    with pytest.raises(jsonschema.ValidationError, match="nodeSelecter"):
        validate(schema, resource)


@pytest.mark.parametrize("component", ["scheduler", "worker"])
def test_pods_are_safe_by_default(component: str) -> None:
    resource = rendered(options())
    spec = pod(resource, component)
    assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert container(resource, component)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert {"name": "scratch", "emptyDir": {}} in spec["volumes"]
    assert environment(resource, component)["HOME"] == "/tmp"


def test_connections_are_encrypted_both_ways() -> None:
    resource = rendered(options())
    for component in ("scheduler", "worker"):
        values = environment(resource, component)
        assert values["DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION"] == "True"
        assert values["DASK_DISTRIBUTED__COMM__TLS__CA_FILE"] == "/etc/riskpipe/tls/ca.crt"
        assert {"name": "tls", "secret": {"secretName": "riskpipe-tls"}} in pod(resource, component)["volumes"]
    assert container(resource, "scheduler")["args"][2:4] == ["--protocol", "tls"]
    address = environment(resource, "worker")["DASK_SCHEDULER_ADDRESS"]
    assert address == f"tls://{resource['metadata']['name']}-scheduler.risk.svc:8786"


def test_plaintext_only_where_it_is_allowed() -> None:
    with pytest.raises(UsageError, match="tls_secret"):
        rendered(options(tls_secret=None))
    resource = rendered(options(tls_secret=None, allow_plaintext=True))
    assert environment(resource, "worker")["DASK_SCHEDULER_ADDRESS"].startswith("tcp://")
    assert all("TLS" not in name for name in environment(resource, "worker"))


def test_an_image_is_needed() -> None:
    with pytest.raises(UsageError, match=r"cluster\.kubernetes\.image"):
        rendered(options(image=None))


def test_dask_reads_its_settings_back_from_the_environment() -> None:
    found = dask.config.collect(paths=[], env=dask_environment(SETTINGS))
    for key, value in SETTINGS.items():
        assert dask.config.get(key, config=found) == value
    resource = rendered(options())
    routes = dask.config.collect(paths=[], env=environment(resource, "scheduler"))
    assert "distributed.http.scheduler.api" in dask.config.get("distributed.scheduler.http.routes", config=routes)


def test_what_is_configured_is_laid_over_the_defaults() -> None:
    resource = rendered(FULL, workers=10)
    worker, scheduler = pod(resource, "worker"), pod(resource, "scheduler")
    assert resource["spec"]["worker"]["replicas"] == 3
    assert worker["nodeSelector"] == scheduler["nodeSelector"] == {"pool": "batch"}
    assert worker["tolerations"] == [{"key": "spot", "operator": "Exists"}]
    assert "tolerations" not in scheduler
    assert worker["priorityClassName"] == "batch"
    assert worker["serviceAccountName"] == "worker"
    assert worker["terminationGracePeriodSeconds"] == 10
    assert worker["imagePullSecrets"] == [{"name": "registry"}]
    assert {"name": "data", "mountPath": "/data"} in container(resource, "worker")["volumeMounts"]
    assert container(resource, "scheduler")["envFrom"] == [{"secretRef": {"name": "store"}}]
    assert environment(resource, "worker")["REGION"] == "eu"
    assert resource["spec"]["worker"]["metadata"] == {"labels": {"team": "risk"}, "annotations": {"cost": "risk"}}


def test_null_takes_a_default_away_and_a_name_is_replaced() -> None:
    given = options(
        pods=PodOptions(
            security_context={"runAsNonRoot": None, "runAsUser": 7}, env=({"name": "HOME", "value": "/h"},)
        ),
        scheduler=PodOptions(env=({"name": "HOME", "value": "/s"},)),
    )
    resource = rendered(given)
    assert pod(resource, "worker")["securityContext"] == {"runAsUser": 7, "seccompProfile": {"type": "RuntimeDefault"}}
    assert environment(resource, "worker")["HOME"] == "/h"
    assert environment(resource, "scheduler")["HOME"] == "/s"


def test_fat_workers_share_their_pods_memory() -> None:
    resource = rendered(FULL)
    arguments = container(resource, "worker")["args"]
    assert arguments[arguments.index("--nworkers") + 1] == "4"
    assert arguments[arguments.index("--nthreads") + 1] == "1"
    assert int(arguments[arguments.index("--memory-limit") + 1]) == (9 * 2**30 - 256 * 2**20) // 4
    assert container(resource, "worker")["resources"] == {
        "requests": {"cpu": "4", "memory": str(9 * 2**30)},
        "limits": {"memory": "9Gi", "cpu": "4"},
    }


def test_the_drivers_pod_owns_it() -> None:
    metadata = rendered(options())["metadata"]
    assert metadata["ownerReferences"] == [{"apiVersion": "v1", "kind": "Pod", "name": "nightly-x7k2p", "uid": "0b5e"}]
    assert json.loads(metadata["annotations"][DRIVER])["pod"]["name"] == "nightly-x7k2p"


@pytest.mark.parametrize("driver", [Driver("pod", "uid", "elsewhere"), ProcessIdentity.current(), None])
def test_nothing_that_the_garbage_collector_cannot_see_owns_it(driver: Driver | ProcessIdentity | None) -> None:
    assert "ownerReferences" not in rendered(options(), driver=driver)["metadata"]


@pytest.mark.parametrize(
    "run_id", ["20261120-193055-3f9a1c", "20261120-193055-3f9a1c-123456789", "a run of another name, and a long one"]
)
def test_names_are_short_and_unique(run_id: str) -> None:
    names = {
        cluster_name(ClusterIdentity(run_id, "out", shard, attempt), suffix)
        for shard in (0, 1, 99)
        for attempt in (1, 2)
        for suffix in ("0a1b", "9e2f")
    }
    assert len(names) == 12
    assert all(len(name) <= MAX_NAME for name in names)


def test_labels_show_the_run_but_not_the_place_of_its_output() -> None:
    found = labels(ClusterIdentity("20261120-193055-3f9a1c", "s3://key:secret@bucket/output", 2, 3), "9e2f01ab")
    assert found["riskpipe.io/run-id"] == "20261120-193055-3f9a1c"
    assert (found["riskpipe.io/shard"], found["riskpipe.io/attempt"]) == ("2", "3")
    assert all("secret" not in value for value in found.values())
    assert output_label("/a") != output_label("/b")


@pytest.mark.parametrize(("workers", "processes", "expected"), [(1, 1, 1), (10, 4, 3), (8, 4, 2), (1, 8, 1)])
def test_whole_pods(workers: int, processes: int, expected: int) -> None:
    assert pods(workers, processes) == expected
