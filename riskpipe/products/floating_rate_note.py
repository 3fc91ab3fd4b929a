"""Floating-rate notes, risk-free or with the credit of an issuer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.market.schedules import Schedule, schedule
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
from riskpipe.products.floating import (
    FloatingLeg,
    Growth,
    fixing_faults,
    floating_flows,
    last_fixed_start,
    projection_curve,
)
from riskpipe.products.flows import Days, Integers, merged, offsets_of
from riskpipe.products.legs import DefaultLeg, KnownLeg, PreparedLegs, ProjectedLeg, ProjectedSurvivalLeg, SurvivalLeg
from riskpipe.products.schedule_columns import adjustment, by_coupon_phase, remaining_periods
from riskpipe.products.trades import Trades


class FloatingRateNote(Product):
    """Value today of quantity x face x (floating coupons + redemption) paid after the valuation date (dirty).

    Coupons are those of the floating leg of a swap: over adjusted periods, paid at their ends, the spread added to
    the rate (QuantLib's FloatingRateBond). `settlement_days` does not enter the value.

    With a credit curve, flows are weighted with survival to their dates, and a default within a period pays
    recovery x face half way (QuantLib's RiskyBondEngine; O'Kane 2008, chapter 6). The recovery rate is the factor
    `recovery:<credit_curve>`, or 0.4 if there is none.
    """

    name = "floating_rate_note"
    version = 2
    columns = (
        *COMMON_COLUMNS,
        CURRENCY,
        Column("index", "string", "floating index; a forward curve unless the configuration says otherwise"),
        *SIZE_COLUMNS,
        Column("spread", "number", "decimal a year, added to the floating rate"),
        *TERM_COLUMNS,
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        return debt_faults(trades, as_of)

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        return (*debt_needs(trades), Need("projection", ("zero_rate",), projection_curve(trades, conventions)))

    def missing_points(self, trades: Trades, model: MarketModel) -> list[RowFaults]:
        running = _periods(trades, model.as_of, last_fixed_start(trades.labels("index"), model))
        return fixing_faults(floating_flows(_leg(trades, running), model))

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        periods = remaining_periods(trades, "issue_date", "frequency", as_of)
        return 0.3 + np.where(trades.labels("credit_curve").codes < 0, 0.12, 0.32) * periods

    def pricing_order(self, trades: Trades) -> NDArray[np.int32]:
        return by_coupon_phase(trades)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        periods = _periods(trades, model.as_of)
        floating = floating_flows(_leg(trades, periods), model)
        curve, credit = trades.labels("discount_curve"), trades.labels("credit_curve")
        projection = projection_curve(trades, model.conventions)
        risky = credit.codes >= 0
        free, unsure = _split(floating.growth, risky)
        started, growth = free.telescoped(projection, curve)
        flows = merged([floating.known, redemptions(trades, model.as_of), started])
        sure, promised = flows.where(~risky[flows.trade]), flows.where(risky[flows.trade])
        default = _default_periods(periods, risky, model)
        nodes, positions = model.projected(
            (curve.take(sure.trade), sure.day),
            (curve.take(promised.trade), promised.day),
            (curve.take(default.trade), default.middle),
            *growth.requests(projection, curve),
            *unsure.requests(projection, curve),
        )
        hazards, (promised_survival, unsure_survival, from_, to) = model.discount(
            (credit.take(promised.trade), promised.day),
            (credit.take(unsure.trade), unsure.end),
            (credit.take(default.trade), default.begin),
            (credit.take(default.trade), default.end),
            kind="hazard_rate",
        )
        unsure_growth, unsure_payment = positions[5:7]
        n, recovery = len(trades), recovery_factors(credit, model)
        owed = owed_on_default(trades, recovery)[default.trade]
        return PreparedLegs(
            nodes,
            hazards,
            (
                KnownLeg(offsets_of(sure.trade, n), sure.amount, positions[0]),
                SurvivalLeg(offsets_of(promised.trade, n), promised.amount, positions[1], promised_survival),
                DefaultLeg(offsets_of(default.trade, n), owed, positions[2], from_, to, recovery),
                ProjectedLeg(offsets_of(growth.trade, n), growth.coefficient, *positions[3:5]),
                ProjectedSurvivalLeg(
                    offsets_of(unsure.trade, n), unsure.coefficient, unsure_growth, unsure_payment, unsure_survival
                ),
            ),
        )


@dataclass(frozen=True)
class _DefaultPeriods:
    """Periods of risky notes within which a default is settled half way.

    :param trade: int64[k].
    :param begin, middle, end: int32[k]; the first not before today.
    """

    trade: Integers
    begin: Days
    middle: Days
    end: Days


def _default_periods(periods: Schedule, risky: NDArray[np.bool_], model: MarketModel) -> _DefaultPeriods:
    kept = risky[periods.trades]
    trade, end = periods.trades[kept], periods.end[kept]
    begin = np.minimum(np.maximum(periods.start[kept], np.int32(model.as_of + model.horizon_days)), end)
    return _DefaultPeriods(trade, begin, (begin + (end - begin) // 2).astype(np.int32), end)


def _split(growth: Growth, risky: NDArray[np.bool_]) -> tuple[Growth, Growth]:
    """Coupons of risk-free notes, and the others."""
    mask = risky[growth.trade]
    return growth.where(~mask), growth.where(mask)


def _periods(trades: Trades, as_of: int, before: int | None = None) -> Schedule:
    dates = (trades.days("issue_date"), trades.days("maturity_date"))
    return schedule(*dates, trades.labels("frequency"), adjustment(trades), after=as_of, before=before)


def _leg(trades: Trades, periods: Schedule) -> FloatingLeg:
    return FloatingLeg(
        periods,
        trades.labels("index"),
        trades.labels("day_count"),
        trades.labels("calendar"),
        faces(trades),
        trades.numbers("spread"),
    )
