"""Fixed-rate and zero-coupon bonds, risk-free or with the credit of an issuer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.bond_figures import BOND_FIGURES, BondFigures
from riskpipe.products.bond_flows import COUPON, FACE, bond_flows
from riskpipe.products.bond_legs import Payments, bond_legs
from riskpipe.products.debt import (
    CURRENCY,
    FREQUENCY,
    SIZE_COLUMNS,
    TERM_COLUMNS,
    debt_faults,
    debt_needs,
)
from riskpipe.products.ex_coupons import EX_COUPON_COLUMNS, ex_coupon_faults
from riskpipe.products.leg_dates import date_columns
from riskpipe.products.schedule_columns import by_coupon_phase, coupon_day_count_column, remaining_periods
from riskpipe.products.trades import Trades


class Bond(Product):
    """Value today of quantity x face x (coupons + redemption) paid after the valuation date (dirty).

    Coupons accrue over unadjusted periods and are paid on the adjusted dates, as bonds do (QuantLib's
    FixedRateBond over an unadjusted schedule); a short first period accrues less. The columns of
    [dates](#dates-of-legs) may say otherwise; the redemption is paid with the last coupon. `settlement_days` does not
    enter the value.

    With a credit curve, flows are weighted with survival to their dates, and a default between two payment
    dates pays recovery x face half way (QuantLib's RiskyBondEngine; O'Kane 2008, chapter 6). The recovery rate
    is the factor `recovery:<credit_curve>`, or 0.4 if there is none.
    """

    name = "bond"
    version = 2
    figures = BOND_FIGURES
    columns = (
        *COMMON_COLUMNS,
        CURRENCY,
        *SIZE_COLUMNS,
        Column("coupon", "number", "decimal a year"),
        FREQUENCY,
        coupon_day_count_column("day_count", "of coupons"),
        *TERM_COLUMNS,
        *date_columns(accrual="unadjusted"),
        *FACE.columns(rule="nonnegative"),
        *COUPON.columns(quantity="coupon"),
        *EX_COUPON_COLUMNS,
        Column(
            "market_price",
            "number",
            "clean, for 100 of face; of z_spread alone",
            required=False,
            rule="positive",
            observed=True,
        ),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        return [
            *debt_faults(trades, as_of),
            *FACE.faults(trades),
            *COUPON.faults(trades),
            *ex_coupon_faults(trades),
        ]

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        return debt_needs(trades)

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        periods = remaining_periods(trades, "issue_date", "frequency", as_of)
        return 0.3 + np.where(trades.labels("credit_curve").codes < 0, 0.03, 0.22) * periods

    def pricing_order(self, trades: Trades) -> NDArray[np.int32]:
        return by_coupon_phase(trades)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        bond = bond_flows(trades, model.as_of)
        held = bond.held(model.as_of)
        risky = trades.labels("credit_curve").codes >= 0
        curve = trades.labels("discount_curve")
        return bond_legs(bond, model, (Payments.of(curve, held, risky),))

    def figure_values(
        self, trades: Trades, model: MarketModel, pv: FloatArray, wanted: tuple[str, ...]
    ) -> Mapping[str, FloatArray]:
        figures = BondFigures(bond_flows(trades, model.as_of), model, pv)
        return {figure: figures.take(figure) for figure in wanted}
