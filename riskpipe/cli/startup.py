"""What a command need not do before it begins, and after its end.

pyarrow imports pandas, where it is installed, at the first array that it makes, to see whether it was given a Series;
numba imports SciPy for its linear algebra and cffi for its callbacks. Together that is a third of a second of each
command. numpy starts threads for a BLAS that nothing here calls, and pydantic reads the lists of entry points of all
packages for plug-ins that would watch what it validates. And Python looks for garbage after every 700 new objects, of
which imports make hundreds of thousands that stay.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from functools import cache
from types import ModuleType

from riskpipe.plugins import entry_points_of

GARBAGE_AFTER = 200_000
"""New objects after which Python looks for cycles: more than imports leave (of 50,000 they make three looks, which took
0.12 s), and still every few dozen blocks."""

_UNUSED = frozenset({"cffi", "pandas", "scipy"})
_SPARED = {"OPENBLAS_NUM_THREADS": "1", "PYDANTIC_DISABLE_PLUGINS": "__all__"}
"""Environment of this process and of those that it starts, as Dask gives its workers one thread, too."""


class _NotInstalled:
    """A finder on `sys.meta_path` that says so of some libraries."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> None:
        if name in _UNUSED and not _products_from_elsewhere():
            raise ModuleNotFoundError(f"riskpipe's commands use no {name}", name=name)


def spare_unused() -> None:
    """Let `_UNUSED` count as not installed in this process, unless a product from elsewhere may use them; and what
    `_SPARED` says, unless the environment says otherwise.
    """
    sys.meta_path.insert(0, _NotInstalled())
    for name, value in _SPARED.items():
        os.environ.setdefault(name, value)


@cache
def _products_from_elsewhere() -> bool:
    return bool(entry_points_of("riskpipe.products"))


def collect_seldom() -> None:
    """See `GARBAGE_AFTER`."""
    gc.set_threshold(GARBAGE_AFTER, *gc.get_threshold()[1:])


def leave_garbage() -> None:
    """At the end of a command: before the process goes, Python would look through all that it holds, which takes as
    long as importing half of it.
    """
    gc.freeze()
