"""What the sample's market consists of: currencies, indices, pairs, equities, issuers, commodities.

Levels are invented but of the size that such markets have; stocks and issuers are made up (`US_TECH_01`).
Rates are continuously compounded decimals, vols decimals a year.
"""

from __future__ import annotations

from msgspec import Struct

from riskpipe.market.conventions import IndexConvention


class Currency(Struct, frozen=True):
    """:param zero: Nelson-Siegel level, slope, curvature and decay in years of the discount curve.
    :param spot: the rate against USD as the market quotes it; `usd_first`: as units per dollar.
    :param policy: how far above today's rate (+: easing cycle) the policy rate was about a year ago.
    :param government: spread of the government curve over the discount curve, short and long; None: no curve.
    """

    code: str
    discount_curve: str
    calendar: str
    zero: tuple[float, float, float, float]
    spot: float
    usd_first: bool
    policy: float
    government: tuple[float, float] | None = None

    @property
    def pair(self) -> str:
        return f"USD{self.code}" if self.usd_first else f"{self.code}USD"

    @property
    def scale(self) -> float:
        """Units that are worth about one US dollar."""
        return self.spot if self.usd_first else 1.0 / self.spot


CURRENCIES = (
    Currency("USD", "USD.SOFR", "USNY", (0.0425, -0.0050, -0.012, 2.0), 1.0, True, 0.0100, (0.0005, 0.0060)),
    Currency("EUR", "EUR.ESTR", "TARGET", (0.0305, -0.0112, -0.010, 2.5), 1.1612, False, 0.0025, (-0.0005, 0.0030)),
    Currency("GBP", "GBP.SONIA", "GBLO", (0.0460, -0.0085, -0.015, 2.0), 1.3184, False, 0.0075, (0.0010, 0.0070)),
    Currency("JPY", "JPY.TONA", "JPTO", (0.0300, -0.0225, -0.008, 4.0), 154.85, True, -0.0050, (0.0, 0.0015)),
    Currency("CHF", "CHF.SARON", "weekends", (0.0065, -0.0066, -0.004, 2.5), 0.8055, True, 0.0025),
    Currency("AUD", "AUD.AONIA", "weekends", (0.0470, -0.0110, -0.010, 2.0), 0.6537, False, 0.0050),
    Currency("CAD", "CAD.CORRA", "weekends", (0.0370, -0.0145, -0.006, 2.5), 1.4015, True, 0.0075),
    Currency("SEK", "SEK.SWESTR", "weekends", (0.0315, -0.0140, -0.005, 2.5), 9.4780, True, 0.0050),
)
BY_CODE = {currency.code: currency for currency in CURRENCIES}


class SwapIndex(Struct, frozen=True):
    """A floating index and the market's standard swap on it.

    :param basis: spread of the projection curve over the discount curve, decaying with 10 years; None: the
        discount curve itself projects.
    """

    convention: IndexConvention
    currency: str
    fixed_frequency: str
    fixed_day_count: str
    float_frequency: str
    float_day_count: str
    basis: float | None = None

    @property
    def name(self) -> str:
        return self.convention.name


def _overnight(name: str, frequency: str, day_count: str, calendar: str) -> SwapIndex:
    convention = IndexConvention(name, name, True, day_count, 0, calendar)
    return SwapIndex(convention, name[:3], frequency, day_count, frequency, day_count)


def _term(name: str, fixed: tuple[str, str], tenor: str, day_count: str, lag: int, basis: float) -> SwapIndex:
    convention = IndexConvention(name, name, False, day_count, lag, BY_CODE[name[:3]].calendar)
    return SwapIndex(convention, name[:3], *fixed, tenor, day_count, basis)


INDICES = (
    _overnight("USD.SOFR", "1Y", "ACT/360", "SOFR"),
    _overnight("EUR.ESTR", "1Y", "ACT/360", "ESTR"),
    _overnight("GBP.SONIA", "1Y", "ACT/365F", "SONIA"),
    _overnight("JPY.TONA", "1Y", "ACT/365F", "TONA"),
    _overnight("CHF.SARON", "1Y", "ACT/360", "SARON"),
    _overnight("AUD.AONIA", "1Y", "ACT/365F", "AONIA"),
    _overnight("CAD.CORRA", "6M", "ACT/365F", "CORRA"),
    _overnight("SEK.SWESTR", "1Y", "ACT/360", "SWESTR"),
    _term("EUR.EURIBOR3M", ("1Y", "30E/360"), "3M", "ACT/360", 2, 0.0008),
    _term("EUR.EURIBOR6M", ("1Y", "30E/360"), "6M", "ACT/360", 2, 0.0016),
    _term("JPY.TIBOR6M", ("6M", "ACT/365F"), "6M", "ACT/365F", 2, 0.0018),
    _term("AUD.BBSW3M", ("3M", "ACT/365F"), "3M", "ACT/365F", 0, 0.0012),
    _term("AUD.BBSW6M", ("6M", "ACT/365F"), "6M", "ACT/365F", 0, 0.0022),
    _term("SEK.STIBOR3M", ("1Y", "30E/360"), "3M", "ACT/360", 2, 0.0020),
)
INDEX_BY_NAME = {index.name: index for index in INDICES}

CURVE_TENORS = ("1M", "3M", "6M", "1Y", "2Y", "3Y", "5Y", "7Y", "10Y", "15Y", "20Y", "30Y")


class Smile(Struct, frozen=True):
    """At-the-money vol, short and long (the variance rate relaxes in half a year); SSVI skew and width."""

    short: float
    long: float
    skew: float
    width: float


FX_SMILES = {
    "EURUSD": Smile(0.064, 0.079, 0.10, 0.60),
    "GBPUSD": Smile(0.070, 0.087, -0.10, 0.60),
    "AUDUSD": Smile(0.094, 0.106, -0.22, 0.60),
    "USDJPY": Smile(0.098, 0.093, -0.28, 0.65),
    "USDCHF": Smile(0.074, 0.080, -0.12, 0.60),
    "USDCAD": Smile(0.050, 0.066, 0.12, 0.55),
    "USDSEK": Smile(0.096, 0.104, 0.15, 0.60),
    "EURGBP": Smile(0.050, 0.071, 0.20, 0.60),
    "EURJPY": Smile(0.083, 0.094, -0.30, 0.65),
}
FX_IN_SPREADS, FX_BY_DELTA = ("EURUSD",), ("USDJPY",)
"""Pairs quoted at the money with risk reversals and butterflies, and by delta; all others by moneyness."""
FX_PAIRS = (*FX_SMILES, "EURCHF", "EURSEK", "GBPJPY")
FX_EXPIRIES = ("1W", "1M", "2M", "3M", "6M", "1Y", "2Y", "5Y")
FX_MONEYNESS = (0.90, 0.95, 1.00, 1.05, 1.10)


class Payer(Struct, frozen=True):
    """A stock whose dividends are told one by one.

    :param months: after today's, of the first ex date. :param a_year: how many there are.
    :param borrow: its cost, near and far, decimal a year.
    """

    months: int
    a_year: int
    borrow: tuple[float, float]


PAYERS = {
    "US_ENERGY_06": Payer(3, 4, (0.0040, 0.0030)),
    "EU_PHARMA_02": Payer(6, 1, (0.0025, 0.0025)),
    "UK_ENERGY_01": Payer(4, 2, (0.0120, 0.0060)),
}
"""Stocks with discrete dividends; those of all others are a yield."""


class Equity(Struct, frozen=True):
    """:param market: correlation of its daily moves with the world's equity market."""

    name: str
    currency: str
    spot: float
    dividend_yield: float
    smile: Smile
    market: float

    @property
    def is_index(self) -> bool:
        return self.market > 0.7


def _index(name: str, currency: str, spot: float, dividend: float, short: float, long: float, market: float) -> Equity:
    return Equity(name, currency, spot, dividend, Smile(short, long, -0.65, 0.90), market)


EQUITY_INDICES = (
    _index("SPX", "USD", 6738.40, 0.0118, 0.142, 0.188, 0.95),
    _index("NDX", "USD", 24985.6, 0.0065, 0.185, 0.228, 0.90),
    _index("RUT", "USD", 2412.35, 0.0125, 0.205, 0.238, 0.84),
    _index("SX5E", "EUR", 5634.20, 0.0272, 0.150, 0.186, 0.86),
    _index("DAX", "EUR", 23905.1, 0.0005, 0.155, 0.190, 0.84),
    _index("UKX", "GBP", 9715.30, 0.0325, 0.122, 0.160, 0.80),
    _index("NKY", "JPY", 49830.0, 0.0165, 0.215, 0.218, 0.74),
    _index("SMI", "CHF", 12640.5, 0.0290, 0.125, 0.155, 0.78),
    _index("AS51", "AUD", 8790.70, 0.0345, 0.118, 0.158, 0.72),
    _index("OMX", "SEK", 2748.60, 0.0285, 0.148, 0.185, 0.80),
)


def _stocks() -> tuple[Equity, ...]:
    """Forty made-up stocks; levels follow from the position in the list, so that they never change."""
    sectors = {"TECH": (0.004, 0.34), "BANK": (0.032, 0.27), "ENERGY": (0.038, 0.28), "PHARMA": (0.022, 0.24)}
    regions = {"US": ("USD", 6), "EU": ("EUR", 2), "UK": ("GBP", 1), "JP": ("JPY", 1)}
    stocks: list[Equity] = []
    for region, (currency, each) in regions.items():
        for sector, (dividend, vol) in sectors.items():
            for number in range(1, each + 1):
                k = len(stocks)
                spot = round((18.0 + 37.0 * (k * 0.618 % 1.0) * 7.0) * (20.0 if currency == "JPY" else 1.0), 2)
                long = vol * (0.88 + 0.06 * (k % 5))
                smile = Smile(long * (0.92 + 0.07 * (k % 4)), long, -0.38 - 0.03 * (k % 3), 0.95)
                market = 0.45 + 0.04 * (k % 5)
                stocks.append(Equity(f"{region}_{sector}_{number:02d}", currency, spot, dividend, smile, market))
    return tuple(stocks)


STOCKS = _stocks()
EQUITIES = (*EQUITY_INDICES, *STOCKS)
EQUITY_BY_NAME = {equity.name: equity for equity in EQUITIES}
INDEX_EXPIRIES = ("1M", "3M", "6M", "1Y", "2Y", "3Y", "5Y")
INDEX_MONEYNESS = (0.70, 0.80, 0.90, 1.00, 1.10, 1.20, 1.30)
STOCK_EXPIRIES = ("1M", "3M", "1Y", "3Y")
STOCK_MONEYNESS = (0.80, 0.90, 1.00, 1.10, 1.20)


class Issuer(Struct, frozen=True):
    """:param spread: five-year credit spread, decimal.
    :param grade: ig or hy.
    """

    name: str
    currency: str
    spread: float
    recovery: float
    grade: str


def _issuers() -> tuple[Issuer, ...]:
    issuers: list[Issuer] = []
    for region, currency, count in (("US", "USD", 15), ("EU", "EUR", 11), ("UK", "GBP", 4)):
        for k in range(count):
            sector = ("BANK", "ENERGY", "AUTO", "RETAIL", "TELECOM")[k % 5]
            grade = "hy" if k % 3 == 2 else "ig"
            spread = (0.0270 + 0.0040 * (k % 4)) if grade == "hy" else (0.0042 + 0.0011 * (k % 7))
            recovery = 0.35 if grade == "hy" else 0.40
            issuers.append(Issuer(f"{region}_{sector}_{k // 5 + 1:02d}", currency, spread, recovery, grade))
    return tuple(issuers)


ISSUERS = _issuers()
CREDIT_INDICES = (
    Issuer("CDX.NA.IG", "USD", 0.0056, 0.40, "ig"),
    Issuer("CDX.NA.HY", "USD", 0.0330, 0.35, "hy"),
    Issuer("ITRAXX.EUROPE", "EUR", 0.0062, 0.40, "ig"),
    Issuer("ITRAXX.CROSSOVER", "EUR", 0.0290, 0.40, "hy"),
)
CREDIT_INDEX_REGIONS = {"CDX.NA.IG": "US_", "CDX.NA.HY": "US_", "ITRAXX.EUROPE": "EU_", "ITRAXX.CROSSOVER": "EU_"}
"""Credit index -> where the issuers come from of which it consists, those of its grade."""
ISSUER_BY_NAME = {issuer.name: issuer for issuer in (*ISSUERS, *CREDIT_INDICES)}
CREDIT_TENORS = ("6M", "1Y", "3Y", "5Y", "7Y", "10Y")


class Commodity(Struct, frozen=True):
    """:param carry: growth of the forward curve a year, near and far.
    :param season: amplitude of a winter peak in the curve.
    :param lot: units a contract.
    :param samuelson: speed a year with which the short end's extra vol dies out along the curve.
    """

    name: str
    currency: str
    front: float
    carry: tuple[float, float]
    season: float
    lot: float
    samuelson: float
    smile: Smile


COMMODITIES = (
    Commodity("WTI", "USD", 61.25, (-0.035, 0.010), 0.0, 1000.0, 1.2, Smile(0.360, 0.240, -0.25, 0.80)),
    Commodity("BRENT", "USD", 65.10, (-0.030, 0.010), 0.0, 1000.0, 1.2, Smile(0.340, 0.230, -0.25, 0.80)),
    Commodity("HENRYHUB", "USD", 3.62, (0.020, 0.005), 0.16, 10000.0, 1.8, Smile(0.620, 0.310, 0.30, 0.80)),
    Commodity("TTF", "EUR", 31.40, (-0.040, -0.010), 0.08, 720.0, 1.8, Smile(0.560, 0.330, 0.30, 0.80)),
    Commodity("GOLD", "USD", 4085.0, (0.038, 0.036), 0.0, 100.0, 0.2, Smile(0.185, 0.178, 0.10, 0.75)),
    Commodity("COPPER", "USD", 10840.0, (0.008, 0.002), 0.0, 25.0, 0.4, Smile(0.225, 0.205, -0.05, 0.75)),
)
COMMODITY_BY_NAME = {commodity.name: commodity for commodity in COMMODITIES}
FUTURES = ("WTI.FUTURES",)
"""Commodities, with `.FUTURES` after their names, whose contracts have prices of their own."""
COMMODITY_EXPIRIES = ("1M", "2M", "3M", "6M", "1Y", "2Y")
COMMODITY_MONEYNESS = (0.75, 0.90, 1.00, 1.10, 1.30)


def commodity_of(name: str) -> Commodity:
    """The commodity of forward prices or of futures contracts."""
    return COMMODITY_BY_NAME[name.removesuffix(".FUTURES")]
