"""Repurchase agreements: cash against a bond that comes back."""

from __future__ import annotations

import numpy as np

from riskpipe.products.base import COMMON_COLUMNS, Column, RowFaults
from riskpipe.products.cash_loan import DATE_COLUMNS, SIZE_COLUMNS, CashLoan
from riskpipe.products.leg_date_faults import calendar_faults
from riskpipe.products.leg_dates import FIXING_CALENDAR, fixing_calendar_column
from riskpipe.products.observations import observation_columns
from riskpipe.products.schedule_columns import day_count_column
from riskpipe.products.trades import Trades
from riskpipe.products.validation import rows_fault


class Repo(CashLoan):
    """Value of the cash, for who lends it (reverse_repo): notional x ((1 + interest) x D(maturity) - D(start)).

    Interest is simple at `rate`, or that of an `index` over the whole term (an overnight one is compounded, unless the
    trade says otherwise) and a spread; what is due today has been paid. The collateral is not valued: its seller keeps
    its risk and its income, and has it among his own positions (GMRA 2011). Haircuts, margin calls and the default of
    either side are not modelled. An open repo ends on the first day on which it can be closed.
    """

    name = "repo"
    version = 1
    lends = "reverse_repo"
    columns = (
        *COMMON_COLUMNS,
        *SIZE_COLUMNS,
        Column("notional", "number", "purchase price: cash paid at the start; below zero turns the direction round"),
        Column(
            "direction",
            "string",
            "a repo sells the bond and borrows cash, a reverse repo lends it",
            choices=("repo", "reverse_repo"),
        ),
        Column("rate", "number", "pricing rate, decimal a year, simple; null: that of index", required=False),
        Column("index", "string", "floating index, mostly an overnight one; null: rate is fixed", required=False),
        Column("spread", "number", "decimal a year, added to the rate of index; null: 0", required=False),
        day_count_column("day_count", "of the interest"),
        *DATE_COLUMNS,
        *observation_columns(),
        fixing_calendar_column(),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        fixed, floats = ~np.isnan(trades.numbers("rate")), trades.labels("index").codes >= 0
        spread = ~np.isnan(trades.numbers("spread")) & ~floats
        both = "rate and index are both given: one of them says the interest"
        neither = "rate and index are both null: one of them says the interest"
        return [
            *super().validate(trades, as_of),
            *calendar_faults(trades, FIXING_CALENDAR),
            *rows_fault("rate", "one_rate", fixed & floats, both),
            *rows_fault("rate", "one_rate", ~fixed & ~floats, neither),
            *rows_fault("spread", "one_rate", spread, "spread is added to an index, and there is none"),
        ]
