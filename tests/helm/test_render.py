"""All values files on all versions of Kubernetes: linted, rendered, held against Kubernetes' schemas."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from doc_pages import examples, text
from helm_chart import CHART, VALUES, VERSIONS, custom_faults, driver_spec, faults, helm, needs_helm, render, violations

from riskpipe.config import Settings, load_settings
from riskpipe.errors import ExitCode
from riskpipe.workflows.cluster import render as dask_clusters

pytestmark = needs_helm

EVERYTHING = {"rerun": {"enabled": True}, "nightly": {"timeZone": "Europe/Zurich"}, "image": {"pullSecrets": ["r"]}}
matrix = pytest.mark.parametrize("version", VERSIONS)
any_values = pytest.mark.parametrize("file", VALUES)


def settings_of(objects: dict[str, Any], directory: Path) -> Settings:
    """What riskpipe makes of the rendered ConfigMap."""
    file = directory / "riskpipe.yaml"
    file.write_text(objects["ConfigMap risk-riskpipe"]["data"]["riskpipe.yaml"], encoding="utf-8")
    return load_settings(file, environment={}, as_of="2026-11-20")


@cache
def everything(file: str, version: str) -> dict[str, Any]:
    return render(file, version=version, values=EVERYTHING)


@any_values
def test_lint(file: str) -> None:
    done = helm("lint", "--strict", str(CHART), "-f", str(CHART / file))

    assert done.returncode == 0, done.stdout + done.stderr


@matrix
@any_values
def test_every_object_is_as_kubernetes_wants_it(file: str, version: str) -> None:
    objects = everything(file, version)

    assert len(objects) >= 14
    assert {name: found for name, thing in objects.items() if (found := faults(thing, version))} == {}


@matrix
@any_values
def test_riskpipe_takes_the_configuration_and_its_cluster_fits(file: str, version: str, tmp_path: Path) -> None:
    settings = settings_of(everything(file, version), tmp_path)

    (cluster,) = dask_clusters(settings, 0.0)

    assert custom_faults(cluster) == []
    for role in ("scheduler", "worker"):
        assert violations(cluster["spec"][role]["spec"], "v1 PodSpec", version) == []


@pytest.mark.parametrize(("version", "cron", "budget"), [("1.20", "v1beta1", "v1beta1"), ("1.21", "v1", "v1")])
def test_versions_of_the_api(version: str, cron: str, budget: str) -> None:
    objects = render(version=version)

    assert objects["CronJob risk-riskpipe"]["apiVersion"] == f"batch/{cron}"
    assert objects["PodDisruptionBudget risk-riskpipe-driver"]["apiVersion"] == f"policy/{budget}"


def test_a_cluster_that_serves_a_newer_api_is_believed() -> None:
    served = ("--api-versions", "batch/v1/CronJob", "--api-versions", "policy/v1/PodDisruptionBudget")

    objects = render(version="1.20", options=served)

    assert objects["CronJob risk-riskpipe"]["apiVersion"] == "batch/v1"
    assert objects["PodDisruptionBudget risk-riskpipe-driver"]["apiVersion"] == "policy/v1"


@pytest.mark.parametrize(("version", "zone"), [("1.20", None), ("1.24", None), ("1.25", "Europe/Zurich")])
def test_time_zone_where_served(version: str, zone: str | None) -> None:
    cron = render(version=version, values=EVERYTHING)["CronJob risk-riskpipe"]

    assert cron["spec"].get("timeZone") == zone
    environment = {entry["name"]: entry.get("value") for entry in driver_spec(cron)["containers"][0]["env"]}
    assert environment["TZ"] == "Europe/Zurich"


@pytest.mark.parametrize(("version", "served"), [("1.25", False), ("1.26", True), ("1.34", True)])
def test_exit_codes_that_a_retry_cannot_mend_end_the_job(version: str, served: bool) -> None:
    objects = render(version=version, values=EVERYTHING)

    cron = objects["CronJob risk-riskpipe"]["spec"]["jobTemplate"]["spec"]
    rerun = objects["Job risk-riskpipe-rerun-"]["spec"]
    for job in (cron, rerun):
        assert ("podFailurePolicy" in job) == served
    if served:
        assert cron["podFailurePolicy"]["rules"][0]["onExitCodes"]["values"] == [
            code for code in ExitCode if code.final
        ]


def test_provider_names_of_versions() -> None:
    assert "CronJob risk-riskpipe" in render(version="v1.28.9-gke.1289000")
    assert "CronJob risk-riskpipe" in render(version="v1.29.4-eks-036c24b")


def test_everything_can_be_switched_off() -> None:
    off = {
        "nightly": {"enabled": False},
        "networkPolicy": {"enabled": False},
        "podDisruptionBudget": {"enabled": False},
        "rbac": {"create": False},
        "serviceAccounts": {"driver": {"create": False, "name": "d"}, "worker": {"create": False, "name": "w"}},
        "tls": {"existingSecret": "given"},
    }

    assert list(render(values=off, options=("--skip-tests",))) == ["ConfigMap risk-riskpipe"]


def test_notes_tell_what_to_do_next() -> None:
    done = helm(
        "install", "risk", str(CHART), "--dry-run=client", "-n", "desk", values={"nightly": {"timeZone": "Asia/Tokyo"}}
    )

    assert done.returncode == 0, done.stderr
    notes = done.stdout.split("NOTES:")[1]
    assert "helm test risk -n desk" in notes
    assert "kubectl -n desk create job --from=cronjob/risk-riskpipe" in notes
    assert "WARNING: config.output is a path (/data/output) and no volume is mounted" in notes


def test_values_of_the_documentation(tmp_path: Path) -> None:
    given = yaml.safe_load(examples(text("kubernetes.md"))["my-values.yaml"])

    objects = render(values=given)

    assert settings_of(objects, tmp_path).cluster.max_workers == 200
    assert objects["CronJob risk-riskpipe"]["spec"]["timeZone"] == "Europe/Zurich"


def test_names_stay_short_enough() -> None:
    done = helm("template", "r" * 53, str(CHART), "--set", "rerun.enabled=true")

    assert done.returncode == 0, done.stderr
    for thing in filter(None, yaml.safe_load_all(done.stdout)):
        # A CronJob's Jobs are named after it, with eleven characters more; the limit is 63.
        assert len(thing["metadata"].get("name", "")) <= 52
