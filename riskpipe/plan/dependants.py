"""Which trades depend on what changed of the market, told while the portfolio is surveyed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.market.model import MarketModel
from riskpipe.products.base import Product
from riskpipe.products.dependencies import Dependencies, dependencies
from riskpipe.products.trades import Trades
from riskpipe.store.list_columns import columns_of, is_list
from riskpipe.store.trade_rows import FileRows


class Gone(Struct, frozen=True):
    """Groups of an earlier market that today's has not. :param groups: int64[g], positions in the model's snapshot."""

    model: MarketModel
    base_currency: str
    groups: NDArray[np.int64]


class Fact(Struct, frozen=True):
    """A group of what has been observed, such as fixings, which no scenario moves and `requirements` do not tell.

    Products find them by what trades name: an index or underlying, also with a suffix after a point
    (`EUR.EURIBOR6M.SWAP.5Y`), or a pair of currencies either way round.

    :param number: where it is counted; :param gone: among the earlier market's groups.
    """

    name: str
    number: int
    gone: bool = False

    def named_by(self, text: str) -> bool:
        turned = self.name[3:] + self.name[:3]
        return text in (self.name, turned) or (len(text) > 3 and self.name.startswith(f"{text}."))

    @property
    def currencies(self) -> tuple[str, str] | None:
        """Of what may be a pair."""
        return (self.name[:3], self.name[3:]) if len(self.name) == 6 and self.name.isalpha() else None


@dataclass
class Dependants:
    """Trades whose numbers may be others than an earlier run's, by groups of factors.

    :param changed: bool[groups], of today's snapshot. :param products: of these every trade is.
    :param facts: of these, too. :param causes: name of what reaches several groups -> bool[groups].
    :ivar counts: int64[groups], trades that depend on each; `gone_counts` on each of `gone`.
    :ivar by_product: trades of those products; `by_cause` of those causes.
    :ivar found: of every piece that was surveyed bool[n]: the trade is one,
        or none that is priced.
    """

    changed: NDArray[np.bool_]
    products: frozenset[str] = frozenset()
    gone: Gone | None = None
    facts: Sequence[Fact] = ()
    causes: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    counts: NDArray[np.int64] = field(init=False)
    gone_counts: NDArray[np.int64] = field(init=False)
    by_product: dict[str, int] = field(default_factory=dict)
    by_cause: dict[str, int] = field(default_factory=dict)
    found: list[tuple[FileRows, NDArray[np.bool_]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.counts = np.zeros(len(self.changed), np.int64)
        self.gone_counts = np.zeros(0 if self.gone is None else len(self.gone.model.snapshot.groups), np.int64)

    def fresh(self) -> Dependants:
        """The same, told of nothing yet."""
        return Dependants(self.changed, self.products, self.gone, self.facts, self.causes)

    def counted(self) -> Dependants:
        """The counts alone."""
        found = Dependants(self.changed)
        found.counts, found.gone_counts = self.counts, self.gone_counts
        found.by_product, found.by_cause = self.by_product, self.by_cause
        return found

    def add(self, other: Dependants) -> None:
        """What was counted of other trades."""
        self.counts += other.counts
        self.gone_counts += other.gone_counts
        for mine, its in ((self.by_product, other.by_product), (self.by_cause, other.by_cause)):
            for name, trades in its.items():
                mine[name] = mine.get(name, 0) + trades

    def among(self, product: Product, trades: Trades, needs: Dependencies) -> NDArray[np.bool_]:
        """bool[n]. :param trades: without errors. :param needs: theirs."""
        touched = _touched(needs, self.changed, self.counts)
        for cause, groups in self.causes.items():
            mine = _touched(needs, groups, np.zeros_like(self.counts))
            self.by_cause[cause] = self.by_cause.get(cause, 0) + int(mine.sum())
            touched |= mine
        for fact in self.facts:
            seen = _naming(product, trades, fact)
            counts = self.gone_counts if fact.gone else self.counts
            counts[fact.number] += int((seen & ~_of_group(needs, fact)).sum())
            touched |= seen
        if self.gone is not None:
            before = dependencies(product, trades, self.gone.model, self.gone.base_currency, checked=True)
            missing = np.zeros(len(self.gone_counts), np.bool_)
            missing[self.gone.groups] = True
            touched |= _touched(before, missing, self.gone_counts)
        if product.name in self.products:
            self.by_product[product.name] = self.by_product.get(product.name, 0) + len(trades)
            touched[:] = True
        return touched


def _of_group(needs: Dependencies, fact: Fact) -> NDArray[np.bool_]:
    """bool[n]: the trade has been counted with the group, which its requirements tell."""
    if fact.gone:
        return np.zeros(len(needs.pricing[0]), np.bool_)
    return np.asarray(np.logical_or.reduce([column == fact.number for column in needs.pricing + needs.today]))


def _naming(product: Product, trades: Trades, fact: Fact) -> NDArray[np.bool_]:
    """bool[n]: the trade may look a fact up. Of a product of another package each may."""
    if not type(product).__module__.startswith("riskpipe.products."):
        return np.ones(len(trades), np.bool_)
    found = _holding(trades, fact.named_by)
    if fact.currencies is not None:
        one, other = fact.currencies
        found |= _holding(trades, one.__eq__) & _holding(trades, other.__eq__)
    return found


def _holding(trades: Trades, wanted: Callable[[str], bool]) -> NDArray[np.bool_]:
    """bool[n]: the trade has such a text in any of its columns, also within lists."""
    found = np.zeros(len(trades), np.bool_)
    for column in trades.table.schema:
        if column.name in ("trade_id", "book"):
            continue
        if is_list(column.type):
            nested = trades.nested(column.name)
            found[nested.trades[_holding(nested.rows, wanted)]] = True
        elif pa.types.is_struct(column.type):
            found |= _holding(trades.with_table(columns_of(trades.table[column.name].combine_chunks())), wanted)
        elif (
            pa.types.is_dictionary(column.type)
            or pa.types.is_string(column.type)
            or pa.types.is_large_string(column.type)
        ):
            labels = trades.labels(column.name)
            found |= np.array([*map(wanted, labels.names), False], np.bool_)[labels.codes]
    return found


def _touched(needs: Dependencies, wanted: NDArray[np.bool_], counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """bool[n]: the trade depends on a wanted group, be it on today's levels alone. Adds to `counts`, a trade once."""
    columns = [*needs.pricing, *needs.conversion, *needs.today]
    groups = np.sort(np.stack(columns, axis=1), axis=1)
    distinct = groups >= 0
    distinct[:, 1:] &= groups[:, 1:] != groups[:, :-1]
    mine = distinct & np.append(wanted, False)[groups]
    counts += np.bincount(groups[mine], minlength=len(counts))
    return np.asarray(mine.any(axis=1))
