"""The market of the product benchmarks, as riskpipe and as QuantLib see it under the same scenarios."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import QuantLib as ql  # noqa: N813
from msgspec.structs import replace

from riskpipe.arrays import FloatArray
from riskpipe.market.conventions import Conventions, IndexConvention
from riskpipe.market.factors import KINDS
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot

AS_OF = (date(2026, 11, 20) - date(1970, 1, 1)).days
SCENARIOS = 1024
SERIAL_OF_EPOCH = 25569
FAR = 109_000 - SERIAL_OF_EPOCH
PILLARS = tuple(AS_OF + days for days in (30, 91, 183, 365, 730, 1096, 1826, 2557, 3652, 5479, 7305, 10957))
CURVES = {"EUR.ESTR": 0.021, "EUR.EURIBOR6M": 0.023, "USD.SOFR": 0.038, "EUR.GOVT": 0.024}
# Options are held against QuantLib with a constant rate; the other curves slope.
FLAT = {"EUR.ESTR", "USD.SOFR"}
VOLATILITIES = {
    "SPX": ("black_vol", 0.2),
    "PAYER": ("black_vol", 0.25),
    "EURUSD": ("fx_vol", 0.08),
    "WTI": ("black_vol", 0.35),
}
# Cash dividends, which scenarios leave alone: QuantLib's are no quotes.
DIVIDENDS = tuple((AS_OF + 50 + 91 * k, 0.8) for k in range(8))
INFLATION_TENORS = ("1Y", "2Y", "5Y", "10Y", "30Y")
CONVENTIONS = Conventions(
    base_currency="EUR",
    discount_curves={"EUR": "EUR.ESTR", "USD": "USD.SOFR"},
    indices={
        "EUR.EURIBOR6M": IndexConvention("EUR.EURIBOR6M", "EUR.EURIBOR6M", day_count="ACT/360", calendar="TARGET"),
        "USD.SOFR": IndexConvention("USD.SOFR", "USD.SOFR", overnight=True, day_count="ACT/360", calendar="TARGET"),
    },
)
EXPIRIES = (30, 91, 365, 730, 1826, 3652)
STRIKES = (-0.01, 0.0, 0.01)
EQUITY_SMILE = [{"strike": strike, "strike_type": "moneyness"} for strike in (0.6, 0.8, 0.9, 1.0, 1.1, 1.2, 1.5)]


def iso(day: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=int(day))).isoformat()


def ql_date(day: int) -> Any:
    return ql.Date(int(day) + SERIAL_OF_EPOCH)


def _points() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {"kind": "spot", "name": "EURUSD", "currency": "USD", "value": 1.16},
        {"kind": "spot", "name": "SPX", "currency": "USD", "value": 6700.0},
        {"kind": "spot", "name": "PAYER", "currency": "USD", "value": 100.0},
        *({"kind": "dividend", "name": "PAYER", "tenor": iso(day), "value": cash} for day, cash in DIVIDENDS),
    ]
    for name, level in CURVES.items():
        slope = 0.0 if name in FLAT else 0.006
        rows += [
            {"kind": "zero_rate", "name": name, "tenor": iso(day), "value": level + slope * k / len(PILLARS)}
            for k, day in enumerate(PILLARS)
        ]
    rows += [{"kind": "dividend_yield", "name": "SPX", "tenor": iso(day), "value": 0.012} for day in PILLARS[::4]]
    rows += [{"kind": "hazard_rate", "name": "ACME", "tenor": iso(day), "value": 0.015} for day in PILLARS[2::2]]
    rows += [{"kind": "forward_price", "name": "WTI", "tenor": iso(day), "value": 61.0} for day in PILLARS[:6]]
    rows += [{"kind": "inflation_zero", "name": "HICP", "tenor": tenor, "value": 0.02} for tenor in INFLATION_TENORS]
    # Up to the month that projections start from: QuantLib takes no notice of later ones.
    months = [date(2026 - (k + 4) // 12, 12 - (k + 4) % 12, 1) for k in range(60)]
    rows += [{"kind": "index_fixing", "name": "HICP", "tenor": day.isoformat(), "value": 130.0} for day in months]
    # Flat, as the one QuantLib is given, but read from as many points as any other.
    smile = [{"strike": strike or None, "strike_type": "offset" if strike else "atm"} for strike in STRIKES]
    for day in EXPIRIES:
        rows += [
            {"kind": kind, "name": name, "tenor": iso(AS_OF + day), "value": level, **at}
            for name, (kind, level) in VOLATILITIES.items()
            for at in (EQUITY_SMILE if name == "SPX" else [{}])
        ]
        rows.append({"kind": "normal_vol", "name": "WTI", "tenor": iso(AS_OF + day), "value": 20.0})
        rows += [{"kind": "normal_vol", "name": "CAPS", "tenor": iso(AS_OF + day), "value": 0.008, **s} for s in smile]
        for tenor in ("1Y", "5Y", "10Y", "30Y"):
            where = {"tenor": iso(AS_OF + day), "underlying_tenor": tenor}
            rows += [{"kind": "black_vol", "name": "CUBE", "value": 0.25, **where, **s} for s in smile]
    for k, row in enumerate(rows):
        row["factor"] = f"{row['kind']}:{row['name']}:{k}"
    return rows


def _table() -> pa.Table:
    rows = _points()
    columns = {name: None for row in rows for name in row}
    return pa.table({name: [row.get(name) for row in rows] for name in columns})


def moved_levels(snapshot: MarketSnapshot) -> FloatArray:
    """float64[n_factors, SCENARIOS]: each curve, surface and spot moves in parallel; column 0 is unshocked."""
    random = np.random.default_rng(1)
    levels = np.repeat(snapshot.x0[:, None], SCENARIOS, axis=1)
    for group in snapshot.groups:
        shock = random.standard_normal(SCENARIOS)
        shock[0] = 0.0
        if group.kind in ("zero_rate", "dividend_yield", "inflation_zero"):
            levels[group.start : group.stop] += 0.001 * shock
        elif not KINDS[group.kind].fact and group.kind != "dividend":
            levels[group.start : group.stop] *= np.exp(0.03 * shock)
    return levels


@dataclass
class Market:
    """The model, and the levels of all factors under the scenarios.

    :ivar levels: of `moved_levels`.
    """

    snapshot: MarketSnapshot = field(default_factory=lambda: MarketSnapshot.from_table(_table(), AS_OF))

    def __post_init__(self) -> None:
        self.levels = moved_levels(self.snapshot)

    def model(self, credit_model: str) -> MarketModel:
        return MarketModel(self.snapshot, replace(CONVENTIONS, credit_model=credit_model))

    def group(self, kind: str, name: str, scenario: int) -> FloatArray:
        found = self.snapshot.group(kind, name)
        if found is None:
            raise KeyError(f"{kind}:{name}")
        return self.levels[found.start : found.stop, scenario]


class QuantLibMarket:
    """Handles and quotes that follow a scenario, all of them moved once before its trades are valued."""

    def __init__(self, market: Market) -> None:
        self.market = market
        ql.Settings.instance().evaluationDate = ql_date(AS_OF)
        self.curves = {name: ql.RelinkableYieldTermStructureHandle() for name in CURVES}
        self.hazard = ql.RelinkableDefaultProbabilityTermStructureHandle()
        self.inflation = ql.RelinkableZeroInflationTermStructureHandle()
        names = ("EURUSD", "SPX", "PAYER", "dividend", "nothing", "WTI", "WTI normal", "CAPS", "CUBE", *FLAT)
        self.quotes = {name: ql.SimpleQuote(1.0) for name in names}
        self.volatilities = {name: ql.SimpleQuote(1.0) for name in VOLATILITIES}
        self.move(0)

    def move(self, scenario: int) -> None:
        """Set everything to a scenario's levels."""
        for name, handle in self.curves.items():
            handle.linkTo(self._discount(self.market.group("zero_rate", name, scenario)))
        count = ql.Actual365Fixed()
        level = float(self.market.group("hazard_rate", "ACME", scenario)[0])
        self.hazard.linkTo(ql.FlatHazardRate(ql_date(AS_OF), ql.QuoteHandle(ql.SimpleQuote(level)), count))
        self.inflation.linkTo(self._inflation(float(self.market.group("inflation_zero", "HICP", scenario)[0])))
        for name, kind in (
            ("EURUSD", "spot"),
            ("SPX", "spot"),
            ("PAYER", "spot"),
            ("CAPS", "normal_vol"),
            ("CUBE", "black_vol"),
        ):
            self.quotes[name].setValue(float(self.market.group(kind, name, scenario)[0]))
        for name in FLAT:
            self.quotes[name].setValue(float(self.market.group("zero_rate", name, scenario)[0]))
        for name, (kind, _) in VOLATILITIES.items():
            self.volatilities[name].setValue(float(self.market.group(kind, name, scenario)[0]))
        self.quotes["dividend"].setValue(float(self.market.group("dividend_yield", "SPX", scenario)[0]))
        self.quotes["nothing"].setValue(0.0)
        self.quotes["WTI"].setValue(float(self.market.group("forward_price", "WTI", scenario)[0]))
        self.quotes["WTI normal"].setValue(float(self.market.group("normal_vol", "WTI", scenario)[0]))

    def process(self, name: str) -> Any:
        """Black, Scholes and Merton's process of a name, every parameter a constant that a quote moves."""
        yields = {"SPX": "dividend", "PAYER": "nothing", "EURUSD": "EUR.ESTR", "WTI": "USD.SOFR"}
        volatility = ql.QuoteHandle(self.volatilities[name])
        surface = ql.BlackConstantVol(ql_date(AS_OF), ql.NullCalendar(), volatility, ql.Actual365Fixed())
        curves = self.flat(yields[name]), self.flat("USD.SOFR")
        return ql.BlackScholesMertonProcess(
            ql.QuoteHandle(self.quotes[name]), *curves, ql.BlackVolTermStructureHandle(surface)
        )

    def flat(self, name: str) -> Any:
        curve = ql.FlatForward(ql_date(AS_OF), ql.QuoteHandle(self.quotes[name]), ql.Actual365Fixed())
        return ql.YieldTermStructureHandle(curve)

    @staticmethod
    def _discount(rates: FloatArray) -> Any:
        days = np.array([AS_OF, *PILLARS, FAR])
        factors = np.exp(-np.array([0.0, *rates, rates[-1]]) * (days - AS_OF) / 365.0)
        return ql.DiscountCurve([ql_date(day) for day in days], factors.tolist(), ql.Actual365Fixed())

    @staticmethod
    def _inflation(rate: float) -> Any:
        lag, today = ql.Period(3, ql.Months), ql_date(AS_OF)
        days = [today - lag, *(today + ql.Period(tenor) - lag for tenor in (*INFLATION_TENORS, "60Y"))]
        dates = [ql.Date(1, day.month(), day.year()) for day in days]
        count = ql.Thirty360(ql.Thirty360.BondBasis)
        return ql.ZeroInflationCurve(today, dates, [rate] * len(dates), ql.Monthly, count)
