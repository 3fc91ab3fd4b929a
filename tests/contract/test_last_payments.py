"""Products are alive, and worth what is to come, until its last payment: day by day from its last event on.

The market is flat, and what options pay is far from their strikes, so that from one day to the next no value may leap
before the payment is made. Holidays are London's Christmas of 2026: what falls due on Friday the 25th is paid on
Tuesday the 29th.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from curve_market import Rates, day_number, iso

from riskpipe.market.conventions import Conventions, IndexConvention
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.base import Product
from riskpipe.products.catalogue import PRODUCTS
from riskpipe.products.dependencies import dependencies

RATE, SIZE = 0.04, 1e6
SWAP_RATE = float(np.expm1(RATE))
START, BEFORE, DUE, PAID = date(2026, 6, 25), date(2026, 12, 22), date(2026, 12, 25), date(2026, 12, 29)
CONVENTIONS = Conventions(
    indices={"TERM": IndexConvention("TERM", "CURVE", day_count="30/360"), "RPI": IndexConvention("RPI", "RPI")}
)
PARTS = {"currency": "GBP", "discount_curve": "CURVE"}
DATES = {"start_date": START, "maturity_date": DUE, "calendar": "GBLO"}
ROLLS = {"business_day_convention": "following"}
SWAP = {
    **PARTS, **DATES, **ROLLS, "index": "TERM", "notional": SIZE, "direction": "pay", "fixed_rate": 0.0,
    "float_spread": 0.0, "fixed_frequency": "6M", "fixed_day_count": "30/360", "float_frequency": "6M",
    "float_day_count": "30/360",
}  # fmt: skip
NOTE = {
    **PARTS, **ROLLS, "quantity": 1.0, "face": SIZE, "frequency": "6M", "day_count": "30/360", "issue_date": START,
    "maturity_date": DUE, "calendar": "GBLO",
}  # fmt: skip
SHARE = {"underlying": "SHARE", "currency": "GBP", "quantity": 1e4, "strike": 50.0, "expiry_date": PAID}
OIL = {"underlying": "OIL", "currency": "USD", "quantity": 1e4, "strike": 50.0}
LISTED = {"underlying": "OIL", "currency": "USD", "quantity": 10.0, "contract_size": 1e3, "expiry_date": PAID}
PAIR = {
    "pair": "EURUSD", "option_type": "call", "strike": 0.5, "notional": SIZE, "expiry_date": BEFORE,
    "delivery_date": PAID,
}  # fmt: skip
BARRIER = {"barrier_type": "up_in", "barrier": 0.9, "rebate": 0.0, "knocked": True}
CROSS = {
    f"{side}_{name}": each
    for side in ("receive", "pay")
    for name, each in {
        "notional": SIZE, "index": None, "spread": None, "fixed_rate": 0.0, "discount_curve": "CURVE",
        "frequency": "6M", "day_count": "30/360",
    }.items()
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A trade of each product.

    :param amount: what it pays last, in its currency; `paid` when.
    :param last_event: the day from which on it is known, or nothing but time is left.
    :param pays_on_expiry: it is worth what it pays on the day itself, too: an option that expires is alive.
    """

    row: dict[str, Any]
    amount: float
    last_event: date = DUE
    paid: date = PAID
    pays_on_expiry: bool = False


def option(row: dict[str, Any], amount: float) -> Case:
    return Case(row, amount, BEFORE, PAID, pays_on_expiry=True)


CASES = {
    "fx_forward": Case(
        {"buy_currency": "EUR", "buy_amount": SIZE, "sell_currency": "USD", "sell_amount": 0.5 * SIZE,
         "delivery_date": PAID},
        0.6 * SIZE,
        BEFORE,
    ),
    "fx_swap": Case(
        {"buy_currency": "USD", "sell_currency": "EUR", "near_buy_amount": SIZE, "near_sell_amount": SIZE,
         "far_buy_amount": SIZE, "far_sell_amount": 0.5 * SIZE, "near_date": BEFORE, "far_date": PAID},
        SIZE * (1.0 - 0.5 / 1.1),
        BEFORE + timedelta(2),
    ),
    "ndf": Case(
        {"buy_currency": "EUR", "buy_amount": SIZE, "sell_currency": "USD", "sell_amount": 0.5 * SIZE,
         "settlement_currency": "USD", "fixing_date": BEFORE, "delivery_date": PAID},
        0.6 * SIZE,
        BEFORE,
    ),
    "fx_option": Case(PAIR, 0.6 * SIZE, BEFORE),
    "fx_barrier_option": Case({**PAIR, **BARRIER}, 0.6 * SIZE, BEFORE),
    "fx_touch": option(
        {"pair": "EURUSD", "touch_type": "one_touch", "level": 1.2, "payout": SIZE, "payout_currency": "USD",
         "expiry_date": PAID, "touched": True},
        SIZE,
    ),
    "equity_forward": option(SHARE, 5e5),
    "equity_option": option({**SHARE, "option_type": "call", "exercise": "european"}, 5e5),
    "equity_barrier_option": option({**SHARE, **BARRIER, "barrier": 60.0, "option_type": "call"}, 5e5),
    "equity_asian_option": option(
        {**SHARE, "option_type": "call", "averaging": "arithmetic", "fixing_start": BEFORE, "fixing_frequency": "1T",
         "fixings_done": 0.0, "running_average": None},
        5e5,
    ),
    "variance_swap": option(
        {"underlying": "SHARE", "currency": "GBP", "vega_notional": 1e4, "strike_vol": 0.1, "start_date": START,
         "expiry_date": PAID, "realised_variance": 0.25},
        100.0 * 1e4 / 0.2 * (0.25 - 0.01),
    ),
    "commodity_forward": Case({**OIL, "delivery_date": PAID}, 3e5, BEFORE),
    "commodity_option": option(
        {**OIL, "option_type": "call", "expiry_date": PAID, "delivery_date": PAID, "model": None}, 3e5
    ),
    "commodity_future": option({**LISTED, "reference_price": 50.0, "delivery_date": PAID}, 3e5),
    "fx_future": option(
        {"pair": "EURUSD", "quantity": 10.0, "contract_size": 1e5, "reference_price": 0.5, "expiry_date": PAID,
         "delivery_date": PAID},
        0.6 * SIZE,
    ),
    "interest_rate_future": option(
        {"currency": "GBP", "index": "TERM", "quantity": 10.0, "point_value": 2500.0, "reference_price": 50.0,
         "expiry_date": PAID, "start_date": date(2026, 12, 31), "maturity_date": date(2027, 6, 30),
         "day_count": "30/360"},
        25_000.0 * (50.0 - 200.0 * float(np.expm1(RATE * 181 / 365))),
    ),
    "bond_future": option(
        {"currency": "GBP", "quantity": 10.0, "contract_size": 1e5, "reference_price": 50.0, "expiry_date": PAID,
         "delivery_date": PAID, "conversion_factor": 1.0, "discount_curve": "CURVE", "coupon": 0.05, "frequency": "6M",
         "day_count": "30/360", "issue_date": START, "maturity_date": date(2036, 6, 25), "calendar": "GBLO", **ROLLS},
        1e4 * (100.0 * np.exp(-RATE * 9.5) + 2.5 * np.exp(-RATE * 0.5 * np.arange(1, 20)).sum() - 50.0),
    ),
    "future_option": option(
        {**LISTED, "strike": 50.0, "delivery_date": PAID, "option_type": "call", "exercise": "european",
         "margining": "premium"},
        3e5,
    ),
    "commodity_average_option": Case(
        {"underlying": "OIL", "currency": "USD", "quantity": 1e4, "option_type": "call", "strike": 50.0,
         "start_date": BEFORE, "maturity_date": DUE, "frequency": "1T", "calendar": "GBLO"},
        3e5,
    ),
    "equity_swap": Case(
        {"underlying": "SHARE", "currency": "GBP", "direction": "receive", "notional": SIZE, "return_type": "price",
         "initial_price": 50.0, "frequency": "6M", "funding_fixed_rate": 0.0, "funding_day_count": "30/360", **DATES,
         **ROLLS},
        SIZE,
    ),
    "commodity_swap": Case(
        {"underlying": "OIL", "currency": "USD", "quantity": 1e4, "fixed_price": 50.0, "start_date": BEFORE,
         "maturity_date": DUE, "frequency": "1T", "calendar": "GBLO"},
        3e5,
    ),
    "interest_rate_swap": Case(SWAP, 0.05 * 184 / 360 * SIZE),
    "basis_swap": Case(
        {**PARTS, **DATES, **ROLLS, "notional": SIZE, "pay_spread": -0.05,
         **{f"{side}_{name}": each for side in ("receive", "pay")
            for name, each in {"index": "TERM", "frequency": "6M", "day_count": "30/360"}.items()}},
        0.05 * 184 / 360 * SIZE,
    ),
    "cross_currency_swap": Case(
        {**CROSS, "receive_currency": "GBP", "pay_currency": "USD", "exchange_notionals": True, **DATES, **ROLLS},
        0.25 * SIZE,
    ),
    "fra": Case(
        {**PARTS, "index": "TERM", "notional": SIZE, "direction": "pay", "rate": 0.0, "start_date": PAID,
         "maturity_date": date(2027, 6, 29), "day_count": "30/360"},
        SIZE * (1.0 - np.exp(-RATE * 182 / 365)),
        BEFORE,
    ),
    "cap_floor": Case(
        {**PARTS, **DATES, "index": "TERM", "notional": SIZE, "option_type": "cap", "strike": 0.0, "frequency": "6M",
         "day_count": "30/360", "volatility": "RATES", "model": "bachelier", "shift": None},
        0.05 * 184 / 360 * SIZE,
    ),
    "swaption": Case(
        {**SWAP, "start_date": DUE, "maturity_date": date(2027, 12, 29), "fixed_frequency": "1Y", "expiry_date": BEFORE,
         "settlement": "cash", "volatility": "RATES", "model": "bachelier", "shift": None},
        SIZE * SWAP_RATE / (1.0 + SWAP_RATE),
        BEFORE,
    ),
    "bond": Case({**NOTE, "coupon": 0.05, "settlement_days": None, "credit_curve": "ACME"}, 1.025 * SIZE),
    "floating_rate_note": Case(
        {**NOTE, "index": "TERM", "spread": 0.0, "settlement_days": None, "credit_curve": "ACME"},
        SIZE * (1.0 + 0.05 * 184 / 360),
    ),
    "credit_default_swap": Case(
        {**PARTS, **DATES, "reference_entity": "ACME", "notional": SIZE, "protection": "sell", "spread": 0.05,
         "upfront": 0.0, "recovery": 0.4, "frequency": "6M", "day_count": "30/360"},
        0.025 * SIZE,
    ),
    "index_cds": Case(
        {**PARTS, **DATES, "index": "ACME", "notional": SIZE, "factor": 0.5, "protection": "sell", "spread": 0.05,
         "upfront": 0.0, "recovery": 0.4, "frequency": "6M", "day_count": "30/360"},
        0.0125 * SIZE,
    ),
    "inflation_bond": Case(
        {**NOTE, "index": "RPI", "base_index": 100.0, "coupon": 0.0, "settlement_days": None}, 1.5 * SIZE, BEFORE
    ),
    "deposit": Case(
        {**PARTS, "notional": SIZE, "direction": "lend", "rate": 0.05, "day_count": "30/360", "start_date": START,
         "maturity_date": PAID},
        (1.0 + 0.05 * 184 / 360) * SIZE,
    ),
    "repo": Case(
        {**PARTS, "notional": SIZE, "direction": "reverse_repo", "index": "TERM", "spread": 0.01, "day_count": "30/360",
         "start_date": START, "maturity_date": PAID},
        (1.0 + 0.06 * 184 / 360) * SIZE,
    ),
    "forward_bond": Case(
        {**NOTE, "coupon": 0.05, "maturity_date": date(2036, 6, 25), "delivery_date": PAID, "price": 50.0,
         "price_type": "clean"},
        SIZE * (np.exp(-RATE * 9.5) + 0.025 * np.exp(-RATE * 0.5 * np.arange(1, 20)).sum() - 0.5),
        BEFORE,
    ),
    "bond_total_return_swap": Case(
        {**NOTE, "coupon": 0.05, "maturity_date": date(2036, 6, 25), "start_date": START, "end_date": DUE,
         "direction": "receive", "initial_price": 50.0, "return_frequency": "1T", "funding_fixed_rate": 0.0,
         "funding_day_count": "30/360"},
        SIZE * (np.exp(-RATE * 9.5) + 0.025 * np.exp(-RATE * 0.5 * np.arange(0, 20)).sum() - 0.5),
        BEFORE,
    ),
    "inflation_swap": Case(
        {**PARTS, "index": "RPI", "notional": SIZE, "direction": "pay", "fixed_rate": 0.0, "base_index": 100.0,
         "start_date": START, "maturity_date": PAID},
        0.5 * SIZE,
        BEFORE,
    ),
}  # fmt: skip

of_every_case = pytest.mark.parametrize("product", [p for p in PRODUCTS if p.name in CASES], ids=lambda p: p.name)


def model_of(day: date) -> MarketModel:
    as_of = day_number(day)
    far = "2030-01-01"
    rows = [("zero_rate", name, far, RATE) for name in ("CURVE", "GBP.OIS", "USD.OIS", "EUR.OIS")]
    rows += [("hazard_rate", "ACME", far, 1e-4), ("inflation_zero", "RPI", far, 0.0)]
    rows += [("spot", "EURUSD", None, 1.1), ("spot", "GBPUSD", None, 1.25), ("spot", "SHARE", None, 100.0)]
    rows += [("forward_price", "OIL", far, 80.0), ("dividend_yield", "SHARE", far, RATE)]
    rows += [("black_vol", name, far, 0.5) for name in ("SHARE", "OIL")]
    rows += [("fx_vol", "EURUSD", far, 0.1), ("normal_vol", "RATES", far, 0.005)]
    rows += [("index_fixing", "RPI", f"2026-{month:02d}-01", 150.0) for month in range(1, 12)]
    past = [("OIL", BEFORE + timedelta(k), 80.0) for k in range(3)]
    past += [("TERM", START, 0.05), ("EURUSD", BEFORE, 1.1), ("TERM.SWAP.1Y", BEFORE, SWAP_RATE)]
    rows += [("fixing", name, iso(day_number(fixed)), level) for name, fixed, level in past if fixed < day]
    kind, name, tenor, value = zip(*rows, strict=True)
    factor = [":".join(part for part in row[:3] if part) for row in rows]
    table = pa.table({"factor": factor, "kind": kind, "name": name, "tenor": tenor, "value": value})
    return MarketModel(MarketSnapshot.from_table(table, as_of), CONVENTIONS)


def trades_of(product: Product, row: dict[str, Any]) -> Any:
    plain = {name: day_number(each) if isinstance(each, date) else each for name, each in row.items()}
    days = {name: pa.array([plain[name]], pa.int32()).cast(pa.date32()) for name in row if isinstance(row[name], date)}
    return Rates.trades(product, {name: [each] for name, each in plain.items()} | days)


def value(product: Product, row: dict[str, Any], day: date) -> float:
    trades, model = trades_of(product, row), model_of(day)
    assert product.validate(trades, model.as_of) == [], day
    assert dependencies(product, trades, model, "USD").faults == (), day
    x = model.snapshot.x0[:, None].copy()
    return float(product.prepare(trades, model).price(np.zeros(1, np.int32), x)[0, 0])


def days(first: date, last: date) -> list[date]:
    return [first + timedelta(k) for k in range((last - first).days + 1)]


def test_every_product_that_may_be_paid_after_its_last_event_has_its_case() -> None:
    """With one date alone, on which it ends and pays, there is nothing between."""
    several = {p.name for p in PRODUCTS if sum(column.kind == "date" for column in p.columns) > 1}
    assert several <= set(CASES) <= {product.name for product in PRODUCTS}


@of_every_case
def test_worth_what_is_to_come_until_it_is_paid(product: Product) -> None:
    case = CASES[product.name]
    until = case.paid if case.pays_on_expiry else case.paid - timedelta(1)
    for day in days(case.last_event - timedelta(2), until):
        expected = case.amount * np.exp(-RATE * (case.paid - day).days / 365.0)
        assert value(product, case.row, day) == pytest.approx(expected, rel=0.01), day


@of_every_case
def test_nothing_is_left_once_it_is_paid(product: Product) -> None:
    """Worth nothing on the day of payment (but for an option that expires on it), over on the next or worth nothing."""
    case = CASES[product.name]
    if not case.pays_on_expiry:
        assert value(product, case.row, case.paid) == 0.0
    after = case.paid + timedelta(1)
    faults = product.validate(trades_of(product, case.row), day_number(after))
    assert "not_past" in [fault.rule for fault in faults] or value(product, case.row, after) == 0.0
