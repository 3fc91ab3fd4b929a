"""Trades' components from the scenarios of the tail alone: the bits that stored vectors give, whatever is asked for."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest
from msgspec.structs import replace
from published import numbers, published

from riskpipe.config import Settings, load_settings
from riskpipe.execute.serial_executor import SerialExecutor
from riskpipe.execute.task import Outcome
from riskpipe.plan.accounting import SilentObserver
from riskpipe.plan.selection import Selection
from riskpipe.runs import combining, tails
from riskpipe.runs.folded import fold
from riskpipe.runs.publication import Publication
from riskpipe.sample import write_sample
from riskpipe.store.ledger import read_ledger
from riskpipe.store.location import open_store
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.run_ids import list_runs
from riskpipe.valuation import recent_vectors, tail_components
from riskpipe.valuation.context import open_context
from riskpipe.valuation.priced_again import recorded
from riskpipe.valuation.tail_components import TailBlock
from riskpipe.workflows.analyse import analyse
from riskpipe.workflows.publish import publish
from riskpipe.workflows.run import run

SCENARIOS = 130
COMPONENTS = "risk.components={trades: 7, books: [rates, 'no/such*']}"
PRODUCTS = {"interest_rate_swap": 0.3, "fx_option": 0.3, "equity_option": 0.2, "bond": 0.2}


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("components") / "book"
    write_sample(directory, trades=48, scenarios=SCENARIOS, seed=3, products=PRODUCTS)
    return directory


@pytest.fixture(scope="module")
def settings(book: Path) -> Callable[..., Settings]:
    def make(output: Path, *assignments: str, of: Path = book) -> Settings:
        given = ("cluster.kind=serial", f"output={output}", "measures=[pv, historical_var]", *assignments)
        return load_settings(of / "riskpipe.yaml", assignments=given, environment={})

    return make


@pytest.fixture(scope="module")
def output(settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a run with the largest seven of two books."""
    directory = tmp_path_factory.mktemp("components") / "output"
    status = run(settings(directory, COMPONENTS), Selection(), observer=SilentObserver())
    assert status.messages == ("risk.components.books: no book is called no/such*",)
    return directory


def plain(pnl: np.ndarray, whole: np.ndarray, name: str) -> np.ndarray:
    """Components of trades, float64[n]: of the scenario that is the quantile, or of those from it on."""
    losses, n = -whole, len(whole)
    order = np.argsort(losses, kind="stable")
    confidence = {"var_99": 0.99, "es_97_5": 0.975}[name]
    at = math.ceil(round(n * confidence, 9)) - 1
    if name == "var_99":
        return -pnl[:, order[at]]
    share = dict.fromkeys(order[at + 1 :].tolist(), 1.0 / n / (1.0 - confidence))
    share[int(order[at])] = 1.0 - sum(share.values())
    total = np.zeros(len(pnl))
    for scenario in sorted(share):
        total -= share[scenario] * pnl[:, scenario]
    return total


def rows_of(output: Path, book: str, name: str) -> list[tuple[str, float]]:
    rows = published(output, "var_components").filter(pc.equal(pc.field("component_kind"), "trade")).to_pylist()
    return [(r["component"], r["component_base"]) for r in rows if (r["book"], r["name"]) == (book, name)]


def test_they_are_those_of_stored_vectors(output: Path) -> None:
    vectors = published(output, "scenario_pnl").filter(pc.equal(pc.field("scenario_set"), "historical")).to_pylist()
    books = sorted({row["book"].partition("/")[0] for row in vectors})
    assert len(books) > 1
    for book in ("", "rates"):
        mine = [row for row in vectors if not book or row["book"].startswith(f"{book}/") or row["book"] == book]
        assert mine
        whole = published(output, "book_pnl").to_pylist()
        (pnl,) = (np.array(r["pnl"]) for r in whole if (r["book"], r["scenario_set"]) == (book, "historical"))
        for name in ("var_99", "es_97_5"):
            components = plain(np.array([row["pnl"] for row in mine]), pnl, name)
            expected = {row["trade_id"]: value for row, value in zip(mine, components.tolist(), strict=True)}
            largest = sorted(expected.items(), key=lambda item: (-abs(item[1]), item[0]))
            assert rows_of(output, book, name) == largest[:7]
            (value,) = (
                r["value_base"] for r in published(output, "var").to_pylist() if (r["book"], r["name"]) == (book, name)
            )
            assert math.fsum(components) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("bytes_a_second", [1e-9, 1e15])
def test_they_are_the_same_read_of_files_and_priced_again(
    settings, output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bytes_a_second: float
) -> None:
    monkeypatch.setattr(recent_vectors, "KEPT_BYTES", 0)
    monkeypatch.setattr(tails, "READ_BYTES_A_SECOND", bytes_a_second)
    looked: list[bool] = []
    of_files = tail_components._read
    monkeypatch.setattr(tail_components, "_read", lambda *of: looked.append(True) or of_files(*of))
    run(settings(tmp_path / "output", COMPONENTS), Selection(), observer=SilentObserver())
    assert bool(looked) == (bytes_a_second > 1.0)
    assert numbers(tmp_path / "output", "var_components").equals(numbers(output, "var_components"))


def test_vectors_that_are_not_what_was_written_are_priced(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_vectors, "KEPT_BYTES", 0)
    store = open_store(str(output))
    folder = RunFolder(store, list_runs(store)[-1])
    done = fold(folder, read_ledger(folder))
    open_context.cache_clear()  # as in another process, which has not kept the vectors
    context, scenarios = open_context(*folder.place), np.arange(0, SCENARIOS, 7)
    for _, block in done.plan.blocks():
        files = tuple(map(recorded, tails._stored_vectors(done, block)))
        assert files
        (read,) = tail_components._under(context, TailBlock(block, (), files), scenarios)
        others = tuple(replace(file, sha256="0" * 64) for file in files)
        (priced,) = tail_components._under(context, TailBlock(block, (), others), scenarios)
        order, other = (np.argsort(each.trade_ids.to_pylist()) for each in (read, priced))
        assert (read.pnl[order] == priced.pnl[other]).all()
        assert len(order) == block.trades


@pytest.mark.parametrize("most", [1, 3, 8, 9])
def test_those_that_may_be_among_the_largest(most: int) -> None:
    components = np.array([1.0, -3.0, 3.0, 0.0, 2.0, -2.0, 2.0, 0.5])
    kept = tail_components._large(components, most).tolist()
    assert kept == {1: [1, 2], 3: [1, 2, 4, 5, 6]}.get(most, list(range(8)))


def test_an_analysis_again_keeps_those_of_figures_that_are_as_they_were(settings, output: Path, tmp_path: Path) -> None:
    shutil.copytree(output, tmp_path / "output")
    again = settings(tmp_path / "output")
    analyse(again, "var_components", "latest")
    assert numbers(tmp_path / "output", "var_components").equals(numbers(output, "var_components"))

    figures = [
        {"name": "var_99", "kind": "var", "confidence": 0.99},
        {"name": "es_97_5", "kind": "es", "confidence": 0.975, "window": 100},
    ]
    analyse(settings(tmp_path / "output", f"risk.var={json.dumps(figures)}"), "var_components", "latest")
    assert len(rows_of(tmp_path / "output", "", "var_99")) == 7
    assert rows_of(tmp_path / "output", "", "es_97_5") == []


@pytest.mark.slow
def test_none_are_asked_for(settings, tmp_path: Path) -> None:
    run(settings(tmp_path / "output", "risk.components.trades=0"), Selection(), observer=SilentObserver())
    assert set(published(tmp_path / "output", "var_components")["component_kind"].to_pylist()) == {"book"}


class LastFirst(SerialExecutor):
    """Components come after the day's files; here before them, as they may on a cluster."""

    def refill(self) -> int:
        return 100 - self.running()

    def outcomes(self, timeout: float) -> list[Outcome]:
        self._waiting.rotate(1)
        return super().outcomes(timeout)


@pytest.mark.parametrize("executor", [SerialExecutor, LastFirst])
def test_a_day_is_published_without_them_when_its_trades_have_changed(
    settings, book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recorder: Any, executor: type[SerialExecutor]
) -> None:
    """They are priced again when a run is published that was not: the files may be others by then."""
    monkeypatch.setattr(combining, "SerialExecutor", executor)
    changed = tmp_path / "book"
    shutil.copytree(book, changed)
    mine = settings(tmp_path / "output", "scenario_pnl.historical=false", of=changed)
    status = run(mine, Selection(), publication=Publication("never"), observer=SilentObserver())
    (path,) = (changed / "data" / "portfolio" / "bond").glob("*.parquet")
    path.write_bytes(path.read_bytes() + b"changed")
    open_context.cache_clear()  # as in another process, which has not kept the vectors
    publish(mine, status.run_id, recorder)
    assert sum("components of trades were not made" in text for _, text in recorder.messages) == 1
    assert set(published(tmp_path / "output", "var_components")["component_kind"].to_pylist()) == {"book"}
    assert len(published(tmp_path / "output", "valuations")) == 48
