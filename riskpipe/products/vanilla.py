"""European options of every asset class, once they are forwards, discount factors and total variances."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskpipe.kernels.black import bachelier_options, black_options
from riskpipe.market.conventions import Conventions
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.nodes import DiscountNodes, VarianceNodes
from riskpipe.products.base import Column, Need, Prepared
from riskpipe.products.lognormal import negative_forwards, or_no_moneyness
from riskpipe.products.nodes import Nodes, evaluate_used
from riskpipe.products.trades import Trades

BLACK_VOLATILITY = ("black_vol",)
OPTION_TYPE = Column("option_type", "string", "right to buy or to sell the underlying", choices=("call", "put"))


@dataclass(frozen=True)
class VanillaOptions(Prepared):
    """n options: quantity x discount factor x Black (1976) price, or that of Bachelier (1900).

    :param forward, discount: nodes; `forward_position`, `discount_position` int32[n] are each option's.
    :param variance: one an option.
    :param strike, sign, quantity: float64[n]; sign +1 for calls, -1 for puts.
    :param normal: bool[n], the variance is that of normal forwards.
    :param way_out: what can be done about a negative forward, for a message.
    """

    forward: Nodes
    forward_position: NDArray[np.int32]
    discount: DiscountNodes
    discount_position: NDArray[np.int32]
    variance: VarianceNodes
    strike: NDArray[np.float64]
    sign: NDArray[np.float64]
    quantity: NDArray[np.float64]
    normal: NDArray[np.bool_]
    way_out: str = ""

    def price(self, rows: NDArray[np.int32], x: NDArray[np.float64]) -> NDArray[np.float64]:
        normal = self.normal[rows]
        if not normal.any():
            return self._price(black_options, rows, x)
        out = np.empty((len(rows), x.shape[1]))
        out[normal] = self._price(bachelier_options, rows[normal], x)
        out[~normal] = self._price(black_options, rows[~normal], x)
        return out

    def why_not(self, rows: NDArray[np.int32], x: NDArray[np.float64]) -> list[str]:
        forward = self.forward.evaluate(x)[self.forward_position[rows], 0]
        causes = negative_forwards(np.where(self.normal[rows], np.nan, forward), self.way_out)
        return or_no_moneyness(causes, self.variance.strike_weight[rows])

    def _price(
        self, kernel: Callable[..., None], rows: NDArray[np.int32], x: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        forward, (forward_position,) = evaluate_used(self.forward, rows, x, self.forward_position)
        discount, (discount_position,) = evaluate_used(self.discount, rows, x, self.discount_position)
        out = np.empty((len(rows), x.shape[1]))
        kernel(
            rows,
            forward,
            forward_position,
            discount,
            discount_position,
            self.variance.index,
            self.variance.strike_weight,
            self.variance.time_weight,
            x,
            self.strike,
            self.sign,
            self.quantity,
            out,
        )
        return out


def underlying_needs(trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
    """What an option with the columns underlying and currency depends on: equities and commodities."""
    underlying = trades.labels("underlying")
    return (
        Need("underlying", ("forward_price", "spot"), underlying),
        Need("dividend", ("dividend_yield",), underlying, optional=True),
        Need("discount", ("zero_rate",), trades.labels("currency").map(conventions.discount_curve)),
        Need("volatility", BLACK_VOLATILITY, underlying),
    )


def prepare_vanilla(
    trades: Trades,
    model: MarketModel,
    forward: tuple[Nodes, NDArray[np.int32]],
    discount: tuple[Labels, NDArray[np.int32]],
    volatility: tuple[tuple[str, ...], Labels],
    quantity: NDArray[np.float64],
) -> VanillaOptions:
    """Options with the columns option_type, strike and expiry_date.

    :param forward: nodes of the underlying's forwards, and each option's.
    :param discount: curve and payment date of each option.
    :param volatility: factor kinds and the surface of each option. In every scenario a surface in moneyness
        is read at the strike over the forward of the base scenario.
    :param quantity: float64[n], signed.
    """
    strike = trades.numbers("strike")
    nodes, position = forward
    base_forward = nodes.evaluate(np.ascontiguousarray(model.snapshot.x0[:, None]))[position, 0]
    kinds, surfaces = volatility
    variance = model.variance(kinds, surfaces, trades.days("expiry_date"), strike, base_forward)
    discount_nodes, (discount_position,) = model.discount(discount)
    sign = np.where(trades.is_one("option_type", "call"), 1.0, -1.0)
    normal = np.zeros(len(trades), np.bool_)
    return VanillaOptions(nodes, position, discount_nodes, discount_position, variance, strike, sign, quantity, normal)
