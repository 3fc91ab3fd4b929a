"""Of many cases of a kind, and of random examples, some in the default suite, the others in the slow one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import pytest
from hypothesis import settings

Test = TypeVar("Test", bound=Callable[..., Any])
_SHARE = 1 if os.environ.get("TEST_EXAMPLES") == "all" else 4


def examples(most: int, **more: Any) -> Callable[[Test], Test]:
    """For tests by hypothesis, its settings: so many examples in `make test-slow`, a quarter of them by default."""
    chosen = settings(max_examples=most // _SHARE, deadline=None, **more)
    return lambda test: pytest.mark.examples(chosen(test))


def one_in(each: int, cases: Iterable[Any]) -> list[Any]:
    """For `parametrize`: the first of every `each` cases is of the default suite. Tuples are several arguments."""
    return [
        pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=[pytest.mark.slow] if k % each else [])
        for k, case in enumerate(cases)
    ]


def pairs_one_in(each: int, first: Iterable[Any], second: Iterable[Any]) -> list[Any]:
    """For `parametrize`: all pairs, of which one in `each` is of the default suite, in turns: all of both are there."""
    others = list(second)
    return [
        pytest.param(one, other, marks=[pytest.mark.slow] if (k + m) % each else [], id=f"{_name(one)}-{_name(other)}")
        for k, one in enumerate(first)
        for m, other in enumerate(others)
    ]


def _name(value: Any) -> str:
    return str(getattr(value, "name", value))
