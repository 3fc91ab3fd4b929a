"""Legs of ORE's inputs that are fixed on other days than their index."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ore_inputs import floating, leg, rules, trade, write_inputs

from riskpipe.importers.ore.ore_inputs import read_ore
from riskpipe.market.factors import days_of


def test_a_leg_has_an_index_of_its_own(tmp_path: Path) -> None:
    own = floating("EUR-EURIBOR-6M").replace("<FixingDays>2", "<FixingDays>0")
    legs = leg("Floating", "false", own, rules=rules("2025-12-18", "2028-12-18", "6M"))
    legs += leg("Floating", "true", floating("EUR-EURIBOR-6M"), rules=rules("2025-12-18", "2028-12-18", "6M"))
    write_inputs(tmp_path, portfolio=f"<Portfolio>{trade('s', 'Swap', f'<SwapData>{legs}</SwapData>')}</Portfolio>")
    book, report, _ = read_ore(tmp_path)

    shifted, plain = (one["index"] for one in book.rows[0].values["legs"])
    assert (shifted, plain) == ("EUR-EURIBOR-6M.F0.7.20281218", "EUR-EURIBOR-6M")
    assert "fixing_lag" not in book.conventions["indices"][shifted]  # type: ignore[operator]
    assert any(entry.name == shifted and "fixed 0 days" in entry.reason for entry in report.entries)
    points = [point for point in book.points.values() if point["name"] == shifted and point["kind"] == "zero_rate"]
    assert [point["tenor"] for point in points][:2] == ["2025-12-18", "2026-06-18"]
    days = np.array([(days_of(np.datetime64(str(p["tenor"])).item()) - 20255) / 365.0 for p in points])
    logs = days * np.array([point["value"] for point in points])
    # Forwards of two days later: of the same size, and not the same.
    forwards = np.diff(logs) / np.diff(days)
    assert forwards == pytest.approx(np.full(6, 0.021), abs=0.004)
