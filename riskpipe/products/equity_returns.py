"""Returns of equities from date to date: what the leg of an equity swap that is not funding pays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import NodePair
from riskpipe.kernels.returns import add_returns
from riskpipe.market.growths import CurveNodes
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.nodes import DiscountNodes, DividendNodes, ForwardNodes, FxForwardNodes, PaidForwardNodes
from riskpipe.products.flows import Days, Integers
from riskpipe.products.legs import Leg, LegTerms, Positions, Rows, Tile
from riskpipe.products.lognormal import or_overpaid
from riskpipe.products.payouts import has_spot
from riskpipe.products.shared_nodes import Nodes, TradeNodes, evaluate_used, take


class Shares(Struct, frozen=True):
    """Of n trades or periods.

    :param currency: in which the underlying is quoted.
    :param into: in which its prices are wanted.
    """

    underlying: Labels
    currency: Labels
    into: Labels

    def take(self, rows: Integers) -> Shares:
        return Shares(self.underlying.take(rows), self.currency.take(rows), self.into.take(rows))

    @property
    def is_converted(self) -> bool:
        """Whether any is quoted in another currency than is wanted."""
        return bool((self.pair.codes >= 0).any())

    @property
    def pair(self) -> Labels:
        """Of exchange rates, none where there is nothing to convert."""
        pair = self.currency.combine(self.into, lambda a, b: "" if a == b else a + b)
        return pair.where(~pair.is_one(""))


class ConvertedNodes(Struct, frozen=True):
    """Forward prices at forward exchange rates, one of each a node."""

    forward: ForwardNodes | PaidForwardNodes
    rate: FxForwardNodes

    def __len__(self) -> int:
        return len(self.forward)

    def evaluate(self, x: FloatArray) -> FloatArray:
        return np.asarray(self.forward.evaluate(x) * self.rate.evaluate(x))


def price_nodes(shares: Shares, days: Days, model: MarketModel) -> tuple[Nodes, Positions]:
    """Forward prices in the currency that is wanted, and int32[n] positions."""
    forward, place = model.forwards(shares.underlying, shares.currency, days)
    if not shares.is_converted:
        return forward, place
    rate, of_rate = model.fx_forwards(shares.currency, shares.into, days)
    return ConvertedNodes(take(forward, place), take(rate, of_rate)), np.arange(len(days), dtype=np.int32)


class Spans(Struct, frozen=True):
    """Periods over which returns are measured, k of them that end in the future or today.

    :param first, last: int32[k], the days of the prices.
    :param start: float64[k], the price of the first day in the currency of payment; NaN: it is still to come.
    :param received: float64[k], dividends so far, a share, in the underlying's currency.
    :param part: float64[k], of the dividends, that is paid on.
    :param relative: bool[k], the return is in parts of the first price; else in currency, a share.
    """

    shares: Shares
    first: Days
    last: Days
    start: FloatArray
    received: FloatArray
    part: FloatArray
    relative: NDArray[np.bool_]


@dataclass(frozen=True)
class ReturnLeg(Leg):
    """Amounts times returns.

    :param payment: int32[terms]. :param span: one a term.
    :param forward: and `first`, `last` int32[terms], its nodes of each term.
    :param rate, of_rate: exchange rates, and their nodes of the first and the last days; None: all are one.
    :param dividends: with the forwards' nodes; None: no discrete ones, or none are paid on.
    :param yields, of_yield: factors of dividend yields, likewise.
    """

    payment: Positions
    span: Spans
    forward: ForwardNodes | PaidForwardNodes
    first: Positions
    last: Positions
    rate: FxForwardNodes | None
    of_rate: tuple[Positions, Positions]
    dividends: DividendNodes | None
    yields: DiscountNodes | None
    of_yield: tuple[Positions, Positions]

    called: ClassVar[str] = "return"

    def nodes(self) -> tuple[Positions, ...]:
        return (self.payment,)

    def add(self, rows: Rows, tile: Tile, first: int, value: FloatArray) -> None:
        mine = np.zeros(len(self.offsets) - 1, np.bool_)
        mine[rows] = True
        terms = np.flatnonzero(np.repeat(mine, np.diff(self.offsets))).astype(np.int32)
        x, span = tile.levels, self.span
        one = np.ones((1, x.shape[1]))
        market = (
            _pair(self.forward, terms, x, (self.first, self.last), one),
            _pair(self.rate, terms, x, self.of_rate, one),
            _pair(self.dividends, terms, x, (self.first, self.last), np.zeros_like(one)),
            _pair(self.yields, terms, x, self.of_yield, one),
        )
        paid = (self.offsets, self.payment, self.coefficient, span.start, span.received, span.part, span.relative)
        add_returns(rows, tile.discount, market, paid, first, value)

    def by_term(self) -> LegTerms:
        return self._alone(self.payment)

    def why_not(self, discount: CurveNodes, rows: Rows, x: FloatArray) -> list[str]:
        over = TradeNodes(self.forward, self.last).overpaid(np.arange(len(self.last), dtype=np.int32), x)
        terms = np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))
        return or_overpaid([""] * len(rows), (np.bincount(terms[over], minlength=len(self.offsets) - 1) > 0)[rows])


def return_leg(
    offsets: Integers, coefficient: FloatArray, payment: Positions, span: Spans, model: MarketModel
) -> ReturnLeg:
    """:param offsets, coefficient: as `Leg` has them, a term for each span. :param payment: int32[terms]."""
    shares, n = span.shares, len(coefficient)
    days = np.concatenate((span.first, span.last))
    twice = shares.take(np.tile(np.arange(n), 2))
    forward, at = model.forwards(twice.underlying, twice.currency, days)
    rate, of_rate = model.fx_forwards(twice.currency, twice.into, days) if shares.is_converted else (None, at)
    passes_on = span.part != 0.0
    dividends = None
    if isinstance(forward, PaidForwardNodes) and passes_on.any():
        dividends = DividendNodes(forward.ex_dates, forward.last)
    yields, of_yield = _yields(twice.underlying.where(np.tile(passes_on, 2)), days, model)
    return ReturnLeg(
        offsets,
        coefficient,
        payment,
        span,
        forward,
        at[:n],
        at[n:],
        rate,
        (of_rate[:n], of_rate[n:]),
        dividends,
        yields,
        (of_yield[:n], of_yield[n:]),
    )


def _yields(underlying: Labels, days: Days, model: MarketModel) -> tuple[DiscountNodes | None, Positions]:
    """Of those that have a yield, and whose forwards are made of it."""
    yielding = [has_spot(model, name) and bool(model.resolve(("dividend_yield",), name)) for name in underlying.names]
    mine = np.array([*yielding, False], np.bool_)[underlying.codes]
    if not mine.any():
        return None, np.zeros(len(days), np.int32)
    nodes, (position,) = model.discount((underlying.where(mine), days), kind="dividend_yield")
    return nodes, position


def _pair(
    nodes: Nodes | None, terms: Rows, x: FloatArray, positions: tuple[Positions, Positions], otherwise: FloatArray
) -> NodePair:
    """What nodes are worth that some terms use; `otherwise` float64[1, width] for all where there are none."""
    if nodes is None:
        nowhere = np.zeros(len(positions[0]), np.int32)
        return otherwise, nowhere, nowhere
    values, (begin, end) = evaluate_used(nodes, terms, x, *positions)
    return values, begin, end
