"""Two models of credit default swaps.

Midpoint: a default is half way through its period. ISDA: exact integrals between the points of both curves.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from msgspec import Struct, structs

from riskpipe.arrays import FloatArray
from riskpipe.market.daycounts import year_fraction
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.products.flows import Amounts, Days, Integers, offsets_of
from riskpipe.products.legs import DefaultIntegralLeg, DefaultLeg, KnownLeg, Leg, PreparedLegs, SurvivalLeg

_HALF_DAY = 1.0 / 730.0
_YEAR = 365.0
_LEGS = ("upfront", "premium", "protection")


class Coupons(Struct, frozen=True):
    """Premium coupons still to be paid, ordered by trade and date.

    :param trade: int64[k].
    :param start: int32[k], accrual from; `end` to; `paid` when.
    :param day_count: of each coupon.
    :param year_fraction: float64[k], of the accrual, `extra` included.
    :param extra: int32[k], days beyond `end` that earn premium.
    :param premium: float64[k], received a year, signed; zero where it is owed to who held the contract before.
    :param loss: float64[k], received on a default in the period, signed.
    """

    trade: Integers
    start: Days
    end: Days
    paid: Days
    day_count: Labels
    year_fraction: FloatArray
    extra: Days
    premium: FloatArray
    loss: FloatArray

    def take(self, rows: Integers) -> Coupons:
        return Coupons(
            self.trade.take(rows),
            self.start.take(rows),
            self.end.take(rows),
            self.paid.take(rows),
            self.day_count.take(rows),
            self.year_fraction.take(rows),
            self.extra.take(rows),
            self.premium.take(rows),
            self.loss.take(rows),
        )

    @property
    def observed(self) -> Days:
        """int32[k]: the day at whose end the ISDA model looks whether the name has survived a period."""
        return self.end + self.extra - np.int32(1)


class Contracts(Struct, frozen=True):
    """n credit default swaps.

    :param curve: zero_rate curve; `credit` hazard_rate curve.
    :param start: int32[n], first day of protection: an earlier default ends all; `maturity` its last day.
    :param upfront: received, signed, ordered by trade.
    :param delayed: some protection begins after its premium.
    """

    curve: Labels
    credit: Labels
    start: Days
    maturity: Days
    coupons: Coupons
    upfront: Amounts
    delayed: bool

    def split(self, trade: Integers, credit: Labels, share: FloatArray, loss: FloatArray) -> Contracts:
        """Each contract as several on other names, which are counted on; the upfront is left with the first.

        :param trade: int64[m], the contract of each part, ascending.
        :param credit: of each part. :param share: float64[m], of premium and protection.
        :param loss: float64[m], on default, as a fraction of what the contract says.
        """
        offsets = offsets_of(self.coupons.trade, len(self.start))
        counts = np.diff(offsets)[trade]
        part = np.repeat(np.arange(len(trade)), counts)
        first = np.cumsum(counts) - counts
        coupons = self.coupons.take(offsets[trade][part] + np.arange(len(part)) - first[part])
        return Contracts(
            self.curve.take(trade),
            credit,
            self.start[trade],
            self.maturity[trade],
            structs.replace(
                coupons,
                trade=part,
                premium=coupons.premium * share[part],
                loss=coupons.loss * (share * loss)[part],
            ),
            structs.replace(self.upfront, trade=np.searchsorted(trade, self.upfront.trade)),
            self.delayed,
        )


def midpoint_legs(contracts: Contracts, model: MarketModel) -> PreparedLegs:
    """Premium and protection as in QuantLib's MidPointCdsEngine.

    A default within a coupon's period, or what is left of it, is settled at once on the day half way, with the
    premium accrued up to it. Source: O'Kane, Modelling Single-name and Multi-name Credit Derivatives (2008),
    section 6.5.
    """
    coupons, n = contracts.coupons, len(contracts.start)
    trade = coupons.trade
    today = np.int32(model.as_of + model.horizon_days)
    first = np.maximum(coupons.start, contracts.start[trade]) if contracts.delayed else coupons.start
    begin = np.minimum(np.maximum(first, today), coupons.end)
    middle = (begin + (coupons.end - begin) // 2).astype(np.int32)
    accrued = year_fraction(coupons.start, middle + coupons.extra, coupons.day_count)
    amount = coupons.loss + coupons.premium * accrued
    curve, credit = contracts.curve.take(trade), contracts.credit.take(trade)
    upfront = contracts.upfront
    nodes, (paid, settled, upfront_node) = model.discount(
        (curve, coupons.paid), (curve, middle), (contracts.curve.take(upfront.trade), upfront.day)
    )
    hazards, (survived, from_, to) = model.discount(
        (credit, coupons.paid), (credit, begin), (credit, coupons.end), kind="hazard_rate"
    )
    offsets, none = offsets_of(trade, n), np.full(n, -1, np.int32)
    return PreparedLegs(
        nodes,
        hazards,
        (
            KnownLeg(offsets_of(upfront.trade, n), upfront.amount, upfront_node),
            SurvivalLeg(offsets, coupons.premium * coupons.year_fraction, paid, survived),
            DefaultLeg(offsets, amount, settled, from_, to, none),
        ),
        _LEGS,
    )


def isda_legs(contracts: Contracts, model: MarketModel) -> PreparedLegs:
    """Premium and protection as in the ISDA CDS Standard Model.

    Protection runs from the end of the day before `start` (or from today) to the end of the day `maturity`. Survival
    is observed at the end of the day before a period's accrual ends, which in the last period of a contract that
    includes its maturity date is that date: until then the premium accrues on default, and beyond it the coupon is
    paid, whenever its payment falls. It accrues half a day more than the time of default says. The integrals are
    exact between the points of both curves, in the form of the numerical fix (Markit, 2012). A coupon whose accrual
    ends on the day after today or before is certain.

    Source: White, The Pricing and Risk Management of Credit Default Swaps, with a Focus on the ISDA Model
    (OpenGamma Quantitative Research 16, 2014), sections 3 and 4.
    """
    coupons, n = contracts.coupons, len(contracts.start)
    today = model.as_of + model.horizon_days
    trade, day = _chains(contracts, model, today)
    amount, slope = _amounts_on_default(contracts, trade, day, today)
    curve, credit = contracts.curve, contracts.credit
    upfront = contracts.upfront
    nodes, (paid, step, upfront_node) = model.discount(
        (curve.take(coupons.trade), coupons.paid),
        (curve.take(trade), day),
        (curve.take(upfront.trade), upfront.day),
    )
    hazards, (survived, hazard_step) = model.discount(
        (credit.take(coupons.trade), coupons.observed),
        (credit.take(trade), day),
        kind="hazard_rate",
    )
    premium = coupons.premium * coupons.year_fraction
    return PreparedLegs(
        nodes,
        hazards,
        (
            KnownLeg(offsets_of(upfront.trade, n), upfront.amount, upfront_node),
            SurvivalLeg(offsets_of(coupons.trade, n), premium, paid, survived),
            DefaultIntegralLeg(offsets_of(trade, n), amount, slope, step, hazard_step),
        ),
        _LEGS,
    )


def _chains(contracts: Contracts, model: MarketModel, today: int) -> tuple[Integers, Days]:
    """Dates between which rates, hazard rates and the coupon are constant: trade and day, ascending."""
    coupons = contracts.coupons
    first = np.maximum(contracts.start - np.int32(1), np.int32(today))
    last = contracts.maturity
    alive = np.flatnonzero(last > first)
    trades = [alive, alive, coupons.trade]
    days = [first[alive], last[alive], coupons.observed]
    pair = contracts.curve.combine(contracts.credit, lambda a, b: f"{a}\0{b}")
    for code in np.unique(pair.codes[alive]).tolist():
        pillars = _pillars(model, *pair.names[code].split("\0"))
        rows = alive[pair.codes[alive] == code]
        begin = np.searchsorted(pillars, first[rows], "right")
        count = np.maximum(np.searchsorted(pillars, last[rows], "left") - begin, 0)
        trades.append(np.repeat(rows, count))
        shift = begin - (np.cumsum(count) - count)
        days.append(pillars[np.arange(count.sum()) + np.repeat(shift, count)])
    trade, day = np.concatenate(trades), np.concatenate(days)
    inside = (day >= first[trade]) & (last > first)[trade]
    key = np.sort(
        (trade[inside] << 32) + (day[inside] - today)
    )  # np.unique hashes first, which takes five times as long
    key = key[np.diff(key, prepend=-1) > 0]
    return key >> 32, ((key & 0xFFFFFFFF) + today).astype(np.int32)


def _pillars(model: MarketModel, curve: str, credit: str) -> Days:
    """The dates of both curves' points, ascending."""
    found = [model.snapshot.group("zero_rate", curve), model.snapshot.group("hazard_rate", credit)]
    days = [model.snapshot.days[group.start : group.stop] for group in found if group is not None]
    return np.unique(np.concatenate(days))


def _amounts_on_default(contracts: Contracts, trade: Integers, day: Days, today: int) -> tuple[FloatArray, FloatArray]:
    """Paid on default in the step that ends at each date: at the step's start, and growth over the step."""
    coupons = contracts.coupons
    if not len(day):
        return np.zeros(0), np.zeros(0)
    before = np.concatenate((day[:1], day[:-1]))
    ends = (coupons.trade << 32) + (coupons.observed - today)
    found = np.searchsorted(ends, (trade << 32) + (day - today))
    # a day after the last accrual has the protection of the last period
    last = offsets_of(coupons.trade, len(contracts.start))[trade + 1] - 1
    coupon = np.minimum(found, last)
    accrues = (found <= last) & (coupons.observed[coupon] > today)
    pace = coupons.year_fraction / ((coupons.end + coupons.extra - coupons.start) / _YEAR)
    rate = np.where(accrues, coupons.premium[coupon] * pace[coupon], 0.0)
    accrued = (before - coupons.start[coupon] + 1) / _YEAR + _HALF_DAY
    return coupons.loss[coupon] + rate * accrued, rate * ((day - before) / _YEAR)


def added_up(values: PreparedLegs, offsets: Integers) -> PreparedLegs:
    """Of several contracts each: trade k has the contracts `offsets[k]:offsets[k + 1]`.

    :param values: of `midpoint_legs` or `isda_legs`.
    :param offsets: int64[n + 1].
    """
    return PreparedLegs(values.discount, values.hazard, tuple(_added_up(leg, offsets) for leg in values.legs), _LEGS)


def _added_up(leg: Leg, offsets: Integers) -> Leg:
    if isinstance(leg, DefaultLeg):
        return replace(leg, offsets=leg.offsets[offsets], recovery=np.full(len(offsets) - 1, -1, np.int32))
    if not isinstance(leg, DefaultIntegralLeg):
        return replace(leg, offsets=leg.offsets[offsets])
    # on the step from the end of one chain to the beginning of the next nothing is paid
    begins = leg.offsets[:-1][np.diff(leg.offsets) > 0]
    amount, slope = leg.coefficient.copy(), leg.slope.copy()
    amount[begins] = slope[begins] = 0.0
    return replace(leg, offsets=leg.offsets[offsets], coefficient=amount, slope=slope)
