"""Reverse stresses in full: what a second run gives that has the moves as its scenarios, however the work is cut."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.compute as pc
import pytest
from published import assert_same_bits, published

from riskpipe.config import Settings, load_settings
from riskpipe.plan.accounting import RunStatus, SilentObserver
from riskpipe.plan.selection import Selection
from riskpipe.runs.publication import Publication
from riskpipe.sample import write_sample
from riskpipe.workflows.publish import publish
from riskpipe.workflows.run import run

ASKED = [
    {"name": "far", "loss": 2e6},
    {"name": "nobody", "book": "not/there", "loss": 1.0},
    {"name": "rates", "book": "rates", "loss": 3e5},
]
PRODUCTS = {"interest_rate_swap": 0.3, "fx_forward": 0.3, "equity_option": 0.2, "bond": 0.2}


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without quotes and smiles: what is made of others follows to first order, and is made anew of a file's."""
    directory = tmp_path_factory.mktemp("reverse") / "book"
    write_sample(directory, trades=48, scenarios=60, seed=3, products=PRODUCTS, quoted=False)
    return directory


@pytest.fixture(scope="module")
def valued(book: Path) -> Callable[..., RunStatus]:
    def make(output: Path, *assignments: str, of: Path = book, publication: str = "complete") -> RunStatus:
        settings = _settings(of, output, *assignments)
        return run(settings, Selection(), publication=Publication(publication), observer=SilentObserver())

    return make


def _settings(book: Path, output: Path, *assignments: str) -> Settings:
    asked = f"risk.reverse_stress={json.dumps(ASKED)}"
    given = ("cluster.kind=serial", f"output={output}", "measures=[pv, delta_gamma_var]", asked, *assignments)
    return load_settings(book / "riskpipe.yaml", assignments=given, environment={})


@pytest.fixture(scope="module")
def output(valued: Callable[..., RunStatus], tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("reverse") / "output"
    valued(directory)
    return directory


def test_a_run_of_the_moves_loses_as_much(valued: Callable[..., RunStatus], output: Path, tmp_path: Path) -> None:
    rows = published(output, "reverse_stress").to_pylist()
    found = {row["scenario"]: (row["book"], row["revalued_base"], row["failed_trades"]) for row in rows}
    assert found["nobody"] == ("not/there", None, None)
    (moves,) = (output / "published" / "reverse_stress").glob("*/*.parquet")
    valued(tmp_path / "output", "measures=[pv, stress]", f"inputs.scenarios={moves}", "stress={}")
    scenarios = published(tmp_path / "output", "scenarios").filter(pc.field("scenario_set") == "stress").to_pylist()
    index = {row["scenario"]: row["index"] for row in scenarios}
    pnl = {row["book"]: row["pnl"] for row in published(tmp_path / "output", "book_pnl").to_pylist()}
    for name, loss in (("far", 2e6), ("rates", 3e5)):
        book, revalued, failed = found[name]
        assert failed == 0
        assert revalued == pytest.approx(-pnl[book][index[name]], rel=1e-9)
        assert revalued == pytest.approx(loss, rel=0.5)


@pytest.mark.slow
def test_they_are_the_same_however_the_work_is_cut(
    valued: Callable[..., RunStatus], output: Path, tmp_path: Path
) -> None:
    valued(tmp_path / "output", "partition.max_trades=5", "partition.max_scenarios=64")
    assert_same_bits(output, tmp_path / "output")


@pytest.mark.slow
def test_a_day_is_published_without_them_when_its_trades_have_changed(
    valued: Callable[..., RunStatus], book: Path, tmp_path: Path
) -> None:
    changed = tmp_path / "book"
    shutil.copytree(book, changed)
    status = valued(tmp_path / "output", of=changed, publication="never")
    (path,) = (changed / "data" / "portfolio" / "bond").glob("*.parquet")
    path.write_bytes(path.read_bytes() + b"changed")
    publish(_settings(changed, tmp_path / "output"), status.run_id)
    rows = published(tmp_path / "output", "reverse_stress")
    assert rows["revalued_base"].null_count == rows.num_rows > 0
