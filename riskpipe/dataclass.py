"""Data classes whose `__init__` is written when it is first called.

The standard library writes five or six functions for each class and compiles their text while a module is imported: a
millisecond a class, of which a short command imports hundreds and makes instances of few. Here fields, slots and their
checks are the standard library's, at once, and so is `__init__`, at the first instance; what else it would write out is
told from the fields. `fields`, `replace` and `asdict` of `dataclasses`, subclasses and type checkers see what they
always do.
"""

from __future__ import annotations

import dataclasses
import operator
import sys
from collections.abc import Callable, Iterable
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

_MADE = object()
"""The default in place of one that is made for each instance."""

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(cls=None, /, *, frozen=False, eq=True, order=False, slots=False):
        """As `dataclasses.dataclass`, with the options that are used here. It does not know InitVar."""

        def made(cls):
            return _made(cls, frozen, eq, order, slots)

        return made if cls is None else made(cls)


def _made(cls: Any, frozen: bool, eq: bool, order: bool, slots: bool) -> Any:
    own = vars(cls)
    has_hash = "__hash__" in own and (own["__hash__"] is not None or "__eq__" not in own)
    if not cls.__doc__:  # the standard library would look for a signature, which takes longer than all else
        cls.__doc__ = cls.__name__
    derived = any(map(dataclasses.is_dataclass, cls.__mro__[1:]))  # what is frozen and what is not do not mix
    cls = dataclasses.dataclass(init=False, repr=False, eq=False, frozen=frozen and derived, slots=slots)(cls)
    described = cls.__dataclass_params__
    described.init, described.repr, described.eq, described.order, described.frozen = True, True, eq, order, frozen
    fields = dataclasses.fields(cls)
    _add(cls, "__init__", _Init(cls, frozen))
    _add(cls, "__repr__", _repr(tuple(field.name for field in fields if field.repr)))
    if eq:
        compared = _values(field.name for field in fields if field.compare)
        _add(cls, "__eq__", _comparison(operator.eq, compared))
        for name in ("__lt__", "__le__", "__gt__", "__ge__") if order else ():
            _add(cls, name, _comparison(getattr(operator, name), compared))
        if not has_hash:
            hashed = _values(field.name for field in fields if (field.compare if field.hash is None else field.hash))
            cls.__hash__ = _hash(hashed) if frozen else None
    if frozen and not derived:
        _freeze(cls, frozenset(field.name for field in fields))
    if frozen and slots:  # which pickle would set one by one
        _add(cls, "__getstate__", _state)
        _add(cls, "__setstate__", _restore)
    return cls


def _add(cls: Any, name: str, method: Any) -> None:
    """Unless the class has one of its own."""
    if name not in vars(cls):
        setattr(cls, name, method)


class _Init:
    """A class's `__init__` until somebody calls or looks at it."""

    def __init__(self, cls: Any, frozen: bool) -> None:
        self._cls, self._frozen = cls, frozen

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        written = self._cls.__init__ = _written_init(self._cls, self._frozen)
        return written.__get__(instance, owner)


def _written_init(cls: Any, frozen: bool) -> Any:
    """As the standard library writes it. Its text has None for every default."""
    parameters, keywords, lines = ["self"], list[str](), list[str]()
    defaults: list[Any] = []
    keyword_defaults: dict[str, Any] = {}
    known: dict[str, Any] = {"__set__": object.__setattr__, "__made__": _MADE}
    for field in dataclasses.fields(cls):
        name, value = field.name, field.name
        default = field.default if field.default_factory is dataclasses.MISSING else _MADE
        if default is _MADE:
            known[f"__{name}__"] = field.default_factory
            value = f"__{name}__() if {name} is __made__ else {name}" if field.init else f"__{name}__()"
        elif not field.init:
            continue  # it has its default as an attribute of the class
        if field.init:
            text = name if default is dataclasses.MISSING else f"{name}=None"
            (keywords if field.kw_only else parameters).append(text)
            if default is not dataclasses.MISSING and field.kw_only:
                keyword_defaults[name] = default
            elif default is not dataclasses.MISSING:
                defaults.append(default)
        lines.append(f"__set__(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    head = f"def __init__({', '.join([*parameters, *(['*'] if keywords else []), *keywords])}):"
    source = [f"def written({', '.join(known)}):", f" {head}", *(f"  {line}" for line in lines or ["pass"])]
    found: dict[str, Any] = {}
    exec("\n".join([*source, " return __init__"]), vars(sys.modules[cls.__module__]), found)
    init = found["written"](**known)
    init.__defaults__, init.__kwdefaults__ = tuple(defaults), keyword_defaults
    init.__annotations__ = {field.name: field.type for field in dataclasses.fields(cls) if field.init} | {
        "return": None
    }
    init.__module__, init.__qualname__ = cls.__module__, f"{cls.__qualname__}.__init__"
    return init


def _values(names: Iterable[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Reads these attributes."""
    match tuple(names):
        case ():
            return lambda _: ()
        case (name,):
            return lambda instance: (getattr(instance, name),)
        case several:
            return operator.attrgetter(*several)


def _repr(names: tuple[str, ...]) -> Callable[[Any], str]:
    @recursive_repr()
    def told(self: Any) -> str:
        return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

    return told


def _comparison(compare: Callable[[Any, Any], bool], values: Callable[[Any], Any]) -> Callable[[Any, Any], bool]:
    def comparison(self: Any, other: Any) -> bool:
        return compare(values(self), values(other)) if other.__class__ is self.__class__ else NotImplemented

    return comparison


def _hash(values: Callable[[Any], Any]) -> Callable[[Any], int]:
    def hashed(self: Any) -> int:
        return hash(values(self))

    return hashed


def _freeze(cls: Any, names: frozenset[str]) -> None:
    def refuse_value(self: Any, name: str, value: Any) -> None:
        if type(self) is cls or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)

    def refuse_deletion(self: Any, name: str) -> None:
        if type(self) is cls or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)

    cls.__setattr__, cls.__delattr__ = refuse_value, refuse_deletion


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _restore(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)
