"""Credit default swap on a single name: protection against a running spread and an upfront payment."""

from __future__ import annotations

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
from riskpipe.products.credit_models import Contracts, Coupons, isda_legs, midpoint_legs
from riskpipe.products.flows import Amounts
from riskpipe.products.schedule_columns import (
    by_coupon_phase,
    calendar_column,
    day_count_column,
    frequency_column,
    remaining_periods,
    schedule_faults,
)
from riskpipe.products.trades import Trades
from riskpipe.products.validation import rows_fault, unknown_currencies

_MODELS = {"midpoint": midpoint_legs, "isda": isda_legs}
_START_CONVENTIONS = ("following", "unadjusted")


class CreditDefaultSwap(Product):
    """Protection pays notional x (1 - recovery) on default; the premium accrues until then.

    Periods run backwards from maturity; their dates, and payments, are moved to the following business day, but
    protection and the last accrual end on the maturity date itself, as in the standard contract. Whether that date
    earns premium too, as it does there, `accrual_includes_maturity` says. The start date moves likewise, unless
    `start_convention` says that it is to be taken as given. Coupons dated after the valuation date count in full (the
    value is dirty). The protection buyer pays the upfront on the start date (its business day), if still to come.

    `conventions.credit_model` is "midpoint" or "isda": see `riskpipe.products.credit_models`. By `credit_step_in` of
    "next_day", premium of periods whose accrual ends on the day after the valuation date or before is left out, as the
    standard model does for who buys the contract today: it is the holder's until then.
    """

    name = "credit_default_swap"
    version = 2
    columns = (
        *COMMON_COLUMNS,
        Column("reference_entity", "string", "names a hazard_rate curve"),
        Column("currency", "string", "of the notional and the present value"),
        Column("discount_curve", "string", "zero_rate curve that discounts all flows"),
        Column("notional", "number", "below zero turns the protection round"),
        Column("protection", "string", "bought or sold", choices=("buy", "sell")),
        Column("spread", "number", "running premium, decimal a year"),
        Column("upfront", "number", "fraction of the notional that the buyer pays on the start date"),
        Column("recovery", "number", "fraction of the notional", rule="nonnegative"),
        Column("start_date", "date", "protection and premium begin"),
        Column("maturity_date", "date", "last day of protection"),
        frequency_column("frequency", "of the premium"),
        day_count_column("day_count", "of the premium"),
        calendar_column(),
        Column(
            "accrual_includes_maturity",
            "boolean",
            "the last period is a day longer, as in the standard contract; unless given, it is not",
            required=False,
        ),
        Column(
            "start_convention",
            "string",
            "what moves the start date, from which protection and premium run; unless given, following",
            required=False,
            choices=_START_CONVENTIONS,
        ),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        certain = trades.numbers("recovery") >= 1.0
        return [
            *unknown_currencies(trades, "currency"),
            *rows_fault("recovery", "below_one", certain, "recovery must be below one"),
            *schedule_faults(trades, "start_date", as_of, Labels.constant("following", len(trades))),
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
        name = model.conventions.credit_model
        if name not in _MODELS:
            raise ValueError(f"unknown credit model {name!r}: one of {', '.join(_MODELS)}")
        return _MODELS[name](_contracts(trades, model), model)


def _contracts(trades: Trades, model: MarketModel) -> Contracts:
    as_of = model.as_of
    start, maturity = trades.days("start_date"), trades.days("maturity_date")
    calendar, n = trades.labels("calendar"), len(trades)
    following = Labels.constant("following", n)
    as_given = trades.is_one("start_convention", "unadjusted")
    start_convention = Labels(as_given.astype(np.int32), _START_CONVENTIONS)
    periods = schedule(
        start,
        maturity,
        trades.labels("frequency"),
        Adjustment(calendar, following, start_convention, Labels.constant("unadjusted", n)),
        # one period more than needed: its payment may move beyond today
        after=as_of - LONGEST_ADJUSTMENT,
    )
    trade = periods.trades
    day_count = trades.labels("day_count").take(trade)
    paid = adjust(periods.end, calendar.take(trade), "following")
    extra = (trades.flags("accrual_includes_maturity")[trade] & (periods.end == maturity[trade])).astype(np.int32)
    tau = year_fraction(periods.start, periods.end + extra, day_count)
    due = np.flatnonzero(paid > as_of)
    bought = np.where(trades.is_one("protection", "buy"), 1.0, -1.0) * trades.numbers("notional")
    begins = adjust(start, calendar, following)
    upfront = Amounts(np.arange(n), begins, -bought * trades.numbers("upfront"))
    premium = (-bought * trades.numbers("spread"))[trade]
    if model.conventions.credit_step_in == "next_day":
        premium = np.where(periods.end + extra > as_of + 1, premium, 0.0)
    return Contracts(
        curve=trades.labels("discount_curve"),
        credit=trades.labels("reference_entity"),
        start=np.where(as_given, start, begins).astype(np.int32),
        maturity=maturity,
        loss=bought * (1.0 - trades.numbers("recovery")),
        coupons=Coupons(
            trade[due],
            periods.start[due],
            periods.end[due],
            paid[due],
            day_count.take(due),
            tau[due],
            extra[due],
            premium[due],
        ),
        upfront=upfront.where((begins > as_of) & (upfront.amount != 0.0)),
    )
