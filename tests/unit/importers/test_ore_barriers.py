"""Barriers, touches and digitals of ORE's inputs, and forwards that are settled in cash."""

from __future__ import annotations

from pathlib import Path

import ore_inputs
import pytest
from ore_inputs import trade, write_inputs

from riskpipe.importers.book import Book
from riskpipe.importers.import_report import Report
from riskpipe.importers.ore.ore_inputs import read_ore

OPTION = ore_inputs.OPTION.format("Long", "Call", "", "2027-03-16")
AMOUNTS = (
    "<BoughtCurrency>{}</BoughtCurrency><BoughtAmount>{}</BoughtAmount>"
    "<SoldCurrency>{}</SoldCurrency><SoldAmount>{}</SoldAmount>"
)
PAID = (
    "<ForeignCurrency>{}</ForeignCurrency><DomesticCurrency>{}</DomesticCurrency>"
    "<PayoffCurrency>EUR</PayoffCurrency><PayoffAmount>1000</PayoffAmount>"
)


def read(tmp_path: Path, kind: str, data: str, spot_days: str = "0") -> tuple[Book, Report]:
    conventions = ore_inputs.CONVENTIONS.replace("<SpotDays>2</SpotDays>", f"<SpotDays>{spot_days}</SpotDays>")
    one = trade("one", kind, f"<{kind}Data>{data}</{kind}Data>")
    write_inputs(tmp_path, conventions=conventions, portfolio=f"<Portfolio>{one}</Portfolio>")
    book, report, _ = read_ore(tmp_path)
    return book, report


def barrier(kind: str, level: str) -> str:
    return f"<BarrierData><Type>{kind}</Type><Levels><Level>{level}</Level></Levels></BarrierData>"


@pytest.mark.parametrize(
    ("amounts", "kind", "level", "expected"),
    [
        (("EUR", 1e6, "USD", 1.2e6), "UpAndOut", "1.3", ("call", 1.2, 1e6, "up_out", 1.3)),
        (("USD", 1.2e6, "EUR", 1e6), "UpAndOut", "0.9", ("put", 1.2, 1e6, "down_out", 1.0 / 0.9)),
    ],
)
def test_a_barrier_option(
    tmp_path: Path,
    amounts: tuple[str, float, str, float],
    kind: str,
    level: str,
    expected: tuple[str, float, float, str, float],
) -> None:
    book, _ = read(tmp_path, "FxBarrierOption", OPTION + barrier(kind, level) + AMOUNTS.format(*amounts))

    row = book.rows[0]
    names = ("option_type", "strike", "notional", "barrier_type", "barrier")
    assert (row.product, row.values["pair"]) == ("fx_barrier_option", "EURUSD")
    assert tuple(row.values[name] for name in names) == expected


@pytest.mark.parametrize(
    ("kind", "data", "touch", "level"),
    [
        ("FxTouchOption", barrier("UpAndIn", "1.3") + PAID.format("EUR", "USD"), "one_touch", 1.3),
        ("FxTouchOption", barrier("UpAndOut", "0.9") + PAID.format("USD", "EUR"), "no_touch", 1.0 / 0.9),
        ("FxDigitalOption", "<Strike>1.25</Strike>" + PAID.format("EUR", "USD"), "digital_call", 1.25),
        ("FxDigitalOption", "<Strike>0.8</Strike>" + PAID.format("USD", "EUR"), "digital_put", 1.25),
    ],
)
def test_a_payment(tmp_path: Path, kind: str, data: str, touch: str, level: float) -> None:
    late = OPTION.replace("<PayOffAtExpiry>false", "<PayOffAtExpiry>true")
    book, _ = read(tmp_path, kind, late + data)

    row = book.rows[0]
    assert (row.product, row.values["touch_type"], row.values["level"]) == ("fx_touch", touch, level)
    assert (row.values["payout"], row.values["payout_currency"]) == (1000.0, "EUR")


def test_a_forward_in_cash(tmp_path: Path) -> None:
    data = AMOUNTS.format("EUR", 1e6, "USD", 1.2e6) + "<ValueDate>2026-03-16</ValueDate><Settlement>Cash</Settlement>"
    book, _ = read(tmp_path, "FxForward", data)

    assert (book.rows[0].product, book.rows[0].values["settlement_currency"]) == ("ndf", "USD")


@pytest.mark.parametrize(
    ("data", "spot_days", "reason"),
    [
        (barrier("UpAndOut", "1.3") + "<StartDate>2025-01-02</StartDate>", "0", "watched before today"),
        (barrier("KnockOut", "1.3"), "0", "type KnockOut"),
        (barrier("UpAndOut", "1.3").replace("<Levels>", "<Style>European</Style><Levels>"), "0", "on the expiry alone"),
        (barrier("UpAndOut", "1.3"), "2", "has spot days"),
    ],
)
def test_what_is_left_out(tmp_path: Path, data: str, spot_days: str, reason: str) -> None:
    _, report = read(tmp_path, "FxBarrierOption", OPTION + data + AMOUNTS.format("EUR", 1e6, "USD", 1.2e6), spot_days)
    assert any(reason in entry.reason for entry in report.entries if entry.kind == "trade"), report.entries
