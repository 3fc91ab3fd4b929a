"""Fixings by index and day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from riskpipe.importers.import_report import Report
from riskpipe.importers.ore.quote_lines import Line, read_lines


class Fixings:
    """Of one file; None: none at all. Of two for one day the first counts."""

    def __init__(self, path: Path | None, as_of: date, report: Report) -> None:
        self._as_of = as_of
        self._lines: dict[tuple[str, date], Line] = {}
        for line in read_lines(path, "fixings", report) if path is not None else ():
            self._lines.setdefault((line.name, line.day), line)

    def today(self, index: str) -> float | None:
        return self.on(index, self._as_of)

    def on(self, index: str, day: date) -> float | None:
        line = self._lines.get((index, day))
        return line.value if line is not None else None

    def of(self, index: str) -> Iterator[Line]:
        """Up to as_of."""
        return (line for (name, day), line in self._lines.items() if name == index and day <= self._as_of)

    @property
    def indices(self) -> list[str]:
        return list(dict.fromkeys(name for name, _ in self._lines))
