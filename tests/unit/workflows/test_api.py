"""`import riskpipe`: the functions that programs call, against what the commands do."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml

import riskpipe

DAY = "2026-11-20"


def test_the_import_is_light_and_its_names_are_all_there() -> None:
    program = """
import sys
import riskpipe
assert not {"numpy", "pyarrow", "pydantic", "yaml", "dask", "numba"} & set(sys.modules)
from riskpipe.plan.block import Block
import riskpipe.plan.costs as costs
assert Block.__module__ == "riskpipe.plan.block" and costs.CostModel
assert all(callable(getattr(riskpipe, name)) for name in riskpipe.__all__ if name != "__version__")
assert set(riskpipe.__all__) <= set(dir(riskpipe))
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_an_unknown_name_is_none() -> None:
    with pytest.raises(AttributeError, match="no attribute 'pricee'"):
        riskpipe.pricee  # noqa: B018


@pytest.fixture(scope="module")
def conventions(two_runs) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load((two_runs.book / "riskpipe.yaml").read_text())["market"]
    return found


def read(book: Path, product: str) -> pa.Table:
    return pq.read_table(book / "data/portfolio" / product)


def test_tables_in_memory_have_the_bits_of_a_run(two_runs, conventions) -> None:
    book = two_runs.book
    forwards, swaps = read(book, "fx_forward"), read(book, "interest_rate_swap").slice(0, 10)
    trades = {"fx_forward": forwards.to_pandas(), "interest_rate_swap": pl.from_arrow(swaps)}
    market = pq.read_table(book / "data/market.parquet")

    priced = riskpipe.price(trades, market, ["pv", "delta", "dv01"], as_of=DAY, conventions=conventions)

    names = ["trade_id", "measure", "value", "value_base", "status"]
    of_run = riskpipe.results(two_runs.path).table("valuations", DAY)
    same = pc.is_in(pc.field("trade_id"), pa.concat_arrays([*forwards["trade_id"].chunks, *swaps["trade_id"].chunks]))
    expected = of_run.to_arrow(names, same & pc.field("measure").isin(["pv", "delta", "dv01"]))
    assert len(expected) == 3 * (len(forwards) + 10)
    assert priced.values.select(names).equals(expected)
    assert priced.status.state == "complete"
    assert len(priced.failures) == 0


def test_one_table_of_all_products_and_every_fault(two_runs, conventions) -> None:
    forwards = read(two_runs.book, "fx_forward")
    market = pq.read_table(two_runs.book / "data/market.parquet")
    whole = forwards.append_column("product", pa.array(["fx_forward"] * len(forwards)))
    assert len(riskpipe.price(whole, market, as_of=DAY, conventions=conventions).values) == len(forwards)

    wrong = {"fx_forwad": forwards, "bond": forwards}
    with pytest.raises(riskpipe.InputError) as found:
        riskpipe.price(wrong, market, as_of=DAY)
    assert "did you mean fx_forward?" in str(found.value)
    assert "the column 'coupon' is missing" in str(found.value)
    with pytest.raises(riskpipe.UsageError, match="market: a table of Arrow, pandas or Polars is wanted, got int"):
        riskpipe.price(whole, 3, as_of=DAY)


def test_a_run_of_tables_keeps_them(two_runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = yaml.safe_load((two_runs.book / "riskpipe.yaml").read_text()) | {"cluster": {"kind": "serial"}}
    config["inputs"] = {}
    config["output"] = "out"
    inputs = {
        "portfolio": {"fx_forward": read(two_runs.book, "fx_forward")},
        "market": pq.read_table(two_runs.book / "data/market.parquet"),
    }
    assert riskpipe.check(config, inputs=inputs, measures=["pv"]).errors == 0
    assert riskpipe.plan(config, inputs=inputs, measures=["pv"]).trades == len(inputs["portfolio"]["fx_forward"])
    assert not (tmp_path / "out/given").exists()

    status = riskpipe.run(config, inputs=inputs, measures=["pv"])

    assert (status.state, status.as_of, status.exit_code) == ("complete", DAY, 0)
    files = sorted(path.name for path in (tmp_path / "out/given").rglob("*.parquet"))
    assert files == ["market.parquet", "part-000.parquet"]
    table = riskpipe.results("out").table("aggregates")
    assert (table.as_of, len(table)) == (date.fromisoformat(DAY), table.to_pandas().shape[0])
    assert table.to_polars().collect().height == len(table)
    with pytest.raises(riskpipe.ConfigurationError, match="measure"):
        riskpipe.run(config, inputs=inputs, measuers=["pv"])


def test_results_are_found_by_name_and_day(two_runs) -> None:
    output = riskpipe.results(two_runs.path)

    assert output.days == (date.fromisoformat(DAY),)
    assert "aggregates" in output.tables()
    assert len(output.all_days("trades")) == len(output.table("trades")) == 400
    assert output.sql("select count(*) n from trades")["n"].to_pylist() == [400]
    with pytest.raises(riskpipe.UsageError, match="did you mean trades"):
        output.table("trade")
    with pytest.raises(riskpipe.UsageError, match="nothing is published for 2026-11-19"):
        output.table("trades", "2026-11-19")
