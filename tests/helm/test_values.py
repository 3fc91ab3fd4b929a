"""values.yaml, values.schema.json and the README say the same; what is wrong is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml
from chart_tables import README, leaves, readme, schema, values
from helm_chart import CHART, VALUES, helm, needs_helm


def test_readme_has_the_table_of_the_values() -> None:
    assert README.read_text(encoding="utf-8") == readme(), "run: python tests/support/chart_tables.py"


def test_every_value_has_a_default_and_a_schema() -> None:
    known = {name for name, _ in leaves(schema())}

    assert set(_names(values(), known, "")) == known


def _names(tree: dict[str, Any], known: set[str], prefix: str) -> Iterator[str]:
    for key, value in tree.items():
        name = prefix + key
        if name in known or not isinstance(value, dict):
            yield name
        else:
            yield from _names(value, known, f"{name}.")


def test_no_section_takes_unknown_keys() -> None:
    open_ones = {name for name, entry in leaves(schema()) if entry.get("additionalProperties") is True}

    # Free-form by their nature: riskpipe's own configuration, and parts of Kubernetes' API.
    assert open_ones == {
        "config",
        "driver.resources",
        "driver.affinity",
        "podSecurityContext",
        "networkPolicy.operator.namespaceSelector",
        "networkPolicy.operator.podSelector",
    }
    jsonschema.Draft7Validator.check_schema(schema())


@pytest.mark.parametrize("file", VALUES)
def test_values_files_keep_the_schema(file: str) -> None:
    given = yaml.safe_load((CHART / file).read_text(encoding="utf-8"))

    merged = _laid_over(values(), given)

    assert [error.message for error in jsonschema.Draft7Validator(schema()).iter_errors(merged)] == []


def _laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        inner = below.get(key)
        result[key] = _laid_over(inner, value) if isinstance(value, dict) and isinstance(inner, dict) else value
    return result


@needs_helm
@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"nightly": {"shedule": "0 1 * * *"}}, "'shedule' not allowed"),
        ({"workers": 4}, "'workers' not allowed"),
        ({"nightly": {"asOf": "last friday"}}, "/nightly/asOf"),
        ({"image": {"pullPolicy": "Sometimes"}}, "/image/pullPolicy"),
        ({"image": {"digest": "sha256:1"}}, "/image/digest"),
        ({"storage": {"claim": {"size": "much"}}}, "/storage/claim/size"),
        ({"config": {"cluster": {"kind": "address"}}}, "/config/cluster/kind"),
        ({"networkPolicy": {"dnsPorts": [0]}}, "/networkPolicy/dnsPorts/0"),
    ],
)
def test_wrong_values_are_refused(wrong: dict[str, Any], told: str) -> None:
    done = helm("template", "risk", str(CHART), values=wrong)

    assert done.returncode != 0
    assert told in done.stderr
