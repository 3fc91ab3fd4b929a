"""Schedules that do not add up: one clear message each; trades that live until their last payment."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from riskpipe.products.bond import Bond
from riskpipe.products.leg_dates import leg_dates, says_dates
from riskpipe.products.trades import Trades
from riskpipe.products.validation import canonical, check_rows

EPOCH = date(1970, 1, 1)
AS_OF = date(2026, 11, 20)
BOND: dict[str, Any] = {
    "trade_id": "B1",
    "book": "rates",
    "currency": "EUR",
    "discount_curve": "EUR.OIS",
    "quantity": 1.0,
    "face": 100.0,
    "coupon": 0.03,
    "frequency": "6M",
    "day_count": "30/360",
    "issue_date": date(2025, 1, 15),
    "maturity_date": date(2030, 1, 15),
    "calendar": "TARGET",
    "business_day_convention": "following",
}


def messages(**said: Any) -> list[str]:
    trades = bond(**said)
    faults = [*check_rows(trades, Bond()), *Bond().validate(trades, (AS_OF - EPOCH).days)]
    return [fault.message for fault in faults]


def bond(**said: Any) -> Trades:
    return Trades(canonical(pa.table({name: [value] for name, value in {**BOND, **said}.items()}), Bond()))


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"roll_convention": "32"}, "roll_convention is EOM (the end-of-month rule), IMM (third Wednesdays) or a day"),
        ({"roll_convention": 0}, "roll_convention is EOM"),
        ({"roll_convention": "15", "frequency": "4W"}, "roll_convention is of periods of months: frequency is not"),
        ({"date_generation": "zero"}, "date_generation 'zero' is unknown"),
        ({"stub": "middle"}, "stub 'middle' is unknown"),
        ({"first_regular_date": date(2024, 7, 15)}, "first_regular_date is not between issue_date and maturity_date"),
        ({"last_regular_date": date(2030, 1, 15)}, "last_regular_date is not between issue_date and maturity_date"),
        (
            {"first_regular_date": date(2029, 7, 15), "last_regular_date": date(2025, 7, 15)},
            "first_regular_date is after last_regular_date",
        ),
        (
            {"first_regular_date": date(2025, 3, 15), "stub": "long"},
            "first_regular_date and stub both say where the odd period ends: leave one null",
        ),
        (
            {"last_regular_date": date(2029, 9, 15), "stub": "short", "date_generation": "forward"},
            "last_regular_date and stub both say where the odd period ends: leave one null",
        ),
        (
            {"first_regular_date": date(2025, 3, 16), "roll_convention": 15},
            "first_regular_date is not on the day of roll_convention: regular dates are given before adjustment",
        ),
        (
            {"last_regular_date": date(2029, 9, 18), "roll_convention": "IMM"},
            "last_regular_date is not on the day of roll_convention: regular dates are given before adjustment",
        ),
        (
            {"first_regular_date": date(2025, 3, 15), "frequency": "1T"},
            "first_regular_date splits a single period: frequency is 1T",
        ),
        ({"accrual_calendar": "MOON"}, "accrual_calendar: unknown calendar"),
        ({"payment_calendar": "MOON"}, "payment_calendar: unknown calendar"),
        ({"payment_convention": "later"}, "payment_convention 'later' is unknown"),
        ({"payment_lag": 1.5}, "payment_lag is a whole number of business days, at most 31"),
        ({"payment_lag": 32}, "payment_lag is a whole number of business days, at most 31"),
        ({"payment_lag": -1}, "payment_lag must not be negative"),
    ],
)
def test_schedules_that_do_not_add_up(said: dict[str, Any], message: str) -> None:
    (found,) = messages(**said)
    assert found.startswith(message)


@pytest.mark.parametrize(
    "said",
    [
        {"roll_convention": 15, "first_regular_date": date(2025, 3, 15), "last_regular_date": date(2029, 9, 15)},
        {"roll_convention": "IMM", "first_regular_date": date(2025, 3, 19)},
        {"roll_convention": "EOM", "stub": "long"},
        {"last_regular_date": date(2029, 9, 15), "stub": "long"},
        {"payment_lag": 31, "payment_calendar": "TARGET+USNY", "maturity_convention": "following"},
    ],
)
def test_schedules_that_do(said: dict[str, Any]) -> None:
    assert messages(**said) == []
    assert says_dates(bond(**said))


def test_a_trade_lives_until_its_last_payment() -> None:
    """Due on Tuesday the 17th, paid three business days later on Friday the 20th, or a day before that."""
    assert messages(maturity_date=date(2026, 11, 17), payment_lag=3) == []
    assert messages(maturity_date=date(2026, 11, 17), payment_lag=2) == ["maturity in the past"]
    assert messages(maturity_date=date(2026, 11, 17)) == ["maturity in the past"]


def test_columns_without_a_word_are_none() -> None:
    trades = bond(payment_lag=None, roll_convention=None)
    assert not says_dates(trades)
    dates = leg_dates(trades, start="issue_date")
    assert (dates.rolls, dates.payments) == (None, None)
    periods = dates.periods(0)
    assert periods.payment is periods.end
    assert np.array_equal(periods.trades, np.zeros(len(periods)))
