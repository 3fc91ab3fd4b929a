"""From file, environment and flags to Settings: every fault at once, every value with its origin."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

import pydantic

from riskpipe.clusters.catalogue import CLUSTERS
from riskpipe.config import keys
from riskpipe.config.document import Document, parse
from riskpipe.config.layers import Layers, Override, stack
from riskpipe.config.models import CLUSTER_SECTION, Settings
from riskpipe.config.values import repeated
from riskpipe.errors import ConfigurationError

DEFAULT_FILE = "riskpipe.yaml"
URI = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+://")


@dataclass(frozen=True)
class Resolution:
    """Settings and how they came about.

    :param file: the configuration file as it was named.
    :param origins: path of every leaf -> its source, such as `riskpipe.yaml:12:5`, `--set` or `default`.
    """

    settings: Settings
    file: str
    origins: dict[keys.Path, str]


def load_settings(
    config: str | os.PathLike[str] | None = None,
    *,
    as_of: str | None = None,
    assignments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """The settings of a run; see `resolve`."""
    return resolve(config, as_of=as_of, assignments=assignments, environment=environment).settings


def resolve(
    config: str | os.PathLike[str] | None = None,
    *,
    as_of: str | None = None,
    assignments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Resolution:
    """Read the configuration: flag > assignment > environment > file > default.

    :param config: the file; None: $RISKPIPE_CONFIG, else riskpipe.yaml in the current directory.
    :param as_of: the value of --as-of.
    :param assignments: KEY=VALUE each, as --set takes them; the value is typed as YAML types it.
    :param environment: by default the process environment; RISKPIPE_A__B sets a.b.
    :raises ConfigurationError: with every fault there is.
    """
    environment = os.environ if environment is None else environment
    file = os.fspath(config or environment.get("RISKPIPE_CONFIG") or DEFAULT_FILE)
    flags = [] if as_of is None else [Override(("as_of",), as_of, "--as-of")]
    layers = stack(file, _read(file), environment, assignments, flags)
    unreadable = any(not problem.path for problem in layers.document.problems)
    settings = None if unreadable else _validated(layers)
    if settings is None or layers.faults:
        ordered = sorted(layers.faults, key=lambda fault: fault.order)
        raise ConfigurationError([str(fault) for fault in ordered])
    settings = _located(settings, FilePath(file).absolute().parent)
    return Resolution(settings, file, origins(settings, layers))


def origins(settings: Settings, layers: Layers) -> dict[keys.Path, str]:
    """Where the value of each leaf came from; a list is one leaf."""
    found: dict[keys.Path, str] = {}
    for path, _ in leaves(settings.model_dump(), ()):
        found[path] = "default" if layers.source(path) is None or not _given(layers.tree, path) else layers.origin(path)
    return found


def leaves(tree: Mapping[str, Any], path: tuple[str, ...]) -> Iterable[tuple[tuple[str, ...], Any]]:
    """Every key whose value is not itself a mapping with keys, with that value, depth first."""
    for name, value in tree.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*path, name))
        else:
            yield (*path, name), value


def _read(file: str) -> Document:
    try:
        return parse(FilePath(file).read_text(encoding="utf-8"))
    except FileNotFoundError:
        fault = f"{file}: no such file; `riskpipe init` writes one, -c names another"
    except UnicodeDecodeError as error:
        fault = f"{file}: not UTF-8 text (byte {error.start})"
    except OSError as error:
        fault = f"{file}: cannot be read: {error.strerror or error}"
    raise ConfigurationError([fault])


def _drop_empty(tree: dict[str, object], path: keys.Path) -> None:
    """A key without a value means its default: what is left of a section once its lines are commented out."""
    for name in [name for name, value in tree.items() if value is None]:
        if keys.schema_at((*path, name)) is not None:
            del tree[name]
    for name, value in tree.items():
        if isinstance(value, dict):
            _drop_empty(value, (*path, name))


def _validated(layers: Layers) -> Settings | None:
    settings = None
    _drop_empty(layers.tree, ())
    try:
        settings = Settings.model_validate(layers.tree)
    except pydantic.ValidationError as errors:
        for error in errors.errors(include_url=False):
            if error["type"] != "repeated":  # that, the raw tree shows even where an item is wrong
                _fault(layers, error)
    _contradictions(layers)
    return settings


def _fault(layers: Layers, error: Any) -> None:
    """One pydantic error in the words of the configuration."""
    path: keys.Path = tuple(step for step in error["loc"] if step != "[key]")
    value = keys.describe(_value(layers.tree, path))
    kind = error["type"]
    if kind == "extra_forbidden":
        message = _unknown(path)
    elif kind == "missing":
        message = f"missing; {keys.wanted(path)} is wanted"
    elif kind == "unwanted":
        got = repr(path[-1]) if error["loc"][-1] == "[key]" else value
        message = f"{error['msg']}, got {got}"
    elif kind == "value_error":
        message = f"{error['ctx']['error']}, got {value}"
    else:
        message = f"{keys.wanted(path)} is wanted, got {value}"
    layers.fault(path, message)


def _unknown(path: keys.Path) -> str:
    if present := keys.renamed(path):
        return f"this key is called {present} now"
    near = keys.nearest(path[:-1], str(path[-1]))
    return "unknown key" + (f"; did you mean {near}?" if near else "")


def _contradictions(layers: Layers) -> None:
    """What no single key shows; on the raw tree, so that these come with the other faults."""
    tree = layers.tree
    inputs = tree.get("inputs")
    measures = tree.get("measures")
    if isinstance(measures, list) and repeated(measures):
        layers.fault(("measures",), f"named twice: {', '.join(repeated(measures))}")
    if isinstance(measures, list) and isinstance(inputs, dict):
        for measure, needed in (("historical_var", "history"), ("stress", "scenarios")):
            if measure in measures and needed not in inputs:
                layers.fault(("measures", measures.index(measure)), f"{measure} needs inputs.{needed}")
    cluster = tree.get("cluster")
    if isinstance(cluster, dict):
        _cluster_contradictions(layers, cluster)


def _cluster_contradictions(layers: Layers, cluster: dict[str, Any]) -> None:
    fields = CLUSTER_SECTION.model_fields.items()
    given = {**{name: field.default for name, field in fields if field.default_factory is None}, **cluster}
    shards = given["shards"]
    kind = CLUSTERS.get(str(given["kind"]))
    if kind is None:
        return
    for key, message in kind.faults(given):
        layers.fault(("cluster", key), message)
    if isinstance(shards, int) and shards > 1 and not kind.shardable:
        others = ", ".join(other.name for other in CLUSTERS.values() if other.shardable)
        layers.fault(("cluster", "shards"), f"kind {kind.name} has one; kinds {others} can be cut into shards")


def _value(tree: Any, path: keys.Path) -> Any:
    for step in path:
        try:
            tree = tree[step]
        except (KeyError, IndexError, TypeError):
            return None
    return tree


def _given(tree: Any, path: keys.Path) -> bool:
    return _value(tree, path) is not None


def _located(settings: Settings, directory: FilePath) -> Settings:
    """Relative paths made absolute: relative to the file's directory, wherever the command was started."""

    def located(value: str) -> str:
        return value if URI.match(value) else os.path.normpath(directory / os.path.expanduser(value))

    return settings.model_copy(update={"inputs": settings.inputs.located(located), "output": located(settings.output)})
