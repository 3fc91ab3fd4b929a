"""What the chart's objects say about each other: rights, secrets, selectors, storage, placement."""

from __future__ import annotations

import base64
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from helm_chart import VALUES, driver_spec, needs_helm, render

from riskpipe.config import load_settings
from riskpipe.workflows.cluster import render as dask_clusters

pytestmark = needs_helm

Json = dict[str, Any]
DRIVERS = ("CronJob risk-riskpipe", "Job risk-riskpipe-rerun-", "Pod risk-riskpipe-doctor")


@cache
def rendered(file: str) -> dict[str, Json]:
    return render(file, values={"rerun": {"enabled": True}})


def configuration(objects: dict[str, Json]) -> Json:
    return yaml.safe_load(objects["ConfigMap risk-riskpipe"]["data"]["riskpipe.yaml"])


def dask_cluster(objects: dict[str, Json], directory: Path) -> Json:
    file = directory / "riskpipe.yaml"
    file.write_text(objects["ConfigMap risk-riskpipe"]["data"]["riskpipe.yaml"], encoding="utf-8")
    (cluster,) = dask_clusters(load_settings(file, environment={}, as_of="2026-11-20"), 0.0)
    return cluster


def dask_labels(cluster: Json, role: str) -> dict[str, str]:
    """As the operator puts them on a pod."""
    own = cluster["spec"][role].get("metadata", {}).get("labels", {})
    return {**cluster["metadata"]["labels"], **own, "dask.org/component": role}


def selects(selector: Json, labels: dict[str, str]) -> bool:
    wanted = selector.get("matchLabels", {}).items()
    rules = selector.get("matchExpressions", [])
    return all(labels.get(key) == value for key, value in wanted) and all(
        labels.get(rule["key"]) in rule["values"] for rule in rules
    )


@pytest.mark.parametrize("file", VALUES)
def test_pods_run_without_root_and_without_a_fixed_user(file: str, tmp_path: Path) -> None:
    objects = rendered(file)
    cluster = dask_cluster(objects, tmp_path)
    specs = [
        *(driver_spec(objects[name]) for name in DRIVERS),
        *(cluster["spec"][r]["spec"] for r in ("scheduler", "worker")),
    ]

    for spec in specs:
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert {"runAsUser", "runAsGroup"}.isdisjoint(spec["securityContext"])
        assert ("fsGroup" in spec["securityContext"]) == (file != "values-openshift.yaml")
        (container,) = spec["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }
        writable = {mount["name"] for mount in container["volumeMounts"] if mount["mountPath"] == "/tmp"}
        assert [volume for volume in spec["volumes"] if "emptyDir" in volume and volume["name"] in writable]


@pytest.mark.parametrize("file", VALUES)
def test_only_the_driver_has_a_token(file: str, tmp_path: Path) -> None:
    objects = rendered(file)
    cluster = dask_cluster(objects, tmp_path)

    for role in ("driver", "worker"):
        assert objects[f"ServiceAccount risk-riskpipe-{role}"]["automountServiceAccountToken"] is False
    for name in DRIVERS:
        spec = driver_spec(objects[name])
        assert (spec["serviceAccountName"], spec["automountServiceAccountToken"]) == ("risk-riskpipe-driver", True)
    for role in ("scheduler", "worker"):
        spec = cluster["spec"][role]["spec"]
        assert (spec["serviceAccountName"], spec["automountServiceAccountToken"]) == ("risk-riskpipe-worker", False)


def test_rights_of_the_driver() -> None:
    objects = rendered("values.yaml")
    rights = {
        resource: set(rule["verbs"])
        for rule in objects["Role risk-riskpipe-driver"]["rules"]
        for resource in rule["resources"]
    }

    everything = {"get", "list", "watch", "create", "patch", "delete"}
    assert rights == {
        **dict.fromkeys(("daskclusters", "daskworkergroups", "daskautoscalers"), everything),
        "daskclusters/finalizers": {"update"},
        **{name: {"get", "list", "watch"} for name in ("pods", "services")},
        "pods/log": {"get"},
        "events": {"list"},
    }
    assert objects["RoleBinding risk-riskpipe-driver"]["subjects"] == [
        {"kind": "ServiceAccount", "name": "risk-riskpipe-driver", "namespace": "desk"}
    ]


def test_policies_and_budgets_select_the_pods_that_they_mean(tmp_path: Path) -> None:
    objects = rendered("values.yaml")
    cluster = dask_cluster(objects, tmp_path)
    cron = objects["CronJob risk-riskpipe"]["spec"]["jobTemplate"]["spec"]["template"]
    pods = {
        "driver": cron["metadata"]["labels"],
        "scheduler": dask_labels(cluster, "scheduler"),
        "worker": dask_labels(cluster, "worker"),
    }

    for role in pods:
        selector = objects[f"NetworkPolicy risk-riskpipe-{role}"]["spec"]["podSelector"]
        assert [name for name, labels in pods.items() if selects(selector, labels)] == [role]
    for role in ("driver", "scheduler"):
        selector = objects[f"PodDisruptionBudget risk-riskpipe-{role}"]["spec"]["selector"]
        assert [name for name, labels in pods.items() if selects(selector, labels)] == [role]
    assert "PodDisruptionBudget risk-riskpipe-worker" not in objects
    assert _may_reach(objects, pods) == {
        *(("driver", "scheduler"), ("scheduler", "worker"), ("worker", "scheduler"), ("worker", "worker")),
    }


def _may_reach(objects: dict[str, Json], pods: dict[str, dict[str, str]]) -> set[tuple[str, str]]:
    """Pairs of which the one's egress and the other's ingress agree."""

    def peers(role: str, direction: str, end: str) -> set[str]:
        rules = objects[f"NetworkPolicy risk-riskpipe-{role}"]["spec"].get(direction, [])
        selectors = [
            peer["podSelector"] for rule in rules for peer in rule.get(end, []) if "namespaceSelector" not in peer
        ]
        return {name for name, labels in pods.items() if any(selects(selector, labels) for selector in selectors)}

    out = {(role, other) for role in pods for other in peers(role, "egress", "to")}
    return {(a, b) for a, b in out if a in peers(b, "ingress", "from")}


@pytest.mark.parametrize("file", ["values-eks.yaml", "values-gke.yaml"])
def test_workers_alone_go_to_spot_nodes(file: str, tmp_path: Path) -> None:
    objects = rendered(file)
    cluster = dask_cluster(objects, tmp_path)

    assert cluster["spec"]["worker"]["spec"]["tolerations"]
    assert "tolerations" not in cluster["spec"]["scheduler"]["spec"]
    assert "tolerations" not in driver_spec(objects["CronJob risk-riskpipe"])
    assert configuration(objects)["retry"]["worker_lost"] == 5


def test_all_pods_have_the_claim_and_the_credentials(tmp_path: Path) -> None:
    given = {"storage": {"claim": {"existingClaim": "shared", "mountPath": "/srv/risk"}, "credentialsSecret": "keys"}}
    objects = render(values=given)
    cluster = dask_cluster(objects, tmp_path)

    assert "PersistentVolumeClaim risk-riskpipe-data" not in objects
    for spec in (
        driver_spec(objects["CronJob risk-riskpipe"]),
        *(cluster["spec"][r]["spec"] for r in ("scheduler", "worker")),
    ):
        assert {"name": "data", "persistentVolumeClaim": {"claimName": "shared"}} in spec["volumes"]
        assert {"name": "data", "mountPath": "/srv/risk"} in spec["containers"][0]["volumeMounts"]
        assert spec["containers"][0]["envFrom"] == [{"secretRef": {"name": "keys"}}]


def test_what_the_user_says_about_pods_stays() -> None:
    own = {
        "labels": {"team": "rates"},
        "volumes": [{"name": "cache", "emptyDir": {}}],
        "env_from": [{"configMapRef": {"name": "proxy"}}],
        "service_account": "mine",
    }
    given = {
        "config": {"cluster": {"kubernetes": {"pods": own, "image": "other:2"}}},
        "storage": {"claim": {"create": True}, "credentialsSecret": "keys"},
    }

    section = configuration(render(values=given))["cluster"]["kubernetes"]

    assert section["image"] == "other:2"
    assert section["pods"]["service_account"] == "mine"
    assert section["pods"]["labels"]["team"] == "rates"
    assert section["pods"]["labels"]["app.kubernetes.io/instance"] == "risk"
    assert [volume["name"] for volume in section["pods"]["volumes"]] == ["data", "cache"]
    assert [next(iter(entry)) for entry in section["pods"]["env_from"]] == ["secretRef", "configMapRef"]


def test_a_changed_configuration_changes_the_pods() -> None:
    def checksum(objects: dict[str, Json]) -> str:
        template = objects["CronJob risk-riskpipe"]["spec"]["jobTemplate"]["spec"]["template"]
        return template["metadata"]["annotations"]["checksum/config"]

    once, again = render(), render()
    changed = render(values={"config": {"cluster": {"workers": 5}}})

    assert checksum(once) == checksum(again) != checksum(changed)


def test_certificates_are_of_one_authority_and_for_both_ends() -> None:
    data = rendered("values.yaml")["Secret risk-riskpipe-tls"]["data"]
    authority, pair = (x509.load_pem_x509_certificate(base64.b64decode(data[name])) for name in ("ca.crt", "tls.crt"))

    pair.verify_directly_issued_by(authority)
    uses = pair.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert {use._name for use in uses} == {"serverAuth", "clientAuth"}
    names = pair.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "*.desk.svc" in names.get_values_for_type(x509.DNSName)
    assert (pair.not_valid_after_utc - pair.not_valid_before_utc).days == 825


def test_a_given_certificate_is_used_everywhere() -> None:
    objects = render(values={"tls": {"existingSecret": "from-cert-manager"}})

    assert not [name for name in objects if name.startswith("Secret ")]
    assert configuration(objects)["cluster"]["kubernetes"]["tls_secret"] == "from-cert-manager"
    volumes = driver_spec(objects["CronJob risk-riskpipe"])["volumes"]
    assert [volume["secret"]["secretName"] for volume in volumes if "secret" in volume] == ["from-cert-manager"]


def test_the_nightly_run_does_not_overlap_and_says_its_day() -> None:
    cron = rendered("values.yaml")["CronJob risk-riskpipe"]

    assert cron["spec"]["concurrencyPolicy"] == "Forbid"
    spec = driver_spec(cron)
    assert spec["restartPolicy"] == "Never"
    (container,) = spec["containers"]
    assert container["args"] == ["sh", "/etc/riskpipe/config/as-of.sh", "yesterday", "run"]
    assert "command" not in container


def test_a_rerun_takes_any_arguments() -> None:
    given = {"rerun": {"enabled": True, "args": ["retry", "latest", "--select", "product:swaption,status:failed"]}}

    (container,) = driver_spec(render(values=given)["Job risk-riskpipe-rerun-"])["containers"]

    assert container["args"] == ["riskpipe", "retry", "latest", "--select", "product:swaption,status:failed"]


def test_no_volume_no_tls_beyond_kind_kubernetes() -> None:
    section = configuration(render(values={"config": {"cluster": {"kind": "serial"}}}))["cluster"]

    assert section == {"kind": "serial", "workers": 4}
