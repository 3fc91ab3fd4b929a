"""From file, environment and flags to Settings: every fault at once, every value with its origin."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path as FilePath
from typing import Any

import pydantic
from msgspec import Struct

from riskpipe.clusters.catalogue import CLUSTERS
from riskpipe.config import keys
from riskpipe.config.dates_section import DateSettings
from riskpipe.config.document import Document, parse
from riskpipe.config.layers import Layers, Override, stack
from riskpipe.config.models import CLUSTER_SECTION, INPUT_PLACES, Settings
from riskpipe.config.placeholders import fault_of, filled, named
from riskpipe.config.values import RELATIVE_DAYS, repeated
from riskpipe.errors import ConfigurationError
from riskpipe.market.calendar_names import A_CALENDAR, is_calendar, is_calendar_column, with_own
from riskpipe.measures.measure_names import CROSS_GAMMA, EXPLAIN, PNL_SETS, SIMULATED, WHOLE_RISK

DEFAULT_FILE = "riskpipe.yaml"
URI = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+://")


class Resolution(Struct, frozen=True):
    """Settings and how they came about.

    :param file: the configuration file as it was named.
    :param origins: path of every leaf -> its source, such as `riskpipe.yaml:12:5`, `--set` or `default`.
    """

    settings: Settings
    file: str
    origins: dict[keys.Path, str]


def utc_now() -> datetime:
    return datetime.now(UTC)


def load_settings(
    config: str | os.PathLike[str] | None = None,
    *,
    as_of: str | None = None,
    assignments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    now: Callable[[], datetime] = utc_now,
) -> Settings:
    """The settings of a run; see `resolve`."""
    return resolve(config, as_of=as_of, assignments=assignments, environment=environment, now=now).settings


def resolve(
    config: str | os.PathLike[str] | None = None,
    *,
    as_of: str | None = None,
    assignments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    now: Callable[[], datetime] = utc_now,
) -> Resolution:
    """Read the configuration: flag > assignment > environment > file > default.

    :param config: the file; None: $RISKPIPE_CONFIG, else riskpipe.yaml in the current directory.
    :param as_of: the value of --as-of.
    :param assignments: KEY=VALUE each, as --set takes them; the value is typed as YAML types it.
    :param environment: by default the process environment; RISKPIPE_A__B sets a.b.
    :param now: what `today` and `previous-business-day` go by.
    :raises ConfigurationError: with every fault there is.
    """
    environment = os.environ if environment is None else environment
    file = os.fspath(config or environment.get("RISKPIPE_CONFIG") or DEFAULT_FILE)
    flags = [] if as_of is None else [Override(("as_of",), as_of, "--as-of")]
    layers = stack(file, _read(file), environment, assignments, flags)
    _relative_day(layers.tree, now)
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


def _relative_day(tree: dict[str, object], now: Callable[[], datetime]) -> None:
    """`today` and `previous-business-day` as dates, before anything else is made of the tree."""
    if tree.get("as_of") not in RELATIVE_DAYS:
        return
    try:
        dates = DateSettings.model_validate(tree.get("dates") or {})
    except pydantic.ValidationError:
        dates = DateSettings()  # of any day: that the section is wrong comes with the other faults
    today = dates.today(now())
    tree["as_of"] = today if tree["as_of"] == RELATIVE_DAYS[0] else dates.previous(today)


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
            # Of measures the raw tree shows that even where an item is wrong.
            if error["type"] != "repeated" or error["loc"] != ("measures",):
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
    elif kind == "repeated":
        message = error["msg"]
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
        _missing_inputs(layers, measures, inputs)
        _missing_pairs(layers, measures)
    _unknown_calendars(layers, tree.get("market"))
    for path in _places(tree):
        fault = fault_of(str(_value(tree, path)))
        if fault is not None:
            layers.fault(path, fault)
    output = tree.get("output")
    if isinstance(output, str) and fault_of(output) is None and named(output):
        layers.fault(("output",), "one place for all days: the results of each have a partition of their own there")
    if tree.get("deadline") is not None and tree.get("finish_within") is not None:
        layers.fault(("finish_within",), "one of deadline and finish_within, not both")
    cluster = tree.get("cluster")
    if isinstance(cluster, dict):
        _cluster_contradictions(layers, cluster)


def _missing_inputs(layers: Layers, measures: list[Any], inputs: dict[str, Any]) -> None:
    """Scenarios that are asked for, and that nothing makes."""
    stress = layers.tree.get("stress")
    declared = [name for name, entries in stress.items() if entries] if isinstance(stress, dict) else []
    if EXPLAIN in measures and "pv" not in measures:
        layers.fault(("measures", measures.index(EXPLAIN)), f"{EXPLAIN} needs pv")
    for measure in ("historical_var", *SIMULATED):
        if measure in measures and "history" not in inputs:
            layers.fault(("measures", measures.index(measure)), f"{measure} needs inputs.history")
    _unknown_sets(layers, measures, inputs)
    if "stress" in measures and "scenarios" not in inputs and not declared:
        layers.fault(("measures", measures.index("stress")), "stress needs inputs.scenarios, or the section stress")
    if "stress" in measures and "history" in declared and "history" not in inputs:
        layers.fault(("stress", "history"), "stresses of days of the past need inputs.history")


def _missing_pairs(layers: Layers, measures: list[Any]) -> None:
    bumps = layers.tree.get("bumps")
    pairs = bumps.get(CROSS_GAMMA) if isinstance(bumps, dict) else None
    if CROSS_GAMMA in measures and not pairs:
        layers.fault(("measures", measures.index(CROSS_GAMMA)), f"{CROSS_GAMMA} needs pairs: bumps.{CROSS_GAMMA}")


def _unknown_sets(layers: Layers, measures: list[Any], inputs: dict[str, Any]) -> None:
    """Figures of scenario sets and classes that nothing makes."""
    risk, further = layers.tree.get("risk"), inputs.get("histories")
    entries = risk.get("var") if isinstance(risk, dict) else None
    windows = risk.get("stressed_windows") if isinstance(risk, dict) else None
    histories = [PNL_SETS["historical_var"], *(further if isinstance(further, dict) else ())]
    simulated = [PNL_SETS["monte_carlo_var"]] if "monte_carlo_var" in measures else []
    for key, listed, known in (("var", entries, [*histories, *simulated]), ("stressed_windows", windows, histories)):
        for k, entry in enumerate(listed if isinstance(listed, list) else ()):
            named = entry.get("scenario_set") if isinstance(entry, dict) else None
            if isinstance(named, str) and named not in known:
                layers.fault(("risk", key, k, "scenario_set"), f"one of {', '.join(known)} is wanted, got {named!r}")
    for k, entry in enumerate(entries if isinstance(entries, list) else ()):
        part = entry.get("risk_class") if isinstance(entry, dict) else None
        if isinstance(risk, dict) and part not in (None, WHOLE_RISK) and not risk.get("by_class"):
            layers.fault(("risk", "var", k, "risk_class"), f"{part} needs risk.by_class")


def _unknown_calendars(layers: Layers, market: Any) -> None:
    """Calendars that are neither built in nor the user's own."""
    if not isinstance(market, dict):
        return
    own = market.get("calendars")
    known = own if isinstance(own, dict) else {}
    for section in ("indices", "curves", "commodities", "fx_pairs"):
        entries = market.get(section)
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            for key, calendar in entry.items() if isinstance(entry, dict) else ():
                if not (is_calendar_column(key) and isinstance(calendar, str)):
                    continue
                if not is_calendar(with_own(calendar, dict.fromkeys(known, "weekends"))):
                    path = ("market", section, name, key)
                    layers.fault(path, f"a calendar: {A_CALENDAR} is wanted, got {keys.describe(calendar)}")


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


def _places(tree: dict[str, object]) -> Iterator[keys.Path]:
    """Keys of the paths of inputs that are given, in the raw tree."""
    inputs, market = tree.get("inputs"), tree.get("market")
    given: list[tuple[str, ...]] = [("inputs", name) for name in INPUT_PLACES]
    for section, name in ((inputs, "histories"), (market, "calendars")):
        entries = section.get(name) if isinstance(section, dict) else None
        parent = "inputs" if section is inputs else "market"
        given += [(parent, name, each, "path") for each in (entries if isinstance(entries, dict) else ())]
    yield from (path for path in given if isinstance(_value(tree, path), str))


def _located(settings: Settings, directory: FilePath) -> Settings:
    """Relative paths made absolute: relative to the file's directory, wherever one started; dates put in."""

    def absolute(value: str) -> str:
        return value if URI.match(value) else os.path.normpath(directory / os.path.expanduser(value))

    dates: dict[str, date] = {"as_of": settings.as_of}

    def located(value: str) -> str:
        if "previous" in named(value) and "previous" not in dates:
            dates["previous"] = settings.dates.previous(settings.as_of)
        return absolute(filled(value, dates))

    places: dict[str, Any] = {"inputs": settings.inputs.located(located), "market": settings.market.located(located)}
    textfile = settings.metrics.textfile
    if textfile is not None:
        places["metrics"] = settings.metrics.model_copy(update={"textfile": absolute(textfile)})
    return settings.model_copy(update={**places, "output": absolute(settings.output)})
