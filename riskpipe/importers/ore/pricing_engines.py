"""ORE's pricing engines: the parameters that change what a trade is worth."""

from __future__ import annotations

from pathlib import Path

from riskpipe.importers.ore.xml import read_xml


class PricingEngines:
    """Of one file; None: none are configured."""

    def __init__(self, path: Path | None) -> None:
        products = read_xml(path).all("Product") if path is not None else ()
        self._parameters = {
            (product.attributes.get("type", ""), parameter.attributes.get("name", "")): parameter.text.strip()
            for product in products
            for parameter in product.all("EngineParameters", "Parameter")
        }

    def get(self, product: str, parameter: str, default: str) -> str:
        """A parameter of the engine of a type of trades."""
        return self._parameters.get((product, parameter), default)
