"""Terms that change on dates."""

import datetime

import numpy as np
import pyarrow as pa
import pytest

from riskpipe.market.labels import Labels
from riskpipe.market.schedules import Adjustment, schedule
from riskpipe.products.steps import Stepped
from riskpipe.products.trades import Trades

NOTIONAL = Stepped("notional", "notionals", "notional_dates")


def date(text):
    return datetime.date.fromisoformat(text)


def day(text):
    return (date(text) - datetime.date(1970, 1, 1)).days


def trades(dates, values):
    columns = {"notional": [100.0] * len(values)}
    lists = pa.array([None if d is None else [date(t) for t in d] for d in dates], pa.list_(pa.date32()))
    return Trades(pa.table(columns | {"notionals": pa.array(values, pa.list_(pa.float64())), "notional_dates": lists}))


def periods(count, after=None):
    start = np.full(count, day("2026-01-31"), np.int32)
    maturity = np.full(count, day("2028-01-31"), np.int32)
    rule = Adjustment(Labels.constant("TARGET", count), Labels.constant("following", count))
    return schedule(start, maturity, Labels.constant("6M", count), rule, after=after)


def test_a_value_holds_from_the_period_that_begins_on_its_date():
    some = trades([["2026-07-31", "2027-07-31"], None, [], ["2025-01-01"]], [[80.0, 50.0], None, [], [70.0]])

    found = NOTIONAL.by_period(some, periods(4)).reshape(4, 4)

    assert found.tolist() == [[100, 80, 80, 50], [100] * 4, [100] * 4, [70] * 4]


def test_the_date_may_be_adjusted_or_not():
    """2027-01-31 is a Sunday; within a period the change waits for the next."""
    for when, expected in (("2027-01-31", 1), ("2027-02-01", 1), ("2027-02-02", 0), ("2027-01-15", 1)):
        some = trades([[when]], [[10.0]])
        found = NOTIONAL.by_period(some, periods(1))
        assert (found == 10.0).tolist() == [False, False, bool(expected), True]


def test_periods_that_are_over_do_not_matter():
    some = trades([["2026-07-31", "2027-07-31"]], [[80.0, 50.0]])

    assert NOTIONAL.by_period(some, periods(1, after=day("2027-03-01"))).tolist() == [80.0, 50.0]


def test_without_the_column_the_first_value_holds():
    plain = Trades(pa.table({"notional": [1.0, 2.0]}))

    assert NOTIONAL.by_period(plain, periods(2)).tolist() == [1.0] * 4 + [2.0] * 4
    assert NOTIONAL.faults(plain) == []


@pytest.mark.parametrize(
    ("dates", "values", "message"),
    [
        (
            [["2026-07-31"], ["2026-07-31", "2027-01-31"]],
            [[1.0], [1.0]],
            "notionals and notional_dates are not as many",
        ),
        ([None, ["2027-01-31", "2026-07-31"]], [None, [1.0, 2.0]], "notional_dates do not ascend"),
        ([None, ["2027-01-31", "2027-01-31"]], [None, [1.0, 2.0]], "notional_dates do not ascend"),
    ],
)
def test_lists_that_do_not_add_up(dates, values, message):
    (fault,) = NOTIONAL.faults(trades(dates, values))

    assert (fault.message, fault.rows.tolist()) == (message, [1])
