"""What is said of terms of credit default swaps that cannot be."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from riskpipe.products.base import Product
from riskpipe.products.credit_default_swap import CreditDefaultSwap
from riskpipe.products.index_cds import IndexCds
from riskpipe.products.trades import Trades
from riskpipe.products.validation import canonical, check_rows

AS_OF = (date(2026, 11, 20) - date(1970, 1, 1)).days
SINGLE, INDEX = CreditDefaultSwap(), IndexCds()
TERMS: dict[str, Any] = {
    "trade_id": "C1",
    "book": "credit",
    "reference_entity": "ACME",
    "index": "CDX",
    "currency": "USD",
    "discount_curve": "USD.SOFR",
    "notional": 1e7,
    "protection": "buy",
    "spread": 0.01,
    "upfront": 0.0,
    "recovery": 0.4,
    "start_date": date(2026, 9, 20),
    "maturity_date": date(2031, 12, 20),
    "frequency": "3M",
    "day_count": "ACT/360",
    "calendar": "USNY",
}


def swap(product: Product, **said: Any) -> Trades:
    return Trades(canonical(pa.table({name: [value] for name, value in {**TERMS, **said}.items()}), product))


def messages(product: Product, **said: Any) -> list[str]:
    trades = swap(product, **said)
    return [fault.message for fault in [*check_rows(trades, product), *product.validate(trades, AS_OF)]]


@pytest.mark.parametrize("product", [SINGLE, INDEX], ids=lambda product: product.name)
@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"protection_start": date(2026, 9, 19)}, "protection_start is before start_date"),
        ({"protection_start": date(2031, 12, 21)}, "protection_start is after maturity_date"),
        ({"upfront_date": date(2031, 12, 21)}, "upfront_date is after maturity_date"),
        ({"rebates_accrual": True}, "trade_date is null, but rebates_accrual"),
        ({"rebates_accrual": True, "trade_date": date(2031, 12, 20)}, "trade_date is not before maturity_date"),
        ({"recovery": 1.0}, "recovery must be below one"),
    ],
)
def test_terms_of_both(product: Product, said: dict[str, Any], message: str) -> None:
    assert messages(product, **said) == [message]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"fixed_recovery": 1.0}, "fixed_recovery must be below one"),
        ({"fixed_recovery": -0.1}, "fixed_recovery must not be negative"),
        ({"notionals": [1e6]}, "notionals and notional_dates are not as many"),
        (
            {"notionals": [1e6, 1e5], "notional_dates": [date(2028, 3, 20), date(2027, 3, 20)]},
            "notional_dates do not ascend",
        ),
    ],
)
def test_terms_of_single_names(said: dict[str, Any], message: str) -> None:
    assert messages(SINGLE, **said) == [message]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"factor": 1.01}, "factor must not be above one"),
        ({"factor": 0.0}, "factor must be above zero"),
        ({"valued_on": "constituents"}, "constituents are not given, on which the index is to be valued"),
        ({"valued_on": "constituent"}, "valued_on 'constituent' is unknown; is it 'constituents'?"),
        (
            {"constituents": ["A", "B"], "constituent_weights": [1.0]},
            "constituent_weights and constituents are not as many",
        ),
        (
            {"constituents": ["A"], "constituent_recoveries": [0.4, 0.4]},
            "constituent_recoveries and constituents are not as many",
        ),
        (
            {"constituents": ["A", "B"], "constituent_weights": [0.5, 0.4]},
            "constituent_weights do not add up to the factor of the index",
        ),
        (
            {"constituents": ["A", "B"], "constituent_weights": [1.5, -0.5]},
            "an element of constituent_weights must be above zero",
        ),
        ({"constituents": ["A"], "constituent_recoveries": [1.0]}, "constituent_recoveries must be below one"),
        ({"constituents": ["A", None]}, "an element of constituents is null"),
    ],
)
def test_terms_of_indices(said: dict[str, Any], message: str) -> None:
    assert messages(INDEX, **said) == [message]


def test_terms_that_can_be() -> None:
    terms = {"protection_start": date(2026, 11, 21), "rebates_accrual": True, "trade_date": date(2026, 11, 20)}
    weights = {"factor": 0.9, "constituents": ["A", "B"], "constituent_weights": [0.5, 0.4]}
    assert messages(SINGLE, **terms, fixed_recovery=0.0) == []
    assert messages(INDEX, **terms, **weights, valued_on="constituents") == []


def test_an_index_needs_the_curves_that_it_is_valued_on() -> None:
    tables = [swap(INDEX, constituents=["A", "B"], valued_on=on).table for on in ("index", "constituents")]
    needs = INDEX.requirements(Trades(pa.concat_tables(tables)), None)  # type: ignore[arg-type]
    wanted = [[need.labels.to_list()[k] for need in needs if need.role == "credit"] for k in range(2)]
    assert [[name for name in names if name] for names in wanted] == [["CDX"], ["A", "B"]]


def test_an_index_costs_as_much_as_its_constituents() -> None:
    tables = [swap(INDEX, constituents=["A", "B", "C"], valued_on=on).table for on in ("index", "constituents")]
    whole, apart = INDEX.weight(Trades(pa.concat_tables(tables)), AS_OF) - 0.3
    assert np.isclose(apart, 3.0 * whole)


def test_rolls_are_those_of_legs() -> None:
    assert messages(SINGLE, roll_convention="32")[0].startswith("roll_convention is EOM")
    assert messages(INDEX, first_regular_date=date(2032, 3, 20))[0].startswith("first_regular_date is not between")
    assert messages(SINGLE, roll_convention="20", date_generation="forward", stub="long") == []
