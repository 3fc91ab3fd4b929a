"""A YAML document as plain values that know their place: line and column of every key, none given twice."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import yaml
from msgspec import Struct, field

Path = tuple[str | int, ...]

MAXIMUM_VALUES = 100_000  # aliases of aliases grow exponentially; no configuration is this long
_MERGE = "tag:yaml.org,2002:merge"
_CONTAINERS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


class _Loader(yaml.SafeLoader):
    """The safe loader, and 1e-4 as a number: YAML 1.1 wants 1.0e-4 and reads 1e-4 as text."""


class _FastLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Likewise, by libyaml where PyYAML has it: in a fifth of the time, but its words for what is wrong are others."""


for _loader in (_Loader, _FastLoader):
    _loader.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
    )


class Place(Struct, frozen=True):
    """Where something stands in a file, counted from 1."""

    line: int
    column: int


class Problem(Struct, frozen=True):
    """What is wrong with the document as YAML; `path` is empty where it concerns the whole."""

    path: Path
    place: Place | None
    message: str


class Document(Struct):
    """The values, and the place of each key and list item."""

    tree: dict[str, object] = field(default_factory=dict)
    places: dict[Path, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def parse(text: str) -> Document:
    """Read one YAML document whose root is a mapping, or empty; what is wrong goes to `problems`."""
    document = _parsed(text, _FastLoader)
    return _parsed(text, _Loader) if document.problems else document


def _parsed(text: str, kind: Callable[[str], yaml.SafeLoader]) -> Document:
    document = Document()
    try:
        loader = kind(text)
        try:
            node = loader.get_single_node()
            if isinstance(node, yaml.MappingNode):
                tree = _Walk(loader, document).value(node, ())
                document.tree = tree if isinstance(tree, dict) else {}
            elif node is not None and node.tag != "tag:yaml.org,2002:null":
                document.problems.append(Problem((), _place(node), "a mapping of keys is wanted"))
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        document.problems.append(_yaml_problem(error))
    except RecursionError:
        document.problems.append(Problem((), None, "nested too deeply"))
    return document


def parse_value(text: str) -> object:
    """One value as YAML types it: `5` a number, `[pv, delta]` a list, `2026-11-20` a date.

    :raises ValueError: not YAML, or a key given twice.
    """
    document = parse(f"value: {text}" if "\n" not in text else f"value:\n{text}")
    if document.problems:
        raise ValueError(document.problems[0].message)
    return document.tree["value"]


def _place(node: yaml.Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def _yaml_problem(error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    place = Place(mark.line + 1, mark.column + 1) if mark is not None else None
    reason = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    return Problem((), place, f"not valid YAML: {' '.join(str(reason).split())}")


class _Walk:
    """Turns nodes into values, noting places; one walk a document."""

    def __init__(self, loader: yaml.SafeLoader, document: Document) -> None:
        self._loader = loader
        self._document = document
        self._open: set[int] = set()
        self._values = 0

    def value(self, node: yaml.Node, path: Path) -> object:
        self._values += 1
        if self._values > MAXIMUM_VALUES:
            raise yaml.YAMLError("too many values: anchors that multiply?")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if node.tag not in _CONTAINERS:
            self._problem(path, node, f"the tag {node.tag} is not allowed")
            return None
        if id(node) in self._open:
            self._problem(path, node, "an anchor that contains itself")
            return None
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            return self._sequence(node, path)
        finally:
            self._open.discard(id(node))

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> object:
        try:
            return self._loader.construct_object(node)
        except yaml.YAMLError:
            self._problem(path, node, f"the tag {node.tag} is not allowed")
            return None
        except (ValueError, LookupError, AttributeError, ArithmeticError):
            # Looks like a date and is none (2026-13-45), or has a tag that its text does not fit (!!bool x), which
            # PyYAML meets with whatever its parsing ends in: left as text, refused by its type.
            return node.value

    def _sequence(self, node: yaml.Node, path: Path) -> list[object]:
        items = []
        for index, item in enumerate(node.value):
            self._document.places[*path, index] = _place(item)
            items.append(self.value(item, (*path, index)))
        return items

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, object]:
        values: dict[str, object] = {}
        own: dict[str, int] = {}
        for source in self._merged(node, path):
            merged = self.value(source, path)
            if isinstance(merged, dict):
                values |= {key: value for key, value in merged.items() if key not in values}
        for key, value in node.value:
            if key.tag == _MERGE:
                continue
            if not isinstance(key, yaml.ScalarNode):
                self._problem(path, key, "a key must be plain text")
                continue
            here = (*path, key.value)
            if key.value in own:
                self._problem(here, key, f"given twice; first in line {own[key.value]}")
                continue
            own[key.value] = _place(key).line
            self._document.places[here] = _place(key)
            values[key.value] = self.value(value, here)
        return values

    def _merged(self, node: yaml.MappingNode, path: Path) -> Iterator[yaml.MappingNode]:
        for key, value in node.value:
            if key.tag != _MERGE:
                continue
            for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if isinstance(source, yaml.MappingNode):
                    yield source
                else:
                    self._problem(path, key, "<< wants a mapping")

    def _problem(self, path: Path, node: yaml.Node, message: str) -> None:
        self._document.problems.append(Problem(path, _place(node), message))
