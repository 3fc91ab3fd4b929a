"""Commodities of ORE's inputs: prices of dates and of contracts, and the trades on them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import ore_inputs
import pytest
from ore_inputs import leg, rules, trade, write_inputs

from riskpipe.importers.book import Book
from riskpipe.importers.import_report import Report
from riskpipe.importers.ore.ore_inputs import read_ore

PRICES = {"2025-07-31": 60.0, "2025-12-31": 62.0, "2026-12-31": 65.0}
SMILE = {"1Y": (0.30, 0.34), "5Y": (0.25, 0.27)}
FUTURE = (
    "<CommodityFuture><Id>OIL</Id><AnchorDay><DayOfMonth>25</DayOfMonth></AnchorDay>"
    "<ContractFrequency>Monthly</ContractFrequency><Calendar>US-NYSE</Calendar><ExpiryMonthLag>1</ExpiryMonthLag>"
    "<OffsetDays>3</OffsetDays><BusinessDayConvention>Preceding</BusinessDayConvention></CommodityFuture>"
)
PERIODS = rules("2025-10-01", "2025-12-31", "1M", calendar="NullCalendar", rule="Backward")
PERIODS = PERIODS.replace(">MF<", ">Unadjusted<").replace("<EndOfMonth/>", "<EndOfMonth>true</EndOfMonth>")
PAID = "<PaymentLag>5</PaymentLag><PaymentCalendar>US-NYSE</PaymentCalendar>"
FIXED = "<CommodityFixedLegData><Prices><Price>61.5</Price></Prices></CommodityFixedLegData>" + PAID
FLOATING = (
    "<CommodityFloatingLegData><Name>OIL</Name><PriceType>FutureSettlement</PriceType>"
    "<Quantities><Quantity>100</Quantity></Quantities>"
    "<CommodityQuantityFrequency>PerCalendarDay</CommodityQuantityFrequency><IsAveraged>true</IsAveraged>"
    "</CommodityFloatingLegData>" + PAID
)


def read(tmp_path: Path, one: str) -> tuple[Book, Report]:
    quotes = "20250616 COMMODITY/PRICE/OIL/EUR 59\n"
    quotes += "".join(f"20250616 COMMODITY_FWD/PRICE/OIL/EUR/{day} {price}\n" for day, price in PRICES.items())
    for term, values in SMILE.items():
        for strike, value in zip((50, 70), values, strict=True):
            quotes += f"20250616 COMMODITY_OPTION/RATE_LNVOL/OIL_VOL/EUR/{term}/{strike} {value}\n"
    listed = "".join(f"<Quote>COMMODITY_FWD/PRICE/OIL/EUR/{day}</Quote>" for day in PRICES)
    curves = (
        "<CommodityCurves><CommodityCurve><CurveId>OIL_EUR</CurveId><Currency>EUR</Currency>"
        f"<SpotQuote>COMMODITY/PRICE/OIL/EUR</SpotQuote><Quotes>{listed}</Quotes></CommodityCurve></CommodityCurves>"
        "<CommodityVolatilities><CommodityVolatility><CurveId>OIL_VOL</CurveId><Currency>EUR</Currency>"
        "<StrikeSurface><Strikes>50,70</Strikes><Expiries>1Y,5Y</Expiries></StrikeSurface><DayCounter>A365</DayCounter>"
        "</CommodityVolatility></CommodityVolatilities></CurveConfiguration>"
    )
    todays = (
        '<CommodityCurves id="default"><CommodityCurve name="OIL">Commodity/EUR/OIL_EUR</CommodityCurve>'
        '</CommodityCurves><CommodityVolatilities id="default"><CommodityVolatility name="OIL">'
        "CommodityVolatility/EUR/OIL_VOL</CommodityVolatility></CommodityVolatilities></TodaysMarket>"
    )
    write_inputs(
        tmp_path,
        market=ore_inputs.market() + quotes,
        conventions=ore_inputs.CONVENTIONS.replace("</Conventions>", FUTURE + "</Conventions>"),
        curveconfig=ore_inputs.curve_configuration().replace("</CurveConfiguration>", curves),
        todaysmarket=ore_inputs.TODAYS_MARKET.replace("</TodaysMarket>", todays),
        portfolio=f"<Portfolio>{one}</Portfolio>",
    )
    book, report, _ = read_ore(tmp_path)
    return book, report


def swap(found: str = "", instead: str = "") -> str:
    legs = leg("CommodityFixed", "true", FIXED, rules=PERIODS) + leg(
        "CommodityFloating", "false", FLOATING, rules=PERIODS
    )
    return trade("swap", "CommoditySwap", f"<SwapData>{legs.replace(found, instead) if found else legs}</SwapData>")


def test_a_swap_is_on_contracts(tmp_path: Path) -> None:
    book, _ = read(tmp_path, swap())

    (row,) = book.rows
    assert (row.product, row.values["underlying"], row.values["quantity"]) == ("commodity_swap", "OIL.FUTURES", 100.0)
    assert row.values["period_starts"] == [date(2025, 10, 1), date(2025, 11, 1), date(2025, 12, 1)]
    assert (row.values["quantity_per"], row.values["payment_lag"]) == ("calendar_day", 5.0)
    expiries = [p["tenor"] for p in book.points.values() if p["name"] == "OIL.FUTURES"]
    # Three business days before the 25th of the month before: the prompt contract of 1 October expires on the 21st.
    assert expiries[:3] == ["2025-10-21", "2025-11-20", "2025-12-19"]
    assert book.points["forward_price:OIL.FUTURES:2025-10-21"]["value"] == pytest.approx(60.0 + 2.0 * 82 / 153)


def test_an_option_between_strikes(tmp_path: Path) -> None:
    option = ore_inputs.OPTION.format("Short", "Put", "", "2026-06-30")
    terms = "<Name>OIL</Name><Currency>EUR</Currency><Strike>60</Strike><Quantity>1000</Quantity>"
    data = f"<CommodityOptionData>{option}{terms}</CommodityOptionData>"
    book, _ = read(tmp_path, trade("o", "CommodityOption", data))

    (row,) = book.rows
    assert (row.product, row.values["quantity"], row.values["option_type"]) == ("commodity_option", -1000.0, "put")
    value = book.points["black_vol:OIL:2026-06-16:60"]["value"]
    assert value**2 == pytest.approx((0.30**2 + 0.34**2) / 2)
    assert book.points["forward_price:OIL:2026-06-30"]["value"] == pytest.approx(62.0 + 3.0 * 181 / 365)


def test_a_forward(tmp_path: Path) -> None:
    terms = "<Position>Long</Position><Maturity>2026-06-30</Maturity><Name>OIL</Name><Currency>EUR</Currency>"
    data = f"<CommodityForwardData>{terms}<Strike>60</Strike><Quantity>1000</Quantity></CommodityForwardData>"
    book, _ = read(tmp_path, trade("f", "CommodityForward", data))

    (row,) = book.rows
    assert (row.product, row.values["delivery_date"], row.values["strike"]) == (
        "commodity_forward",
        date(2026, 6, 30),
        60.0,
    )


@pytest.mark.parametrize(
    ("found", "instead", "reason"),
    [
        ("FutureSettlement", "Spot", "spot prices"),
        ("<IsAveraged>true", "<IsAveraged>false", "single days"),
        ("PerCalendarDay", "PerHour", "hours"),
        ("2025-12-31", "2027-12-31", "beyond the curve's quotes"),
        ("<Name>OIL", "<Name>GAS", "conventions 'GAS' are not there"),
    ],
)
def test_what_is_left_out(tmp_path: Path, found: str, instead: str, reason: str) -> None:
    _, report = read(tmp_path, swap(found, instead))
    assert any(reason in entry.reason for entry in report.entries if entry.kind == "trade"), report.entries
