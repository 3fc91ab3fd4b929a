"""What commodity trades have for each calculation period: quantities, and prices from lists."""

from __future__ import annotations

from typing import Final

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.market.labels import Labels
from riskpipe.products.base import Column, RowFaults
from riskpipe.products.flows import Integers
from riskpipe.products.pricing_periods import Periods, periods_of, pricing_days, pricing_rule
from riskpipe.products.trades import Trades
from riskpipe.products.validation import rows_fault

PER_PERIOD, PER_PRICING_DAY, PER_CALENDAR_DAY = QUANTITY_PER = ("period", "pricing_day", "calendar_day")

QUANTITY_COLUMNS: Final = (
    Column("quantity_per", "string", "what quantity is of; null: period", required=False, choices=QUANTITY_PER),
    Column("quantities", "number", "one a period, in the place of quantity", required=False, many=True),
)


def unpaid(periods: Periods, underlying: Labels, as_of: int) -> Integers:
    """int64[k]: the periods of trades with an underlying that are paid after today."""
    return np.flatnonzero((periods.payment > as_of) & (underlying.codes[periods.trade] >= 0))


def per_period(trades: Trades, periods: Periods, many: str, one: str) -> FloatArray:
    """float64[periods]: from a list where the trade has one."""
    listed, values = trades.nested(many), trades.numbers(one)[periods.trade]
    given = np.diff(listed.offsets)[periods.trade] > 0
    values[given] = listed.rows.numbers(many)
    return values


def period_quantities(trades: Trades, periods: Periods) -> FloatArray:
    quantity = per_period(trades, periods, "quantities", "quantity")
    trade, days = periods.trade, (periods.last - periods.first + 1).astype(np.float64)
    quantity = np.where(trades.is_one("quantity_per", PER_CALENDAR_DAY)[trade], quantity * days, quantity)
    priced = trades.is_one("quantity_per", PER_PRICING_DAY)[trade]
    if priced.any():
        rows = np.flatnonzero(priced)
        rule, calendar = pricing_rule(trades).take(trade[rows]), trades.labels("calendar").take(trade[rows])
        offsets, _ = pricing_days(periods.first[rows], periods.last[rows], rule, calendar)
        quantity[rows] *= np.diff(offsets)
    return quantity


def list_faults(trades: Trades, rows: Integers, *columns: str) -> list[RowFaults]:
    """Lists that have not one element for each period, of trades whose periods there are."""
    periods = np.diff(periods_of(trades.take(rows)).offsets)
    faults: list[RowFaults] = []
    for column in columns:
        given = np.diff(trades.nested(column).offsets)[rows]
        wrong = np.zeros(len(trades), np.bool_)
        wrong[rows] = (given > 0) & (given != periods)
        message = f"{column} must have one element for each calculation period"
        if wrong.any():
            first = int(np.argmax((given > 0) & (given != periods)))
            message += f" (here {given[first]} for {periods[first]})"
        faults += rows_fault(column, "periods", wrong, message)
    return faults
