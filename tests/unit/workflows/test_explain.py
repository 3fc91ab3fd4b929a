"""`riskpipe explain`: what a number is made of adds up to it, and valued once more it has the same bits."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from riskpipe.config import Settings, load_settings
from riskpipe.errors import ExitCode, StorageError, UsageError
from riskpipe.plan.accounting import SilentObserver
from riskpipe.plan.selection import Selection
from riskpipe.runs.publication import Publication
from riskpipe.sample import write_sample
from riskpipe.workflows.explain import Asked, Explanation, explain
from riskpipe.workflows.run import run

FIGURES = int(os.environ.get("RISKPIPE_EXPLAINED_FIGURES", "12"))
"""100 are what `explain --verify` is proven with once a release."""

LINEAR = ("interest_rate_swap", "fra", "bond", "fx_forward", "fx_swap", "deposit", "repo", "basis_swap")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A published run of a trade or two of each product, with sensitivities by point. Read only."""
    directory = tmp_path_factory.mktemp("explain")
    write_sample(directory / "book", trades=80, scenarios=40, seed=3)
    assignments = (
        "cluster.kind=serial",
        f"output={directory / 'output'}",
        "measures=[pv, delta, gamma, vega, dv01, theta, bucketed_delta, stress, historical_var]",
    )
    made = load_settings(directory / "book" / "riskpipe.yaml", assignments=assignments, environment={})
    assert run(made, Selection(), observer=SilentObserver()).published
    return made


def told(settings: Settings, target: str | None = None, book: str | None = None, **more: object) -> Explanation:
    asked = {"measure": None, "run": "latest", "verify": False, **more}
    return explain(settings, Asked(target=target, book=book, **asked))  # type: ignore[arg-type]


def published(settings: Settings, table: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = ds.dataset(Path(settings.output) / "published" / table).to_table().to_pylist()
    return rows


def figures(settings: Settings) -> Iterator[dict[str, object]]:
    """One of each table in turn, at random."""
    choose = random.Random(int(os.environ.get("TEST_EXPLAINED_SEED", "20261120")))
    tables = {name: published(settings, name) for name in ("valuations", "sensitivities", "aggregates", "var")}
    tables["var"] = [row for row in tables["var"] if row["value_base"] is not None]
    for number in range(FIGURES):
        table = list(tables)[number % len(tables)]
        row = choose.choice(tables[table])
        if table == "valuations":
            yield {"target": f"{row['trade_id']}:{row['measure']}"}
        elif table == "sensitivities":
            yield {"target": f"{row['trade_id']}:{row['measure']}:{row['factor']}"}
        else:
            yield {"book": row["book"], "measure": row["measure" if table == "aggregates" else "name"]}


def test_random_figures_have_the_same_bits_when_they_are_valued_once_more(settings: Settings) -> None:
    for figure in figures(settings):
        found = told(settings, verify=True, **figure)  # type: ignore[arg-type]

        assert found.comparisons, figure
        assert not found.different, (figure, found.different)
        assert found.exit_code == ExitCode.DONE
        json.dumps(found.to_json(), default=str)


def test_a_trade_of_every_product_is_taken_apart(settings: Settings) -> None:
    trades = {row["product"]: row for row in published(settings, "valuations") if row["measure"] == "pv"}
    assert len(trades) >= 40
    for product, row in trades.items():
        found = told(settings, str(row["trade_id"]), measure="pv").trade
        assert found is not None
        assert found.inputs["trade_id"] == row["trade_id"], product
        assert found.factors or product == "cash_balance", product
        assert found.numbers[0]["value"] == row["value"], product
        worth = sum(flow["value"] for flow in found.flows)
        if product in LINEAR:
            sizes = [abs(value) for value in found.inputs.values() if isinstance(value, float)]
            assert abs(worth - row["value"]) <= 1e-12 * max(max(sizes), 1e6), product  # type: ignore[operator]


def test_value_at_risk_is_the_sum_of_its_trades(settings: Settings) -> None:
    found = told(settings, book="", measure="var_99").figure
    assert found is not None
    assert found.sum_of_trades == pytest.approx(found.row["value_base"], rel=1e-9)
    assert found.pnl_of_moves == pytest.approx(found.pnl_of_scenario, rel=1e-9)
    assert found.scenario_date == found.scenario == found.scenarios[0]["scenario"]
    assert [each["loss"] for each in found.around] == sorted((each["loss"] for each in found.around), reverse=True)
    assert abs(found.moves[0]["effect"]) == max(abs(move["effect"]) for move in found.moves)


def test_a_published_value_that_is_another_is_told_with_both(settings: Settings, tmp_path: Path) -> None:
    found = told(settings, "FXF-0000001:pv", verify=True)
    assert found.comparisons is not None
    first = found.comparisons[0]
    changed = type(first)(first.table, first.key, first.column, first.published + 1e-9, first.recomputed)
    assert not changed.same
    assert changed.to_json()["published"] != changed.to_json()["recomputed"]


def test_numbers_that_were_taken_over_are_explained_from_the_run_that_took_them(
    settings: Settings, tmp_path: Path
) -> None:
    output = shutil.copytree(settings.output, tmp_path / "output")
    copied = settings.model_copy(update={"output": str(output)})
    status = run(
        copied, Selection(), resume="never", since="latest", publication=Publication("never"), observer=SilentObserver()
    )
    assert status.reuse is not None
    assert not status.reuse["priced"]
    found = told(copied, "FXF-0000001", run=status.run_id, verify=True)
    assert found.comparisons
    assert all(each.same for each in found.comparisons)
    (file,) = found.provenance["files"]
    assert Path(file).stem == found.provenance["block"]["block_id"]


def test_a_damaged_table_is_not_explained(settings: Settings) -> None:
    (file,) = (Path(settings.output) / "published" / "valuations").rglob("*.parquet")
    content = file.read_bytes()
    try:
        file.write_bytes(content[:200] + bytes([content[200] ^ 1]) + content[201:])
        with pytest.raises(StorageError, match="valuations"):
            told(settings, "FXF-0000001")
    finally:
        file.write_bytes(content)
    assert pq.read_table(file).num_rows


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"target": "NOBODY"}, "no trade 'NOBODY'"),
        ({"target": "FXF-0000001", "measure": "beta"}, "has no beta; its measures are"),
        ({"target": "FXF-0000001:delta:spot:NOTHING"}, "has no delta of spot:NOTHING"),
        ({"book": "nowhere"}, "no book 'nowhere'"),
        ({"book": "", "measure": "beta"}, "has no beta"),
        ({"target": "FXF-0000001", "book": ""}, "not both"),
        ({}, "give a trade's id"),
    ],
)
def test_what_there_is_not_is_said(settings: Settings, asked: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        told(settings, **asked)  # type: ignore[arg-type]
