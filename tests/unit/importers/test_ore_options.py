"""Swaptions, caps, credit default swaps and bonds of ORE's inputs: what becomes of their terms."""

from __future__ import annotations

from pathlib import Path

import ore_inputs
import pytest
from ore_inputs import fixed, floating, leg, rules, trade, write_inputs

from riskpipe.importers.book import Book
from riskpipe.importers.import_report import Report
from riskpipe.importers.ore.ore_inputs import read_ore

EXPIRIES, LENGTHS, STRIKES, TERMS = ("1Y", "5Y"), ("2Y", "10Y"), ("0.01", "0.02", "0.03"), ("1Y", "2Y", "3Y", "5Y")


def swaption_vol(expiry: str, length: str) -> float:
    return 0.0070 + 0.0002 * EXPIRIES.index(expiry) + 0.0001 * LENGTHS.index(length)


def cap_vol(term: str, strike: str) -> float:
    return 0.0060 + 0.0002 * TERMS.index(term) + 0.02 * abs(float(strike) - 0.02)


def market() -> str:
    day = ore_inputs.AS_OF
    lines = [f"{day} SWAPTION/RATE_NVOL/EUR/{e}/{x}/ATM {swaption_vol(e, x)}" for e in EXPIRIES for x in LENGTHS]
    lines += [f"{day} CAPFLOOR/RATE_NVOL/EUR/{t}/6M/0/0/{k} {cap_vol(t, k)}" for t in TERMS for k in STRIKES]
    lines += [
        f"{day} HAZARD_RATE/RATE/CORP/SR/EUR/1Y 0.01",
        f"{day} HAZARD_RATE/RATE/CORP/SR/EUR/5Y 0.02",
        f"{day} RECOVERY_RATE/RATE/CORP/SR/EUR 0.4",
        f"{day} RECOVERY_RATE/RATE/PAPER 0.3",
        f"{day} BOND/YIELD_SPREAD/PAPER 0.005",
    ]
    return ore_inputs.market() + "\n".join(lines) + "\n"


def configuration() -> str:
    common = "<DayCounter>A365</DayCounter><Calendar>TARGET</Calendar>"
    return ore_inputs.curve_configuration().replace(
        "</CurveConfiguration>",
        "<SwaptionVolatilities><SwaptionVolatility><CurveId>EUR_SW</CurveId><Dimension>ATM</Dimension>"
        f"<VolatilityType>Normal</VolatilityType>{common}<OptionTenors>{','.join(EXPIRIES)}</OptionTenors>"
        f"<SwapTenors>{','.join(LENGTHS)}</SwapTenors><SwapIndexBase>EUR-CMS-30Y</SwapIndexBase>"
        "</SwaptionVolatility></SwaptionVolatilities>"
        "<CapFloorVolatilities><CapFloorVolatility><CurveId>EUR_CF</CurveId>"
        f"<VolatilityType>Normal</VolatilityType>{common}<Tenors>{','.join(TERMS)}</Tenors>"
        f"<Strikes>{','.join(STRIKES)}</Strikes><IborIndex>EUR-EURIBOR-6M</IborIndex>"
        "<DiscountCurve>Yield/EUR/EUR1D</DiscountCurve></CapFloorVolatility></CapFloorVolatilities>"
        "<DefaultCurves><DefaultCurve><CurveId>CORP</CurveId><Currency>EUR</Currency><Type>HazardRate</Type>"
        "<DayCounter>A365</DayCounter><RecoveryRate>RECOVERY_RATE/RATE/CORP/SR/EUR</RecoveryRate>"
        "<Quotes><Quote>HAZARD_RATE/RATE/CORP/SR/EUR/*</Quote></Quotes></DefaultCurve></DefaultCurves>"
        "</CurveConfiguration>",
    )


TODAYS_MARKET = ore_inputs.TODAYS_MARKET.replace(
    "</TodaysMarket>",
    '<SwaptionVolatilities id="default"><SwaptionVolatility currency="EUR">SwaptionVolatility/EUR/EUR_SW'
    '</SwaptionVolatility></SwaptionVolatilities><CapFloorVolatilities id="default">'
    '<CapFloorVolatility currency="EUR">CapFloorVolatility/EUR/EUR_CF</CapFloorVolatility></CapFloorVolatilities>'
    '<DefaultCurves id="default"><DefaultCurve name="CORP">Default/EUR/CORP</DefaultCurve></DefaultCurves>'
    "</TodaysMarket>",
)
SWAP = ("2026-12-18", "2036-12-18")
SCHEDULE = rules("2025-06-18", "2029-06-18", "6M")
CREDIT = rules("2025-03-20", "2030-06-20", "3M", calendar="WeekendsOnly", rule="CDS2015")


def read(tmp_path: Path, *trades: str, **files: str) -> tuple[Book, Report]:
    portfolio = "<Portfolio>" + "".join(trades) + "</Portfolio>"
    given = {"market": market(), "curveconfig": configuration(), "todaysmarket": TODAYS_MARKET, "portfolio": portfolio}
    write_inputs(tmp_path, **{**given, **files})
    book, report, _ = read_ore(tmp_path)
    assert {entry.reason for entry in report.entries if entry.treatment == "left_out"} == set()
    return book, report


def test_a_swaption(tmp_path: Path) -> None:
    option = ore_inputs.OPTION.format("Short", "Call", "", "2026-12-16")
    legs = leg("Fixed", "false", fixed("0.025"), rules=rules(*SWAP, "1Y"), day_count="30/360") + leg(
        "Floating", "true", floating("EUR-EURIBOR-6M"), rules=rules(*SWAP, "6M")
    )
    book, _ = read(tmp_path, trade("s", "Swaption", f"<SwaptionData>{option}{legs}</SwaptionData>"))

    (row,) = book.rows
    assert row.product == "swaption"
    assert (row.values["direction"], row.values["notional"], row.values["fixed_rate"]) == ("receive", -1e7, 0.025)
    assert (row.values["fixed_frequency"], row.values["float_frequency"]) == ("1Y", "6M")
    assert (row.values["volatility"], row.values["model"]) == ("EUR.SWAPTION", "bachelier")
    # ORE's volatility of the expiry, linear in time between 2026-06-16 and 2030-06-17.
    weight = (20_438 - 20_255) / (21_717 - 20_255)
    point = book.points["normal_vol:EUR.SWAPTION:2026-12-16:10Y:atm"]["value"]
    assert point == pytest.approx(0.0071 + 0.0002 * weight, abs=1e-15)


def test_a_swaption_with_a_smile(tmp_path: Path) -> None:
    smile = [(spread, 0.001 * k) for k, spread in enumerate(("-0.01", "0.01"), 1)]
    quotes = "".join(
        f"20250616 SWAPTION/RATE_NVOL/EUR/{e}/2Y/Smile/{spread} {swaption_vol(e, '2Y') + beyond}\n"
        for e in EXPIRIES
        for spread, beyond in smile
    )
    tags = "<SmileOptionTenors>1Y,5Y</SmileOptionTenors><SmileSwapTenors>2Y</SmileSwapTenors>"
    tags += "<SmileSpreads>-0.01,0.01</SmileSpreads>"
    curves = configuration().replace("<Dimension>ATM</Dimension>", f"<Dimension>Smile</Dimension>{tags}")
    option = ore_inputs.OPTION.format("Long", "Call", "", "2026-12-16")
    legs = leg("Fixed", "false", fixed("0.025"), rules=rules(*SWAP, "1Y"), day_count="30/360") + leg(
        "Floating", "true", floating("EUR-EURIBOR-6M"), rules=rules(*SWAP, "6M")
    )
    one = trade("s", "Swaption", f"<SwaptionData>{option}{legs}</SwaptionData>")
    swaps = (
        "<SwapIndex><Id>EUR-CMS-30Y</Id><Conventions>EUR-CMS</Conventions></SwapIndex><Swap><Id>EUR-CMS</Id>"
        "<FixedCalendar>TARGET</FixedCalendar><FixedFrequency>Annual</FixedFrequency>"
        "<FixedConvention>MF</FixedConvention><FixedDayCounter>30/360</FixedDayCounter>"
        "<Index>EUR-EURIBOR-6M</Index></Swap></Conventions>"
    )
    indices = (
        '<SwapIndexCurves id="default"><SwapIndex name="EUR-CMS-30Y"><Discounting>EUR-ESTER</Discounting></SwapIndex>'
        "</SwapIndexCurves></TodaysMarket>"
    )
    book, _ = read(
        tmp_path,
        one,
        market=market() + quotes,
        curveconfig=curves,
        conventions=ore_inputs.CONVENTIONS.replace("</Conventions>", swaps),
        todaysmarket=TODAYS_MARKET.replace("</TodaysMarket>", indices),
    )

    def value(strike: str) -> float:
        return float(book.points[f"normal_vol:EUR.SWAPTION:2026-12-16:10Y:{strike}"]["value"])

    # What a smile is above the money is the same for swaps that are longer than those quoted.
    assert [value("-0.01") - value("atm"), value("+0.01") - value("atm")] == pytest.approx([0.001, 0.002], abs=1e-15)
    # The swap index begins on the day that the swap begins, and is of its length: so far from it is the strike, too.
    (own,) = [
        p for p in book.points.values() if p["kind"] == "normal_vol" and p.get("strike") not in (None, -0.01, 0.01)
    ]
    assert own["value"] - value("atm") == pytest.approx(0.1 * abs(own["strike"]) * (1 + (own["strike"] > 0)), abs=1e-12)


def test_a_cap_and_a_collar(tmp_path: Path) -> None:
    floater = leg("Floating", "false", floating("EUR-EURIBOR-6M"), rules=SCHEDULE)
    cap = f"<CapFloorData><LongShort>Long</LongShort>{floater}<Caps><Cap>0.03</Cap></Caps><Floors/></CapFloorData>"
    both = cap.replace("<Floors/>", "<Floors><Floor>0.01</Floor></Floors>")
    book, _ = read(tmp_path, trade("cap", "CapFloor", cap), trade("collar", "CapFloor", both))

    terms = [(row.values["trade_id"], row.values["option_type"], row.values["notional"]) for row in book.rows]
    assert terms == [("cap", "cap", 1e7), ("collar.cap", "cap", 1e7), ("collar.floor", "floor", -1e7)]
    fixings = {point["tenor"] for point in book.points.values() if point["name"] == "EUR.CAPFLOOR"}
    assert {"2025-12-16", "2028-12-14"} <= fixings


def test_capped_coupons_are_options_sold(tmp_path: Path) -> None:
    capped = leg("Floating", "false", floating("EUR-EURIBOR-6M"), rules=SCHEDULE).replace(
        "</FloatingLegData>", "<Caps><Cap>0.03</Cap></Caps></FloatingLegData>"
    )
    book, report = read(tmp_path, trade("floater", "Swap", f"<SwapData>{capped}</SwapData>"))

    swap, cap = sorted(book.rows, key=lambda row: row.product, reverse=True)
    assert (swap.product, cap.product, cap.values["notional"]) == ("swap", "cap_floor", -1e7)
    assert any("floater.cap" in entry.reason for entry in report.entries)


def swap_data(kind: str, premium: str) -> str:
    terms = f"<CreditCurveId>CORP</CreditCurveId><ProtectionStart>2025-06-17</ProtectionStart>{premium}"
    return f"<{kind}Data>{terms}</{kind}Data>"


def test_a_credit_default_swap(tmp_path: Path) -> None:
    premium = leg("Fixed", "true", fixed("0.01"), rules=CREDIT)
    data = swap_data("CreditDefaultSwap", f"<UpfrontFee>0.02</UpfrontFee>{premium}")
    book, _ = read(tmp_path, trade("cds", "CreditDefaultSwap", data))

    (swap,) = book.rows
    assert (swap.values["protection"], swap.values["spread"], swap.values["recovery"]) == ("buy", 0.01, 0.4)
    assert swap.values["maturity_date"].isoformat() == "2030-06-20"
    assert swap.values["upfront"] == 0.02
    # The hazard rate of five years is the average of one at 1 % and four at 2 %.
    assert book.points["hazard_rate:CORP:2030-06-16"]["value"] == pytest.approx(0.018, abs=5e-6)
    days = [swap.values[name].isoformat() for name in ("protection_start", "trade_date", "upfront_date")]
    assert days == ["2025-06-17", "2025-06-17", "2025-06-20"]
    assert swap.values["rebates_accrual"] is True


@pytest.mark.parametrize("valued_on", ["Underlying", "Index"])
def test_a_swap_on_a_credit_index(tmp_path: Path, valued_on: str) -> None:
    premium = leg("Fixed", "true", fixed("0.01"), rules=CREDIT)
    name = "<Name><CreditCurveId>CORP</CreditCurveId><Notional>{}</Notional></Name>"
    basket = f"<BasketData>{name.format(3e6)}{name.format(1e6)}</BasketData>"
    data = swap_data("IndexCreditDefaultSwap", premium + basket)
    engines = (
        '<PricingEngines><Product type="IndexCreditDefaultSwap"><EngineParameters>'
        f'<Parameter name="Curve">{valued_on}</Parameter></EngineParameters></Product></PricingEngines>'
    )
    book, _ = read(tmp_path, trade("cdx", "IndexCreditDefaultSwap", data), pricingengine=engines)

    (swap,) = book.rows
    assert (swap.product, swap.values["index"], swap.values["notional"]) == ("index_cds", "CORP", 4e6)
    expected = (["CORP", "CORP"], [0.75, 0.25], [0.4, 0.4]) if valued_on == "Underlying" else (None, None, None)
    names = ("constituents", "constituent_weights", "constituent_recoveries")
    assert tuple(swap.values.get(name) for name in names) == expected


def test_spreads_of_credit_default_swaps_become_hazard_rates(tmp_path: Path) -> None:
    quotes = market() + "".join(f"20250616 CDS/CREDIT_SPREAD/CORP/SR/EUR/{term} 0.01\n" for term in ("1Y", "5Y"))
    conventions = ore_inputs.CONVENTIONS.replace(
        "</Conventions>",
        "<CDS><Id>CDS</Id><SettlementDays>1</SettlementDays><Calendar>WeekendsOnly</Calendar>"
        "<Frequency>Quarterly</Frequency><PaymentConvention>Following</PaymentConvention><Rule>CDS2015</Rule>"
        "<DayCounter>A360</DayCounter></CDS></Conventions>",
    )
    spreads = configuration().replace(
        "<Type>HazardRate", "<DiscountCurve>Yield/EUR/EUR1D</DiscountCurve><Type>SpreadCDS"
    )
    spreads = spreads.replace("HAZARD_RATE/RATE/CORP/SR/EUR/*", "CDS/CREDIT_SPREAD/CORP/SR/EUR/*")
    spreads = spreads.replace("</DefaultCurve>", "<Conventions>CDS</Conventions></DefaultCurve>")
    data = swap_data("CreditDefaultSwap", leg("Fixed", "true", fixed("0.01"), rules=CREDIT))
    book, _ = read(
        tmp_path,
        trade("cds", "CreditDefaultSwap", data),
        market=quotes,
        conventions=conventions,
        curveconfig=spreads,
    )

    rates = {name: point["value"] for name, point in book.points.items() if point["kind"] == "hazard_rate"}
    assert list(rates) == ["hazard_rate:CORP:2026-06-22", "hazard_rate:CORP:2030-06-20"]
    # The spread over what is lost, premium by ACT/360, paid up to the day of default and rebated up to today.
    assert list(rates.values()) == pytest.approx([0.01 / 0.6 * 365 / 360] * 2, rel=5e-3)


def test_a_bond(tmp_path: Path) -> None:
    coupons = leg("Fixed", "false", fixed("0.03"), rules=rules("2024-09-16", "2029-09-16", "1Y").replace("MF", "U"))
    data = (
        "<BondData><CreditCurveId>CORP</CreditCurveId><SecurityId>PAPER</SecurityId>"
        f"<ReferenceCurveId>EUR-ESTER</ReferenceCurveId><IssueDate>2024-09-16</IssueDate>{coupons}</BondData>"
    )
    book, _ = read(tmp_path, trade("bond", "Bond", data))

    (row,) = book.rows
    assert (row.product, row.values["face"], row.values["coupon"]) == ("bond", 1e7, 0.03)
    assert row.values["discount_curve"] == "EUR1D+PAPER"
    assert row.values["credit_curve"] == "CORP.R0.3"
    assert book.points["recovery:CORP.R0.3"]["value"] == 0.3
    # The spread is on the zero rates of the curve, whose own points the quotes make.
    points = [point for point in book.points.values() if point["name"] == "EUR1D+PAPER"]
    assert points[0]["value"] == pytest.approx(0.005 + 0.0193 * 365 / 360, abs=1e-5)
    assert len(points) == sum(point["name"] == "EUR1D" for point in book.points.values())
