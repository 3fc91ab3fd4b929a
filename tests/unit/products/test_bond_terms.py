"""What bonds say beside coupon and maturity: faults of these columns, and their figures by hand."""

import datetime
import math

import numpy as np
import pyarrow as pa
import pytest
from curve_market import CurveMarket, day_number

from riskpipe.products.bond import Bond
from riskpipe.products.trades import Trades
from riskpipe.products.validation import canonical

PRODUCT = Bond()
TODAY = day_number(datetime.date(2026, 11, 20))
BOND = {
    "currency": "EUR",
    "discount_curve": "GOVT",
    "quantity": 1.0,
    "face": 100.0,
    "coupon": 0.04,
    "frequency": "1Y",
    "day_count": "ACT/ACT ICMA",
    "issue_date": datetime.date(2025, 11, 20),
    "maturity_date": datetime.date(2028, 11, 20),
    "calendar": "TARGET",
    "business_day_convention": "unadjusted",
}
DATES = [datetime.date(2026, 11, 20), datetime.date(2027, 11, 20)]


def trades_of(*rows):
    nothing = dict.fromkeys(name for row in rows for name in row)
    given = [{"trade_id": f"T{k}", "book": "desk", **nothing, **BOND, **row} for k, row in enumerate(rows)]
    return Trades(canonical(pa.Table.from_pylist(given), PRODUCT))


@pytest.mark.parametrize(
    ("column", "rule", "lists"),
    [
        ("notionals", "one_each", {"notionals": [50.0], "notional_dates": DATES}),
        ("notional_dates", "ascending", {"notionals": [50.0, 20.0], "notional_dates": DATES[::-1]}),
        ("coupons", "one_each", {"coupons": [0.05, 0.06], "coupon_dates": DATES[:1]}),
        ("coupon_dates", "ascending", {"coupons": [0.05, 0.06], "coupon_dates": DATES[::-1]}),
    ],
)
def test_lists_that_do_not_add_up(column, rule, lists):
    (fault,) = PRODUCT.validate(trades_of(lists), TODAY)

    assert (fault.column, fault.rule, fault.rows.tolist()) == (column, rule, [0])


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("ex_coupon_calendar", "MOON", "ex_coupon_calendar: unknown calendar"),
        ("ex_coupon_days", 367.0, "ex_coupon_days is a whole number, at most 366"),
    ],
)
def test_ex_coupon_terms_that_cannot_be(column, value, message):
    (fault,) = PRODUCT.validate(trades_of({column: value}, {}), TODAY)

    assert (fault.column, fault.rows.tolist()) == (column, [0])
    assert fault.message.startswith(message)


def model(rate):
    return CurveMarket(TODAY, {("zero_rate", "GOVT"): ([TODAY + 1, TODAY + 4000], [rate, rate])}).model()


def figures(trades, rate=0.03):
    at = model(rate)
    pv = PRODUCT.prepare(trades, at).price(np.arange(len(trades), dtype=np.int32), at.base)[:, 0]
    return pv, PRODUCT.figure_values(trades, at, pv, PRODUCT.figures)


def test_a_bond_by_hand():
    """Two coupons and the face, a year and two after today."""
    rate, price = 0.03, 99.0
    pv, found = figures(trades_of({"market_price": price}), rate)
    first, second = 4.0 * math.exp(-rate), 104.0 * math.exp(-rate * 731 / 365)

    assert pv[0] == pytest.approx(first + second, rel=1e-14)
    assert found["accrued"][0] == 0.0
    assert found["dirty_price"][0] == found["clean_price"][0] == pytest.approx(pv[0], rel=1e-14)
    growth = 1.0 + found["yield"][0]
    assert 4.0 / growth + 104.0 / growth**2 == pytest.approx(pv[0], rel=1e-14)
    duration = (4.0 / growth + 2 * 104.0 / growth**2) / pv[0] / growth
    assert found["modified_duration"][0] == pytest.approx(duration, rel=1e-13)
    spread = found["z_spread"][0]
    assert first * math.exp(-spread) + second * math.exp(-spread * 731 / 365) == pytest.approx(price, rel=1e-14)


def test_the_face_that_falls_is_paid_with_the_coupon_before():
    pv, found = figures(trades_of({"notionals": [40.0], "notional_dates": DATES[1:]}), 0.0)

    assert pv[0] == pytest.approx(4.0 + 60.0 + 1.6 + 40.0, rel=1e-15)
    assert found["dirty_price"][0] == pytest.approx(105.6, rel=1e-15)


def test_what_has_no_figure():
    """Nothing held; all paid before settlement; a price that no yield belongs to."""
    last = {"maturity_date": datetime.date(2026, 11, 23), "settlement_days": 3.0}
    pv, found = figures(trades_of({"quantity": 0.0}, last, {"coupon": -1.5}))

    assert pv[1] > 0.0 > pv[2]
    assert np.isnan([found[name][:2] for name in found]).all()
    assert np.isinf([found["yield"][2], found["modified_duration"][2]]).all()
    assert np.isfinite(found["clean_price"][2])
    assert np.isnan(found["z_spread"][2])


def test_figures_do_not_depend_on_other_trades():
    rows = [{"coupon": 0.01 * k, "settlement_days": float(k % 3), "market_price": 90.0 + k} for k in range(9)]
    _, all_ = figures(trades_of(*rows))

    for k, row in enumerate(rows):
        _, alone = figures(trades_of(row))
        assert all(alone[name][0] == all_[name][k] for name in alone)
