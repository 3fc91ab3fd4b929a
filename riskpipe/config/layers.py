"""Where values come from and which wins: flag > --set > RISKPIPE_A__B > file > default."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from msgspec import Struct, field

from riskpipe.config import keys
from riskpipe.config.document import Document, Place, parse_value

PREFIX = "RISKPIPE_"
# Read elsewhere, and not settings.
RESERVED = frozenset({"RISKPIPE_CONFIG", "RISKPIPE_CACHE_DIR", "RISKPIPE_CPU", "RISKPIPE_MARKET_CACHE"})
# Kubernetes sets such variables for every service of a namespace: RISKPIPE_SCHEDULER_SERVICE_HOST.
_SERVICE_LINK = re.compile(r"_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)$")


class Override(Struct, frozen=True):
    """A value from outside the file, and the words that name its source."""

    path: tuple[str, ...]
    value: object
    origin: str


class Fault(Struct, frozen=True):
    """One thing that is wrong: in the order of the file, then of the overrides."""

    order: tuple[int, int, int]
    origin: str
    path: keys.Path
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.origin, keys.dotted(self.path), self.message) if part)


class Layers(Struct):
    """The file with the overrides on top: one tree, and for any key where its value came from."""

    file: str
    document: Document
    tree: dict[str, object]
    overrides: list[Override] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def apply(self, override: Override) -> None:
        """Put a value into the tree: it replaces what is there, a whole section too."""
        node = self.tree
        for position, step in enumerate(override.path[:-1]):
            below = node.get(step)
            if below is None:
                below = node[step] = {}
            if not isinstance(below, dict):
                if not keys.is_mapping(keys.schema_at(override.path[: position + 1]) or {}):
                    self.fault(override.path, "unknown key", override)
                return  # else a section that is not a mapping: the loader refuses it where it stands
            node = below
        node[override.path[-1]] = override.value
        self.overrides.append(override)

    def source(self, path: keys.Path) -> Override | Place | None:
        """What set this key: the last override of it or of a section around it, else the file, else None."""
        for override in reversed(self.overrides):
            if override.path == path[: len(override.path)]:
                return override
        for length in range(len(path), 0, -1):
            if path[:length] in self.document.places:
                return self.document.places[path[:length]]
        return None

    def origin(self, path: keys.Path) -> str:
        """The source in words: `riskpipe.yaml:12:5`, `--set`, `RISKPIPE_CLUSTER__WORKERS`, or the file."""
        return self._origin(self.source(path))

    def fault(self, path: keys.Path, message: str, source: Override | Place | None = None) -> None:
        source = source or self.source(path)
        order = (1, 0, 0) if isinstance(source, Override) else (0, 0, 0)
        if isinstance(source, Place):
            order = (0, source.line, source.column)
        self.faults.append(Fault(order, self._origin(source), path, message))

    def _origin(self, source: Override | Place | None) -> str:
        if isinstance(source, Override):
            return source.origin
        return self.file if source is None else f"{self.file}:{source.line}:{source.column}"


def stack(
    file: str,
    document: Document,
    environment: Mapping[str, str],
    assignments: Iterable[str],
    flags: Iterable[Override],
) -> Layers:
    """All layers in order of precedence; what cannot be read is left out and stands in `faults`."""
    layers = Layers(file, document, document.tree)
    for problem in document.problems:
        layers.fault(problem.path, problem.message, problem.place)
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in RESERVED and not _SERVICE_LINK.search(name):
            path = environment_path(name, layers.tree)
            _apply(layers, path, environment[name], name)
    for assignment in assignments:
        name, equals, text = _split_assignment(assignment)
        if not equals or not name:
            layers.fault((), f"KEY=VALUE is wanted, got {keys.describe(assignment)}", Override((), None, "--set"))
        else:
            _apply(layers, assignment_path(name), text, "--set")
    for flag in flags:
        layers.apply(flag)
    return layers


def _apply(layers: Layers, path: tuple[str, ...], text: str, origin: str) -> None:
    if not path:  # of dots alone
        layers.fault((), "a key is wanted, such as inputs.market", Override((), None, origin))
        return
    try:
        layers.apply(Override(path, parse_value(text), origin))
    except ValueError as error:
        layers.fault(path, str(error), Override(path, None, origin))


def environment_path(name: str, tree: Mapping[str, object]) -> tuple[str, ...]:
    """RISKPIPE_CLUSTER__WORKERS -> cluster.workers; the user's own names keep the file's spelling."""
    path: tuple[str, ...] = ()
    node: object = tree
    for step in name.removeprefix(PREFIX).split("__"):
        schema = keys.schema_at(path) or {}
        here = node if isinstance(node, dict) else {}
        spelt = next((key for key in here if key.upper() == step.upper()), step)
        path = (*path, spelt if keys.free_keys(schema) else step.lower())
        node = here.get(path[-1])
    return path


def assignment_path(name: str) -> tuple[str, ...]:
    """a.b -> (a, b). A name with dots in it is quoted, or ends where a known key follows.

    `market.indices.USD.SOFR.curve` and `market.indices."USD.SOFR".curve` are the same.
    """
    steps = [quoted or plain for quoted, plain in re.findall(r'"([^"]*)"|([^."]+)', name)]
    path: tuple[str, ...] = ()
    while steps:
        # The root has no names of the user's, and the last step is one name: two steps need no schema, which takes
        # time to make.
        entry = keys.free_keys(keys.schema_at(path) or {}) if path and len(steps) > 1 else None
        width = 1
        if entry is not None:
            known = keys.properties(keys.schema_at((*path, steps[0])) or {})
            width = next((k for k in range(1, len(steps)) if steps[k] in known), 1)
        path = (*path, ".".join(steps[:width]))
        steps = steps[width:]
    return path


def _split_assignment(assignment: str) -> tuple[str, str, str]:
    match = re.match(r'((?:"[^"]*"|[^"=])*)(=?)(.*)', assignment, re.DOTALL)
    return (match[1].strip(), match[2], match[3]) if match else ("", "", "")
