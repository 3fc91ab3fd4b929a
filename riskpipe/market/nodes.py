"""What a block asks of the market, resolved once to indices and weights and evaluated under any scenarios.

`x` is float64[n_factors, n_scenarios], C-contiguous; `evaluate` gives float64[n_nodes, n_scenarios], each
element the same to the last bit whatever other nodes and scenarios are in the call.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels import discount as kernels
from riskpipe.kernels import payouts
from riskpipe.kernels.arguments import CubeVariances, Variances
from riskpipe.kernels.distinct import distinct_in

_DENSE_CELLS = 1 << 24
_CARRIED = 6


class DiscountNodes(Struct, frozen=True):
    """Discount, survival or dividend factors: exp(-(w0 x[i0] + w1 x[i1])).

    :param index: int32[n, 2], factors.
    :param weight: float64[n, 2], years; both zero where there is no curve (factor one).
    """

    index: NDArray[np.int32]
    weight: FloatArray

    def __len__(self) -> int:
        return len(self.index)

    def evaluate(self, x: FloatArray) -> FloatArray:
        out = np.empty((len(self), x.shape[1]))
        kernels.exp_linear(self.index, self.weight, x, out)
        return out


class DatedNodes(DiscountNodes, frozen=True):
    """Discount factors that know their dates, for cash flows.

    :param day: int32[n], days since 1970-01-01.
    """

    day: NDArray[np.int32]


class ForwardNodes(Struct, frozen=True):
    """Forwards of equities and commodities: (w0 x[i0] + w1 x[i1]) exp(w2 x[i2] + ... + w5 x[i5]).

    :param index: int32[n, 6]: two forward prices (or the spot), two rates, two dividend yields; where any underlying
        costs to borrow int32[n, 10], with two borrow rates and two without weight.
    :param weight: float64[n, 6] or float64[n, 10].
    """

    index: NDArray[np.int32]
    weight: FloatArray

    def __len__(self) -> int:
        return len(self.index)

    def evaluate(self, x: FloatArray) -> FloatArray:
        out = np.empty((len(self), x.shape[1]))
        if self.index.shape[1] == _CARRIED:
            kernels.linear_times_exp(self.index, self.weight, x, out)
            return out
        kernels.linear_times_exp(*_columns(self, slice(0, _CARRIED)), x, out)
        kernels.scale_by_exp(*_columns(self, slice(_CARRIED, None)), x, out)
        return out


def _columns(nodes: ForwardNodes, columns: slice) -> tuple[NDArray[np.int32], FloatArray]:
    return np.ascontiguousarray(nodes.index[:, columns]), np.ascontiguousarray(nodes.weight[:, columns])


class ExDates(Struct, frozen=True):
    """Discrete dividends of some underlyings: the ex dates of each in turn, ascending.

    At an ex date the spot falls to (1 - ratio) of itself, and then by the cash.

    :param grown: of the ex dates: forwards without discrete dividends.
    :param day: int32[m], days since 1970-01-01.
    :param chain: int32[m], ascending: which underlying each is of.
    :param cash, ratio: int32[m], factors; -1: none.
    """

    grown: ForwardNodes
    day: NDArray[np.int32]
    chain: NDArray[np.int32]
    cash: NDArray[np.int32]
    ratio: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.chain)

    def paid(self, x: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """G, A and C of `riskpipe.kernels.payouts` at and after each ex date, float64[m, n_scenarios] each."""
        grown = self.grown.evaluate(x)
        kept, escrow = np.empty_like(grown), np.empty_like(grown)
        payouts.pay_outs(grown, self.chain, (self.cash, self.ratio), x, kept, escrow)
        return grown, kept, escrow

    def used(self, last: NDArray[np.int32]) -> tuple[ExDates, NDArray[np.int32]]:
        """The ex dates up to some of them alone, and where these are then.

        :param last: int32[n], positions; -1: none.
        """
        furthest = np.full(int(self.chain.max(initial=-1)) + 1, -1, np.int64)
        taken = last[last >= 0]
        np.maximum.at(furthest, self.chain[taken], taken)
        wanted = np.arange(len(self)) <= furthest[self.chain]
        place = np.append(np.cumsum(wanted) - 1, -1).astype(np.int32)
        grown = ForwardNodes(self.grown.index[wanted], self.grown.weight[wanted])
        events = (array[wanted] for array in (self.day, self.chain, self.cash, self.ratio))
        return ExDates(grown, *events), place[last]


class PaidForwardNodes(Struct, frozen=True):
    """Forwards of which some are less discrete dividends; NaN where these are worth more than the spot.

    :param grown: the forwards without discrete dividends, one a node.
    :param last: int32[n], the last ex date up to each node's date; -1: there is none.
    """

    grown: ForwardNodes
    ex_dates: ExDates
    last: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.grown)

    def evaluate(self, x: FloatArray) -> FloatArray:
        out = self.grown.evaluate(x)
        if len(self.ex_dates):
            payouts.less_dividends(*self.ex_dates.paid(x)[1:], self.last, out)
        return out

    def take(self, positions: NDArray[np.integer]) -> PaidForwardNodes:
        """Some of the nodes, in the order of `positions`, with the ex dates that these take alone."""
        grown = ForwardNodes(self.grown.index[positions], self.grown.weight[positions])
        ex_dates, last = self.ex_dates.used(self.last[positions])
        return PaidForwardNodes(grown, ex_dates, last)

    def overpaid(self, x: FloatArray) -> NDArray[np.bool_]:
        """bool[n]: dividends up to the node's date are worth the spot or more in the first scenario."""
        if not len(self.ex_dates):
            return np.zeros(len(self), np.bool_)
        _, kept, escrow = self.ex_dates.paid(x)
        return np.append(kept[:, 0] * (1.0 - escrow[:, 0]) <= 0.0, False)[self.last]


class DividendNodes(Struct, frozen=True):
    """Discrete dividends of a share from today to a date, each at its forward, added up.

    :param last: as `PaidForwardNodes` has it.
    """

    ex_dates: ExDates
    last: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.last)

    def evaluate(self, x: FloatArray) -> FloatArray:
        out = np.empty((len(self), x.shape[1]))
        payouts.dividends_until(*self.ex_dates.paid(x), self.ex_dates.chain, self.last, out)
        return out

    def take(self, positions: NDArray[np.integer]) -> DividendNodes:
        """As `PaidForwardNodes.take`."""
        return DividendNodes(*self.ex_dates.used(self.last[positions]))


class FxNodes(Struct, frozen=True):
    """Exchange rates, quote units per one of base: x[i0]^p0 x[i1]^p1.

    :param index: int32[n, 2], spots.
    :param power: int8[n, 2], each -1, 0 or 1; both zero for a currency against itself.
    """

    index: NDArray[np.int32]
    power: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.index)

    def evaluate(self, x: FloatArray) -> FloatArray:
        out = np.empty((len(self), x.shape[1]))
        kernels.products(self.index, self.power, x, out)
        return out


class FxForwardNodes(Struct, frozen=True):
    """Exchange rates by covered parity: the spot, times exp(w0 x[i0] + ... + w3 x[i3]) for every four of the weights.

    :param spot: one a node.
    :param index: int32[n, 4 m]: two rates of the quote currency and two of the base currency, m times: of the forward's
        date, and of the spot dates of the quotes that make the spot.
    :param weight: float64[n, 4 m], years, of a forward's date negative for the base currency.
    """

    spot: FxNodes
    index: NDArray[np.int32]
    weight: FloatArray

    def __len__(self) -> int:
        return len(self.index)

    def evaluate(self, x: FloatArray) -> FloatArray:
        out = self.spot.evaluate(x)
        for k in range(0, self.index.shape[1], 4):
            index, weight = self.index[:, k : k + 4], self.weight[:, k : k + 4]
            kernels.scale_by_exp(np.ascontiguousarray(index), np.ascontiguousarray(weight), x, out)
        return out


class VarianceNodes(Struct, frozen=True):
    """Total variances, one a trade: c0 (u0 x[i0] + u1 x[i1])^2 + c1 (u2 x[i2] + u3 x[i3])^2.

    :param index: int32[n, 4], vols: two strikes of the near expiry, two of the far one.
    :param strike_weight: float64[n, 4], u.
    :param time_weight: float64[n, 2], c, years; both zero where the trade has no surface.
    """

    index: NDArray[np.int32]
    strike_weight: FloatArray
    time_weight: FloatArray

    def __len__(self) -> int:
        return len(self.index)

    def evaluate(self, x: FloatArray) -> FloatArray:
        out = np.empty((len(self), x.shape[1]))
        kernels.total_variances(self.under(x), out)
        return out

    def under(self, x: FloatArray) -> Variances:
        """For kernels, which make the variances where they need them."""
        return self.index, self.strike_weight, self.time_weight, x


class CubeNodes(Struct, frozen=True):
    """Total variances of options on swaps, one a trade: c0 (sum of u x over four points)^2 + c1 (of four more)^2.

    :param index: int32[n, 8], vols: at the near expiry two strikes of the shorter tenor of the underlying and two of
        the longer, then the same at the far expiry.
    :param weight: float64[n, 8], u.
    :param time_weight: float64[n, 2], c, years; both zero where the trade has no surface.
    """

    index: NDArray[np.int32]
    weight: FloatArray
    time_weight: FloatArray

    def __len__(self) -> int:
        return len(self.index)

    def evaluate(self, x: FloatArray) -> FloatArray:
        out = np.empty((len(self), x.shape[1]))
        kernels.cube_variances(self.under(x), out)
        return out

    def under(self, x: FloatArray) -> CubeVariances:
        """For kernels, as of `VarianceNodes`."""
        return self.index, self.weight, self.time_weight, x


def distinct(
    codes: NDArray[np.int32], days: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Distinct (code, day) pairs in ascending order, and where each given pair is among them.

    :param codes: int32[n], >= -1.
    :param days: int32[n].
    :return: codes int32[m], days int32[m], positions int32[n].
    """
    if len(codes) == 0:
        empty = np.empty(0, np.int32)
        return empty, empty, empty
    first_code, first_day = int(codes.min()), int(days.min())
    width = int(days.max()) - first_day + 1
    cells = (int(codes.max()) - first_code + 1) * width
    if cells <= min(_DENSE_CELLS, 64 * len(codes)):
        return distinct_in(_read_only(codes), _read_only(days), (first_code, first_day, width, cells))
    keys = (codes.astype(np.int64) - first_code) * width + (days.astype(np.int64) - first_day)
    found, inverse = np.unique(keys, return_inverse=True)
    code, day = np.divmod(found, width)
    return (code + first_code).astype(np.int32), (day + first_day).astype(np.int32), inverse.astype(np.int32)


def _read_only(values: NDArray[np.int32]) -> NDArray[np.int32]:
    """Those of Arrow's arrays are, others are not: a kernel is compiled once for both."""
    view = values.view()
    view.flags.writeable = False
    return view
