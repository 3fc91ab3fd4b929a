"""Inflation legs of ORE's inputs, and the price indices that project them."""

from __future__ import annotations

from pathlib import Path

import ore_inputs
import pytest
from ore_inputs import leg, rules, trade, write_inputs

from riskpipe.importers.book import Book
from riskpipe.importers.import_report import Report
from riskpipe.importers.ore.ore_inputs import read_ore

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
FACTORS = dict.fromkeys(MONTHS, 1.0) | {"JAN": 0.99, "MAR": 1.01}
RULES = rules("2025-06-16", "2030-06-16", "1Y")


def _swaps(kind: str) -> str:
    quotes = "".join(f"<Quote>{kind}_INFLATIONSWAP/RATE/HICP/{term}</Quote>" for term in ("1Y", "5Y", "10Y"))
    factors = "".join(f"<Factor>SEASONALITY/RATE/MULT/HICP/{month}</Factor>" for month in FACTORS)
    return (
        f"<InflationCurve><CurveId>HICP_{kind}</CurveId><NominalTermStructure>Yield/EUR/EUR1D</NominalTermStructure>"
        f"<Type>{kind}</Type><Quotes>{quotes}</Quotes><Conventions>HICP-SWAPS</Conventions><DayCounter>ACT</DayCounter>"
        "<Lag>3M</Lag><BaseRate>0.01</BaseRate>"
        f"<Seasonality><BaseDate>20250101</BaseDate><Factors>{factors}</Factors></Seasonality></InflationCurve>"
    )


def read(tmp_path: Path, one: str) -> tuple[Book, Report]:
    rates = [("ZC", 0.02, 0.022, 0.023), ("YY", 0.021, 0.0225, 0.024)]
    quotes = "".join(
        f"20250616 {kind}_INFLATIONSWAP/RATE/HICP/{term} {rate}\n"
        for kind, *values in rates
        for term, rate in zip(("1Y", "5Y", "10Y"), values, strict=True)
    )
    quotes += "".join(f"20250616 SEASONALITY/RATE/MULT/HICP/{month} {value}\n" for month, value in FACTORS.items())
    published = "".join(
        f"{2024 + (month > 12)}-{(month - 1) % 12 + 1:02d}-01 HICP {120 + 0.2 * month}\n" for month in range(1, 16)
    )
    conventions = ore_inputs.CONVENTIONS.replace(
        "</Conventions>",
        "<InflationSwap><Id>HICP-SWAPS</Id><FixCalendar>TARGET</FixCalendar><FixConvention>MF</FixConvention>"
        "<DayCounter>30/360</DayCounter><Index>HICP</Index><Interpolated>false</Interpolated>"
        "<ObservationLag>3M</ObservationLag></InflationSwap></Conventions>",
    )
    curves = f"<InflationCurves>{_swaps('ZC')}{_swaps('YY')}</InflationCurves></CurveConfiguration>"
    todays = (
        '<ZeroInflationIndexCurves id="default"><ZeroInflationIndexCurve name="HICP">Inflation/HICP/HICP_ZC'
        '</ZeroInflationIndexCurve></ZeroInflationIndexCurves><YYInflationIndexCurves id="default">'
        '<YYInflationIndexCurve name="HICP">Inflation/HICP/HICP_YY</YYInflationIndexCurve></YYInflationIndexCurves>'
        "</TodaysMarket>"
    )
    write_inputs(
        tmp_path,
        market=ore_inputs.market() + quotes,
        fixings=ore_inputs.FIXINGS + published,
        conventions=conventions,
        curveconfig=ore_inputs.curve_configuration().replace("</CurveConfiguration>", curves),
        todaysmarket=ore_inputs.TODAYS_MARKET.replace("</TodaysMarket>", todays),
        portfolio=f"<Portfolio>{trade('swap', 'Swap', f'<SwapData>{one}</SwapData>')}</Portfolio>",
    )
    book, report, _ = read_ore(tmp_path)
    return book, report


def test_an_indexed_leg(tmp_path: Path) -> None:
    data = (
        "<CPILegData><Index>HICP</Index><Rates><Rate>0.01</Rate></Rates><BaseCPI>110</BaseCPI>"
        "<ObservationLag>3M</ObservationLag><Interpolation>AsIndex</Interpolation></CPILegData>"
    )
    book, _ = read(tmp_path, leg("CPI", "false", data, rules=RULES))

    (found,) = book.rows[0].values["legs"]
    assert (found["inflation_kind"], found["index"], found["fixed_rate"]) == ("indexed", "HICP", 0.01)
    assert (found["base_index"], found["observation_lag"], found["observation"]) == (110.0, 3.0, "flat")
    rates = {str(p["tenor"]): p["value"] for p in book.points.values() if p["kind"] == "inflation_zero"}
    # Quotes hold on their own months; up to the first one ORE's rate is constant.
    assert (rates["2026-06-01"], rates["2030-06-01"]) == (pytest.approx(0.02), pytest.approx(0.022))
    assert book.conventions["indices"]["HICP"]["seasonality"] == list(FACTORS.values())  # type: ignore[index]
    assert book.points["index_fixing:HICP:2025-03-01"]["value"] == 123.0


def test_a_year_on_year_leg(tmp_path: Path) -> None:
    data = "<YYLegData><Index>HICP</Index><ObservationLag>3M</ObservationLag></YYLegData>"
    book, report = read(tmp_path, leg("YY", "false", data, rules=RULES))

    (found,) = book.rows[0].values["legs"]
    assert (found["inflation_kind"], found["index"]) == ("year_on_year", "HICP.YY")
    rates = {str(p["tenor"]): p["value"] for p in book.points.values() if p["kind"] == "inflation_zero"}
    # The first year's growth is its quote, from the index that is published.
    assert rates["2026-06-01"] == pytest.approx(0.021, abs=1e-12)
    assert any("growth of an index" in entry.reason for entry in report.entries if entry.kind == "trade")


@pytest.mark.parametrize(
    ("found", "instead", "reason"),
    [
        ("<ObservationLag>3M", "<ObservationLag>20D", "no number of months"),
        ("AsIndex", "Cubic", "interpolation Cubic"),
        ("</CPILegData>", "<Floors><Floor>0</Floor></Floors></CPILegData>", "caps or floors"),
        ("<Index>HICP", "<Index>RPI", "no ZeroInflationIndexCurve RPI"),
    ],
)
def test_what_is_left_out(tmp_path: Path, found: str, instead: str, reason: str) -> None:
    data = (
        "<CPILegData><Index>HICP</Index><Rates><Rate>0.01</Rate></Rates><BaseCPI>110</BaseCPI>"
        "<ObservationLag>3M</ObservationLag><Interpolation>AsIndex</Interpolation></CPILegData>"
    )
    _, report = read(tmp_path, leg("CPI", "false", data.replace(found, instead), rules=RULES))
    assert any(reason in entry.reason for entry in report.entries if entry.kind == "trade"), report.entries
