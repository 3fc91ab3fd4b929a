"""Credit default swap on a single name: protection against a running spread and an upfront payment."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.credit_contracts import (
    CURVE_COLUMNS,
    NOTIONAL,
    TERM_COLUMNS,
    certain_recovery,
    contract_faults,
    contracts_of,
    valued,
)
from riskpipe.products.schedule_columns import by_coupon_phase, remaining_periods
from riskpipe.products.trades import Trades


class CreditDefaultSwap(Product):
    """Protection pays notional x (1 - recovery) on default; the premium accrues until then.

    Periods run backwards from maturity; their dates, and payments, are moved to the following business day, but
    protection and the last accrual end on the maturity date itself, as in the standard contract. Whether that date
    earns premium too, as it does there, `accrual_includes_maturity` says. The start date moves likewise, unless
    `start_convention` says that it is to be taken as given. Coupons dated after the valuation date count in full (the
    value is dirty).

    A default before protection starts ends the swap without payment. The protection buyer pays the upfront on the
    start date (its business day), or on `upfront_date`, whether or not the name has survived. Of a swap that is traded
    within a period the seller rebates the premium accrued so far on the same day.

    Notionals by date count for premium and protection of the periods that begin from then on. Where the recovery is
    fixed, protection pays notional x (1 - fixed recovery).

    `conventions.credit_model` is "midpoint" or "isda": see `riskpipe.products.credit_models`. By `credit_step_in` of
    "next_day", premium of periods whose accrual ends on the day after the valuation date or before is left out, as the
    standard model does for who buys the contract today: it is the holder's until then.
    """

    name = "credit_default_swap"
    version = 2
    columns = (
        *COMMON_COLUMNS,
        Column("reference_entity", "string", "names a hazard_rate curve"),
        *CURVE_COLUMNS,
        Column("notional", "number", "below zero turns the protection round"),
        *TERM_COLUMNS,
        Column(
            "fixed_recovery",
            "number",
            "agreed, in place of `recovery` (digital or recovery-locked); null: none",
            required=False,
            rule="nonnegative",
        ),
        *NOTIONAL.columns(),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        return [
            *contract_faults(trades, as_of),
            *certain_recovery(trades, "fixed_recovery"),
            *NOTIONAL.faults(trades),
        ]

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        return (
            Need("discount", ("zero_rate",), trades.labels("discount_curve")),
            Need("credit", ("hazard_rate",), trades.labels("reference_entity")),
        )

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        return 0.3 + 0.25 * remaining_periods(trades, "start_date", "frequency", as_of)

    def pricing_order(self, trades: Trades) -> NDArray[np.int32]:
        return by_coupon_phase(trades)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        recovery = trades.numbers("recovery")
        if trades.has("fixed_recovery"):
            fixed = trades.numbers("fixed_recovery")
            recovery = np.where(np.isnan(fixed), recovery, fixed)
        side = np.where(trades.is_one("protection", "buy"), 1.0, -1.0)
        return valued(contracts_of(trades, model, trades.labels("reference_entity"), 1.0 - recovery, side), model)
