"""ORE's portfolio as riskpipe's trades."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from riskpipe.importers.book import Book
from riskpipe.importers.import_report import LeftOutError, Report
from riskpipe.importers.ore.ore_market import OreMarket
from riskpipe.importers.ore.trades.registry import REGISTRY
from riskpipe.importers.ore.trades.trade import Trade
from riskpipe.importers.ore.xml import Element, read_xml


def convert_portfolio(files: Iterable[Path], ore: OreMarket, book: Book, report: Report) -> None:
    """All trades into the book; those that cannot be taken are in the report."""
    first: dict[str, str] = {}
    for file in files:
        for element in read_xml(file).all("Trade"):
            name = element.attributes.get("id", "").strip()
            if first.setdefault(name, element.place) != element.place:
                reason = f"there is a trade of that id before it, at {first[name]}"
                report.left_out("trade", name, element.place, reason, element.get("TradeType"))
            else:
                _convert(element, ore, book, report)


def _convert(element: Element, ore: OreMarket, book: Book, report: Report) -> None:
    name, kind = element.attributes.get("id", "").strip(), element.get("TradeType")
    try:
        if kind not in REGISTRY:
            raise LeftOutError(f"trades of the type {kind} are not taken{_meant(kind)}")
        tag, converter = REGISTRY[kind]
        trade = Trade(element, element.find(tag) or element.child("SwapData"), ore)
        converter(trade)
    except LeftOutError as error:
        report.left_out("trade", name, element.place, str(error), kind)
        return
    book.rows.extend(trade.rows)
    report.add("trade", name, element.place, trade.turned, kind)


def _meant(kind: str) -> str:
    near = get_close_matches(kind, REGISTRY, 1, 0.8)
    return f" (is {near[0]} meant?)" if near else ""
