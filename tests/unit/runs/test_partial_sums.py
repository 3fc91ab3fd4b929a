"""Book sums after failures, cuts along the scenarios and retries: what is published is what is summed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from desk import EURUSD, SPOT, Desk, MendedDesk, desk_book
from groups import small_groups
from msgspec.structs import asdict
from published import published
from selections import one_in
from valuations import settings_at

from riskpipe.config import Settings
from riskpipe.plan.accounting import RunStatus
from riskpipe.plan.selection import Selection, parse_selection
from riskpipe.products.base import Product
from riskpipe.products.catalogue import PRODUCTS, Catalogue
from riskpipe.runs.publication import Publication
from riskpipe.valuation.context import open_context
from riskpipe.workflows.retry import retry
from riskpipe.workflows.run import run

MEASURES = "measures=[pv, delta, gamma, stress]"
CUT = ("partition.max_scenarios=2", "partition.max_trades=4")
ROWS = [
    {"trade_id": "A", "book": "x", "quantity": 1.0},
    {"trade_id": "B", "book": "x", "quantity": 2.0, "behaviour": "nan when bumped"},
    {"trade_id": "C", "book": "x", "quantity": 4.0, "behaviour": "nan below 60"},
    {"trade_id": "D", "book": "y", "quantity": 8.0, "behaviour": "nan above 115"},
    {"trade_id": "E", "book": "y", "quantity": 16.0, "behaviour": "raises when priced"},
    {"trade_id": "F", "book": "y", "quantity": 32.0, "behaviour": "is nan"},
    {"trade_id": "G", "book": "y", "quantity": 64.0},
    {"trade_id": "H", "book": "y", "quantity": None},
]
MOVES = np.array([-50.0, 0.0, 20.0, 0.1 * SPOT, 0.0]) * np.array([EURUSD, 1.0, EURUSD, EURUSD, 1.0])


@pytest.fixture
def products(monkeypatch: pytest.MonkeyPatch) -> dict[str, Product]:
    """The catalogue of the test; change it to mend a product."""
    known = Catalogue()
    known.update({**{product.name: product for product in PRODUCTS}, "desk": Desk()})
    for room in ("riskpipe.inputs.opened", "riskpipe.runs.engine", "riskpipe.valuation.context"):
        monkeypatch.setattr(f"{room}.catalogue", lambda: known)
    open_context.cache_clear()
    return known


@pytest.fixture(autouse=True, params=[None, 2], ids=["few files", "merged by workers"])
def files_at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param:
        small_groups(monkeypatch, request.param)


@pytest.fixture
def book(tmp_path: Path, products: dict[str, Product]) -> Callable[..., Settings]:
    directory = desk_book(tmp_path / "book", ROWS)
    return lambda *assignments: settings_at(directory, tmp_path / "output", MEASURES, *assignments)


def _check_books(output: Path, failed: dict[str, set[str]]) -> None:
    """Sums, counts and vectors of every book against the trades that did not fail in that measure."""
    quantity = {row["trade_id"]: row["quantity"] for row in ROWS}
    books = {"x": set("ABC"), "y": set("DEFGH"), "": set("ABCDEFGH")}
    rows = published(output, "aggregates").to_pylist()
    for name, trades in books.items():
        for measure in ("pv", "stress"):
            mine = [row for row in rows if row["book"] == name and row["measure"] == measure]
            good = sum(quantity[t] for t in trades - failed[measure])
            expected = [good * SPOT * EURUSD] if measure == "pv" else good * MOVES
            np.testing.assert_allclose([row["value_base"] for row in mine], expected, rtol=1e-12, err_msg=name)
            assert {(row["trades"], row["failed_trades"]) for row in mine} == {
                (len(trades), len(trades & failed[measure]))
            }, (name, measure)
    moves = {row["book"]: row for row in published(output, "book_pnl").to_pylist()}
    assert list(moves) == ["", "x", "y"]
    for name, trades in books.items():
        row, good = moves[name], sum(quantity[t] for t in trades - failed["stress"])
        assert (row["scenario_set"], row["risk_class"]) == ("stress", "all")
        assert (row["trades"], row["failed_trades"]) == (len(trades), len(trades & failed["stress"]))
        if trades <= failed["stress"]:
            assert row["pnl"] is None
        else:
            np.testing.assert_allclose(row["pnl"], good * MOVES, rtol=1e-12, err_msg=name)
    vectors = {row["trade_id"]: row["pnl"] for row in published(output, "scenario_pnl").to_pylist()}
    assert {t for t, pnl in vectors.items() if pnl is None} == failed["stress"]
    for trade, pnl in vectors.items():
        if pnl is not None:
            np.testing.assert_allclose(pnl, quantity[trade] * MOVES, rtol=1e-12)
    values = {r["trade_id"]: r for r in published(output, "valuations").to_pylist() if r["measure"] == "pv"}
    assert sorted(values) == sorted(quantity)
    assert {t for t, row in values.items() if row["status"] == "failed"} == failed["pv"]


def _check_accounts(status: RunStatus, output: Path) -> None:
    assert status.numbers.balanced
    assert status.blocks.balanced
    (summary,) = (output / "runs").glob("*/summary.json")
    assert json.loads(summary.read_text())["numbers"] == asdict(status.numbers)


CUTS = [((),), (CUT,), (("partition.max_scenarios=1",),), (("partition.max_trades=1",),)]

BROKEN = {"pv": set("EFH"), "stress": set("CDEFH")}


@pytest.mark.parametrize("cut", one_in(2, CUTS))
def test_failed_trades_leave_the_books_however_the_work_is_cut(
    cut: tuple[str, ...], book: Callable[..., Settings], recorder: Any, tmp_path: Path
) -> None:
    """B fails in delta alone: its P&L stays, in every range of scenarios."""
    status = run(book(*cut), Selection(), publication=Publication("always"), observer=recorder)

    assert status.state == "partial"
    assert status.exit_code == 4
    _check_accounts(status, tmp_path / "output")
    _check_books(tmp_path / "output", BROKEN)


@pytest.mark.parametrize("cut", one_in(2, CUTS[::-1]))
def test_retry_with_mended_code_does_what_failed_and_sums_it_once(
    cut: tuple[str, ...], book: Callable[..., Settings], products: dict[str, Product], recorder: Any, tmp_path: Path
) -> None:
    first = run(book(*cut), Selection(), publication=Publication("always"), observer=recorder)
    products["desk"] = MendedDesk()
    open_context.cache_clear()

    status = retry(book(*cut), "latest", Selection(), recorder, publication=Publication("always"))

    only = {"H"}
    _check_accounts(status, tmp_path / "output")
    _check_books(tmp_path / "output", {"pv": only, "stress": only})
    assert first.numbers.ok > 0
    assert status.numbers.planned == first.numbers.planned
    assert status.numbers.failed == status.numbers.planned // len(ROWS), "the trade without quantity, and nothing else"
    assert status.failures_by_reason.keys() == {"INVALID_TRADE"}


def test_retries_of_one_trade_after_the_other(
    book: Callable[..., Settings], products: dict[str, Product], recorder: Any, tmp_path: Path
) -> None:
    run(book(*CUT), Selection(), publication=Publication("always"), observer=recorder)
    products["desk"] = MendedDesk()
    open_context.cache_clear()

    failed = {name: set(trades) for name, trades in BROKEN.items()}
    for trade in "FCEDB":
        status = retry(
            book(*CUT), "latest", parse_selection([f"trade:{trade}"]), recorder, publication=Publication("always")
        )
        for trades in failed.values():
            trades.discard(trade)
        _check_accounts(status, tmp_path / "output")
        _check_books(tmp_path / "output", failed)
    assert status.numbers.failed == status.numbers.planned // len(ROWS)


def test_a_retry_that_changes_nothing(book: Callable[..., Settings], recorder: Any, tmp_path: Path) -> None:
    first = run(book(*CUT), Selection(), publication=Publication("always"), observer=recorder)

    again = retry(book(*CUT), "latest", Selection(), recorder, publication=Publication("always"))

    _check_books(tmp_path / "output", BROKEN)
    assert again.numbers.failed == first.numbers.failed
    assert again.numbers.reused + again.numbers.ok == first.numbers.ok
    assert again.failures_by_reason == first.failures_by_reason
