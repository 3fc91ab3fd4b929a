"""Fixed-rate and zero-coupon bonds, risk-free or with the credit of an issuer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.calendars import adjust
from riskpipe.market.conventions import Conventions
from riskpipe.market.daycounts import year_fraction
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.schedules import LONGEST_ADJUSTMENT, Adjustment, schedule
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.debt import (
    CURRENCY,
    SIZE_COLUMNS,
    TERM_COLUMNS,
    debt_faults,
    debt_needs,
    faces,
    owed_on_default,
    recovery_factors,
    redemptions,
)
from riskpipe.products.flows import Amounts, Days, Integers, merged, offsets_of
from riskpipe.products.legs import DefaultLeg, KnownLeg, PreparedLegs, SurvivalLeg
from riskpipe.products.schedule_columns import by_coupon_phase, remaining_periods
from riskpipe.products.trades import Trades


class Bond(Product):
    """Value today of quantity x face x (coupons + redemption) paid after the valuation date (dirty).

    Coupons accrue over unadjusted periods and are paid on the adjusted dates, as bonds do (QuantLib's
    FixedRateBond over an unadjusted schedule); a short first period accrues less. `settlement_days` does not
    enter the value.

    With a credit curve, flows are weighted with survival to their dates, and a default between two payment
    dates pays recovery x face half way (QuantLib's RiskyBondEngine; O'Kane 2008, chapter 6). The recovery rate
    is the factor `recovery:<credit_curve>`, or 0.4 if there is none.
    """

    name = "bond"
    version = 2
    columns = (
        *COMMON_COLUMNS,
        CURRENCY,
        *SIZE_COLUMNS,
        Column("coupon", "number", "decimal a year"),
        *TERM_COLUMNS,
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        return debt_faults(trades, as_of)

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        return debt_needs(trades)

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        periods = remaining_periods(trades, "issue_date", "frequency", as_of)
        return 0.3 + np.where(trades.labels("credit_curve").codes < 0, 0.03, 0.22) * periods

    def pricing_order(self, trades: Trades) -> NDArray[np.int32]:
        return by_coupon_phase(trades)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        coupons = _coupons(trades, model.as_of)
        redemption = redemptions(trades, model.as_of)
        flows = merged([coupons.amounts, redemption])
        risky = trades.labels("credit_curve").codes >= 0
        sure, unsure = flows.where(~risky[flows.trade]), flows.where(risky[flows.trade])
        defaults = coupons.where(risky[coupons.amounts.trade])
        curve, credit = trades.labels("discount_curve"), trades.labels("credit_curve")
        recovery = recovery_factors(credit, model)
        trade = defaults.amounts.trade
        begin = np.maximum(defaults.start, np.int32(model.as_of + model.horizon_days))
        begin = np.minimum(begin, defaults.amounts.day)
        middle = begin + (defaults.amounts.day - begin) // 2
        nodes, (sure_node, unsure_node, default_node) = model.discount(
            (curve.take(sure.trade), sure.day),
            (curve.take(unsure.trade), unsure.day),
            (curve.take(trade), middle.astype(np.int32)),
        )
        hazards, (survival, from_, to) = model.discount(
            (credit.take(unsure.trade), unsure.day),
            (credit.take(trade), begin),
            (credit.take(trade), defaults.amounts.day),
            kind="hazard_rate",
        )
        n = len(trades)
        return PreparedLegs(
            nodes,
            hazards,
            (
                KnownLeg(offsets_of(sure.trade, n), sure.amount, sure_node),
                SurvivalLeg(offsets_of(unsure.trade, n), unsure.amount, unsure_node, survival),
                DefaultLeg(
                    offsets_of(trade, n), owed_on_default(trades, recovery)[trade], default_node, from_, to, recovery
                ),
            ),
        )


@dataclass(frozen=True)
class _Coupons:
    """Coupons to come, ordered by trade and date.

    :param start: int32[k], payment date of the coupon before; the issue date for the first.
    """

    amounts: Amounts
    start: Days

    def where(self, mask: NDArray[np.bool_]) -> _Coupons:
        return _Coupons(self.amounts.where(mask), self.start[mask])


def _coupons(trades: Trades, as_of: int) -> _Coupons:
    calendar, convention = trades.labels("calendar"), trades.labels("business_day_convention")
    periods = schedule(
        trades.days("issue_date"),
        trades.days("maturity_date"),
        trades.labels("frequency"),
        Adjustment(calendar, Labels.constant("unadjusted", len(trades))),
        # one period more than needed: its payment may move beyond today
        after=as_of - LONGEST_ADJUSTMENT,
    )
    trade = periods.trades
    paid = adjust(periods.end, calendar, convention, periods.offsets)
    tau = year_fraction(periods.start, periods.end, trades.labels("day_count").take(trade))
    amount = (faces(trades) * trades.numbers("coupon"))[trade] * tau
    start = _default_starts(trade, periods.start, paid)
    return _Coupons(Amounts(trade, paid, amount), start).where(paid > as_of)


def _default_starts(trade: Integers, start: Days, paid: Days) -> Days:
    """Where the time of default begins that a payment ends: at the payment before, or at the issue date."""
    begin = start.copy()
    follows = np.flatnonzero(trade[1:] == trade[:-1]) + 1
    begin[follows] = paid[follows - 1]
    return begin
