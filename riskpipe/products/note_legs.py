"""Floating-rate notes as legs: what an issuer who may default pays is weighted with survival, and recovered."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.growths import Request
from riskpipe.market.model import MarketModel
from riskpipe.market.schedules import Schedule
from riskpipe.products.coupon_options import CouponOptions
from riskpipe.products.debt import DEFAULT_RECOVERY, recovery_factors, time_of_default
from riskpipe.products.floating import Growth, projection_curve
from riskpipe.products.flows import Days, Integers, merged, offsets_of
from riskpipe.products.legs import (
    DefaultLeg,
    KnownLeg,
    Leg,
    PreparedLegs,
    ProjectedLeg,
    ProjectedSurvivalLeg,
    SurvivalLeg,
)
from riskpipe.products.note_flows import NoteFlows


def note_legs(notes: NoteFlows, model: MarketModel) -> PreparedLegs:
    """The flows, and what an issuer's default leaves of the face (O'Kane 2008, chapter 6)."""
    trades, n = notes.trades, len(notes.trades)
    curve, credit = trades.labels("discount_curve"), trades.labels("credit_curve")
    projection = projection_curve(trades, model.conventions)
    risky = credit.codes >= 0
    free, unsure = _split(notes.floating.growth, risky)
    started, growth = free.telescoped(projection, curve, model)
    decided = [part.options.known for part in notes.options]
    flows = merged([notes.floating.known, notes.redeemed, started, *decided])
    sure, promised = flows.where(~risky[flows.trade]), flows.where(risky[flows.trade])
    default = _default_periods(notes.periods, notes.face, risky, model)
    sure_options, unsure_options = _split_options(notes.options, risky)
    requests: list[Request] = [
        (curve.take(sure.trade), sure.day),
        (curve.take(promised.trade), promised.day),
        (curve.take(default.trade), default.middle),
        *growth.requests(projection, curve),
        *unsure.requests(projection, curve),
    ]
    for part in (*sure_options, *unsure_options):
        requests += part.requests(projection, curve)
    nodes, positions = model.projected(*requests)
    hazards, (promised_survival, unsure_survival, from_, to, *option_survival) = model.discount(
        (credit.take(promised.trade), promised.day),
        (credit.take(unsure.trade), unsure.payment),
        (credit.take(default.trade), default.begin),
        (credit.take(default.trade), default.end),
        *((credit.take(part.options.trade), part.options.growth.payment) for part in unsure_options),
        kind="hazard_rate",
    )
    recovery = recovery_factors(credit, model)
    owed = default.face * np.where(recovery < 0, DEFAULT_RECOVERY, 1.0)[default.trade]
    legs: list[Leg] = [
        KnownLeg(offsets_of(sure.trade, n), sure.amount, positions[0]),
        SurvivalLeg(offsets_of(promised.trade, n), promised.amount, positions[1], promised_survival),
        DefaultLeg(offsets_of(default.trade, n), owed, positions[2], from_, to, recovery),
        ProjectedLeg(offsets_of(growth.trade, n), growth.coefficient, *positions[3:5]),
        ProjectedSurvivalLeg(
            offsets_of(unsure.trade, n), unsure.coefficient, positions[5], positions[6], unsure_survival
        ),
    ]
    for k, part in enumerate((*sure_options, *unsure_options)):
        survival = option_survival[k - len(sure_options)] if k >= len(sure_options) else None
        legs += part.legs((positions[7 + 2 * k], positions[8 + 2 * k]), nodes, model, survival)
    return PreparedLegs(nodes, hazards, tuple(legs))


class _DefaultPeriods(Struct, frozen=True):
    """Periods of risky notes within which a default is settled half way.

    :param trade: int64[k]. :param face: float64[k].
    :param begin, middle, end: int32[k]; the first not before today.
    """

    trade: Integers
    face: FloatArray
    begin: Days
    middle: Days
    end: Days


def _default_periods(
    periods: Schedule, face: FloatArray, risky: NDArray[np.bool_], model: MarketModel
) -> _DefaultPeriods:
    kept = periods.spread(risky)
    trade, end = periods.trades[kept], periods.payment[kept]
    begin = np.maximum(time_of_default(trade, periods.start[kept], end), np.int32(model.as_of + model.horizon_days))
    begin = np.minimum(begin, end)
    return _DefaultPeriods(trade, face[kept], begin, (begin + (end - begin) // 2).astype(np.int32), end)


def _split(growth: Growth, risky: NDArray[np.bool_]) -> tuple[Growth, Growth]:
    """Coupons of risk-free notes, and the others."""
    mask = risky[growth.trade]
    return growth.where(~mask), growth.where(mask)


def _split_options(
    options: list[CouponOptions], risky: NDArray[np.bool_]
) -> tuple[list[CouponOptions], list[CouponOptions]]:
    """Those of risk-free notes, and the others."""
    every = [(part, risky[part.options.trade]) for part in options]
    return [part.where(~mask) for part, mask in every], [part.where(mask) for part, mask in every]
