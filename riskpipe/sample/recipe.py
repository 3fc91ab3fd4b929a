"""What the sample needs to have trades of a product: a recipe, which is all that it knows of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from riskpipe.sample.market_table import Point
from riskpipe.sample.trade_terms import Columns, Draw
from riskpipe.sample.universe import ISSUERS, STOCKS

Instruments = tuple[tuple[str, float], ...]
"""What a desk trades (index, pair, underlying, issuer or curve) and how often, relative."""


class Desk(Struct, frozen=True):
    """One book of a product.

    :param share: of the product's trades, relative to its other books.
    :param long: probability that a trade is long.
    """

    book: str
    share: float
    instruments: Instruments
    long: float = 0.5


def _none(as_of: int) -> list[Point]:
    return []


class Recipe(Struct, frozen=True):
    """How the trades of a product are made, and what they need that every sample has not.

    :param prefix: of the trade ids.
    :param share: of all trades, unless the caller says otherwise.
    :param generate: the product's own columns.
    :param counterparty: whether there is one; bonds are held.
    :param points: of the market, by today's days since 1970-01-01, that scenarios can move.
    :param facts: likewise, that they cannot: observed or agreed.
    """

    prefix: str
    share: float
    generate: Callable[[Draw], Columns]
    desks: tuple[Desk, ...]
    counterparty: bool = True
    points: Callable[[int], list[Point]] = _none
    facts: Callable[[int], list[Point]] = _none


def equally(names: Iterable[str]) -> Instruments:
    return tuple((name, 1.0) for name in names)


def stocks(region: str, *sectors: str) -> Instruments:
    wanted = tuple(f"{region}_{sector}" for sector in sectors) or (region,)
    return equally(stock.name for stock in STOCKS if stock.name.startswith(wanted))


def issuers(region: str = "", grade: str = "", sector: str = "") -> Instruments:
    return equally(i.name for i in ISSUERS if region in i.name and grade in i.grade and sector in i.name)
