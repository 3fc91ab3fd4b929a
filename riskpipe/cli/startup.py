"""What a command need not import: pyarrow and numba look for libraries of which riskpipe uses nothing.

pyarrow imports pandas, where it is installed, at the first array that it makes, to see whether it was given a Series;
numba imports SciPy for its linear algebra. Together that is a third of a second of every command.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import entry_points
from types import ModuleType

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
