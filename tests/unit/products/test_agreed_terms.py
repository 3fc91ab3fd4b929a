"""Digests of trades' terms: equal where the trades are."""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from riskpipe.market.factors import days_of
from riskpipe.products.agreed_terms import AgreedTerms, agreed_terms
from riskpipe.products.catalogue import PRODUCTS
from riskpipe.products.trades import Trades
from riskpipe.products.validation import canonical

VARIANCE = {
    "trade_id": "V", "book": "a", "underlying": "SPX", "currency": "USD", "vega_notional": 1e4, "strike_vol": 0.2,
    "start_date": date(2026, 11, 2), "expiry_date": date(2027, 5, 3), "realised_variance": 0.03,
}  # fmt: skip


def terms(product: str, *rows: dict[str, Any]) -> AgreedTerms:
    of = next(each for each in PRODUCTS if each.name == product)
    return agreed_terms(of, Trades(canonical(pa.Table.from_pylist(list(rows)), of)))


@pytest.mark.parametrize(
    ("column", "value"),
    [("vega_notional", 1e4 + 1e-9), ("underlying", "SPY"), ("expiry_date", date(2027, 5, 4)), ("currency", "EUR")],
)
def test_other_terms_are_another_trade(column: str, value: Any) -> None:
    first, second = terms("variance_swap", VARIANCE, {**VARIANCE, column: value}).digest
    assert first != second


@pytest.mark.parametrize(
    ("column", "value"), [("book", "b"), ("trade_id", "W"), ("realised_variance", 0.05), ("counterparty", "CP")]
)
def test_what_is_carried_or_observed_has_no_part(column: str, value: Any) -> None:
    first = terms("variance_swap", VARIANCE).digest
    assert first == terms("variance_swap", {**VARIANCE, column: value}).digest


def test_columns_in_any_order_and_those_that_are_null() -> None:
    first = terms("bond", BOND).digest
    assert first == terms("bond", {name: BOND[name] for name in reversed(BOND)}).digest
    assert first == terms("bond", {**BOND, "ex_coupon_days": None, "credit_curve": None}).digest


BOND = {
    "trade_id": "B", "book": "a", "quantity": 5.0, "face": 1e3, "currency": "USD", "coupon": 0.04, "frequency": "6M",
    "day_count": "30/360", "issue_date": date(2024, 1, 5), "maturity_date": date(2030, 1, 5),
    "discount_curve": "USD.OIS", "calendar": "XNYS", "business_day_convention": "following",
}  # fmt: skip


def test_lists_count_with_their_order() -> None:
    days = [date(2027, 1, 5), date(2028, 1, 5)]
    made = [
        {**BOND, "notionals": notionals, "notional_dates": days}
        for notionals in ([900.0, 800.0], [800.0, 900.0], [900.0, 800.0], [900.0, 801.0])
    ]
    first, turned, same, other = terms("bond", *made).digest
    assert first == same
    assert len({first, turned, other, *terms("bond", BOND).digest}) == 4


def test_the_last_date() -> None:
    late = {**BOND, "notionals": [1.0], "notional_dates": [date(2031, 1, 5)]}
    found = terms("bond", {**BOND, "notionals": None, "notional_dates": None}, late).last_date
    assert found.tolist() == [days_of(date(2030, 1, 5)), days_of(date(2031, 1, 5))]
    cash = {"trade_id": "C", "book": "a", "currency": "USD", "amount": 1.0, "value_date": None}
    assert terms("cash_balance", cash).last_date.tolist() == [Trades.NO_DATE]
