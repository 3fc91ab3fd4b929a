"""Market quotes and fixings, one a line: date, name, value, divided by blanks, commas or semicolons."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

from msgspec import Struct

from riskpipe.errors import InputError
from riskpipe.importers.import_report import LeftOutError, Report
from riskpipe.importers.ore.codes import a_date


class Line(Struct, frozen=True, dict=True):
    """One line of a file.

    :param value: as it stands, which is a decimal.
    """

    day: date
    name: str
    value: float
    place: str

    @cached_property
    def parts(self) -> list[str]:
        return self.name.split("/")


def read_lines(path: Path, kind: str, report: Report) -> Iterator[Line]:
    """Lines that can be read; those that cannot are in the report.

    :raises InputError: the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {error}") from error
    for number, line in enumerate(text.splitlines(), 1):
        content = line.strip()
        if not content or content.startswith("#"):
            continue
        place = f"{path.name}:{number}"
        parts = [part for part in re.split(r"[\s,;]+", content) if part]
        try:
            yield Line(a_date(parts[0]), parts[1], float(parts[2]), place)
        except (LeftOutError, IndexError, ValueError):
            if parts[0].lower() not in ("date", "datumdate", "datum"):
                report.left_out(kind, content[:80], place, "not a line of date, name and value")


class Quotes:
    """The quotes of one day by name; what is used of them is noted."""

    def __init__(self, path: Path, as_of: date, report: Report) -> None:
        self._lines: dict[str, Line] = {}
        self.used: set[str] = set()
        for line in read_lines(path, "quote", report):
            if line.day != as_of:
                continue
            first = self._lines.setdefault(line.name, line)
            if first is not line and first.value != line.value:
                report.left_out(
                    "quote", line.name, line.place, "an earlier line quotes it otherwise, and is used", first.place
                )

    def __len__(self) -> int:
        return len(self._lines)

    def find(self, name: str) -> Line | None:
        line = self._lines.get(name)
        if line is not None:
            self.used.add(name)
        return line

    def get(self, name: str) -> Line:
        """:raises LeftOutError: it is not quoted."""
        line = self.find(name)
        if line is None:
            raise LeftOutError(f"there is no quote {name}")
        return line

    def matching(self, pattern: str) -> list[Line]:
        """By a name with `*`, in the file's order."""
        found = [line for name, line in self._lines.items() if fnmatchcase(name, pattern)]
        self.used.update(line.name for line in found)
        return found

    def unused(self) -> list[Line]:
        return [line for name, line in self._lines.items() if name not in self.used]
