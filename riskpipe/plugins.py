"""What other packages add by entry points. One that cannot be loaded is told, and the others are there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from msgspec import Struct, field

from riskpipe.errors import UsageError, described, is_interrupt

if TYPE_CHECKING:
    from importlib.metadata import Distribution, EntryPoint, EntryPoints

T = TypeVar("T")


class Plugin(Struct, Generic[T], frozen=True):
    """:param where: module and attribute. :param package: name and version, for people."""

    name: str
    value: T
    where: str
    package: str

    def is_there(self, what: str) -> UsageError:
        """Its name is taken. :param what: it is, such as "product"."""
        return UsageError(f"the {what} {self.name!r} of {self.where} ({self.package}) is there already")


class Plugins(Struct, Generic[T]):
    """:ivar broken: name of the entry point (of the package, if its list of them cannot be read) -> what is wrong."""

    found: list[Plugin[T]] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)


def load_plugins(group: str, kind: type[T]) -> Plugins[T]:
    """Instances of a class with a `name` that entry points of a group name, or of subclasses that they name."""
    plugins = Plugins[T]()
    for point in sorted(_entry_points(group, plugins.broken), key=lambda p: p.name):
        try:
            value: Any = _instance(point.load(), kind, point.value)
            plugins.found.append(Plugin(str(value.name), value, point.value, _package(point)))
        except BaseException as error:
            if is_interrupt(error):
                raise
            told = str(error) if isinstance(error, UsageError) else f"it does not import: {described(error)}"
            plugins.broken[point.name] = f"the plug-in {point.name!r} of {_package(point)} is left out: {told}"
    return plugins


def entry_points_of(group: str) -> EntryPoints:
    """Of all packages. :raises Exception: the list of one cannot be read."""
    found: EntryPoints = _on_path(tuple(sys.path)).select(group=group)
    return found


@lru_cache(maxsize=1)
def _on_path(path: tuple[str, ...]) -> Any:  # a type of its own before Python 3.12
    """Reading the lists of all packages takes as long as importing ten modules, and is asked for several times."""
    from importlib.metadata import entry_points  # and what it reads them with, as long again

    return entry_points()


def _entry_points(group: str, broken: dict[str, str]) -> Iterator[EntryPoint]:
    """Of all packages; when the list of one cannot be read, those of the others, one by one."""
    try:
        yield from entry_points_of(group)
        return
    except Exception:
        seen = set()
    from importlib.metadata import distributions

    for distribution in distributions():
        name = _name_of(distribution)
        if name in seen:
            continue
        seen.add(name)
        try:
            yield from distribution.entry_points.select(group=group)
        except Exception as error:
            told = f"its entry_points.txt cannot be read: {described(error)}"
            broken[name] = f"the plug-ins of the package {name} are left out: {told}"


def _package(point: EntryPoint) -> str:
    return "an unnamed package" if point.dist is None else f"the package {_name_of(point.dist)}"


def _name_of(distribution: Distribution) -> str:
    try:
        return f"{distribution.name} {distribution.version}"
    except Exception:  # its METADATA cannot be read
        return str(getattr(distribution, "_path", "that has no name"))


def _instance(found: object, kind: type[T], where: str) -> T:
    if isinstance(found, type) and issubclass(found, kind):
        return found()
    if isinstance(found, kind):
        return found
    raise UsageError(f"{where} is no {kind.__module__}.{kind.__qualname__}")
