"""ORE's curve configurations other than yield curves, by group and id."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from riskpipe.importers.import_report import LeftOutError
from riskpipe.importers.ore.xml import Element, read_xml


class CurveConfigurations:
    """Of all files; of two with one id the first counts."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._found: dict[tuple[str, str], Element] = {}
        for file in files:
            for group in read_xml(file).children:
                for element in group.children:
                    self._found.setdefault((group.tag, element.get("CurveId")), element)

    def get(self, group: str, curve_id: str) -> Element:
        """:raises LeftOutError: there is none."""
        found = self._found.get((group, curve_id))
        if found is None:
            raise LeftOutError(f"no {curve_id} is configured among {group}")
        return found

    def yield_curves(self) -> dict[str, Element]:
        return {name: element for (group, name), element in self._found.items() if group == "YieldCurves"}
