"""Total returns of bonds from date to date: what the leg of a total return swap that is not funding pays.

A bond that is financed at the curve of the swap has the forward price F(t) = W(t) / D(t), where W(t) is what a buyer of
t gets, worth today: the bond's flows on its own curve, less those until t on the curve of the swap. The return of a
period from s to e, with what the bond pays in it, is then worth W(s) - W(s) D(e) / D(s), and W(s) - K D(e) if the price
K of s is known.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.growths import joined
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.schedules import Schedule
from riskpipe.products.bond_flows import BondFlows
from riskpipe.products.ex_coupons import ex_coupon_at
from riskpipe.products.floating import Growth
from riskpipe.products.flows import Amounts, Days, Integers, merged


class BondReturns(Struct, frozen=True):
    """Flows of n swaps, for who receives the return.

    :param own: amounts that the bond's curve discounts, and `own_growth` those that D(e) / D(s) multiplies.
    :param financed: amounts that the curve of the swap discounts, and `financed_growth` likewise.
    """

    own: Amounts
    own_growth: Growth
    financed: Amounts
    financed_growth: Growth


def bond_returns(
    bond: BondFlows, valuations: Schedule, opening: FloatArray, curves: tuple[Labels, Labels], model: MarketModel
) -> BondReturns:
    """:param valuations: periods that end after today.

    :param opening: float64[periods], what the bond was worth at their starts, in currency; NaN: it is still to come.
    :param curves: of each trade: the swap's, and the bond's.
    """
    first, second = curves
    one_curve = first.combine(second, lambda a, b: "one" if a == b else "two").is_one("one")
    period, flow = _pairs(bond.periods.offsets, valuations)
    trade, paid = valuations.trades[period], bond.periods.payment[flow]
    start = valuations.start[period]
    coupon = (bond.interest * bond.years)[flow]
    amount, to_come, early = coupon + bond.redeemed[flow], paid > model.as_of, paid <= start
    ex = ex_coupon_at(bond.trades, bond.periods, flow, start)
    gone = ex_coupon_at(bond.trades, bond.periods, flow, np.full(len(flow), model.as_of, np.int32))
    held = np.where(gone, amount - coupon, amount)
    # What is not a buyer's of the start: what is paid until then, and what trades ex. Of one curve alone it cancels.
    kept = np.where(gone, 0.0, np.where(early, amount, np.where(ex, coupon, 0.0)))
    cancel = one_curve[trade]
    own = Amounts(trade, paid, np.where(cancel, held - kept, held)).where(to_come)
    spent = Amounts(trade, paid, np.where(cancel, 0.0, -kept)).where(to_come)
    # A coupon that has gone ex since the start is still to be paid on.
    due = Amounts(trade, paid, coupon).where(to_come & gone & ~ex & ~early)
    known = ~np.isnan(opening)
    every = valuations.trades
    price = Amounts(every, valuations.end, -np.where(known, opening, 0.0)).where(known)
    later = ~known[period][to_come]
    begin, end = start[to_come], valuations.end[period][to_come]
    return BondReturns(
        merged([own.ordered()]),
        _growth(own, begin, end, later & (own.amount != 0.0)),
        merged([spent.ordered(), due.ordered(), price]),
        _growth(spent, begin, end, later & (spent.amount != 0.0)),
    )


def _growth(amounts: Amounts, start: Days, end: Days, mask: NDArray[np.bool_]) -> Growth:
    """Minus amounts times D(end) / D(start)."""
    some = amounts.where(mask)
    none = np.full(len(some), -1, np.int32)
    return Growth(some.trade, end[mask], start[mask], some.day, -some.amount, none, joined([]))


def _pairs(offsets: Integers, valuations: Schedule) -> tuple[Integers, Integers]:
    """Every valuation period with every flow of its trade: positions of both, int64[pairs] each."""
    counts = np.diff(offsets)[valuations.trades]
    period = np.repeat(np.arange(len(valuations)), counts)
    bounds = np.concatenate(([0], np.cumsum(counts)))
    flow = np.arange(bounds[-1]) - np.repeat(bounds[:-1] - offsets[:-1][valuations.trades], counts)
    return period, flow
