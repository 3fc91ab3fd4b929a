"""`write_sample`: the same bytes for the same arguments, refusals, flat memory."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from selections import one_in

from riskpipe.config import load_settings
from riskpipe.errors import StorageError, UsageError
from riskpipe.market.checks import check_market_table
from riskpipe.market.factors import KINDS, days_of
from riskpipe.sample import SampleSummary, write_sample
from riskpipe.sample.history_file import HISTORY_SCHEMA
from riskpipe.sample.recipes import RECIPES
from riskpipe.workflows.check import check

INPUTS = {"portfolio", "market", "history", "scenarios"}
REPOSITORY = Path(__file__).parents[3]


def _hashes(directory: Path) -> dict[str, str]:
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return {str(p.relative_to(directory)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def _rows(directory: Path) -> int:
    return sum(pq.read_metadata(path).num_rows for path in directory.glob("data/portfolio/*/*.parquet"))


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_sample(tmp_path / name, trades=700, scenarios=40, seed=3)
    write_sample(tmp_path / "c", trades=700, scenarios=40, seed=4)
    assert _hashes(tmp_path / "a") == _hashes(tmp_path / "b")
    other = _hashes(tmp_path / "c")
    same = {name for name, digest in _hashes(tmp_path / "a").items() if other[name] == digest}
    assert same == {"riskpipe.yaml", "data/scenarios.parquet", "data/limits.parquet"}


@pytest.mark.parametrize("trades", [1, len(RECIPES), 20_001])
def test_exactly_as_many_trades_as_asked_for(tmp_path: Path, trades: int) -> None:
    summary = write_sample(tmp_path / "s", trades=trades, scenarios=2)
    assert summary.trades == _rows(tmp_path / "s") == trades
    assert len(summary.products) == min(trades, len(RECIPES))
    assert {p.name for p in (tmp_path / "s/data/portfolio").iterdir()} == set(summary.products)


def test_the_summary_tells_what_is_there(sample: SampleSummary) -> None:
    data = sample.directory / "data"
    files = list(data.rglob("*.parquet"))
    assert sample.bytes == sum(path.stat().st_size for path in files)
    assert sample.factors + sample.facts == pq.read_metadata(data / "market.parquet").num_rows
    history = pq.read_table(data / "history.parquet", columns=["date"])
    assert history.num_rows == (sample.scenarios + 1) * sample.factors
    assert sample.stresses == len(pq.read_table(data / "scenarios.parquet")["scenario"].unique())
    assert sum(p.files for p in sample.products.values()) == len(files) - 4


def test_history_ends_with_the_market(sample: SampleSummary) -> None:
    data = sample.directory / "data"
    market = pq.read_table(data / "market.parquet")
    history = pq.read_table(data / "history.parquet")
    assert history.schema.equals(HISTORY_SCHEMA)
    last = history.filter(history["date"].to_numpy() == history["date"].to_numpy().max())
    today = market.slice(0, sample.factors)
    assert last.drop_columns(["date"]).equals(today)
    moving = set(market["factor"].to_pylist()) - set(last["factor"].to_pylist())
    assert {name.split(":")[0] for name in moving} == {
        kind for kind in market["kind"].unique().to_pylist() if KINDS[kind].move == "none"
    }
    assert check_market_table(market, days_of(date(2026, 11, 20))) == []


def test_a_directory_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"not empty.*--force"):
        write_sample(tmp_path, trades=7, scenarios=2)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    assert write_sample(tmp_path, trades=7, scenarios=2, force=True).trades == 7
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_force_leaves_nothing_of_an_earlier_sample(tmp_path: Path) -> None:
    write_sample(tmp_path / "s", trades=500, scenarios=30)
    write_sample(tmp_path / "s", trades=3, scenarios=2, force=True, products={"bond": 1.0})
    write_sample(tmp_path / "fresh", trades=3, scenarios=2, products={"bond": 1.0})
    assert _hashes(tmp_path / "s") == _hashes(tmp_path / "fresh")
    assert _rows(tmp_path / "s") == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"trades": 0}, "trades must be 1 or more"),
        ({"scenarios": 0}, "scenarios must be 1 or more"),
        ({"seed": -1}, "seed must be 0 or more"),
        ({"as_of": date(1999, 12, 31)}, "as_of must lie between"),
        ({"products": {"swop": 1.0}}, "no sample of the product 'swop'"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(tmp_path: Path, arguments: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        write_sample(tmp_path / "s", **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "s").exists()


def test_a_file_in_the_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        write_sample(tmp_path / "s", trades=7, scenarios=2)
    with pytest.raises(StorageError, match="a part of that path is a file"):
        write_sample(tmp_path / "s" / "below", trades=7, scenarios=2)


@pytest.mark.parametrize("as_of", one_in(3, [date(2024, 2, 29), date(2026, 8, 1), date(2027, 1, 1)]))
def test_any_day_can_be_the_last(tmp_path: Path, as_of: date) -> None:
    write_sample(tmp_path / "s", trades=700, scenarios=20, as_of=as_of)
    history = pq.read_table(tmp_path / "s/data/history.parquet", columns=["date"])["date"].to_pylist()
    assert history[-1] == as_of
    assert len(set(history)) == 21
    for product, column in (("fx_forward", "delivery_date"), ("equity_option", "expiry_date")):
        assert min(pq.read_table(tmp_path / "s/data/portfolio" / product)[column].to_pylist()) > as_of


def test_the_configuration_is_valid_and_finds_its_inputs(sample: SampleSummary) -> None:
    text = sample.config.read_text()
    assert text.splitlines()[0] == "# yaml-language-server: $schema=./riskpipe.schema.json"
    assert "@" not in text
    assert (sample.directory / "riskpipe.schema.json").read_text() == "{}"
    settings = load_settings(sample.config, environment={})
    assert settings.as_of == date(2026, 11, 20)
    for location in settings.inputs.model_dump(include=INPUTS).values():
        assert Path(location).exists()
    conventions = settings.conventions()
    assert conventions.discount_curve("USD") == "USD.SOFR"
    assert conventions.index("USD.SOFR").overnight
    assert conventions.index("EUR.EURIBOR6M").fixing_lag == 2


@pytest.mark.parametrize(
    "as_of", one_in(4, [date(2026, 11, 20), date(2024, 2, 29), date(2026, 8, 1), date(2026, 12, 28)])
)
def test_check_finds_no_fault(tmp_path: Path, as_of: date) -> None:
    summary = write_sample(tmp_path / "s", trades=4_000, scenarios=10, as_of=as_of)
    report = check(load_settings(summary.config, environment={}))
    assert report.faults == ()
    assert (report.trades, report.quarantined) == (4_000, 0)


def test_without_a_schema_none_is_written(tmp_path: Path) -> None:
    write_sample(tmp_path / "s", trades=1, scenarios=1)
    assert sorted(p.name for p in (tmp_path / "s").iterdir()) == ["data", "riskpipe.yaml"]


@pytest.mark.parametrize("name", ["nightly", "ci", "demo"])
def test_example_configurations_fit_the_sample(name: str, sample: SampleSummary) -> None:
    example = load_settings(REPOSITORY / "configs" / f"{name}.yaml", environment={})
    own = load_settings(sample.config, environment={})
    assert (example.as_of, example.base_currency, example.market) == (
        own.as_of,
        own.base_currency,
        own.market,
    )
    demo = REPOSITORY / "demo" / "data"
    assert [Path(v) for v in example.inputs.model_dump(include=INPUTS).values()] == [
        demo / Path(v).relative_to(sample.directory / "data") for v in own.inputs.model_dump(include=INPUTS).values()
    ]
    assert (example.cluster.kind == "serial") == (name == "ci")


PEAK = """
import resource, sys
from pathlib import Path
from riskpipe.sample import write_sample
write_sample(Path(sys.argv[1]), trades=int(sys.argv[2]), scenarios=int(sys.argv[3]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def _peak_kib(directory: Path, trades: int, scenarios: int) -> int:
    environment = {**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PEAK, str(directory), str(trades), str(scenarios)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return int(done.stdout)


@pytest.mark.slow
def test_memory_grows_with_neither_trades_nor_days(tmp_path: Path) -> None:
    """300,000 trades are some 60 MB in memory, 1,500 days of 2,500 points some 300 MB."""
    small = _peak_kib(tmp_path / "small", 100_000, 100)
    assert _peak_kib(tmp_path / "trades", 300_000, 100) - small < 15 * 1024
    assert _peak_kib(tmp_path / "days", 100_000, 1_500) - small < 30 * 1024


def test_points_that_one_product_alone_needs_are_there_where_it_is(tmp_path: Path) -> None:
    write_sample(tmp_path / "book", trades=10, scenarios=2, products={"fx_option": 1.0})
    kinds = pq.read_table(tmp_path / "book/data/market.parquet").column("kind").unique().to_pylist()
    assert not {"inflation_zero", "index_fixing", "normal_vol"} & set(kinds)
