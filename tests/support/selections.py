"""Of many cases of a kind some in the default suite, the others in the slow one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def one_in(each: int, cases: Iterable[Any]) -> list[Any]:
    """For `parametrize`: the first of every `each` cases is of the default suite. Tuples are several arguments."""
    return [
        pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=[pytest.mark.slow] if k % each else [])
        for k, case in enumerate(cases)
    ]
