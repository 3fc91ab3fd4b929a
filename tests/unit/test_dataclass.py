"""Data classes of riskpipe's own decorator against the standard library's."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from riskpipe.dataclass import dataclass as own

Maker = Callable[..., Any]


def classes(dataclass: Maker) -> dict[str, Any]:
    """The same classes, made by a decorator."""

    @dataclass
    class Plain:
        name: str
        values: list[int] = dataclasses.field(default_factory=list)
        shown: int = dataclasses.field(default=3, repr=False, compare=False)
        kind: ClassVar[str] = "plain"

    @dataclass(frozen=True)
    class Frozen:
        """With words."""

        name: str
        pair: tuple[int, ...] = dataclasses.field(default_factory=tuple)
        last: float = dataclasses.field(default=0.5, kw_only=True)
        hidden: int = dataclasses.field(default=7, init=False)

    @dataclass(frozen=True, slots=True)
    class Slotted:
        name: str
        size: int = 2

    @dataclass(frozen=True)
    class Derived(Frozen):
        size: int = 4

        def __post_init__(self) -> None:
            object.__setattr__(self, "hidden", self.size + 1)

    @dataclass(frozen=True, order=True)
    class Ordered:
        day: int
        name: str

    @dataclass(eq=False)
    class Same:
        name: str

    @dataclass(frozen=True)
    class Told:
        name: str

        def __repr__(self) -> str:
            return self.name

        def __hash__(self) -> int:
            return 5

    @dataclass(frozen=True)
    class Empty:
        pass

    return {name: cls for name, cls in locals().items() if isinstance(cls, type)}


OWN, STANDARD = classes(own), classes(dataclasses.dataclass)
ARGUMENTS: dict[str, list[tuple[tuple[Any, ...], dict[str, Any]]]] = {
    "Plain": [(("a",), {}), (("a", [1]), {}), (("a", [2], 4), {}), ((), {"name": "b"})],
    "Frozen": [(("a",), {}), (("a", (1,)), {"last": 0.25}), ((), {"name": "a", "last": 0.5})],
    "Slotted": [(("a",), {}), (("b", 1), {}), ((), {"size": 1, "name": "b"})],
    "Derived": [(("a",), {}), (("a", (1,), 5), {"last": 1.0})],
    "Ordered": [((2, "a"), {}), ((1, "b"), {}), ((1, "a"), {})],
    "Same": [(("a",), {})],
    "Told": [(("a",), {}), (("b",), {})],
    "Empty": [((), {})],
}
WRONG: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((), {"nom": 1}),
    (tuple("abcdefgh"), {}),
    (("a",), {"name": "b"}),
]


def outcome(what: Callable[[], Any]) -> Any:
    """What it returns, or the kind and text of what it raises."""
    try:
        return what()
    except Exception as error:
        return type(error), str(error)


@pytest.mark.parametrize("name", list(ARGUMENTS))
def test_instances_are_those_of_the_standard_library(name: str) -> None:
    mine, standard = OWN[name], STANDARD[name]
    made = [(mine(*args, **kwargs), standard(*args, **kwargs)) for args, kwargs in ARGUMENTS[name]]
    for a, b in made:
        assert repr(a) == repr(b)
        assert dataclasses.asdict(a) == dataclasses.asdict(b)
        assert outcome(lambda a=a: hash(a)) == outcome(lambda b=b: hash(b)) or name == "Same"
        changed = outcome(lambda a=a: dataclasses.replace(a)), outcome(lambda b=b: dataclasses.replace(b))
        assert repr(changed[0]) == repr(changed[1])
        assert copy.copy(a) == a or name == "Same"
        for other, same in made:
            assert (a == other, a != other) == (b == same, b != same)
            for sign in ("__lt__", "__le__", "__gt__", "__ge__"):
                assert getattr(a, sign)(other) == getattr(b, sign)(same)
        assert a != b
        for change in (lambda x: setattr(x, "name", "z"), lambda x: delattr(x, "name")):
            told = [outcome(lambda x=x, change=change: change(copy.copy(x))) for x in (a, b)]
            assert told[0] == told[1]
    for args, kwargs in WRONG:
        told = [repr(outcome(lambda c=c, args=args, kwargs=kwargs: c(*args, **kwargs))) for c in (mine, standard)]
        assert told[0] == told[1]


@pytest.mark.parametrize("name", list(ARGUMENTS))
def test_classes_are_described_as_the_standard_library_does(name: str) -> None:
    mine, standard = classes(own)[name], STANDARD[name]
    told = [[(f.name, f.type, f.default, f.init, f.kw_only) for f in dataclasses.fields(c)] for c in (mine, standard)]
    assert told[0] == told[1]
    assert mine.__match_args__ == standard.__match_args__
    assert repr(mine.__dataclass_params__) == repr(standard.__dataclass_params__)
    assert getattr(mine, "__slots__", None) == getattr(standard, "__slots__", None)
    first, later = inspect.signature(mine), inspect.signature(mine)
    parameters = [[(p.name, p.kind, p.annotation) for p in s.parameters.values()] for s in (first, later)]
    assert parameters[0] == parameters[1]
    assert parameters[0] == [(p.name, p.kind, p.annotation) for p in inspect.signature(standard).parameters.values()]


@own(frozen=True, slots=True)
class Sent:
    name: str
    size: int = 1


def test_what_is_frozen_with_slots_is_sent() -> None:
    assert pickle.loads(pickle.dumps(Sent("a", 3))) == Sent("a", 3)


def test_the_standard_library_derives_from_it() -> None:
    """Products of other packages do."""

    @dataclasses.dataclass(frozen=True)
    class Further(Sent):
        more: int = 0

    assert Further("a", 1, 2) == Further("a", 1, 2)
    with pytest.raises(TypeError, match="cannot inherit non-frozen"):

        @own
        class Loose(Sent):
            more: int = 0
