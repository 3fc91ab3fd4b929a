"""ORE's conventions by id."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from riskpipe.importers.import_report import LeftOutError
from riskpipe.importers.ore.xml import Element, read_xml


class Conventions:
    """Of all files; of two with one id the first counts, as in ORE."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._by_id: dict[str, Element] = {}
        for path in paths:
            for element in read_xml(path).children:
                self._by_id.setdefault(element.get("Id"), element)

    def get(self, name: str, *kinds: str) -> Element:
        """:raises LeftOutError: there is none of that id, or it is of another kind."""
        found = self._by_id.get(name)
        if found is None:
            raise LeftOutError(f"the conventions {name!r} are not there")
        if kinds and found.tag not in kinds:
            raise LeftOutError(f"the conventions {name!r} are of {found.tag}, not of {' or '.join(kinds)}")
        return found

    def of_kind(self, kind: str) -> list[Element]:
        return [element for element in self._by_id.values() if element.tag == kind]
