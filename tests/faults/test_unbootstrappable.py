"""Quotes of which no curve can be made: the trades that need the curve fail by name, and nothing else moves."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from published import published
from spoiled import (
    Book,
    assert_only_these_fail,
    ids_where,
    others,
    rewrite,
    rows_where,
    run_directory,
    with_cells,
    without_rows,
)

MISSING = "MISSING_MARKET_DATA"
CURVE, ISSUER = "CAD.CORRA", "US_TELECOM_01"


def spoil(book: Book, kind: str, name: str, values: dict[str, float]) -> None:
    """Other values at some tenors of a quoted curve."""
    path = book.input("market")
    cells = {rows_where(path, kind=kind, name=name, tenor=tenor)[0]: value for tenor, value in values.items()}
    rewrite(path, with_cells("value", cells))


def trades_on_issuer(book: Book) -> set[str]:
    bonds = ids_where(book.trades("bond"), credit_curve=ISSUER)
    return bonds | ids_where(book.trades("credit_default_swap"), reference_entity=ISSUER)


def test_spreads_that_cross_fail_their_issuer_alone(spoilt: Book, clean: Path) -> None:
    spoil(spoilt, "cds_spread", ISSUER, {"10Y": 0.0001})
    trades = trades_on_issuer(spoilt)
    assert trades
    answer = spoilt.check()
    assert answer.code == 3
    (fault,) = [fault for fault in answer.faults if fault["table"] == "market"]
    assert (fault["rule"], fault["sample"]) == ("not bootstrappable", [f"cds_spread:{ISSUER}:10Y"])
    assert fault["message"].startswith(
        f"hazard_rate:{ISSUER} cannot be made of its quotes: cds_spread:{ISSUER}:10Y (cds): no hazard rate"
    )
    assert answer.json["blocking"] is False
    assert spoilt.riskpipe("run", "-q").code == 4
    why = f"hazard_rate:{ISSUER} is left out"
    assert_only_these_fail(clean, spoilt.output, dict.fromkeys(trades, (MISSING, why)))


def test_every_fault_of_the_quotes_is_told_at_once(spoilt: Book) -> None:
    spoil(spoilt, "cds_spread", ISSUER, {"10Y": 0.0001})
    spoil(spoilt, "par_rate", CURVE, {"3Y": 0.95})
    spoil(spoilt, "cds_spread", "EU_AUTO_01", {"5Y": float("nan")})
    faults = [fault for fault in spoilt.check().faults if fault["table"] == "market"]
    assert sorted(fault["rule"] for fault in faults) == ["not bootstrappable", "not bootstrappable", "not finite"]
    named = {factor for fault in faults for factor in fault["sample"]}
    assert named == {f"cds_spread:{ISSUER}:10Y", f"par_rate:{CURVE}:3Y", "cds_spread:EU_AUTO_01:5Y"}


def test_a_missing_quote_is_no_fault_and_a_curve_without_quotes_is_a_missing_curve(spoilt: Book) -> None:
    path = spoilt.input("market")
    rewrite(path, without_rows(rows_where(path, kind="cds_spread", name=ISSUER)))
    missing = [fault for fault in spoilt.check().faults if fault["rule"] == "market_data"]
    assert missing
    assert all(f"the market has no hazard_rate:{ISSUER}" in fault["message"] for fault in missing)


def test_a_sound_run_reports_its_risk_by_quote(sound: Book) -> None:
    answer = sound.riskpipe("run", "-q", "--set", "measures=[pv, bucketed_delta, dv01, cs01]")
    assert answer.code == 0, answer.stderr
    rows = published(sound.output, "sensitivities").to_pylist()
    factors = {row["factor"] for row in rows if row["measure"] == "bucketed_delta"}
    market = pq.read_table(sound.input("market"), columns=["factor"]).column("factor").to_pylist()
    assert factors <= set(market), "no derived point is reported"
    assert {f"par_rate:{CURVE}:5Y", f"cds_spread:{ISSUER}:5Y"} <= factors
    shifts = [row["shift"] for row in rows if row["factor"].startswith("par_rate:")]
    assert shifts == pytest.approx([1e-4] * len(shifts), abs=1e-12)
    cs01 = {row["factor"] for row in rows if row["measure"] == "cs01"}
    assert f"hazard_rate:{ISSUER}" in cs01


def test_a_stress_of_which_no_curve_can_be_made_fails_what_depends_on_it_and_never_the_run(
    spoilt: Book, clean: Path
) -> None:
    stresses = {
        "distress": (f"cds_spread:{ISSUER}:*", "set", 50.0),
        "rates": ("par_rate:CAD.CORRA:*", "set", -3.0),
        "crash": ("spot:SPX", "relative", -1.0),
    }
    rows = [dict(zip(("scenario", "factor", "shift_type", "shift"), (k, *v), strict=True)) for k, v in stresses.items()]
    rewrite(
        spoilt.input("scenarios"), lambda table: pa.concat_tables([table, pa.Table.from_pylist(rows, table.schema)])
    )
    faults = {fault["sample"][0]: fault for fault in spoilt.check().faults}
    assert {(fault["level"], fault["table"]) for fault in faults.values()} == {("warning", "scenarios")}
    assert f"hazard_rate:{ISSUER} cannot be made of its quotes in a stress" in faults["distress"]["message"]
    assert "zero_rate:CAD.CORRA" in faults["rates"]["message"]
    answer = spoilt.riskpipe("run", "-q")
    assert answer.code == 4, answer.stderr
    listed = pq.read_table(run_directory(spoilt.output) / "failures.parquet").to_pylist()
    told = re.compile(
        r"a stress P&L is not a finite number under '(\w+)': (\S+?)(:[\d-]+)? has no level there, .*`riskpipe check`"
    )
    found = {told.match(row["message"]).group(1, 2) for row in listed}
    lost = (f"hazard_rate:{ISSUER}", "zero_rate:CAD.CORRA", "spot:SPX")
    assert found == set(zip(stresses, lost, strict=True))
    assert {row["reason"] for row in listed} == {"NUMERICAL"}
    failed = {row["trade_id"] for row in listed}
    assert failed >= trades_on_issuer(spoilt) | ids_where(spoilt.trades("equity_option"), underlying="SPX")
    before, after = (_pnl(output) for output in (clean, spoilt.output))
    assert before.keys() - after.keys() == failed
    listed = published(spoilt.output, "scenarios").to_pylist()
    names = [row["scenario"] for row in listed if row["scenario_set"] == "stress"]  # declared ones follow the file's
    kept = [k for k, name in enumerate(names) if name not in stresses]
    assert all([after[trade][k] for k in kept] == before[trade] for trade in after)
    same = [others(output, "valuations", "measure", set()) for output in (clean, spoilt.output)]
    assert same[0].equals(same[1])


def _pnl(output: Path) -> dict[str, list[float]]:
    """Of the stresses, by trade."""
    rows = published(output, "scenario_pnl").to_pylist()
    return {row["trade_id"]: row["pnl"] for row in rows if row["scenario_set"] == "stress" and row["pnl"]}
