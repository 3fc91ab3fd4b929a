"""Money-market deposits and loans of one period."""

from __future__ import annotations

from riskpipe.products.base import COMMON_COLUMNS, Column
from riskpipe.products.cash_loan import DATE_COLUMNS, SIZE_COLUMNS, CashLoan
from riskpipe.products.schedule_columns import day_count_column


class Deposit(CashLoan):
    """notional x ((1 + rate x years) x D(maturity) - D(start)), for the lender; what is due today has been paid.

    Once it has started the repayment alone is left. Both dates are taken as they are. The credit of the borrower is not
    modelled beside what the discount curve has. One that pays interest in between, or that of an index, is a
    `floating_rate_note` or a `bond`.
    """

    name = "deposit"
    version = 1
    lends = "lend"
    columns = (
        *COMMON_COLUMNS,
        *SIZE_COLUMNS,
        Column("notional", "number", "below zero turns the direction round"),
        Column("direction", "string", "of the notional at the start", choices=("lend", "borrow")),
        Column("rate", "number", "decimal a year, simple interest"),
        day_count_column("day_count", "of the interest"),
        *DATE_COLUMNS,
    )
