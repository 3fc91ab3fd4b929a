"""Swaps, bonds and credit default swaps against values printed in books (rates_tables.csv)."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from riskpipe.products.bond import Bond
from riskpipe.products.credit_default_swap import CreditDefaultSwap
from riskpipe.products.interest_rate_swap import InterestRateSwap

TODAY = date(2025, 2, 15)
ROWS = list(csv.DictReader(Path(__file__).with_name("rates_tables.csv").open()))


def after(rates: Any, months: int) -> int:
    month = TODAY.month - 1 + months
    return int(rates.day_number(date(TODAY.year + month // 12, month % 12 + 1, TODAY.day)))


def common(row: dict[str, str], first: str, start: int, maturity: int) -> dict[str, list[Any]]:
    return {
        "currency": ["USD"],
        "discount_curve": ["ZERO"],
        first: [start],
        "maturity_date": [maturity],
        "calendar": ["weekends"],
        "business_day_convention": ["unadjusted"],
    }


def trade(rates: Any, row: dict[str, str], maturity: int) -> tuple[Any, dict[str, list[Any]]]:
    notional, rate = float(row["notional"]), float(row["rate"])
    if row["product"] == "interest_rate_swap":
        legs = {f"{leg}_{name}": [value] for leg in ("fixed", "float")
                for name, value in (("frequency", row["frequency"]), ("day_count", "30/360"))}  # fmt: skip
        return InterestRateSwap(), {
            **common(row, "start_date", after(rates, -3), maturity), **legs, "index": ["ZERO"],
            "notional": [notional], "direction": ["receive"], "fixed_rate": [rate], "float_spread": [0.0],
        }  # fmt: skip
    if row["product"] == "bond":
        return Bond(), {
            **common(row, "issue_date", after(rates, 0), maturity), "quantity": [1.0], "face": [notional],
            "coupon": [rate], "frequency": [row["frequency"]], "day_count": ["30/360"],
        }  # fmt: skip
    return CreditDefaultSwap(), {
        **common(row, "start_date", after(rates, 0), maturity), "reference_entity": ["NAME"],
        "notional": [notional], "protection": ["buy"], "spread": [rate], "upfront": [0.0],
        "recovery": [float(row["recovery"])], "frequency": [row["frequency"]], "day_count": ["30/360"],
    }  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=[row["product"] for row in ROWS])
def test_printed_value(rates: Any, row: dict[str, str]) -> None:
    as_of = after(rates, 0)
    months = [int(text) for text in row["months"].split(";")]
    days = [after(rates, m) for m in months]
    # the books' times are whole months: rates at our times with the same discount factors
    levels = [
        float(level) * (m / 12.0) / ((day - as_of) / 365.0)
        for level, m, day in zip(row["levels"].split(";"), months, days, strict=True)
    ]
    curves = {("zero_rate", "ZERO"): (days, levels)}
    if row["hazard"]:
        curves["hazard_rate", "NAME"] = (days, [float(row["hazard"])])
    fixings = {"ZERO": {after(rates, -3): float(row["running_fixing"])}} if row["running_fixing"] else {}
    # the fixing of a Saturday is that of the Friday before
    fixings = {name: {day - 1: value for day, value in of.items()} | of for name, of in fixings.items()}
    product, columns = trade(rates, row, days[-1])
    model = rates.Market(as_of, curves, fixings=fixings).model()
    value = product.prepare(rates.trades(product, columns), model).price(
        np.zeros(1, np.int32), model.snapshot.x0[:, None].copy()
    )
    assert value[0, 0] == pytest.approx(float(row["value"]), abs=float(row["tolerance"]))
