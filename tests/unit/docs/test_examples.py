"""Examples in the documentation, run."""

from __future__ import annotations

import math
import pickle
import re
from collections.abc import Iterator
from datetime import date
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from distributions import install
from doc_pages import examples, fenced, rows, section, text
from published import published
from valuations import settings_at, trades_of, write_book

from riskpipe.cli.explain import lines as explained_lines
from riskpipe.cli.plan import since_lines
from riskpipe.config import Settings, load_settings
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.plan.accounting import SilentObserver
from riskpipe.plan.selection import Selection
from riskpipe.products.catalogue import catalogue
from riskpipe.workflows.explain import Asked, explain
from riskpipe.workflows.plan import plan
from riskpipe.workflows.run import run

AS_OF = 20777  # 2026-11-20
MATURITY = date(2027, 11, 20)
RATE = 0.04


@pytest.fixture(scope="module")
def output(small_book: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which `output` is a finished run."""
    directory = tmp_path_factory.mktemp("docs")
    assignments = (
        "cluster.kind=serial",
        f"output={directory / 'output'}",
        "measures=[pv, dv01, stress, historical_var]",
    )
    settings = load_settings(small_book / "riskpipe.yaml", assignments=assignments, environment={})
    assert run(settings, Selection(), observer=SilentObserver()).state == "complete"
    return directory


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("trade", Asked("FXO-0000001", None, None, "latest", False)),
        ("book", Asked(None, "var_99", "rates/usd", "latest", False)),
    ],
)
def test_explained(name: str, asked: Asked, small_book: Path, output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the page shows is what the command says, but for lines that are left out at the end of tables."""
    monkeypatch.setenv("COLUMNS", "200")
    assignments = (f"output={output / 'output'}",)
    settings = load_settings(small_book / "riskpipe.yaml", assignments=assignments, environment={})
    said = list(explained_lines(explain(settings, asked)))

    for line in examples(text("explain.md"))[name].splitlines():
        assert line in said, line


def test_what_a_plan_takes_over(book: Path, output: Path) -> None:
    """What the page shows of a corrected spot, an amended bond and a measure more is what the command says."""
    _change(book / "data" / "market.parquet", "factor", "spot:SPX", "value", 1.01)
    (bonds,) = (book / "data" / "portfolio" / "bond").glob("*.parquet")
    _change(bonds, "trade_id", "BND-0000003", "quantity", 2.0)
    assignments = (
        "cluster.kind=serial",
        f"output={output / 'output'}",
        "measures=[pv, dv01, vega, stress, historical_var]",
    )
    settings = load_settings(book / "riskpipe.yaml", assignments=assignments, environment={})
    report = plan(settings, Selection(), since="latest")
    assert report.reuse is not None
    said = "\n".join(since_lines(report.reuse)).replace(report.reuse["since"], "RUN")

    assert said.split() == examples(text("reuse.md"))["since"].split()


def _change(path: Path, column: str, name: str, changed: str, factor: float) -> None:
    table = pq.read_table(path)
    values = table[changed].to_pylist()
    values[table[column].to_pylist().index(name)] *= factor
    k = table.schema.get_field_index(changed)
    pq.write_table(table.set_column(k, table.schema.field(k), pa.array(values, table.schema.field(k).type)), path)


@pytest.mark.parametrize("number", range(5))
def test_reading(number: int, output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(output)
    code = fenced(section(text("results.md"), "## Reading"), "python")
    names: dict[str, object] = {}
    exec(code[number], names)

    aggregates = published(output / "output", "aggregates")
    if number == 0:
        of_books = aggregates.filter((pc.field("measure") == "var_99") & (pc.field("level") == 1)).to_pylist()
        assert sorted(names["worst"]) == sorted((row["book"], row["value_base"]) for row in of_books)
    elif number == 1:
        assert len(names["failed"]) == 0
    elif number == 2:
        root = aggregates.filter((pc.field("measure") == "pv") & (pc.field("level") == 0))
        assert names["by_product"].sum() == pytest.approx(root["value_base"][0].as_py(), rel=1e-12)
    elif number == 3:
        assert names["table"].num_rows >= 400
    else:
        stresses = aggregates.filter((pc.field("measure") == "stress") & (pc.field("level") == 0)).to_pylist()
        sums = {row["scenario"]: 0.0 for row in stresses}
        for _, scenario, pnl in names["pnl"]:
            sums[scenario] += pnl
        assert sums == pytest.approx({row["scenario"]: row["value_base"] for row in stresses}, rel=1e-9)


def test_there_are_five_ways_of_reading() -> None:
    assert len(fenced(section(text("results.md"), "## Reading"), "python")) == 5


def test_files_of_a_run(output: Path) -> None:
    patterns = {re.sub(r"<[\w ]+>", "*", row[0]) for row in rows(section(text("results.md"), "## A run's directory"))}
    directory = next((output / "output" / "runs").iterdir())
    files = {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}

    unknown = {file for file in files if not any(fnmatch(file, pattern) for pattern in patterns)}
    absent = {pattern for pattern in patterns if not any(fnmatch(file, pattern) for file in files)}
    assert unknown == set()
    assert absent <= {"publish/", "freed.json", "stop", "inputs/reuse.json", "inputs/reused_*.parquet"}
    assert sorted(path.name for path in (output / "output").iterdir()) == ["meta", "published", "runs"]


# -- a product in a package of its own


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The worked example of design.md, installed."""
    files = examples(text("design.md"))
    install(tmp_path / "site", files["pyproject.toml"], files["desk_products.py"], monkeypatch)
    catalogue.cache_clear()
    yield
    catalogue.cache_clear()


@pytest.fixture
def deposits(package: None, tmp_path: Path) -> Settings:
    """Two good trades, one that is due today, one in the past, one that is due never."""
    product = catalogue()["term_deposit"]
    common = {"currency": "USD", "rate": 0.05, "day_count": "ACT/360", "start_date": date(2026, 11, 10)}
    trades = trades_of(
        product,
        [
            {**common, "amount": 1000.0, "maturity_date": MATURITY},
            {**common, "amount": -300.0, "maturity_date": MATURITY, "currency": "EUR"},
            {**common, "amount": 1.0, "maturity_date": date(2026, 11, 20)},
            {**common, "amount": 1.0, "maturity_date": date(2026, 11, 19)},
            {**common, "amount": 1.0, "maturity_date": date(9999, 12, 31)},
        ],
    )
    market = [
        {"kind": "spot", "name": "EURUSD", "value": 1.25, "currency": "USD"},
        {"kind": "zero_rate", "name": "USD.OIS", "value": RATE, "tenor": "1Y", "currency": "USD"},
        {"kind": "zero_rate", "name": "EUR.OIS", "value": RATE, "tenor": "1Y", "currency": "EUR"},
    ]
    stresses = [
        {"scenario": "rates up", "factor": "zero_rate:*", "shift_type": "absolute", "shift": 0.01},
        {"scenario": "euro down", "factor": "spot:EURUSD", "shift_type": "relative", "shift": -0.2},
    ]
    book = write_book(tmp_path / "book", {product.name: trades}, market, scenarios=stresses)
    return settings_at(book, tmp_path / "output", "measures=[pv, delta, dv01, theta, stress]")


def test_product_of_another_package(deposits: Settings) -> None:
    status = run(deposits, Selection(), observer=SilentObserver())

    assert status.state == "partial"
    assert status.failures_by_reason == {"INVALID_TRADE": 2}
    rows_ = published(Path(deposits.output), "valuations").to_pylist()
    values = {(row["trade_id"], row["measure"]): row["value"] for row in rows_}
    repaid = 1.0 + 0.05 * 375 / 360
    pv = repaid * math.exp(-RATE)
    assert values["T-0", "pv"] == pytest.approx(1000.0 * pv, rel=1e-14)
    assert values["T-1", "pv"] == pytest.approx(-300.0 * pv, rel=1e-14)
    assert values["T-2", "pv"] == 0.0
    assert values["T-3", "pv"] is values["T-4", "pv"] is None
    assert values["T-0", "dv01"] == pytest.approx(1000.0 * pv * math.expm1(-1e-4), rel=1e-9)
    assert values["T-0", "theta"] == pytest.approx(1000.0 * pv * math.expm1(RATE / 365), rel=1e-9)
    status_of = {(row["trade_id"], row["measure"]): row["status"] for row in rows_}
    assert status_of["T-0", "delta"] == "not_applicable"
    pnl = {row["trade_id"]: row["pnl"] for row in published(Path(deposits.output), "scenario_pnl").to_pylist()}
    lost = pv * math.expm1(-0.01)
    assert pnl["T-0"] == [pytest.approx(1000.0 * lost, rel=1e-12), 0.0]
    assert pnl["T-1"] == pytest.approx([-375.0 * lost, 300.0 * pv * 0.25], rel=1e-12)
    assert pnl["T-3"] is None


def test_price_is_the_same_in_any_call(deposits: Settings) -> None:
    product = catalogue()["term_deposit"]
    terms = {"currency": "USD", "rate": 0.05, "day_count": "30/360", "start_date": date(2026, 11, 10)}
    trades = trades_of(
        product, [{**terms, "amount": 7.0 + k, "maturity_date": date(2027, 1 + k % 9, 3)} for k in range(50)]
    )
    model = MarketModel(MarketSnapshot.from_table(pq.read_table(deposits.inputs.market), AS_OF), deposits.conventions())
    x = np.ascontiguousarray(model.snapshot.x0[:, None] * np.linspace(0.9, 1.1, 33))
    prepared = pickle.loads(pickle.dumps(product.prepare(trades, model)))

    whole = prepared.price(np.arange(50, dtype=np.int32), x)
    for row in range(0, 50, 7):
        for scenario in range(0, 33, 5):
            alone = prepared.price(np.array([row], np.int32), np.ascontiguousarray(x[:, scenario : scenario + 1]))
            assert alone[0, 0] == whole[row, scenario]


# -- a measure
