"""What is said of faces and spreads of floating-rate notes that cannot be."""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from riskpipe.products.floating_rate_note import FloatingRateNote
from riskpipe.products.trades import Trades
from riskpipe.products.validation import canonical, check_rows

AS_OF = (date(2026, 11, 20) - date(1970, 1, 1)).days
LOAN: dict[str, Any] = {
    "trade_id": "L1",
    "book": "credit",
    "currency": "EUR",
    "index": "EUR.EURIBOR3M",
    "discount_curve": "EUR.ESTR",
    "quantity": 1.0,
    "face": 1e6,
    "spread": 0.02,
    "frequency": "3M",
    "day_count": "ACT/360",
    "issue_date": date(2026, 9, 15),
    "maturity_date": date(2030, 9, 15),
    "calendar": "TARGET",
    "business_day_convention": "modified_following",
}
DATES = [date(2027, 9, 15), date(2028, 9, 15)]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"notionals": [8e5], "notional_dates": DATES}, "notionals and notional_dates are not as many"),
        ({"notionals": [8e5, 6e5], "notional_dates": DATES[::-1]}, "notional_dates do not ascend"),
        ({"notionals": [8e5, -1.0], "notional_dates": DATES}, "an element of notionals must not be negative"),
        ({"spreads": [0.02]}, "spreads and spread_dates are not as many"),
        ({"spreads": [0.02, 0.03], "spread_dates": DATES[:1] * 2}, "spread_dates do not ascend"),
    ],
)
def test_each_has_its_message(said: dict[str, Any], message: str) -> None:
    product = FloatingRateNote()
    trades = Trades(canonical(pa.table({name: [value] for name, value in {**LOAN, **said}.items()}), product))
    faults = [*check_rows(trades, product), *product.validate(trades, AS_OF)]
    assert [fault.message for fault in faults] == [message]
