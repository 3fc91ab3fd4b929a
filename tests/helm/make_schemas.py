"""Kubernetes' own JSON schemas of the kinds that the chart renders, cut from the packages that ship them.

No release of `kubernetes-validate` (PyPI) holds all the versions that the chart supports, so what the tests need is
kept here: strict (no unknown fields), without descriptions. To make it anew, from the folders of the unpacked packages:

    python tests/helm/make_schemas.py v1.20.0-local-strict v1.28.0-local-strict v1.34.0-local-strict
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "schemas"
# apiVersion and kind: the schema's name.
KINDS = {
    "batch/v1 Job": "batch.v1.Job",
    "batch/v1 CronJob": "batch.v1.CronJob",
    "batch/v1beta1 CronJob": "batch.v1beta1.CronJob",
    "v1 Pod": "core.v1.Pod",
    "v1 PodSpec": "core.v1.PodSpec",
    "v1 ConfigMap": "core.v1.ConfigMap",
    "v1 Secret": "core.v1.Secret",
    "v1 ServiceAccount": "core.v1.ServiceAccount",
    "v1 PersistentVolumeClaim": "core.v1.PersistentVolumeClaim",
    "rbac.authorization.k8s.io/v1 Role": "rbac.v1.Role",
    "rbac.authorization.k8s.io/v1 RoleBinding": "rbac.v1.RoleBinding",
    "networking.k8s.io/v1 NetworkPolicy": "networking.v1.NetworkPolicy",
    "policy/v1 PodDisruptionBudget": "policy.v1.PodDisruptionBudget",
    "policy/v1beta1 PodDisruptionBudget": "policy.v1beta1.PodDisruptionBudget",
}
REFERENCE = re.compile(r"^#/(?:definitions|\$defs)/")


def main(folders: list[Path]) -> None:
    for folder in folders:
        version = re.match(r"v(\d+\.\d+)", folder.name)
        assert version is not None, f"{folder}: not named by a version"
        content = json.dumps(_cut(folder), separators=(",", ":"), sort_keys=True)
        (HERE / f"kubernetes-{version[1]}.json").write_text(content + "\n", encoding="utf-8")


def _cut(folder: Path) -> dict[str, Any]:
    """{"kinds": {"batch/v1 Job": name of its definition}, "definitions": all that these need}, of what is served."""
    content = json.loads((folder / "_definitions.json").read_text(encoding="utf-8"))
    known = content.get("definitions") or content["$defs"]
    kinds = {kind: f"io.k8s.api.{name}" for kind, name in KINDS.items() if f"io.k8s.api.{name}" in known}
    needed: dict[str, Any] = {}
    left = list(kinds.values())
    while left:
        name = left.pop()
        if name not in needed:
            needed[name] = _bare(known[name], left)
    return {"definitions": needed, "kinds": kinds}


def _bare(node: Any, references: list[str], named: bool = False) -> Any:
    """The schema without descriptions, its references local; `named`: the keys are names of fields."""
    if isinstance(node, list):
        return [_bare(entry, references) for entry in node]
    if not isinstance(node, dict):
        return node
    bare = {}
    for key, value in node.items():
        if not named and (key == "description" or key.startswith("x-kubernetes")):
            continue
        if key == "$ref" and not named:
            references.append(REFERENCE.sub("", value))
            value = "#/definitions/" + references[-1]
        bare[key] = _bare(value, references, named=key == "properties" and not named)
    return bare


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
