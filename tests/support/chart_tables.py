"""The table of values in helm/riskpipe/README.md, from values.yaml and values.schema.json.

    python tests/support/chart_tables.py

writes it anew; a test compares.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[2] / "helm" / "riskpipe"
README = CHART / "README.md"
MARKED = re.compile(r"(<!-- table: values -->\n).*?(<!-- end -->)", re.DOTALL)


def schema() -> dict[str, Any]:
    return json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))


def values() -> dict[str, Any]:
    return yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))


def readme() -> str:
    """The page with its table as it should be."""
    content = README.read_text(encoding="utf-8")
    lines = ["| value | type | default | meaning |", "|---|---|---|---|"]
    lines += ["| " + " | ".join(row) + " |" for row in _rows(schema(), values(), "")]
    return MARKED.sub(lambda match: match[1] + "\n".join(lines) + "\n" + match[2], content)


def leaves(section: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every value that can be set, by its dotted name; free-form mappings are one value."""
    for name, entry in section["properties"].items():
        if entry.get("additionalProperties") is False:
            yield from leaves(entry, f"{prefix}{name}.")
        elif name != "global":
            yield prefix + name, entry


def _rows(section: dict[str, Any], defaults: dict[str, Any], prefix: str) -> Iterator[tuple[str, ...]]:
    for name, entry in leaves(section, prefix):
        default: Any = defaults
        for step in name.split("."):
            default = default[step]
        told = "see values.yaml" if isinstance(default, dict) and default else json.dumps(default)
        yield f"`{name}`", _type(entry), f"`{told}`" if told[0] != "s" else told, entry["description"]


def _type(entry: dict[str, Any]) -> str:
    if "enum" in entry:
        return "one of " + ", ".join(entry["enum"])
    kinds = entry["type"] if isinstance(entry["type"], list) else [entry["type"]]
    words = {
        "object": "mapping",
        "array": "list",
        "string": "text",
        "integer": "whole number",
        "boolean": "true, false",
    }
    return " or ".join(words.get(kind, kind) for kind in kinds)


if __name__ == "__main__":
    README.write_text(readme(), encoding="utf-8")
