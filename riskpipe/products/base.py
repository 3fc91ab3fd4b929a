"""What every product says of itself: its columns, what it needs from the market, and how its trades are priced.

A product is one file: a subclass of `Product`, listed in `catalogue.py` (or found through the entry-point group
`riskpipe.products`). Nothing in it loops over trades or scenarios in Python.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import Level, Reason
from riskpipe.market.conventions import Conventions
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.products.cash_flows import CashFlows
from riskpipe.products.inside import Inside, inside
from riskpipe.products.trades import Trades
from riskpipe.store.columns import ColumnKind

NumberRule = Literal["any", "positive", "nonnegative"]
TradeColumnKind = ColumnKind | Literal["table"]


class Column(Struct, frozen=True):
    """One column of a product's portfolio files.

    :param required: must be in the file, without nulls; else it may be missing or null.
    :param choices: the values that a string may take; empty: any.
    :param rule: for numbers, which must be finite anyhow.
    :param identifier: integers are read as its text.
    :param quantity: of numbers whose name does not say what they are: the range of what is usual that they have
        (a key of `market.ranges`, such as rate for the strike of a cap).
    :param many: each trade has a list of such values; choices, rule and quantity are those of its elements.
    :param fields: of kind "table": the columns that each trade's rows (a list of structs) have.
    :param observed: what has been seen since the trade was dealt: another one the next day makes no other trade.
    """

    name: str
    kind: TradeColumnKind
    description: str
    required: bool = True
    choices: tuple[str, ...] = ()
    rule: NumberRule = "any"
    identifier: bool = False
    quantity: str = ""
    many: bool = False
    fields: tuple[Column, ...] = ()
    observed: bool = False

    @property
    def nested(self) -> bool:
        """Whether each trade has any number of elements (`Trades.nested`) in place of one value."""
        return self.many or self.kind == "table"

    @property
    def elements(self) -> tuple[Column, ...]:
        """Of a nested column: the columns of its elements."""
        return self.fields or (replace(self, many=False, required=True),)


COMMON_COLUMNS = (
    Column("trade_id", "string", "unique over the whole portfolio", identifier=True),
    Column("book", "string", "path of the book, such as rates/usd/swaps"),
    Column("counterparty", "string", "carried", required=False, identifier=True),
    Column("netting_set", "string", "carried", required=False, identifier=True),
)


class RowFaults(Struct, frozen=True):
    """One rule broken by some rows.

    :param rows: int64 positions in the table that was looked at, ascending.
    :param level: an error quarantines the rows; a warning is only said.
    """

    column: str
    rule: str
    rows: NDArray[np.int64]
    reason: Reason
    message: str
    level: Level = Level.ERROR


class Need(Struct, frozen=True):
    """A family of factors, per trade, without which the trade has no price (or, optional, is priced without).

    :param role: what it is for the trade, as the column of a fault names it: "underlying", "discount", "volatility".
    :param kinds: factor kinds, the first that the snapshot has under that name is the one used; `("fx",)` is a
        currency pair such as EURUSD, found directly, inverted or crossed.
    :param cube: a volatility surface may depend on the tenor of an underlying.
    :param currency: in which the trade takes spots, forward prices and zero rates; None: that of its present value.
        Of prices in another one the trade has none; of rates it is said.
    :param today_only: `prepare` alone reads it (a smile at today's forward): no scenario moves the price through it.
    """

    role: str
    kinds: tuple[str, ...]
    labels: Labels
    optional: bool = False
    cube: bool = False
    currency: Labels | None = None
    today_only: bool = False


class Prepared(ABC):
    """Trades turned into arrays once; prices any of them under any scenarios."""

    @abstractmethod
    def price(self, rows: NDArray[np.int32], x: FloatArray) -> FloatArray:
        """Present values in each trade's currency.

        :param rows: int32[m], positions among the prepared trades.
        :param x: float64[n_factors, n_scenarios], C-contiguous: every factor's level in every scenario.
        :return: float64[m, n_scenarios], C-contiguous. Each element depends on its own trade and scenario alone and
            is the same to the last bit whatever else is in the call.
        """

    def why_not(self, rows: NDArray[np.int32], x: FloatArray) -> list[str]:
        """What keeps trades without a finite value from having one, for a message; "" where that cannot be told.

        :param rows: int32[m]; `x`: float64[n_factors, 1], one scenario.
        """
        return [""] * len(rows)

    def inside(self, x: FloatArray, name: str = "") -> Iterator[Inside]:
        """What the price of one trade, prepared alone, is made of, for people.

        :param x: float64[n_factors, 1], C-contiguous: today's levels. :param name: of what it is a part of.
        """
        yield from inside(vars(self), x, name)

    def cash_flows(self, x: FloatArray) -> CashFlows | None:
        """What the trades pay, those that were prepared by a model that goes by flow (`MarketModel.by_flow`).

        Of each trade the values add up to its present value; None: the trades have no payments that can be told.

        :param x: float64[n_factors, 1], C-contiguous and writable: today's levels.
        """
        return None


class Product(ABC):
    """A kind of trade.

    :cvar figures: of the measures' names, those that `figure_values` makes.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    columns: ClassVar[tuple[Column, ...]]
    figures: ClassVar[tuple[str, ...]] = ()

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        """Rules between columns, such as an expiry in the past; those of single columns are checked before.

        :param as_of: days since 1970-01-01.
        """
        return []

    def currency(self, trades: Trades) -> Labels:
        """The currency of each trade's present value; unless told otherwise, that of the column currency."""
        return trades.labels("currency")

    @abstractmethod
    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        """The factor families that each trade depends on."""

    def missing_points(self, trades: Trades, model: MarketModel) -> list[RowFaults]:
        """Needs that go by date rather than by name (fixings), found before anything runs."""
        return []

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        """Cost of one valuation of each trade, float64[n], in units of one European option; for planning only."""
        return np.ones(len(trades))

    def weight_in(self, trades: Trades, model: MarketModel) -> FloatArray:
        """`weight` in a market: where what the market has of a name decides how its trades are priced.

        Needs of trades may be unmet here.
        """
        return self.weight(trades, model.as_of)

    def pricing_order(self, trades: Trades) -> NDArray[np.int32]:
        """Positions int32[n] of all trades, those that need the same of the market beside each other: for speed alone.

        Scenarios are priced in this order, in which what neighbours share stays in the cache.
        """
        return np.arange(len(trades), dtype=np.int32)

    def figure_values(
        self, trades: Trades, model: MarketModel, pv: FloatArray, wanted: tuple[str, ...]
    ) -> Mapping[str, FloatArray]:
        """What is said of trades in today's market beside their value, and is no amount of money: prices, yields.

        :param pv: float64[n], present values of today.
        :param wanted: of `figures`.
        :return: for each wanted one float64[n]: NaN where a trade has none, infinite where it has one that cannot be
            found, which fails.
        """
        return {}

    @abstractmethod
    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        """Arrays for all trades (which have passed `validate` and have every need met) at the model's date."""
