"""A trade without a number under one scenario is left out of its books as a whole, however the scenarios were cut."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from published import assert_same_bits, published

from riskpipe.plan.selection import Selection
from riskpipe.products.base import Prepared
from riskpipe.products.fx_forward import FxForward
from riskpipe.runs.publication import Publication
from riskpipe.store.location import open_store
from riskpipe.store.run_folder import RunFolder
from riskpipe.workflows.report import content
from riskpipe.workflows.run import run


class _Fragile(Prepared):
    """FX forwards of which every tenth has no value where EUR is above its 90 % quantile of the tile's first run, and
    another tenth none where beside that nothing else moves."""

    def __init__(
        self, inner: Prepared, digit: NDArray[np.int64], factor: int, level: float, still: int, today: float
    ) -> None:
        """:param digit: the last one of each trade's id: whatever it is priced with, a trade fails or does not."""
        self.inner, self.digit, self.factor, self.level = inner, digit, factor, level
        self.still, self.today = still, today

    def price(self, rows, x):
        values = self.inner.price(rows, x)
        values[np.ix_(self.digit[rows] == 3, x[self.factor] > self.level)] = np.nan
        values[np.ix_(self.digit[rows] == 7, (x[self.factor] > self.level) & (x[self.still] == self.today))] = np.nan
        return values


@pytest.fixture
def fragile(monkeypatch):
    prepare = FxForward.prepare

    def prepare_fragile(self, trades, model):
        factor = model.snapshot.factor_index("spot:EURUSD")
        digit = np.array([int(trade_id[-1]) for trade_id in trades.trade_ids.to_pylist()])
        x0 = model.snapshot.x0
        still = next(g.start for g in model.snapshot.groups if g.kind == "zero_rate" and g.name.startswith("USD"))
        return _Fragile(prepare(self, trades, model), digit, factor, x0[factor] * 1.008, still, x0[still])

    monkeypatch.setattr(FxForward, "prepare", prepare_fragile)


def test_a_trade_failing_in_one_range_is_out_of_all(fragile, settings_of, recorder, tmp_path) -> None:
    by_class = "risk.by_class=[fx, rates]"
    whole = run(
        settings_of(by_class, output="whole"),
        Selection(),
        publication=Publication("always"),
        observer=recorder,
    )
    cut = run(
        settings_of(by_class, "partition.max_scenarios=40", output="cut"),
        Selection(),
        publication=Publication("always"),
        observer=recorder,
    )

    assert whole.state == cut.state == "partial"
    assert whole.failures_by_reason.keys() == {"NUMERICAL"}
    assert whole.failures_by_reason == cut.failures_by_reason  # trades, each once, however many blocks they failed in
    reported = [
        content(RunFolder(open_store(str(tmp_path / output)), status.run_id), settings_of(output=output))[0]["failures"]
        for output, status in (("whole", whole), ("cut", cut))
    ]
    assert [found["products"] for found in reported[0]] == [found["products"] for found in reported[1]]
    (shown,) = reported[1]
    assert sum(shown["products"].values()) == shown["trades"] == whole.failures_by_reason["NUMERICAL"]
    assert len({sample["trade_id"] for sample in shown["sample"]}) == len(shown["sample"])
    assert cut.blocks.planned > whole.blocks.planned
    rows = published(tmp_path / "whole", "aggregates").to_pylist()
    root = next(row for row in rows if row["level"] == 0 and row["measure"] == "var_99")
    assert 0 < root["failed_trades"] < root["trades"]
    assert_same_bits(tmp_path / "whole", tmp_path / "cut")
    vectors = published(tmp_path / "whole", "book_pnl").to_pylist()
    failed = {
        row["risk_class"]: row["failed_trades"]
        for row in vectors
        if row["level"] == 0 and row["scenario_set"] == "historical"
    }
    # What fails as a whole has no parts; what fails under one class is in the whole, and in what is left.
    assert 0 < failed["all"] == failed["rates"] < failed["fx"] == failed["cross"]
