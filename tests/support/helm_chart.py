"""The chart rendered by `helm`, and Kubernetes' schemas to hold the objects against."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "riskpipe"
SCHEMAS = ROOT / "tests" / "helm" / "schemas"
VERSIONS = ("1.20", "1.28", "1.34")
VALUES = ("values.yaml", "values-openshift.yaml", "values-eks.yaml", "values-gke.yaml")

Json = dict[str, Any]

HELM = shutil.which(os.environ.get("HELM", "helm"))
needs_helm = pytest.mark.skipif(
    HELM is None and "TEST_HELM" not in os.environ, reason="no `helm` on PATH, and HELM names none"
)


def helm(*arguments: str, values: Mapping[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
    """`helm ARGUMENTS`, with values of its own laid over the others."""
    assert HELM is not None, "no `helm` on PATH, and HELM names none"
    given = ["-f", "-"] if values is not None else []
    text = json.dumps(values) if values is not None else None
    return subprocess.run([HELM, *arguments, *given], input=text, capture_output=True, text=True, check=False)


def render(
    *files: str, version: str = "1.34", values: Mapping[str, Any] | None = None, options: Sequence[str] = ()
) -> dict[str, Json]:
    """The objects of release `risk` in namespace `desk`, by "Kind name"."""
    chosen = [argument for file in files for argument in ("-f", str(CHART / file))]
    command = ("template", "risk", str(CHART), "-n", "desk", "--kube-version", version, *chosen, *options)
    done = helm(*command, values=values)
    assert done.returncode == 0, done.stderr
    objects = [entry for entry in yaml.safe_load_all(done.stdout) if entry]
    named = {f"{o['kind']} {o['metadata'].get('name') or o['metadata']['generateName']}": o for o in objects}
    assert len(named) == len(objects), "two objects of one name"
    return named


def driver_spec(thing: Json) -> Json:
    """The PodSpec of a CronJob, a Job or a Pod."""
    spec = thing["spec"]
    if thing["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    return spec if thing["kind"] == "Pod" else spec["template"]["spec"]


def faults(thing: Json, version: str) -> list[str]:
    """What Kubernetes of that version would refuse or drop, unknown fields too."""
    return violations(thing, f"{thing['apiVersion']} {thing['kind']}", version)


def violations(value: Any, kind: str, version: str) -> list[str]:
    """As `faults`, of part of an object, such as kind "v1 PodSpec"."""
    known = _schemas(version)
    if kind not in known["kinds"]:
        return [f"Kubernetes {version} does not serve {kind}"]
    schema = {"$ref": f"#/definitions/{known['kinds'][kind]}", "definitions": known["definitions"]}
    return _told(jsonschema.Draft7Validator(schema), value)


def custom_faults(thing: Json) -> list[str]:
    """What the Dask operator's definition of the resource refuses or drops."""
    chart = files("dask_kubernetes") / "operator" / "deployment" / "helm" / "dask-kubernetes-operator"
    text = (chart / "crds" / f"{thing['kind'].lower()}.yaml").read_text(encoding="utf-8")
    (served,) = yaml.safe_load(text)["spec"]["versions"]
    schema = _closed(served["schema"]["openAPIV3Schema"])
    return _told(jsonschema.Draft7Validator(schema), {"spec": thing["spec"]})


def _told(validator: Any, value: Any) -> list[str]:
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in validator.iter_errors(value)]


def _closed(schema: Any) -> Any:
    """Objects refuse fields that the API server would silently drop."""
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict):
        closed["properties"] = {key: _closed(value) for key, value in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            closed.setdefault("additionalProperties", False)
    return closed


@cache
def _schemas(version: str) -> Json:
    return json.loads((SCHEMAS / f"kubernetes-{version}.json").read_text(encoding="utf-8"))
