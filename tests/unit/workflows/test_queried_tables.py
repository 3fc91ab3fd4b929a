"""Tables that others are joined with: what factors and trades are; and in which currency sums are."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from riskpipe.config import Settings
from riskpipe.errors import ConfigurationError
from riskpipe.plan.accounting import SilentObserver
from riskpipe.plan.selection import Selection
from riskpipe.workflows.run import run


def published(output: object, table: str) -> pa.Table:
    return ds.dataset(f"{output}/published/{table}", partitioning="hive").to_table()


def test_every_point_is_a_factor_and_made_points_are_told_from_quotes(two_runs) -> None:
    factors = published(two_runs.path, "factors")
    market = pq.read_table(two_runs.book / "data/market.parquet")
    quoted = factors.filter(factors["quoted"])

    assert sorted(quoted["factor"].to_pylist()) == sorted(market["factor"].to_pylist())
    assert dict(zip(quoted["factor"].to_pylist(), quoted["level"].to_pylist(), strict=True)) == dict(
        zip(market["factor"].to_pylist(), market["value"].to_pylist(), strict=True)
    )
    assert 0 < len(quoted) < len(factors)
    assert factors["factor"].to_pylist() == sorted(factors["factor"].to_pylist())


def test_sensitivities_say_what_their_factor_is(two_runs) -> None:
    names = ["kind", "name", "tenor", "days", "strike"]
    rows = published(two_runs.path, "sensitivities").select(["measure", "factor", *names])
    points = {row["factor"]: row for row in published(two_runs.path, "factors").select(["factor", *names]).to_pylist()}
    by_point = rows.filter(pc.equal(rows["measure"], "bucketed_delta")).to_pylist()

    assert by_point
    assert all({name: row[name] for name in names} == {n: points[row["factor"]][n] for n in names} for row in by_point)
    whole = rows.filter(pc.equal(rows["measure"], "dv01")).to_pylist()
    assert {(r["kind"], f"{r['kind']}:{r['name']}" == r["factor"], r["tenor"], r["days"]) for r in whole} == {
        ("zero_rate", True, None, None)
    }


def test_every_file_and_the_day_name_the_base_currency(two_runs) -> None:
    files = list((two_runs.path / "published").rglob("*.parquet"))
    current = json.loads((two_runs.path / "meta/CURRENT.json").read_text())

    assert {pq.read_metadata(file).metadata[b"riskpipe.base_currency"] for file in files} == {b"USD"}
    assert {day["base_currency"] for day in current["days"].values()} == {"USD"}


@pytest.fixture
def carrying(book, settings_of: Callable[..., Settings]) -> Settings:
    """Two products with columns of a desk's own."""
    for product in (book / "data/portfolio").iterdir():
        if product.name not in ("fx_forward", "interest_rate_swap"):
            for file in product.iterdir():
                file.unlink()
            product.rmdir()
            continue
        for file in product.glob("*.parquet"):
            trades = pq.read_table(file).slice(0, 12)
            n = len(trades)
            desk = pa.array([f"desk {k % 3}" for k in range(n)]).dictionary_encode()
            trades = trades.drop_columns("counterparty").append_column("desk", desk)
            trades = trades.append_column("counterparty", pa.array(["ACME", None] * 6))
            number = pa.array([7] * n) if product.name == "fx_forward" else pa.array(["x"] * n)
            trades = trades.append_column("ticket", number).append_column("score", pa.array([float("nan"), 2.5] * 6))
            pq.write_table(trades, file)
    return settings_of(
        "measures=[pv]",
        "inputs.extra_columns=[desk, ticket, score]",
        "results.trade_columns=[notional, buy_amount, currency]",
        book=book,
    )


def test_trades_carry_what_is_asked_for(carrying: Settings) -> None:
    status = run(carrying, Selection(), observer=SilentObserver())
    trades = published(carrying.output, "trades")

    assert status.trades == len(trades) == 24
    assert trades.column_names[5:-1] == [
        *("currency", "maturity_date", "counterparty", "netting_set"),
        *("notional", "buy_amount", "desk", "ticket", "score"),
    ]
    forwards = trades.filter(pc.equal(trades["product"], "fx_forward")).to_pylist()
    swaps = trades.filter(pc.equal(trades["product"], "interest_rate_swap")).to_pylist()
    assert {row["ticket"] for row in forwards} == {"7"}
    assert {row["score"] for row in swaps} == {None, 2.5}
    assert {row["counterparty"] for row in forwards} == {"ACME", None}
    assert all(row["notional"] is None and row["buy_amount"] is not None for row in forwards)
    source = pq.read_table(f"{carrying.inputs.portfolio}/fx_forward").to_pylist()
    ends = {row["trade_id"]: row["delivery_date"] for row in source}
    assert {row["trade_id"]: row["maturity_date"] for row in forwards} == ends
    assert all(isinstance(row["maturity_date"], date) and row["currency"] for row in [*forwards, *swaps])


def test_a_column_that_no_product_has_is_refused(settings_of: Callable[..., Settings]) -> None:
    with pytest.raises(ConfigurationError, match=r"results\.trade_columns: notionl: .*did you mean 'notional'"):
        run(settings_of("results.trade_columns=[notionl]"), Selection(), observer=SilentObserver())
