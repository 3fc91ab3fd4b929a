"""Dates in the paths of inputs: `{as_of}`, `{as_of:%Y/%m/%d}`, `{previous}`; `{{` and `}}` are plain braces."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from datetime import date
from string import Formatter

PLACEHOLDERS = ("as_of", "previous")
"""The valuation date, and the business day before it (`dates.calendar`)."""
_DIRECTIVES = "YymdjbBaAGVuwUW%"
"""Those of strftime that a date has."""


def fault_of(path: str) -> str | None:
    """What is wrong with the placeholders of a path, and what is right; None: nothing."""
    try:
        parts = list(Formatter().parse(path))
    except ValueError:
        return f"a brace that is not closed; {_known()}"
    for _, name, spec, conversion in parts:
        if name is None:
            continue
        if name not in PLACEHOLDERS or conversion:
            near = difflib.get_close_matches(name, PLACEHOLDERS, 1, 0.5)
            hint = f"did you mean {{{near[0]}}}?" if near else _known()
            return f"{{{name}}} is no placeholder; {hint}"
        wrong = _wrong_format(spec or "")
        if wrong:
            return f"{{{name}:{spec}}}: {wrong}; such as {{{name}:%Y/%m/%d}}"
    return None


def named(path: str) -> set[str]:
    """The placeholders of a path without faults."""
    return {name for _, name, _, _ in Formatter().parse(path) if name}


def filled(path: str, dates: Mapping[str, date]) -> str:
    """A path without faults with its dates, YYYY-MM-DD where it does not say how."""
    return path.format(**dates)


def _wrong_format(spec: str) -> str | None:
    if spec and "%" not in spec:
        return "a format of dates is wanted"
    unknown = [found for found in re.findall("%(.?)", spec) if not found or found not in _DIRECTIVES]
    return f"%{unknown[0]} is not of a date" if unknown else None


def _known() -> str:
    return f"there are {' and '.join(f'{{{name}}}' for name in PLACEHOLDERS)}; a plain brace is written twice"
