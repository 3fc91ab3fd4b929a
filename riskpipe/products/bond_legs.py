"""Payments of bonds as legs: discounted, those of an issuer who may default weighted with survival, and recoveries."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.products.bond_flows import BondFlows
from riskpipe.products.debt import DEFAULT_RECOVERY, recovery_factors, time_of_default
from riskpipe.products.flows import Amounts, offsets_of
from riskpipe.products.legs import DefaultLeg, KnownLeg, Leg, PreparedLegs, SurvivalLeg


class Payments(Struct, frozen=True):
    """Of n trades, that one curve of each discounts.

    :param unsure: paid if the issuer has survived; of trades that have a credit curve.
    """

    curve: Labels
    sure: Amounts
    unsure: Amounts

    @classmethod
    def of(cls, curve: Labels, amounts: Amounts, risky: NDArray[np.bool_]) -> Payments:
        """:param risky: bool[n], the trades that have a credit curve."""
        if not risky.any():
            return cls(curve, amounts, amounts.where(np.zeros(len(amounts), np.bool_)))
        unsure = risky[amounts.trade]
        return cls(curve, amounts.where(~unsure), amounts.where(unsure))


def bond_legs(bond: BondFlows, model: MarketModel, payments: Sequence[Payments]) -> PreparedLegs:
    """The payments, and what an issuer's default leaves of the face (O'Kane 2008, chapter 6)."""
    trades, n = bond.trades, len(bond.trades)
    risky = trades.labels("credit_curve").codes >= 0
    trade, paid = bond.periods.trades, bond.periods.payment
    may_default = np.flatnonzero((paid > model.as_of) & risky[trade]) if risky.any() else np.empty(0, np.int64)
    start = time_of_default(trade, bond.periods.start, paid)[may_default] if len(may_default) else paid[may_default]
    trade, end = trade[may_default], paid[may_default]
    curve, credit = trades.labels("discount_curve"), trades.labels("credit_curve")
    recovery = recovery_factors(credit, model)
    owed = bond.face[may_default] * np.where(recovery < 0, DEFAULT_RECOVERY, 1.0)[trade]
    begin = np.minimum(np.maximum(start, np.int32(model.as_of + model.horizon_days)), end)
    middle = begin + (end - begin) // 2
    parts = [part for each in payments for part in (each.sure, each.unsure)]
    curves = [each.curve for each in payments for _ in range(2)]
    nodes, (*node, default_node) = model.discount(
        *((of.take(part.trade), part.day) for of, part in zip(curves, parts, strict=True)),
        (curve.take(trade), middle.astype(np.int32)),
    )
    hazards, (*survival, from_, to) = model.discount(
        *((credit.take(each.unsure.trade), each.unsure.day) for each in payments),
        (credit.take(trade), begin),
        (credit.take(trade), end),
        kind="hazard_rate",
    )
    legs: list[Leg] = []
    for k, each in enumerate(payments):
        sure, unsure = offsets_of(each.sure.trade, n), offsets_of(each.unsure.trade, n)
        legs += [
            KnownLeg(sure, each.sure.amount, node[2 * k]),
            SurvivalLeg(unsure, each.unsure.amount, node[2 * k + 1], survival[k]),
        ]
    legs.append(DefaultLeg(offsets_of(trade, n), owed, default_node, from_, to, recovery))
    return PreparedLegs(nodes, hazards, tuple(legs))
