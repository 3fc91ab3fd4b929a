"""The keys there are, read off the JSON schema: the nearest to a mistyped one, what a key wants in words."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from datetime import date
from functools import cache
from typing import Any

from riskpipe.config.models import Settings
from riskpipe.store.masking import masked

Path = tuple[str | int, ...]
Schema = dict[str, Any]

# Keys of earlier versions and what they are called now: refused with a hint, and never read.
RENAMED: dict[Path, Path] = {("cluster", "deadline_seconds"): ("cluster", "block_timeout")}


@cache
def root() -> Schema:
    """JSON schema (draft 2020-12) of the configuration."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Settings.model_json_schema(),
        "title": "riskpipe.yaml",
    }


def schema_text() -> str:
    """The JSON schema for editors, with the measures of other packages that are installed here."""
    from riskpipe.measures.catalogue import known_families  # with all that makes numbers

    schema = json.loads(json.dumps(root()))
    schema["properties"]["measures"]["items"]["enum"] += known_families().further
    return json.dumps(schema, indent=2) + "\n"


def schema_at(path: Path) -> Schema | None:
    """The schema of a key or list item, references and optionals resolved; None: no such key."""
    schema = root()
    for step in path:
        entries = properties(schema)
        if isinstance(step, int):
            found = schema.get("items")
        elif step in entries:
            found = entries[step]
        else:
            found = free_keys(schema)
        if not found:
            return None
        schema = _resolved(found)
    return schema


def properties(schema: Schema) -> dict[str, Schema]:
    """The named keys of a mapping; empty for anything else."""
    found: dict[str, Schema] = schema.get("properties", {})
    return found


def free_keys(schema: Schema) -> Schema | None:
    """The schema of the values of a mapping whose keys are names of the user's; None: its keys are fixed."""
    if "additionalProperties" in schema or "patternProperties" in schema:
        found = schema.get("additionalProperties") or next(iter(schema.get("patternProperties", {}).values()), None)
        return found if isinstance(found, dict) else None
    return None


def is_mapping(schema: Schema) -> bool:
    return schema.get("type") == "object"


def nearest(parent: Path, key: str) -> str | None:
    """The key that a mistyped one most resembles: a sibling, else the one elsewhere of exactly this name."""
    schema = schema_at(parent)
    matches = difflib.get_close_matches(key, list(properties(schema or {})), 1)
    if matches:
        return matches[0]
    elsewhere = [path for path in _leaves(root(), ()) if path[-1] == key]
    return dotted(elsewhere[0]) if len(elsewhere) == 1 else None


def renamed(path: Path) -> str | None:
    """The present name of a key that had another one; None: it never had this one."""
    present = RENAMED.get(path)
    return None if present is None else dotted(present)


def dotted(path: Path) -> str:
    """`partition.max_trades`, `market.indices."USD.SOFR".curve`, `measures[2]`: as --set takes it."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += ("." if text else "") + (f'"{step}"' if "." in step or "=" in step else step)
    return text


def wanted(path: Path) -> str:
    """What belongs at this key, in words: "a whole number >= 1"."""
    return _words(schema_at(path) or {})


def describe(value: object) -> str:
    """A value in a message: short, and a container only by its kind, secrets masked."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    if isinstance(value, date):
        return value.isoformat()
    text = masked(repr(value))
    return text if len(text) <= 60 else f"{text[:57]}..."


def _resolved(schema: Schema) -> Schema:
    if "anyOf" in schema:
        options = [option for option in schema["anyOf"] if option.get("type") != "null"]
        if len(options) == 1:
            return _resolved(options[0])
    if "$ref" in schema:
        found: Schema = root()["$defs"][schema["$ref"].rsplit("/", 1)[1]]
        return found
    return schema


def _leaves(schema: Schema, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, entry in properties(schema).items():
        yield (*path, name)
        yield from _leaves(_resolved(entry), (*path, name))


def _words(schema: Schema) -> str:
    if "anyOf" in schema:
        return " or ".join(map(_words, schema["anyOf"]))
    if "enum" in schema:
        return f"one of {', '.join(map(str, schema['enum']))}"
    if schema.get("format") == "date":
        return "a date (YYYY-MM-DD)"
    noun = {
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
        "string": "text",
        "array": "a list",
        "object": "a mapping",
    }.get(schema.get("type", ""), "another value")
    if "minimum" in schema:
        noun += f" >= {schema['minimum']}"
    if "exclusiveMinimum" in schema:
        noun += f" > {schema['exclusiveMinimum']:g}"
    if schema.get("minLength") or schema.get("minItems"):
        noun = {"text": "text that is not empty", "a list": "a list of at least one"}[noun]
    return noun
