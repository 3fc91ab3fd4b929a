"""Floating-rate notes, risk-free or with the credit of an issuer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.bond_flows import FACE
from riskpipe.products.coupon_options import coupon_option_columns, coupon_option_faults, has_options
from riskpipe.products.debt import (
    CURRENCY,
    FREQUENCY,
    SIZE_COLUMNS,
    TERM_COLUMNS,
    debt_faults,
    debt_needs,
)
from riskpipe.products.ex_coupons import EX_COUPON_COLUMNS, ex_coupon_faults
from riskpipe.products.floating import (
    fixing_faults,
    floating_flows,
    last_fixed_start,
    projection_curve,
)
from riskpipe.products.leg_dates import date_columns, fixing_calendar_column
from riskpipe.products.note_figures import NOTE_FIGURES, NoteFigures
from riskpipe.products.note_flows import SPREAD, note_flows, note_leg, note_periods
from riskpipe.products.note_legs import note_legs
from riskpipe.products.observations import observation_columns, observation_faults
from riskpipe.products.schedule_columns import by_coupon_phase, day_count_column, remaining_periods
from riskpipe.products.trades import Trades
from riskpipe.products.volatility_columns import volatility_needs


class FloatingRateNote(Product):
    """Value today of quantity x face x (floating coupons + redemption) paid after the valuation date (dirty).

    Coupons are those of the floating leg of a swap: over adjusted periods, paid at their ends, the spread added to
    the rate (QuantLib's FloatingRateBond); the columns of [dates](#dates-of-legs) may say otherwise. The redemption is
    paid with the last coupon. `settlement_days` does not enter the value.

    A face that changes, as that of a loan that is paid off, does so from the start of a period on; what it falls by is
    paid at the end of the period before, what it grows by is lent then. Spreads may step likewise.

    A coupon with a `cap` or a `floor` is min(max(gearing x rate + spread, floor), cap), valued as that of a
    [swap](#swap) is; rates do not depend on the issuer's default.

    With a credit curve, flows are weighted with survival to their dates, and a default within a period pays
    recovery x face half way, the face that interest is on (QuantLib's RiskyBondEngine; O'Kane 2008, chapter 6). The
    recovery rate is the factor `recovery:<credit_curve>`, or 0.4 if there is none.
    """

    name = "floating_rate_note"
    version = 3
    figures = NOTE_FIGURES
    columns = (
        *COMMON_COLUMNS,
        CURRENCY,
        Column("index", "string", "floating index; a forward curve unless the configuration says otherwise"),
        *SIZE_COLUMNS,
        Column("spread", "number", "decimal a year, added to the floating rate"),
        FREQUENCY,
        day_count_column("day_count", "of coupons"),
        *TERM_COLUMNS,
        *FACE.columns(rule="nonnegative"),
        *SPREAD.columns(),
        Column("gearing", "number", "that multiplies the floating rate, not the spread; null: 1", required=False),
        *coupon_option_columns(),
        *observation_columns(),
        *date_columns(),
        fixing_calendar_column(),
        *EX_COUPON_COLUMNS,
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        return [
            *debt_faults(trades, as_of),
            *FACE.faults(trades),
            *SPREAD.faults(trades),
            *coupon_option_faults(trades, np.ones(len(trades), np.bool_)),
            *ex_coupon_faults(trades),
        ]

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        optional = has_options(trades)
        return (
            *debt_needs(trades),
            Need("projection", ("zero_rate",), projection_curve(trades, conventions)),
            *(replace(need, labels=need.labels.where(optional)) for need in volatility_needs(trades)),
        )

    def missing_points(self, trades: Trades, model: MarketModel) -> list[RowFaults]:
        running = note_periods(trades, model.as_of, last_fixed_start(trades.labels("index"), model))
        terms = observation_faults(trades, trades.labels("index"), model.conventions)
        return [*terms, *fixing_faults(floating_flows(note_leg(trades, running), model))]

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        periods = remaining_periods(trades, "issue_date", "frequency", as_of)
        options = 0.6 * np.where(has_options(trades), 1.0, 0.0)
        return 0.3 + (np.where(trades.labels("credit_curve").codes < 0, 0.12, 0.32) + options) * periods

    def pricing_order(self, trades: Trades) -> NDArray[np.int32]:
        return by_coupon_phase(trades)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        return note_legs(note_flows(trades, model), model)

    def figure_values(
        self, trades: Trades, model: MarketModel, pv: FloatArray, wanted: tuple[str, ...]
    ) -> Mapping[str, FloatArray]:
        figures = NoteFigures(trades, model)
        return {figure: figures.take(figure) for figure in wanted}
