"""Books of trades that misbehave, planned and opened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from desk import Desk, desk_book
from valuations import OpenRun, open_run, settings_at

from riskpipe.products.catalogue import Catalogue
from riskpipe.valuation.context import open_context
from riskpipe.valuation.run_block import run_block

MEASURES = "measures=[pv, delta, gamma, vega, theta, bucketed_delta, stress]"
OpenDesk = Callable[..., OpenRun]


@pytest.fixture
def open_desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OpenDesk:
    """open_desk(rows, "partition.max_trades=2") plans a book of desk trades."""
    products = Catalogue()
    products["desk"] = Desk()
    for room in ("riskpipe.inputs.opened", "riskpipe.valuation.context"):
        monkeypatch.setattr(f"{room}.catalogue", lambda: products)
    open_context.cache_clear()

    def make(rows: Sequence[dict[str, Any]], *assignments: str) -> OpenRun:
        book = desk_book(tmp_path / "book", rows)
        return open_run(settings_at(book, tmp_path / "output", MEASURES, *assignments))

    return make


@pytest.fixture
def run_all() -> Callable[[OpenRun], dict[str, Any]]:
    """Values every block of a run: block id -> result."""
    return lambda run: {block.block_id: run_block(run.task(block)) for block in run.blocks}
