"""Equity swaps and changing bonds of ORE's inputs."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from ore_inputs import fixed, floating, leg, rules, trade, write_inputs

from riskpipe.importers.book import Book
from riskpipe.importers.import_report import Report
from riskpipe.importers.ore.ore_inputs import read_ore

RULES = rules("2025-06-18", "2027-06-18", "6M")
RETURNS = (
    "<EquityLegData>{}<ReturnType>Price</ReturnType><InitialPrice>400</InitialPrice><Name>ACME</Name>"
    "<NotionalReset>{}</NotionalReset></EquityLegData>"
)


def read(tmp_path: Path, kind: str, data: str) -> tuple[Book, Report]:
    write_inputs(tmp_path, portfolio=f"<Portfolio>{trade('one', kind, f'<{kind}Data>{data}</{kind}Data>')}</Portfolio>")
    book, report, _ = read_ore(tmp_path)
    return book, report


@pytest.mark.parametrize(
    ("quantity", "resets", "expected"),
    [
        ("", "true", (25_000.0, None)),
        ("<Quantity>1000</Quantity>", "true", (1_000.0, None)),
        ("", "false", (None, 1e7)),
    ],
)
def test_returns_and_funding(
    tmp_path: Path, quantity: str, resets: str, expected: tuple[float | None, float | None]
) -> None:
    legs = leg("Equity", "true", RETURNS.format(quantity, resets), rules=RULES)
    legs += leg("Fixed", "false", fixed("0.04"), rules=RULES)
    book, _ = read(tmp_path, "EquitySwap", legs)

    returns, funding = book.rows
    assert (returns.product, funding.product) == ("equity_swap", "swap")
    assert (returns.values["direction"], returns.values["initial_price"]) == ("pay", 400.0)
    assert (returns.values.get("quantity"), returns.values.get("notional")) == expected
    assert funding.values["trade_id"] == "one.funding"


def test_total_returns_are_left_out(tmp_path: Path) -> None:
    data = RETURNS.format("", "true").replace(">Price<", ">Total<")
    _, report = read(tmp_path, "EquitySwap", leg("Equity", "true", data, rules=RULES))
    assert any("total returns" in entry.reason for entry in report.entries if entry.kind == "trade")


def test_a_bond_that_is_paid_off_and_steps_up(tmp_path: Path) -> None:
    steps = '<Rate>0.03</Rate><Rate startDate="2026-06-18">0.035</Rate>'
    coupons = leg("Fixed", "false", fixed("0.03").replace("<Rate>0.03</Rate>", steps), rules=RULES)
    paid = '<Notional startDate="2026-12-18">5000000</Notional></Notionals>'
    data = "<SecurityId>PAPER</SecurityId><ReferenceCurveId>EUR-ESTER</ReferenceCurveId>"
    book, _ = read(tmp_path, "Bond", data + coupons.replace("</Notionals>", paid))

    (row,) = book.rows
    assert (row.values["face"], row.values["notionals"]) == (1e7, [5e6])
    assert row.values["notional_dates"] == [date(2026, 12, 18)]
    assert (row.values["coupon"], row.values["coupons"]) == (0.03, [0.035])
    assert row.values["coupon_dates"] == [date(2026, 6, 18)]
    assert row.values["accrual_convention"] == "modified_following"


def test_a_note_with_a_gearing(tmp_path: Path) -> None:
    note = floating("EUR-EURIBOR-6M").replace(
        "</FloatingLegData>", "<Gearings><Gearing>0.8</Gearing></Gearings></FloatingLegData>"
    )
    data = "<SecurityId>PAPER</SecurityId><ReferenceCurveId>EUR-ESTER</ReferenceCurveId>"
    book, _ = read(tmp_path, "Bond", data + leg("Floating", "false", note, rules=RULES))

    (row,) = book.rows
    assert (row.product, row.values["gearing"], row.values["index"]) == ("floating_rate_note", 0.8, "EUR-EURIBOR-6M")
