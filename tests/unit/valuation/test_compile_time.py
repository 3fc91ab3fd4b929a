"""What compilations take is known; what was compiled before takes nothing."""

from __future__ import annotations

import numba
import numpy as np

from riskpipe.valuation.compile_time import compiled_seconds


def test_what_compiling_takes_is_known() -> None:
    @numba.njit
    def inner(value):  # type: ignore[no-untyped-def]
        return value * 2.0

    @numba.njit
    def doubled(values):  # type: ignore[no-untyped-def]
        return inner(values)

    before = compiled_seconds()
    doubled(np.ones(3))
    after = compiled_seconds()
    assert after > before
    doubled(np.ones(3))
    assert compiled_seconds() == after
