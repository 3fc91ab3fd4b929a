"""ORE's today's market: which curve or surface serves what, in the configuration by which trades are priced."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from riskpipe.importers.import_report import LeftOutError
from riskpipe.importers.ore.xml import Element, read_xml

DEFAULT: Final = "default"

_GROUPS: Final = {
    "YieldCurves": ("YieldCurvesId", "YieldCurve", "name"),
    "DiscountingCurves": ("DiscountingCurvesId", "DiscountingCurve", "currency"),
    "IndexForwardingCurves": ("IndexForwardingCurvesId", "Index", "name"),
    "SwapIndexCurves": ("SwapIndexCurvesId", "SwapIndex", "name"),
    "ZeroInflationIndexCurves": ("ZeroInflationIndexCurvesId", "ZeroInflationIndexCurve", "name"),
    "YYInflationIndexCurves": ("YYInflationIndexCurvesId", "YYInflationIndexCurve", "name"),
    "FxSpots": ("FxSpotsId", "FxSpot", "pair"),
    "FxVolatilities": ("FxVolatilitiesId", "FxVolatility", "pair"),
    "SwaptionVolatilities": ("SwaptionVolatilitiesId", "SwaptionVolatility", "key currency"),
    "CapFloorVolatilities": ("CapFloorVolatilitiesId", "CapFloorVolatility", "key currency"),
    "DefaultCurves": ("DefaultCurvesId", "DefaultCurve", "name"),
    "EquityCurves": ("EquityCurvesId", "EquityCurve", "name"),
    "EquityVolatilities": ("EquityVolatilitiesId", "EquityVolatility", "name"),
    "Securities": ("SecuritiesId", "Security", "name"),
    "CommodityCurves": ("CommodityCurvesId", "CommodityCurve", "name"),
    "CommodityVolatilities": ("CommodityVolatilitiesId", "CommodityVolatility", "name"),
}
"""Group -> the key of a configuration that chooses one, the tag of its entries, their attributes for the name."""


class TodaysMarket:
    """Specifications by group and name, such as Yield/EUR/EUR1D."""

    def __init__(self, path: Path, configuration: str) -> None:
        root = read_xml(path)
        configurations = {e.attributes.get("id", DEFAULT): e for e in root.all("Configuration")}
        self._entries = {group: self._chosen(root, group, configurations, configuration) for group in _GROUPS}

    def _chosen(
        self, root: Element, group: str, configurations: dict[str, Element], name: str
    ) -> dict[str, tuple[str, Element]]:
        """What the configuration lacks the default one has."""
        key, tag, attributes = _GROUPS[group]
        found: dict[str, tuple[str, Element]] = {}
        for wanted in dict.fromkeys((name, DEFAULT)):
            chosen = configurations[wanted].get(key) if wanted in configurations else ""
            for element in root.all(group):
                if element.attributes.get("id", DEFAULT) != (chosen or DEFAULT):
                    continue
                for entry in element.all(tag):
                    names = [entry.attributes[a] for a in attributes.split() if a in entry.attributes]
                    if names:
                        found.setdefault(names[0], (entry.text.strip(), entry))
        return found

    def names(self, group: str) -> list[str]:
        return list(self._entries[group])

    def find(self, group: str, name: str) -> str:
        """The specification; "" where there is none."""
        return self._entries[group].get(name, ("", None))[0]

    def curve(self, group: str, name: str) -> str:
        """The id at the end of the specification.

        :raises LeftOutError: today's market has none.
        """
        found = self.find(group, name)
        if not found:
            raise LeftOutError(f"today's market has no {_GROUPS[group][1]} {name}")
        return found.rpartition("/")[2]

    def discounting(self, swap_index: str) -> str:
        """The index whose curve discounts a swap index.

        :raises LeftOutError: today's market has none.
        """
        entry = self._entries["SwapIndexCurves"].get(swap_index)
        if entry is None:
            raise LeftOutError(f"today's market has no SwapIndex {swap_index}")
        return entry[1].need("Discounting")

    def place(self, group: str, name: str) -> str:
        entry = self._entries[group].get(name)
        return entry[1].place if entry else ""
