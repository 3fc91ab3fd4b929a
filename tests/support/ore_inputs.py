"""A small set of inputs in ORE's formats: two currencies, overnight and term curves, an equity, trades of each kind."""

from __future__ import annotations

from pathlib import Path

AS_OF = "2025-06-16"

TENORS = ("1M", "3M", "6M", "1Y", "18M", "2Y", "3Y", "5Y", "7Y", "10Y", "20Y")
ESTER = (0.0201, 0.0199, 0.0196, 0.0192, 0.0191, 0.0194, 0.0201, 0.0214, 0.0225, 0.0239, 0.0253)
SOFR = (0.0431, 0.0428, 0.0421, 0.0402, 0.0386, 0.0374, 0.0362, 0.0359, 0.0364, 0.0372, 0.0379)
SWAPS = {"2Y": 0.0209, "3Y": 0.0216, "5Y": 0.0229, "10Y": 0.0254, "20Y": 0.0268}
POINTS = {"1M": 19.5, "3M": 58.2, "6M": 115.1, "1Y": 221.3, "2Y": 402.0}
BASIS = {"3Y": -0.0009, "5Y": -0.0011, "10Y": -0.0014}


def market() -> str:
    lines = ["# quotes of one day", f"{AS_OF} MM/RATE/EUR/0D/1D 0.0193", f"{AS_OF} MM/RATE/USD/0D/1D 0.0433"]
    for tenor, euro, dollar in zip(TENORS, ESTER, SOFR, strict=True):
        lines.append(f"{AS_OF} IR_SWAP/RATE/EUR/2D/1D/{tenor} {euro}")
        lines.append(f"{AS_OF},IR_SWAP/RATE/USD/2D/1D/{tenor},{dollar}")
    lines.append("20250616 MM/RATE/EUR/2D/6M 0.0205")
    lines += [f"{AS_OF} IR_SWAP/RATE/EUR/2D/6M/{tenor} {rate}" for tenor, rate in SWAPS.items()]
    lines += [f"{AS_OF} FXFWD/RATE/EUR/USD/{tenor} {points}" for tenor, points in POINTS.items()]
    lines += [f"{AS_OF} CC_BASIS_SWAP/BASIS_SPREAD/USD/3M/EUR/3M/{tenor} {rate}" for tenor, rate in BASIS.items()]
    lines += [
        f"{AS_OF} FX/RATE/EUR/USD 1.1557",
        f"{AS_OF} FX_OPTION/RATE_LNVOL/EUR/USD/1Y/ATM 0.078",
        f"{AS_OF} FX_OPTION/RATE_LNVOL/EUR/USD/5Y/ATM 0.085",
        f"{AS_OF} EQUITY/PRICE/ACME/EUR 102.5",
        f"{AS_OF} EQUITY_DIVIDEND/RATE/ACME/EUR/1Y 0.018",
        f"{AS_OF} EQUITY_DIVIDEND/RATE/ACME/EUR/5Y 0.022",
        f"{AS_OF} EQUITY_OPTION/RATE_LNVOL/ACME/EUR/1Y/ATMF 0.21",
        f"{AS_OF} EQUITY_OPTION/RATE_LNVOL/ACME/EUR/3Y/ATMF 0.23",
        "2025-06-13 FX/RATE/EUR/USD 1.15",
    ]
    return "\n".join(lines) + "\n"


FIXINGS = """\
2025-06-12 EUR-EURIBOR-6M 0.02051
2025-06-16 EUR-EURIBOR-6M 0.02049
2025-02-26 EUR-EURIBOR-6M 0.0233
2025-06-13 EUR-ESTER 0.01929
"""

CONVENTIONS = """\
<Conventions>
  <Deposit><Id>EUR-ON</Id><IndexBased>true</IndexBased><Index>EUR-ESTER</Index></Deposit>
  <Deposit><Id>USD-ON</Id><IndexBased>true</IndexBased><Index>USD-SOFR</Index></Deposit>
  <Deposit><Id>EUR-EURIBOR</Id><IndexBased>true</IndexBased><Index>EUR-EURIBOR</Index></Deposit>
  <OIS><Id>EUR-OIS</Id><SpotLag>2</SpotLag><Index>EUR-ESTER</Index><FixedDayCounter>A360</FixedDayCounter>
    <PaymentLag>1</PaymentLag><FixedFrequency>Annual</FixedFrequency></OIS>
  <OIS><Id>USD-OIS</Id><SpotLag>2</SpotLag><Index>USD-SOFR</Index><FixedDayCounter>A360</FixedDayCounter>
    <PaymentLag>2</PaymentLag><FixedFrequency>Annual</FixedFrequency></OIS>
  <Swap><Id>EUR-6M</Id><FixedCalendar>TARGET</FixedCalendar><FixedFrequency>Annual</FixedFrequency>
    <FixedConvention>MF</FixedConvention><FixedDayCounter>30/360</FixedDayCounter><Index>EUR-EURIBOR-6M</Index></Swap>
  <FX><Id>EUR-USD-FX</Id><SpotDays>2</SpotDays><SourceCurrency>EUR</SourceCurrency>
    <TargetCurrency>USD</TargetCurrency><PointsFactor>10000</PointsFactor>
    <AdvanceCalendar>TARGET,US</AdvanceCalendar><SpotRelative>true</SpotRelative></FX>
  <CrossCurrencyBasis><Id>EUR-USD-XCCY</Id><SettlementDays>2</SettlementDays>
    <SettlementCalendar>TARGET,US</SettlementCalendar><RollConvention>MF</RollConvention>
    <FlatIndex>USD-SOFR</FlatIndex><FlatTenor>3M</FlatTenor><SpreadIndex>EUR-ESTER</SpreadIndex>
    <SpreadTenor>3M</SpreadTenor><IsResettable>false</IsResettable></CrossCurrencyBasis>
</Conventions>
"""


def _quotes(*names: str) -> str:
    return "<Quotes>" + "".join(f"<Quote>{name}</Quote>" for name in names) + "</Quotes>"


def _curve(curve_id: str, currency: str, discount: str, *segments: str) -> str:
    return (
        f"<YieldCurve><CurveId>{curve_id}</CurveId><CurveDescription/><Currency>{currency}</Currency>\n"
        f"<DiscountCurve>{discount}</DiscountCurve><Segments>{''.join(segments)}</Segments>\n"
        "<InterpolationVariable>Discount</InterpolationVariable><InterpolationMethod>LogLinear</InterpolationMethod>\n"
        "<YieldCurveDayCounter>A365</YieldCurveDayCounter><Tolerance>0.000000000001</Tolerance></YieldCurve>\n"
    )


def _simple(kind: str, conventions: str, *names: str, projection: str = "") -> str:
    tail = f"<ProjectionCurve>{projection}</ProjectionCurve>" if projection else ""
    return f"<Simple><Type>{kind}</Type>{_quotes(*names)}<Conventions>{conventions}</Conventions>{tail}</Simple>\n"


def curve_configuration() -> str:
    def overnight(currency: str) -> str:
        return _simple("OIS", f"{currency}-OIS", *(f"IR_SWAP/RATE/{currency}/2D/1D/{tenor}" for tenor in TENORS))

    swaps = (f"IR_SWAP/RATE/EUR/2D/6M/{tenor}" for tenor in SWAPS)
    cross = (
        "<CrossCurrency><Type>FX Forward</Type>"
        + _quotes(*(f"FXFWD/RATE/EUR/USD/{tenor}" for tenor in POINTS))
        + "<Conventions>EUR-USD-FX</Conventions><DiscountCurve>EUR1D</DiscountCurve>"
        "<SpotRate>FX/RATE/EUR/USD</SpotRate></CrossCurrency>"
        "<CrossCurrency><Type>Cross Currency Basis Swap</Type>"
        + _quotes(*(f"CC_BASIS_SWAP/BASIS_SPREAD/USD/3M/EUR/3M/{tenor}" for tenor in BASIS))
        + "<Conventions>EUR-USD-XCCY</Conventions><DiscountCurve>EUR1D</DiscountCurve>"
        "<SpotRate>FX/RATE/EUR/USD</SpotRate><ProjectionCurveDomestic>USD1D</ProjectionCurveDomestic>"
        "<ProjectionCurveForeign>EUR1D</ProjectionCurveForeign></CrossCurrency>"
    )
    curves = (
        _curve("EUR1D", "EUR", "EUR1D", _simple("Deposit", "EUR-ON", "MM/RATE/EUR/0D/1D"), overnight("EUR")),
        _curve("USD1D", "USD", "USD1D", _simple("Deposit", "USD-ON", "MM/RATE/USD/0D/1D"), overnight("USD")),
        _curve(
            "EUR6M",
            "EUR",
            "EUR1D",
            _simple("Deposit", "EUR-EURIBOR", "MM/RATE/EUR/2D/6M", projection="EUR6M"),
            _simple("Swap", "EUR-6M", *swaps, projection="EUR6M"),
        ),
        _curve("USD-IN-EUR", "USD", "", cross),
    )
    return f"""\
<CurveConfiguration>
<YieldCurves>{"".join(curves)}</YieldCurves>
<FXVolatilities><FXVolatility><CurveId>EURUSD</CurveId><CurveDescription/><Dimension>ATM</Dimension>
<Expiries>1Y,5Y</Expiries><FXSpotID>FX/EUR/USD</FXSpotID></FXVolatility></FXVolatilities>
<EquityCurves><EquityCurve><CurveId>ACME</CurveId><CurveDescription/><Currency>EUR</Currency>
<ForecastingCurve>EUR6M</ForecastingCurve><Type>DividendYield</Type><SpotQuote>EQUITY/PRICE/ACME/EUR</SpotQuote>
{_quotes("EQUITY_DIVIDEND/RATE/ACME/EUR/1Y", "EQUITY_DIVIDEND/RATE/ACME/EUR/5Y")}<DayCounter>A365</DayCounter>
<DividendInterpolation><InterpolationVariable>Zero</InterpolationVariable>
<InterpolationMethod>Linear</InterpolationMethod></DividendInterpolation></EquityCurve></EquityCurves>
<EquityVolatilities><EquityVolatility><CurveId>ACME</CurveId><CurveDescription/><Currency>EUR</Currency>
<Dimension>ATM</Dimension><Expiries>1Y,3Y</Expiries></EquityVolatility></EquityVolatilities>
</CurveConfiguration>
"""


TODAYS_MARKET = """\
<TodaysMarket>
<Configuration id="default"><DiscountingCurvesId>eur</DiscountingCurvesId></Configuration>
<DiscountingCurves id="eur">
  <DiscountingCurve currency="EUR">Yield/EUR/EUR1D</DiscountingCurve>
  <DiscountingCurve currency="USD">Yield/USD/USD-IN-EUR</DiscountingCurve>
</DiscountingCurves>
<IndexForwardingCurves id="default">
  <Index name="EUR-ESTER">Yield/EUR/EUR1D</Index>
  <Index name="EUR-EURIBOR-6M">Yield/EUR/EUR6M</Index>
  <Index name="USD-SOFR">Yield/USD/USD1D</Index>
</IndexForwardingCurves>
<FxSpots id="default"><FxSpot pair="EURUSD">FX/EUR/USD</FxSpot></FxSpots>
<FxVolatilities id="default">
  <FxVolatility pair="EURUSD">FXVolatility/EUR/USD/EURUSD</FxVolatility>
</FxVolatilities>
<EquityCurves id="default"><EquityCurve name="ACME">Equity/EUR/ACME</EquityCurve></EquityCurves>
<EquityVolatilities id="default">
  <EquityVolatility name="ACME">EquityVolatility/EUR/ACME</EquityVolatility>
</EquityVolatilities>
</TodaysMarket>
"""

PRICING_ENGINES = """\
<PricingEngines>
<Product type="Swap"><Model>DiscountedCashflows</Model><ModelParameters/><Engine>DiscountingSwapEngine</Engine>
<EngineParameters/></Product>
<Product type="CrossCurrencySwap"><Model>DiscountedCashflows</Model><ModelParameters/>
<Engine>DiscountingCrossCurrencySwapEngine</Engine><EngineParameters/></Product>
<Product type="ForwardRateAgreement"><Model>DiscountedCashflows</Model><ModelParameters/>
<Engine>DiscountingForwardRateAgreementEngine</Engine><EngineParameters/></Product>
<Product type="FxForward"><Model>DiscountedCashflows</Model><ModelParameters/>
<Engine>DiscountingFxForwardEngine</Engine><EngineParameters/></Product>
<Product type="FxOption"><Model>GarmanKohlhagen</Model><ModelParameters/><Engine>AnalyticEuropeanEngine</Engine>
<EngineParameters/></Product>
<Product type="EquityForward"><Model>DiscountedCashflows</Model><ModelParameters/>
<Engine>DiscountingEquityForwardEngine</Engine><EngineParameters/></Product>
<Product type="EquityOption"><Model>BlackScholesMerton</Model><ModelParameters/><Engine>AnalyticEuropeanEngine</Engine>
<EngineParameters/></Product>
</PricingEngines>
"""


def trade(trade_id: str, kind: str, data: str) -> str:
    return (
        f'<Trade id="{trade_id}"><TradeType>{kind}</TradeType><Envelope><CounterParty>CP</CounterParty>'
        f"<NettingSetId>NS</NettingSetId><AdditionalFields/></Envelope>{data}</Trade>\n"
    )


def leg(
    kind: str, payer: str, terms: str, *, currency: str = "EUR", notional: str = "", rules: str, **more: str
) -> str:
    return (
        f"<LegData><LegType>{kind}</LegType><Payer>{payer}</Payer><Currency>{currency}</Currency>"
        f"<Notionals>{notional or '<Notional>10000000</Notional>'}</Notionals>"
        f"<DayCounter>{more.get('day_count', 'A360')}</DayCounter><PaymentConvention>MF</PaymentConvention>"
        f"{more.get('extra', '')}{terms}<ScheduleData><Rules>{rules}</Rules></ScheduleData></LegData>"
    )


def rules(start: str, end: str, tenor: str, *, calendar: str = "TARGET", rule: str = "Forward") -> str:
    return (
        f"<StartDate>{start}</StartDate><EndDate>{end}</EndDate><Tenor>{tenor}</Tenor><Calendar>{calendar}</Calendar>"
        f"<Convention>MF</Convention><TermConvention>MF</TermConvention><Rule>{rule}</Rule><EndOfMonth/>"
    )


def fixed(rate: str) -> str:
    return f"<FixedLegData><Rates><Rate>{rate}</Rate></Rates></FixedLegData>"


def floating(index: str, spread: str = "0.0") -> str:
    days = "2" if "EURIBOR" in index else "0"
    return (
        f"<FloatingLegData><Index>{index}</Index><Spreads><Spread>{spread}</Spread></Spreads>"
        f"<FixingDays>{days}</FixingDays></FloatingLegData>"
    )


EXCHANGES = (
    "<Exchanges><NotionalInitialExchange>true</NotionalInitialExchange>"
    "<NotionalFinalExchange>true</NotionalFinalExchange></Exchanges>"
)
OPTION = (
    "<OptionData><LongShort>{}</LongShort><OptionType>{}</OptionType><Style>European</Style>"
    "<Settlement>Physical</Settlement><PayOffAtExpiry>false</PayOffAtExpiry>{}"
    "<ExerciseDates><ExerciseDate>{}</ExerciseDate></ExerciseDates></OptionData>"
)


def portfolio() -> str:
    spot, seasoned = ("2025-06-18", "2035-06-18"), ("2025-02-28", "2030-08-31")
    steps = (
        '<Notional>10000000</Notional><Notional startDate="2027-06-18">8000000</Notional>'
        '<Notional startDate="2029-06-18">4000000</Notional>'
    )
    premium = (
        "<Premiums><Premium><Amount>12000</Amount><Currency>EUR</Currency>"
        "<PayDate>2025-07-01</PayDate></Premium></Premiums>"
    )
    trades = (
        trade(
            "swap",
            "Swap",
            "<SwapData>"
            + leg("Fixed", "true", fixed("0.0254"), rules=rules(*spot, "1Y"), day_count="30/360")
            + leg("Floating", "false", floating("EUR-EURIBOR-6M"), rules=rules(*spot, "6M"))
            + "</SwapData>",
        ),
        trade(
            "seasoned",
            "Swap",
            "<SwapData>"
            + leg("Fixed", "false", fixed("0.021"), rules=rules(*seasoned, "1Y"), day_count="ACT/ACT")
            + leg("Floating", "true", floating("EUR-EURIBOR-6M", "0.001"), rules=rules(*seasoned, "6M"))
            + "</SwapData>",
        ),
        trade(
            "amortising",
            "Swap",
            "<SwapData>"
            + leg("Fixed", "true", fixed("0.02"), notional=steps, rules=rules(*spot, "1Y"), day_count="A365")
            + leg("Floating", "false", floating("EUR-ESTER"), notional=steps, rules=rules(*spot, "1Y"))
            + "</SwapData>",
        ),
        trade(
            "currencies",
            "CrossCurrencySwap",
            "<CrossCurrencySwapData>"
            + leg(
                "Floating",
                "true",
                floating("USD-SOFR"),
                currency="USD",
                notional="<Notional>11557000</Notional>" + EXCHANGES,
                rules=rules(*spot, "3M", calendar="TARGET,US"),
            )
            + leg(
                "Floating",
                "false",
                floating("EUR-ESTER", "-0.0014"),
                notional="<Notional>10000000</Notional>" + EXCHANGES,
                rules=rules(*spot, "3M", calendar="TARGET,US"),
            )
            + "</CrossCurrencySwapData>",
        ),
        trade(
            "fra",
            "ForwardRateAgreement",
            "<ForwardRateAgreementData><StartDate>2025-09-18</StartDate><EndDate>2026-03-18</EndDate>"
            "<Currency>EUR</Currency><Index>EUR-EURIBOR-6M</Index><LongShort>Long</LongShort><Strike>0.021</Strike>"
            "<Notional>10000000</Notional></ForwardRateAgreementData>",
        ),
        trade(
            "forward",
            "FxForward",
            "<FxForwardData><ValueDate>2026-12-16</ValueDate><BoughtCurrency>EUR</BoughtCurrency>"
            "<BoughtAmount>1000000</BoughtAmount><SoldCurrency>USD</SoldCurrency><SoldAmount>1180000</SoldAmount>"
            "</FxForwardData>",
        ),
        trade(
            "option",
            "FxOption",
            "<FxOptionData>"
            + OPTION.format("Long", "Call", premium, "2027-03-16")
            + "<BoughtCurrency>USD</BoughtCurrency><BoughtAmount>1200000</BoughtAmount>"
            "<SoldCurrency>EUR</SoldCurrency><SoldAmount>1000000</SoldAmount></FxOptionData>",
        ),
        trade(
            "equity_forward",
            "EquityForward",
            "<EquityForwardData><LongShort>Short</LongShort><Maturity>2026-09-16</Maturity><Name>ACME</Name>"
            "<Currency>EUR</Currency><Strike>101</Strike><Quantity>5000</Quantity></EquityForwardData>",
        ),
        trade(
            "equity_option",
            "EquityOption",
            "<EquityOptionData>"
            + OPTION.format("Short", "Put", "", "2026-12-16")
            + "<Name>ACME</Name><Currency>EUR</Currency><Strike>95</Strike>"
            "<Quantity>5000</Quantity></EquityOptionData>",
        ),
    )
    return f"<Portfolio>\n{''.join(trades)}</Portfolio>\n"


SETUP = """\
<ORE>
<Setup>
<Parameter name="asofDate">{as_of}</Parameter><Parameter name="inputPath">Input</Parameter>
<Parameter name="outputPath">Output</Parameter><Parameter name="logFile">log.txt</Parameter>
<Parameter name="logMask">15</Parameter><Parameter name="marketDataFile">market.txt</Parameter>
<Parameter name="fixingDataFile">fixings.txt</Parameter><Parameter name="implyTodaysFixings">N</Parameter>
<Parameter name="curveConfigFile">curveconfig.xml</Parameter>
<Parameter name="conventionsFile">conventions.xml</Parameter>
<Parameter name="marketConfigFile">todaysmarket.xml</Parameter>
<Parameter name="pricingEnginesFile">pricingengine.xml</Parameter>
<Parameter name="portfolioFile">portfolio.xml</Parameter>
<Parameter name="observationModel">None</Parameter><Parameter name="continueOnError">false</Parameter>
</Setup>
<Markets><Parameter name="pricing">default</Parameter></Markets>
<Analytics>
<Analytic type="npv"><Parameter name="active">Y</Parameter><Parameter name="baseCurrency">EUR</Parameter>
<Parameter name="outputFileName">npv.csv</Parameter></Analytic>
<Analytic type="curves"><Parameter name="active">Y</Parameter><Parameter name="configuration">default</Parameter>
<Parameter name="grid">240,1M</Parameter><Parameter name="outputFileName">curves.csv</Parameter></Analytic>
</Analytics>
</ORE>
"""


def write_inputs(directory: Path, **changes: str) -> Path:
    """All files into `directory/Input`; the main file's path.

    :param changes: texts in place of the usual ones, by the file's name without its ending.
    """
    texts = {
        "ore.xml": SETUP.format(as_of=AS_OF),
        "market.txt": market(),
        "fixings.txt": FIXINGS,
        "conventions.xml": CONVENTIONS,
        "curveconfig.xml": curve_configuration(),
        "todaysmarket.xml": TODAYS_MARKET,
        "pricingengine.xml": PRICING_ENGINES,
        "portfolio.xml": portfolio(),
    }
    folder = directory / "Input"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(changes.get(name.rpartition(".")[0], text), encoding="utf-8")
    return folder / "ore.xml"
