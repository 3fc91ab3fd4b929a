"""Basis swaps: one floating rate against another in one currency."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from riskpipe.products.base import COMMON_COLUMNS, Column, RowFaults
from riskpipe.products.flat_legs import SIDES, of_sides, two_legs
from riskpipe.products.leg_columns import NOTIONAL
from riskpipe.products.leg_dates import date_columns, fixing_calendar_column
from riskpipe.products.observations import observation_columns
from riskpipe.products.schedule_columns import (
    calendar_column,
    convention_column,
    day_count_column,
    frequency_column,
    schedule_faults,
)
from riskpipe.products.steps import Stepped
from riskpipe.products.stub_rates import stub_columns
from riskpipe.products.swap import Swap
from riskpipe.products.trades import Nested, Trades
from riskpipe.products.validation import unknown_currencies

_SPREADS = {side: Stepped(f"{side}_spread", f"{side}_spreads", f"{side}_spread_dates") for side in SIDES}


def _side_columns(side: str, verb: str) -> tuple[Column, ...]:
    return (
        Column(f"{side}_index", "string", f"floating index that is {verb}"),
        Column(f"{side}_spread", "number", "decimal a year, added to the floating rate; null: 0", required=False),
        *_SPREADS[side].columns(quantity="spread"),
        *observation_columns(f"{side}_"),
        frequency_column(f"{side}_frequency", "of coupons; 1T pays once at maturity"),
        day_count_column(f"{side}_day_count", "of coupons"),
    )


class BasisSwap(Swap):
    """The floating leg received less the floating leg paid, of one notional that is not exchanged.

    Coupons are those of `interest_rate_swap`.
    """

    name = "basis_swap"
    version = 2
    columns = (
        *COMMON_COLUMNS,
        Column("currency", "string", "of the notional and the present value"),
        Column("discount_curve", "string", "zero_rate curve that discounts all flows"),
        Column("notional", "number", "below zero turns the direction round"),
        *_side_columns("receive", "received"),
        *_side_columns("pay", "paid"),
        Column("start_date", "date", "of the first period, before adjustment"),
        Column("maturity_date", "date", "end of the last period, before adjustment"),
        calendar_column(),
        convention_column(),
        *NOTIONAL.columns(),
        *(column for side in SIDES for column in date_columns(f"{side}_")),
        *(fixing_calendar_column(f"{side}_") for side in SIDES),
        *(column for side in SIDES for column in stub_columns(f"{side}_")),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        stepped = [fault for term in (NOTIONAL, *_SPREADS.values()) for fault in term.faults(trades)]
        return [
            *unknown_currencies(trades, "currency"),
            *schedule_faults(trades, "start_date", as_of, prefixes=("receive_", "pay_")),
            *stepped,
        ]

    def legs(self, trades: Trades) -> Nested:
        return two_legs(trades, {"leg_type": "floating"})

    def told(self, faults: Iterable[RowFaults], legs: Nested) -> Iterator[RowFaults]:
        return of_sides(faults, self.columns)
