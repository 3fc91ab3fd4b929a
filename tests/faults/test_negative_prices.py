"""Prices below zero (oil, 20 April 2020) and numbers beyond all sums, from the files to what is published."""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import QuantLib as ql  # noqa: N813
from published import published
from spoiled import Book, rewrite, rows_where, with_cells

CLOSE = -37.63
MEASURES = "measures=[pv, delta, gamma, bucketed_delta, historical_var]"
FORWARDS = {"CMF-1": (1000.0, 20.0), "CMF-2": (-500.0, -40.0)}
AT_MONEY = {"currency": "USD", "tenor": "1Y", "strike_type": "atm", "value": 30.0}


def _with_oil_below_zero(book: Book) -> None:
    """WTI's whole curve at its close of 20 April 2020, a normal volatility beside the others."""
    path = book.input("market")
    rewrite(path, with_cells("value", dict.fromkeys(rows_where(path, kind="forward_price", name="WTI"), CLOSE)))
    surface = {"factor": "normal_vol:WTI:1Y:atm", "kind": "normal_vol", "name": "WTI", **AT_MONEY}
    rewrite(path, lambda table: pa.concat_tables([table, pa.Table.from_pylist([surface], table.schema)]))


def _add_forwards(book: Book) -> None:
    path = book.trades("commodity_forward")
    path.parent.mkdir()
    quantities, strikes = zip(*FORWARDS.values(), strict=True)
    columns = {"trade_id": list(FORWARDS), "book": ["oil"] * 2, "underlying": ["WTI"] * 2, "currency": ["USD"] * 2}
    dates = pa.array([date(2027, 3, 15)] * 2, pa.date32())
    numbers = {"quantity": list(quantities), "strike": list(strikes)}
    pq.write_table(pa.table({**columns, **numbers, "delivery_date": dates}), path)


def _all_bachelier(book: Book) -> dict[str, dict[str, Any]]:
    """The book's options on WTI, those of even rows by the model bachelier; by id."""
    path = book.trades("commodity_option")
    table = pq.read_table(path)
    mine = rows_where(path, underlying="WTI")
    models = [("bachelier" if row in mine[::2] else None) for row in range(len(table))]
    rewrite(path, lambda table: table.append_column("model", pa.array(models, pa.string())))
    return {row["trade_id"]: row for k, row in enumerate(pq.read_table(path).to_pylist()) if k in mine}


def test_forwards_and_normal_options_on_negative_oil_are_valued_and_lognormal_ones_say_why_not(spoilt: Book) -> None:
    _with_oil_below_zero(spoilt)
    _add_forwards(spoilt)
    options = _all_bachelier(spoilt)
    checked = spoilt.check("--set", MEASURES)
    (warned,) = [fault for fault in checked.faults if fault["rule"] == "negative forward"]
    assert (warned["level"], "bachelier" in warned["message"]) == ("warning", True)
    answer = spoilt.riskpipe("run", "-q", "--set", MEASURES, "--set", 'history.returns={"forward_price:WTI": absolute}')
    assert answer.code == 4, answer.stderr
    table = published(spoilt.output, "valuations")
    pnl = {row["trade_id"]: row["status"] for row in published(spoilt.output, "scenario_pnl").to_pylist()}
    rows = {(row["trade_id"], row["measure"]): row for row in table.to_pylist()}
    for trade_id, option in options.items():
        pv, delta = rows[trade_id, "pv"], rows[trade_id, "delta"]
        if option["model"] != "bachelier":
            why = f"the forward is {CLOSE}, and a lognormal one cannot be negative: use the model bachelier"
            assert (pv["status"], pv["reason"]) == ("failed", "NUMERICAL")
            assert why in pv["message"]
            continue
        years = (option["expiry_date"] - pv["as_of_date"]).days / 365.0
        kind = ql.Option.Call if option["option_type"] == "call" else ql.Option.Put
        undiscounted = ql.bachelierBlackFormula(kind, option["strike"], CLOSE, 30.0 * years**0.5)
        slope = ql.bachelierBlackFormulaAssetItmProbability(kind, option["strike"], CLOSE, 30.0 * years**0.5)
        assert pv["status"] == "ok"
        if abs(undiscounted) > 1e-6:
            sign = 1.0 if kind == ql.Option.Call else -1.0
            assert delta["value"] / pv["value"] == pytest.approx(sign * slope / undiscounted, rel=1e-4)
        assert pnl[trade_id] == "ok"
    for trade_id, (quantity, strike) in FORWARDS.items():
        pv, delta = rows[trade_id, "pv"]["value"], rows[trade_id, "delta"]["value"]
        assert pv == pytest.approx(delta * (CLOSE - strike), rel=1e-9)
        assert 0.9 < delta / quantity < 1.0
        assert rows[trade_id, "gamma"]["value"] == pytest.approx(0.0, abs=1e-4 * abs(quantity))
        assert pnl[trade_id] == "ok"
    shifts = [
        row["shift"] / CLOSE
        for row in published(spoilt.output, "sensitivities").to_pylist()
        if row["factor"].startswith("forward_price:WTI") and row["measure"] == "bucketed_delta"
    ]
    assert shifts == pytest.approx([-0.01] * len(shifts))  # upwards
    assert len(shifts) > 2


def test_a_number_beyond_the_exact_sums_says_so(spoilt: Book) -> None:
    path = spoilt.trades("equity_option")
    rewrite(path, with_cells("quantity", {0: 1e16}))
    assert spoilt.riskpipe("run", "-q", "--set", "measures=[pv]").code == 4
    (run,) = (spoilt.output / "runs").iterdir()
    (failure,) = pq.read_table(run / "failures.parquet").to_pylist()
    assert failure["trade_id"] == pq.read_table(path).column("trade_id")[0].as_py()
    assert "too large for exact sums, which end at 3.6e+16" in failure["message"]
