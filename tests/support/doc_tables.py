"""Tables in docs/ that follow from the code.

A table stands between `<!-- table: NAME -->` and `<!-- end -->`. Tests compare them; to write them anew, with a section
for every product that has none yet (its docstring and its columns; then put into the page's words):

    .venv/bin/python tests/support/doc_tables.py
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from riskpipe.config import keys
from riskpipe.config.market_section import CALENDAR_PATTERN
from riskpipe.errors import ExitCode, Reason
from riskpipe.market.calendar_names import CENTRES, EVERYWHERE, EXCHANGES, FIXING_CALENDARS
from riskpipe.market.factors import KINDS
from riskpipe.market.ranges import COLUMN_RANGES, FACTOR_RANGES
from riskpipe.products.base import COMMON_COLUMNS, Column
from riskpipe.products.catalogue import PRODUCTS

DOCS = Path(__file__).parents[2] / "docs"
AFTER_PRODUCTS = "### Rules between columns\n"
MARKED = re.compile(r"(<!-- table: (?P<name>[\w-]+) -->\n)(?P<body>.*?)(<!-- end -->)", re.DOTALL)

_ITEMS = {"object": "mappings", "number": "numbers"}
_MOVES = {"absolute": "difference", "log": "ratio", "relative": "ratio", "none": "held"}
SECTIONS = (
    "general",
    "dates",
    "inputs",
    "results",
    "bumps",
    "history",
    "stress",
    "partition",
    "cluster",
    "cluster.kubernetes",
    "cluster.kubernetes.pods",
    "retry",
    "scenario_pnl",
    "gates",
    "notify",
    "metrics",
    "lineage",
    "check",
    "risk",
    "market",
)
# Not part of the table of the section around them; scheduler and worker have the keys of pods.
_APART = {"kubernetes", "pods", "scheduler", "worker"}
_USER_NAMES = {
    "currencies": "<CCY>",
    "indices": "<INDEX>",
    "curves": "<CURVE>",
    "surfaces": "<SURFACE>",
    "commodities": "<COMMODITY>",
    "fx_pairs": "<PAIR>",
    "calendars": "<CALENDAR>",
    "inputs.histories": "<NAME>",
    "stress.history": "<NAME>",
    "stress.ladders": "<NAME>",
    "stress.curves": "<NAME>",
}


def tables() -> dict[str, str]:
    """Every table by name."""
    found = {"portfolio-common": _columns(COMMON_COLUMNS)}
    for product in PRODUCTS:
        own = tuple(column for column in product.columns if column not in COMMON_COLUMNS)
        found[f"portfolio-{product.name.replace('_', '-')}"] = _columns(own)
    found["exit-codes"] = _exit_codes()
    found["reasons"] = _reasons()
    found["market-kinds"] = _kinds()
    found["ranges"] = _ranges()
    found["calendars"] = _calendars()
    for section in SECTIONS:
        found[f"configuration-{section.replace('_', '-').replace('.', '-')}"] = _configuration(section)
    return found


def replaced(text: str) -> str:
    """The text with all of its tables as they should be. :raises KeyError: a table that the code does not know."""
    known = tables()
    return MARKED.sub(lambda match: f"{match[1]}{known[match['name']]}{match[4]}", text)


def with_products(page: str) -> str:
    """docs/inputs.md with a section for every product of the catalogue."""
    for product in PRODUCTS:
        heading = f"### `{product.name}`\n"
        if heading not in page:
            marks = f"<!-- table: portfolio-{product.name.replace('_', '-')} -->\n<!-- end -->\n"
            section = f"{heading}\n{inspect.cleandoc(type(product).__doc__ or '')}\n\n{marks}\n"
            page = page.replace(AFTER_PRODUCTS, section + AFTER_PRODUCTS, 1)
    return page


def _table(header: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _columns(columns: Sequence[Column]) -> str:
    rows = (row for column in columns for row in _column_rows(column, column.name))
    return _table(("column", "type", "required", "meaning"), rows)


def _column_rows(column: Column, name: str) -> Iterator[Sequence[str]]:
    meaning = column.description
    if column.choices:
        meaning += f": {', '.join(f'`{choice}`' for choice in column.choices)}"
    if column.rule != "any":
        meaning += {"positive": "; above zero", "nonnegative": "; not negative"}[column.rule]
    kind = "list of structs" if column.fields else f"list of {column.kind}s" if column.many else column.kind
    yield f"`{name}`", kind, "yes" if column.required else "no", meaning
    for field in column.fields:
        yield from _column_rows(field, f"{name}.{field.name}")


def _exit_codes() -> str:
    rows = ((str(int(code)), code.meaning, code.what_to_do) for code in ExitCode)
    return _table(("code", "meaning", "what to do"), rows)


def _reasons() -> str:
    rows = (
        (f"`{reason.value}`", reason.meaning, "yes" if reason.retryable else "no", reason.what_to_do)
        for reason in Reason
    )
    return _table(("reason", "meaning", "`retry` repeats it", "what to do"), rows)


def _kinds() -> str:
    def rows() -> Iterator[Sequence[str]]:
        for kind in (kind for kind in KINDS.values() if not kind.made):
            needs = ", ".join(f"`{name}`" for name in kind.needs) or "-"
            low, high = kind.bounds
            above = "not negative" if low == 0.0 else "any number"
            bounded = f"{low:g} to {high:g}" if math.isfinite(high) else above
            yield f"`{kind.name}`", needs, "above zero" if kind.positive else bounded, _MOVES[kind.move]

    return _table(("kind", "also needs", "value", "historical move"), rows())


def _ranges() -> str:
    def rows() -> Iterator[Sequence[str]]:
        for of, ranges in (("factors", FACTOR_RANGES), ("trades", COLUMN_RANGES)):
            for key, (low, high) in ranges.items():
                yield f"`{key}`", of, f"{low:g}", f"{high:g}"

    return _table(("key", "of", "least", "most"), rows())


def _calendars() -> str:
    def rows() -> Iterator[Sequence[str]]:
        groups = (
            ("-", EVERYWHERE),
            ("financial centre", CENTRES),
            ("exchange", EXCHANGES),
            ("index", FIXING_CALENDARS),
        )
        for of, calendars in groups:
            for name, (kind, market) in calendars.items():
                yield f"`{name}`", of, f"{kind}.{market}" if market else kind

    return _table(("calendar", "of", "QuantLib's"), rows())


def _configuration(section: str) -> str:
    schema = keys.root()
    path: tuple[str, ...] = () if section == "general" else tuple(section.split("."))
    return _table(("key", "type", "default", "meaning"), _keys(keys.schema_at(path) or schema, path, path == ()))


def _keys(schema: dict[str, Any], path: tuple[str, ...], flat: bool) -> Iterator[Sequence[str]]:
    for name, entry in keys.properties(schema).items():
        here = (*path, name)
        found = keys.schema_at(here) or {}
        if keys.properties(found):
            if not flat and name not in _APART:
                yield from _keys(found, here, flat)
        elif (entries := keys.free_keys(found)) and "$ref" in entries:
            below = keys.root()["$defs"][entries["$ref"].rsplit("/", 1)[1]]
            yield from _entries(below, (*here, _USER_NAMES.get(".".join(here)) or _USER_NAMES[name]))
        elif "$ref" in found.get("items", {}):
            below = keys.root()["$defs"][found["items"]["$ref"].rsplit("/", 1)[1]]
            yield from _entries(below, (*path, f"{name}[]"))
        else:
            yield _key(here, entry, found, name in schema.get("required", ()))


def _entries(schema: dict[str, Any], path: tuple[str, ...]) -> Iterator[Sequence[str]]:
    for name, entry in keys.properties(schema).items():
        options = [option for option in entry.get("anyOf", []) if option.get("type") != "null"]
        found = options[0] if options else entry
        yield _key((*path, name), entry, found, name in schema.get("required", ()))


def _key(path: tuple[str, ...], entry: dict[str, Any], found: dict[str, Any], required: bool) -> Sequence[str]:
    meaning = entry["description"].replace("<", "&lt;")
    return f"`{'.'.join(path)}`", _type(found), _default(entry, required), meaning


def _type(schema: dict[str, Any]) -> str:
    if {"type": "boolean"} in schema.get("anyOf", []):
        return f"true or false, or {_type(schema['anyOf'][1])}"
    if any(option.get("format") == "date" for option in schema.get("anyOf", ())):
        return "date"
    if "anyOf" in schema:  # the one type that is a number or a text
        return "size: bytes, or text such as `512MiB`"
    if "enum" in schema:
        return "one of " + ", ".join(f"`{choice}`" for choice in schema["enum"])
    if schema.get("format") == "date":
        return "date"
    if schema.get("type") == "object":
        return "mapping"
    if schema.get("type") == "array":
        items = schema["items"]
        return f"list of {_listed(items)}" if "enum" in items else f"list of {_ITEMS.get(items['type'], 'names')}"
    if schema.get("pattern") == "^[A-Z]{3}$":
        return "currency code"
    if schema.get("pattern") == CALENDAR_PATTERN:
        return "calendar"
    nouns = {"integer": "whole number", "number": "number", "boolean": "true or false"}
    signs = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<="}
    limits = (f" {sign} {schema[name]:g}" for name, sign in signs.items() if name in schema)
    return nouns.get(schema["type"], "text") + "".join(limits)


def _listed(items: dict[str, Any]) -> str:
    """What a list of some of a catalogue's names is of."""
    kinds = {"monday": "weekdays", "rates": "risk classes"}
    return next((kind for name, kind in kinds.items() if name in items["enum"]), "measures")


def _default(entry: dict[str, Any], required: bool) -> str:
    if required:
        return "required"
    value = entry.get("default")
    if value is None or value in ([], ""):
        return "unset"
    if "anyOf" in entry and isinstance(value, int):
        return f"`{value // 2**20}MiB`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{value}`"


if __name__ == "__main__":
    for file in sorted(DOCS.glob("*.md")):
        content = file.read_text(encoding="utf-8")
        file.write_text(replaced(with_products(content) if file.name == "inputs.md" else content), encoding="utf-8")
