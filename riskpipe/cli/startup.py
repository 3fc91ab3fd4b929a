"""What a command need not do before it begins.

pyarrow imports pandas, where it is installed, at the first array that it makes, to see whether it was given a Series;
numba imports SciPy for its linear algebra. Together that is a third of a second of every command. And Python looks
for garbage after every 700 new objects, of which imports make hundreds of thousands that stay.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points
from types import ModuleType

GARBAGE_AFTER = 50_000
"""New objects after which Python looks for cycles: seldom while modules are imported, and still every few blocks."""

_UNUSED = frozenset({"pandas", "scipy"})


class _NotInstalled:
    """A finder on `sys.meta_path` that says so of some libraries."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> None:
        if name in _UNUSED:
            raise ModuleNotFoundError(f"riskpipe's commands use no {name}", name=name)


def spare_unused() -> None:
    """Let pandas and SciPy count as not installed in this process, unless a product from elsewhere may use them."""
    if not entry_points(group="riskpipe.products"):
        sys.meta_path.insert(0, _NotInstalled())


def collect_seldom() -> None:
    """See `GARBAGE_AFTER`."""
    gc.set_threshold(GARBAGE_AFTER, *gc.get_threshold()[1:])
