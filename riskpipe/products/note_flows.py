"""What floating-rate notes are still to pay: coupons with caps and floors, and faces as they are redeemed."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.model import MarketModel
from riskpipe.market.schedules import Schedule
from riskpipe.products.bond_flows import FACE
from riskpipe.products.coupon_options import CouponOptions, coupon_options, has_options
from riskpipe.products.debt import faces, redemptions
from riskpipe.products.ex_coupons import ex_coupon
from riskpipe.products.floating import Coupons, FloatingFlows, FloatingLeg, floating_flows
from riskpipe.products.flows import Amounts, Days, merged
from riskpipe.products.leg_dates import LegDates, fixing_calendars, leg_dates
from riskpipe.products.observations import observations
from riskpipe.products.steps import Stepped
from riskpipe.products.trades import Trades

SPREAD = Stepped("spread", "spreads", "spread_dates")


class NoteFlows(Struct, frozen=True):
    """Of n notes.

    :param periods: those that are paid after today. :param face: float64[periods], that interest is on.
    :param floating: coupons without caps and floors, which are `options`.
    :param redeemed: what the face falls by, and what is left of it at maturity.
    """

    trades: Trades
    periods: Schedule
    face: FloatArray
    floating: FloatingFlows
    options: list[CouponOptions]
    redeemed: Amounts


def note_flows(trades: Trades, model: MarketModel, buyers: Days | None = None) -> NoteFlows:
    """What a holder of today is paid, or who buys and settles later.

    :param buyers: int32[n], days on which these settle; None: of the holders.
    """
    periods = note_periods(trades, model.as_of)
    day = np.full(len(trades), model.as_of, np.int32) if buyers is None else buyers
    early = periods.payment <= day[periods.trades]
    leg = note_leg(trades, periods, early | ex_coupon(trades, periods, day))
    redeemed = _redemptions(trades, periods, model.as_of)
    redeemed = redeemed.where(redeemed.day > day[redeemed.trade])
    return NoteFlows(
        trades, periods, note_faces(trades, periods), floating_flows(leg, model), _options(trades, model, leg), redeemed
    )


def note_periods(trades: Trades, as_of: int, before: int | None = None) -> Schedule:
    """Those that are paid after a day, and begin by another."""
    return _dates(trades).periods(as_of, before)


def note_faces(trades: Trades, periods: Schedule) -> FloatArray:
    """float64[periods]: what interest is on."""
    return periods.spread(trades.numbers("quantity")) * FACE.by_period(trades, periods)


def note_leg(trades: Trades, periods: Schedule, without: NDArray[np.bool_] | None = None) -> FloatingLeg:
    """The coupons. :param without: bool[periods], those that are not the holder's."""
    notional = note_faces(trades, periods)
    return FloatingLeg(
        periods,
        trades.labels("index"),
        trades.labels("day_count"),
        trades.labels("calendar"),
        notional if without is None else np.where(without, 0.0, notional),
        SPREAD.by_period(trades, periods),
        periods.spread(trades.numbers("gearing", 1.0)) if trades.has("gearing") else None,
        observations(trades),
        fixing_calendars(trades),
    )


def _options(trades: Trades, model: MarketModel, leg: FloatingLeg) -> list[CouponOptions]:
    """The caps and the floors, if there are any."""
    if not has_options(trades).any():
        return []
    gearing = np.ones(len(leg.notional)) if leg.gearing is None else leg.gearing
    every = np.arange(len(trades))
    return coupon_options(trades, every, Coupons(leg, model), (leg.notional, gearing, leg.spread))


def _dates(trades: Trades) -> LegDates:
    return leg_dates(trades, start="issue_date")


def _redemptions(trades: Trades, periods: Schedule, as_of: int) -> Amounts:
    """Of the face that is left at maturity, and what it falls by at the ends of periods."""
    last = redemptions(trades, _dates(trades), as_of)
    if not trades.has(FACE.values):
        return last
    trade, face, left = periods.trades, note_faces(trades, periods), faces(trades)
    left[trade] = face  # of each trade the last
    followed = np.flatnonzero(trade[1:] == trade[:-1])
    fall = face[followed] - face[followed + 1]
    paid = Amounts(trade[followed], periods.payment[followed], fall).where(fall != 0.0)
    return merged([paid, Amounts(last.trade, last.day, left[last.trade])])
