"""`riskpipe import csv`: tables by the names of their columns."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from riskpipe.cli.app import app
from riskpipe.errors import ExitCode, InputError, UsageError
from riskpipe.importers.csv_files import read_csv_files
from riskpipe.importers.import_report import Treatment

runner = CliRunner()

MARKET = """\
factor;kind;name;currency;tenor;value;as_of
zero_rate:USD.OIS:1Y;zero_rate;USD.OIS;USD;1Y;4.1%;2026-11-20
zero_rate:EUR.OIS:1Y;zero_rate;EUR.OIS;EUR;1Y;0.021;
spot:EURUSD;spot;EURUSD;USD;;1.16;
"""
FORWARDS = """\
Trade ID,Book,Buy Currency,buyAmount,Sell-Currency,sell_amount,Delivery Date,Trader
F1,fx/spot,EUR,1_000_000,USD,1160000,2027-03-15,Ann

F2,fx/spot,USD,500000,EUR,430000,20270615,Bob
"""


def write(directory: Path, **texts: str) -> list[Path]:
    paths = []
    for name, text in texts.items():
        paths.append(directory / f"{name}.csv")
        paths[-1].write_text(text, encoding="utf-8")
    return paths


def test_a_book_of_two_files_is_priced(tmp_path: Path) -> None:
    files = write(tmp_path, deals=FORWARDS, closing=MARKET)
    arguments = ["import", "csv", *map(str, files), "-o", str(tmp_path / "book"), "--base-currency", "EUR"]
    result = runner.invoke(app, arguments)
    assert result.exit_code == ExitCode.PARTIAL, result.output  # the column Trader is left out
    assert "fx_forward has no such column" in result.output

    run = ["run", "-c", str(tmp_path / "book/riskpipe.yaml"), "--set", "cluster.kind=serial", "-q"]
    assert runner.invoke(app, run).exit_code == ExitCode.DONE
    rows = pq.read_table(tmp_path / "book/output/published/valuations").to_pylist()
    assert {row["trade_id"] for row in rows} == {"F1", "F2"}
    assert all(row["status"] == "ok" for row in rows)


def test_history_and_scenarios_are_told_by_their_columns(tmp_path: Path) -> None:
    days = [date(2026, 11, 18 + k).isoformat() for k in range(3)]
    history = "date,factor,kind,name,value\n"
    history += "".join(f"{day},spot:EURUSD,spot,EURUSD,{1.15 + 0.005 * k}\n" for k, day in enumerate(days))
    history += "soon,spot:EURUSD,spot,EURUSD,1.2\n"
    stresses = "Scenario;Factor;Shift Type;Shift\ndown;spot:EURUSD;relative;-10%\n"
    files = write(tmp_path, deals=FORWARDS, closing=MARKET, past=history, bad_days=stresses)
    arguments = ["import", "csv", *map(str, files), "-o", str(tmp_path / "book"), "--base-currency", "EUR"]
    result = runner.invoke(app, arguments)
    assert result.exit_code == ExitCode.PARTIAL, result.output
    assert "'soon' is no date" in result.output

    run = ["run", "-c", str(tmp_path / "book/riskpipe.yaml"), "--set", "cluster.kind=serial", "-q"]
    run += ["--set", "measures=[pv,historical_var,stress]"]
    outcome = runner.invoke(app, run)
    assert outcome.exit_code == ExitCode.DONE, outcome.output
    rows = pq.read_table(tmp_path / "book/output/published/scenarios").to_pylist()
    assert {row["scenario"] for row in rows} == {"down", *days[1:]}


def test_cells_become_values(tmp_path: Path) -> None:
    book, report = read_csv_files(write(tmp_path, deals=FORWARDS, closing=MARKET), None, "USD")

    assert book.as_of == date(2026, 11, 20)
    assert [row.product for row in book.rows] == ["fx_forward", "fx_forward"]
    assert book.rows[0].values["buy_amount"] == 1e6
    assert book.rows[1].values["delivery_date"] == date(2027, 6, 15)
    assert book.points["zero_rate:USD.OIS:1Y"]["value"] == pytest.approx(0.041)
    assert [entry.name for entry in report.entries if entry.treatment is Treatment.LEFT_OUT] == ["trader"]


def test_lists_and_tables_of_terms(tmp_path: Path) -> None:
    legs = (
        '[{""direction"": ""pay"", ""leg_type"": ""cashflows"", ""currency"": ""USD"", ""amounts"": [1, 2.5],'
        ' ""amount_dates"": [""2027-01-15"", ""2028-01-15""]}]'
    )
    swap = f'trade_id,book,currency,legs\nS1,rates,USD,"{legs}"\n'
    book, _ = read_csv_files(write(tmp_path, swap=swap), date(2026, 11, 20), "USD")

    (leg,) = book.rows[0].values["legs"]
    assert leg["amounts"] == [1.0, 2.5]
    assert leg["amount_dates"] == [date(2027, 1, 15), date(2028, 1, 15)]
    assert book.tables()["swap"].num_rows == 1


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("1_000_000", "1,5e", "sell_amount: 'USD' is no number such as 1250000.5"),
        ("1_000_000", "many", "buy_amount: 'many' is no number such as 1250000.5"),
        ("2027-03-15", "15/03/2027", "delivery_date: '15/03/2027' is no date such as 2026-11-20"),
    ],
)
def test_a_bad_cell_leaves_out_its_row(tmp_path: Path, old: str, new: str, reason: str) -> None:
    book, report = read_csv_files(write(tmp_path, deals=FORWARDS.replace(old, new)), date(2026, 11, 20), "USD")

    (entry,) = [entry for entry in report.entries if entry.treatment is Treatment.LEFT_OUT and entry.kind == "trade"]
    assert (entry.name, entry.place, entry.reason) == ("F1", "deals.csv:2", reason)
    assert [row.values["trade_id"] for row in book.rows] == ["F2"]


def test_files_that_are_no_table_are_refused(tmp_path: Path) -> None:
    day = date(2026, 11, 20)
    with pytest.raises(UsageError, match=r"no product has these columns.*it lacks"):
        read_csv_files(write(tmp_path, strange="trade_id,colour\n1,red\n"), day, "USD")
    with pytest.raises(UsageError, match="of which day is the book"):
        read_csv_files(write(tmp_path, deals=FORWARDS), None, "USD")
    with pytest.raises(InputError, match="two columns are named book"):
        read_csv_files(write(tmp_path, deals="trade_id,Book,BOOK\n"), day, "USD")
    with pytest.raises(InputError, match="it is empty"):
        read_csv_files(write(tmp_path, deals=""), day, "USD")
