"""`riskpipe import ore` on a small set of inputs: what is taken, what it is worth, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import ore_inputs
import pyarrow.parquet as pq
import pytest
from ore_inputs import write_inputs
from typer.testing import CliRunner

from riskpipe.cli.app import app
from riskpipe.config import load_settings
from riskpipe.errors import ExitCode, InputError, UsageError
from riskpipe.importers.import_report import Treatment
from riskpipe.importers.ore.ore_inputs import read_ore
from riskpipe.importers.ore.setup import find_setup

runner = CliRunner()

# Open Source Risk Engine 1.8.17 on the same files (EUR), and the notional of each trade.
ORE_VALUES = {
    "swap": (0.0, 1e7),
    "seasoned": (-168096.505461, 1e7),
    "amortising": (166920.499792, 1e7),
    "currencies": (0.0, 1e7),
    "fra": (-2428.736149, 1e7),
    "forward": (5850.359467, 1e6),
    "equity_forward": (-8851.097388, 505_000),
    "equity_option": (-34734.840590, 475_000),
}


def invoke(*arguments: object, code: ExitCode = ExitCode.DONE) -> str:
    result = runner.invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("ore")
    write_inputs(directory)
    invoke("import", "ore", directory, "-o", directory / "book")
    return directory / "book"


def test_the_values_are_those_of_ore(book: Path) -> None:
    invoke("run", "-c", book / "riskpipe.yaml", "--set", "cluster.kind=serial", "-q")
    rows = pq.read_table(book / "output/published/valuations").to_pylist()
    values = {row["trade_id"]: row["value_base"] for row in rows if row["measure"] == "pv"}

    assert values.keys() == {*ORE_VALUES, "option", "option.premium"}
    for trade, (expected, notional) in ORE_VALUES.items():
        assert values[trade] == pytest.approx(expected, abs=1e-11 * notional), trade
    # ORE takes the delivery for the forward and discounts from the expiry, two days before: 5e-6 of the notional.
    assert values["option"] + values["option.premium"] == pytest.approx(33437.785403, abs=6.0)


def test_the_report_says_what_became_of_each_thing(book: Path) -> None:
    table = pq.read_table(book / "import/report.parquet").to_pylist()
    by_name = {(row["kind"], row["name"]): row for row in table}

    assert {row["treatment"] for row in table} == {"taken", "turned"}
    assert by_name["trade", "swap"]["place"] == "portfolio.xml:2"
    assert by_name["trade", "swap"]["treatment"] == "taken"
    assert "option.premium" in by_name["trade", "option"]["reason"]
    assert "zero rates" in by_name["curve", "USD-IN-EUR"]["reason"]
    assert by_name["curve", "EUR1D"]["treatment"] == "taken"
    assert by_name["spot", "EURUSD"]["treatment"] == "turned"
    assert json.loads((book / "import/report.json").read_text())["trade"] == {"taken": 7, "turned": 2, "left_out": 0}


def test_the_configuration_has_the_conventions(book: Path) -> None:
    settings = load_settings(book / "riskpipe.yaml", environment={})

    assert settings.as_of.isoformat() == ore_inputs.AS_OF
    assert settings.base_currency == "EUR"
    assert settings.market.currencies["USD"].discount_curve == "USD-IN-EUR"
    index = settings.market.indices["EUR-EURIBOR-6M"]
    assert (index.curve, index.fixing_lag, index.calendar) == ("EUR6M", 2, "TARGET")
    assert settings.market.indices["USD-SOFR"].overnight
    assert settings.market.curves["USD1D"].payment_lag == 2


def test_quotes_that_riskpipe_understands_stay_quotes(book: Path) -> None:
    points = pq.read_table(book / "data/market.parquet").to_pylist()
    quotes = {point["factor"]: point["value"] for point in points if point["name"] == "EUR1D"}

    assert len(quotes) == 1 + len(ore_inputs.TENORS)
    assert quotes["par_rate:EUR1D:1D"] == 0.0193
    assert quotes["par_rate:EUR1D:10Y"] == ore_inputs.ESTER[ore_inputs.TENORS.index("10Y")]


def test_the_inputs_have_no_faults(book: Path) -> None:
    output = invoke("check", "-c", book / "riskpipe.yaml", "-o", book / "checks.parquet")

    assert "0 errors" in output


def test_what_cannot_be_taken_is_left_out_with_its_place(tmp_path: Path) -> None:
    exotic = ore_inputs.trade("cliquet", "EquityCliquetOption", "<EquityCliquetOptionData/>")
    strange = ore_inputs.trade(
        "strange",
        "Swap",
        "<SwapData>" + ore_inputs.leg("Moon", "true", "", rules="<StartDate>x</StartDate>") + "</SwapData>",
    )
    twice = ore_inputs.trade("swap", "Swap", "<SwapData/>")
    portfolio = ore_inputs.portfolio().replace("</Portfolio>", exotic + strange + twice + "</Portfolio>")
    write_inputs(tmp_path, portfolio=portfolio)

    output = invoke("import", "ore", tmp_path / "Input/ore.xml", "-o", tmp_path / "book", code=ExitCode.PARTIAL)

    assert "1 x trade: trades of the type EquityCliquetOption are not taken" in output
    left = [
        row
        for row in pq.read_table(tmp_path / "book/import/report.parquet").to_pylist()
        if row["treatment"] == "left_out"
    ]
    assert {row["name"]: row["reason"] for row in left} == {
        "cliquet": "trades of the type EquityCliquetOption are not taken",
        "strange": "legs of the type Moon are not taken",
        "swap": "there is a trade of that id before it, at portfolio.xml:2",
    }
    assert all(row["place"].startswith("portfolio.xml:") for row in left)


def test_quotes_that_differ_are_told_as_one_cause(tmp_path: Path) -> None:
    lines = ore_inputs.market().splitlines()
    again = [" ".join([*line.split()[:2], "0.5"]) for line in lines if "IR_SWAP/RATE/EUR" in line]
    write_inputs(tmp_path, market="\n".join([*lines, *again]))

    output = invoke("import", "ore", tmp_path, "-o", tmp_path / "book", code=ExitCode.PARTIAL)

    assert len(again) > 1
    assert f"{len(again)} x quote: an earlier line quotes it otherwise, and is used" in output
    left = [row for row in pq.read_table(tmp_path / "book/import/report.parquet").to_pylist() if row["kind"] == "quote"]
    assert {lines[int(row["detail"].rpartition(":")[2]) - 1].split()[1] for row in left} == {
        line.split()[1] for line in again
    }


def test_analytics_are_told_with_what_asks_for_the_like(tmp_path: Path) -> None:
    """What is left out of the book is nothing: the exit code stays."""
    main = write_inputs(tmp_path)
    asked = (
        '<Analytic type="historicalSimulationVar"><Parameter name="active">Y</Parameter>'
        '<Parameter name="historicalScenarioFile">scenarios.csv</Parameter>'
        '<Parameter name="outputFile">var.csv</Parameter></Analytic>'
        '<Analytic type="stress"><Parameter name="active">N</Parameter></Analytic>'
        '<Analytic type="xva"><Parameter name="active">true</Parameter></Analytic>'
    )
    main.write_text(main.read_text().replace("</Analytics>", f"{asked}</Analytics>"))

    output = invoke("import", "ore", tmp_path, "-o", tmp_path / "book")

    rows = pq.read_table(tmp_path / "book/import/report.parquet").to_pylist()
    found = {row["name"]: row for row in rows if row["kind"] == "analytic"}
    assert found.keys() == {"historicalSimulationVar", "xva"}
    assert found["historicalSimulationVar"]["treatment"] == "left_out"
    assert found["historicalSimulationVar"]["reason"].startswith("scenarios.csv not read; ask for the measure hist")
    assert found["xva"]["place"].startswith("ore.xml:")
    assert "1 x analytic: riskpipe has nothing like it" in output


def test_a_curve_without_its_quotes_leaves_out_what_needs_it(tmp_path: Path) -> None:
    quotes = "\n".join(line for line in ore_inputs.market().splitlines() if "IR_SWAP/RATE/EUR/2D/6M/5Y" not in line)
    write_inputs(tmp_path, market=quotes)
    _, report, _ = read_ore(tmp_path)
    left = {entry.name: entry.reason for entry in report.entries if entry.treatment is Treatment.LEFT_OUT}

    assert left["EUR6M"] == "there is no quote IR_SWAP/RATE/EUR/2D/6M/5Y"
    assert left["swap"] == "index EUR-EURIBOR-6M: curve EUR6M: there is no quote IR_SWAP/RATE/EUR/2D/6M/5Y"
    assert "amortising" not in left


@pytest.mark.parametrize(
    ("file", "old", "new", "reason"),
    [
        ("portfolio", "<Rule>Forward</Rule>", "<Rule>Lunar</Rule>", "schedules by the rule Lunar are not known"),
        ("portfolio", "<Calendar>TARGET</Calendar>", "<Calendar>MOON</Calendar>", "riskpipe has no calendar 'MOON'"),
        ("portfolio", "<DayCounter>30/360", "<DayCounter>1/1", "riskpipe has no day count '1/1'"),
        ("portfolio", "2035-06-18", "2035-06-31", "'2035-06-31' is no date"),
        ("portfolio", "<Rate>0.0254", "<Rate>much", "'much' is no number"),
        ("todaysmarket", "EUR-EURIBOR-6M", "EUR-EURIBOR-3M", "today's market has no Index EUR-EURIBOR-6M"),
        ("conventions", "<Id>EUR-6M</Id>", "<Id>EUR-7M</Id>", "the conventions 'EUR-6M' are not there"),
        ("curveconfig", "<Type>Swap<", "<Type>BMA Basis Swap<", "segments of BMA Basis Swap are not known"),
        ("curveconfig", "LogLinear", "Hermite", "it is interpolated by Discount Hermite, riskpipe's are LogLinear"),
    ],
)
def test_reasons(tmp_path: Path, file: str, old: str, new: str, reason: str) -> None:
    usual = {
        "portfolio": ore_inputs.portfolio(),
        "todaysmarket": ore_inputs.TODAYS_MARKET,
        "conventions": ore_inputs.CONVENTIONS,
        "curveconfig": ore_inputs.curve_configuration(),
    }
    assert old in usual[file]
    write_inputs(tmp_path, **{file: usual[file].replace(old, new)})
    _, report, _ = read_ore(tmp_path)

    assert next(e for e in report.entries if e.kind == "trade" and e.name == "swap").reason.endswith(reason)


def test_entities_are_refused(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>\n' + ore_inputs.portfolio()
    write_inputs(tmp_path, portfolio=bomb)

    with pytest.raises(InputError, match=r"portfolio\.xml:1: document types \(and their entities\) are not read"):
        read_ore(tmp_path)


def test_what_is_no_xml_is_named(tmp_path: Path) -> None:
    write_inputs(tmp_path, portfolio="<Portfolio><Trade></Portfolio>")

    with pytest.raises(InputError, match=r"portfolio\.xml: not XML: mismatched tag: line 1"):
        read_ore(tmp_path)


def test_the_main_file_is_found_or_asked_for(tmp_path: Path) -> None:
    file = write_inputs(tmp_path)
    assert find_setup(tmp_path) == file
    assert find_setup(file) == file
    with pytest.raises(UsageError, match="there is no such file or directory"):
        find_setup(tmp_path / "nowhere")

    file.rename(file.with_name("ore_one.xml"))
    assert find_setup(tmp_path) == file.with_name("ore_one.xml")
    (file.parent / "ore_two.xml").write_text("<ORE/>")
    with pytest.raises(UsageError, match=r"several main files.*: Input/ore_one\.xml, Input/ore_two\.xml"):
        find_setup(tmp_path)
    with pytest.raises(UsageError, match="no <Setup> with an asofDate"):
        read_ore(file.parent / "ore_two.xml")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    file = write_inputs(tmp_path)
    (file.parent / "market.txt").unlink()

    with pytest.raises(UsageError, match=r"marketDataFile: there is no file .*market\.txt"):
        read_ore(file)


def test_nothing_is_written_when_no_trade_can_be_taken(tmp_path: Path) -> None:
    write_inputs(tmp_path, portfolio="<Portfolio>" + ore_inputs.trade("x", "FxForvard", "") + "</Portfolio>")

    output = invoke("import", "ore", tmp_path, "-o", tmp_path / "book", code=ExitCode.INPUTS)

    assert "trades of the type FxForvard are not taken (is FxForward meant?)" in " ".join(output.split())
    assert not (tmp_path / "book").exists()


def test_a_book_is_replaced_with_force_alone(tmp_path: Path) -> None:
    write_inputs(tmp_path)
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "mine.txt").write_text("keep")

    assert "--force" in invoke("import", "ore", tmp_path, "-o", tmp_path / "book", code=ExitCode.USAGE)
    invoke("import", "ore", tmp_path, "-o", tmp_path / "book", "--force")
    assert (tmp_path / "book" / "mine.txt").read_text() == "keep"
