"""Quotes under the conventions of their markets: the trade with the same columns is worth nothing at its quote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813
from par_quotes import par_rates, point
from quoted_trades import model_of, values_of

from riskpipe.market.conventions import Conventions, CurveConvention, IndexConvention
from riskpipe.market.factors import days_of
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.open_days import quantlib_calendar
from riskpipe.products.basis_swap import BasisSwap
from riskpipe.products.cross_currency_swap import CrossCurrencySwap
from riskpipe.products.fra import ForwardRateAgreement
from riskpipe.products.interest_rate_swap import InterestRateSwap

NOTIONAL = 1e8
PAIR = 1.27
TENORS = {"6M": 0.0, "1Y": 0.0004, "18M": 0.0007, "2Y": 0.0011, "5Y": 0.0023, "10Y": 0.0041}
LEVELS = {"USD": 0.0395, "GBP": 0.0412, "EUR": 0.0203}
DAYS = ["2026-02-25", "2026-11-20"]
MORE = ["2027-02-24", "2027-04-28", "2027-08-30", "2028-02-25", "2026-12-30", "2026-05-28"]
ON_DAYS = pytest.mark.parametrize("as_of", [*DAYS, *(pytest.param(day, marks=pytest.mark.slow) for day in MORE)])
"""On many of them the spot date is the last business day of a month, in some months before its last day."""


@dataclass(frozen=True)
class Market:
    """The curves of a case and how their quotes are read.

    :param quotes: curve -> instrument. :param discount: currency -> its discount curve.
    """

    quotes: Mapping[str, str]
    curves: Mapping[str, CurveConvention]
    indices: Mapping[str, IndexConvention] = field(default_factory=dict)
    discount: Mapping[str, str] = field(default_factory=lambda: {"USD": "USD.SOFR"})

    def levels(self, curve: str) -> dict[str, float]:
        basis = self.quotes[curve] == "basis"
        return {tenor: 0.0009 + 0.3 * by if basis else LEVELS[curve[:3]] + by for tenor, by in TENORS.items()}

    def model(self, as_of: date) -> MarketModel:
        rows = [row for curve in self.quotes for row in par_rates(curve, self.quotes[curve], self.levels(curve))]
        spot = {"factor": "spot:GBPUSD", "kind": "spot", "name": "GBPUSD", "currency": "USD", "value": PAIR}
        conventions = Conventions(discount_curves=self.discount, curves=self.curves, indices=self.indices)
        return model_of([*rows, spot], conventions, days_of(as_of))


def _overnight(curve: str, calendar: str, day_count: str = "ACT/360") -> IndexConvention:
    return IndexConvention(curve, curve, overnight=True, day_count=day_count, calendar=calendar)


def _dates(as_of: date, calendar: str, lag: int, end_of_month: bool) -> tuple[int, list[int], str | None]:
    """First date, last dates by tenor, and the roll convention of trades from spot."""
    days = quantlib_calendar(calendar)
    spot = days.advance(ql.Date.from_date(as_of), lag, ql.Days)
    rolls = end_of_month and days.isEndOfMonth(spot)
    ends = [spot + ql.Period(tenor) for tenor in TENORS]
    ends = [ql.Date.endOfMonth(end) if rolls else end for end in ends]
    return days_of(spot.to_date()), [days_of(end.to_date()) for end in ends], "EOM" if rolls else None


def _columns(market: Market, curve: str, as_of: date, calendar: str, lag: int, same: dict[str, Any]) -> dict[str, Any]:
    """:param same: of all trades; what begins with * is of both legs."""
    start, ends, roll = _dates(as_of, calendar, lag, bool(market.curves[curve].end_of_month))
    n = len(TENORS)
    legs = (
        ("fixed_", "float_") if "fixed_rate" not in same and market.quotes[curve] != "basis" else ("receive_", "pay_")
    )
    given = {"calendar": calendar, "business_day_convention": "modified_following", "start_date": start, **same}
    given["*roll_convention"] = roll
    columns: dict[str, Any] = {}
    for name, value in given.items():
        names = [leg + name[1:] for leg in legs] if name.startswith("*") else [name]
        columns |= {column: [value] * n for column in names if value is not None}
    return {**columns, "maturity_date": ends}


# --- swaps of fixed rates ---
@dataclass(frozen=True)
class Swaps:
    curve: str
    calendar: str
    lag: int
    market: Market
    same: dict[str, Any]

    def worth(self, rates: Any, as_of: date) -> np.ndarray:
        market = self.market
        given = {
            "currency": self.curve[:3],
            "index": self.curve,
            "discount_curve": market.discount[self.curve[:3]],
            "notional": NOTIONAL,
            "direction": "pay",
            "float_spread": 0.0,
            **self.same,
        }
        columns = _columns(market, self.curve, as_of, self.calendar, self.lag, given)
        columns["fixed_rate"] = list(market.levels(self.curve).values())
        return values_of(rates, InterestRateSwap(), market.model(as_of), columns)


def _swaps(curve: str, calendar: str, lag: int, convention: CurveConvention, **same: Any) -> Swaps:
    overnight = not curve.endswith("M")
    day_count = same.get("float_day_count", "ACT/360")
    indices = {curve: _overnight(curve, calendar, day_count)} if overnight else {}
    quotes = {curve: "ois"} if overnight else {"EUR.ESTR": "ois", curve: "swap"}
    discount = {curve[:3]: curve if overnight else "EUR.ESTR"}
    return Swaps(curve, calendar, lag, Market(quotes, {curve: convention}, indices, discount), same)


ANNUAL = {"fixed_frequency": "1Y", "float_frequency": "1Y", "fixed_day_count": "ACT/360", "float_day_count": "ACT/360"}
SONIA = {**ANNUAL, "fixed_day_count": "ACT/365F", "float_day_count": "ACT/365F"}
QUARTERLY = {**ANNUAL, "fixed_frequency": "3M", "float_frequency": "3M"}
LAG = {"*payment_lag": 2.0}

FIXED = {
    "sofr": _swaps("USD.SOFR", "USGS", 2, CurveConvention(end_of_month=True, payment_lag=2), **ANNUAL, **LAG),
    "sonia": _swaps("GBP.SONIA", "GBLO", 0, CurveConvention(end_of_month=True), **SONIA),
    "estr": _swaps(
        "EUR.ESTR", "TARGET", 2, CurveConvention(end_of_month=True, payment_lag=1), **ANNUAL, **{"*payment_lag": 1.0}
    ),
    "payment calendar": _swaps(
        "USD.SOFR",
        "USGS",
        2,
        CurveConvention(end_of_month=True, payment_calendar="USNY+GBLO", payment_lag=2),
        **ANNUAL,
        **LAG,
        **{"*payment_calendar": "USNY+GBLO"},
    ),
    "payment calendar without lag": _swaps(
        "USD.SOFR", "USGS", 2, CurveConvention(payment_calendar="GBLO"), **ANNUAL, **{"*payment_calendar": "GBLO"}
    ),
    "averaged": _swaps(
        "USD.FEDFUNDS",
        "USGS",
        2,
        CurveConvention(averaging="averaged", payment_lag=2, fixed_frequency="3M", end_of_month=True),
        **QUARTERLY,
        **LAG,
        float_averaging="averaged",
    ),
    "euribor": _swaps(
        "EUR.EURIBOR6M",
        "TARGET",
        2,
        CurveConvention(end_of_month=True),
        **{**ANNUAL, "fixed_day_count": "30E/360", "float_frequency": "6M"},
    ),
    "preceding": _swaps(
        "GBP.SONIA",
        "GBLO",
        0,
        CurveConvention(end_of_month=True, business_day_convention="preceding", fixed_frequency="6M"),
        **{**SONIA, "fixed_frequency": "6M", "float_frequency": "6M", "business_day_convention": "preceding"},
    ),
}


@ON_DAYS
@pytest.mark.parametrize("swaps", FIXED.values(), ids=FIXED)
def test_swaps_at_their_quotes_are_worth_nothing(rates: Any, swaps: Swaps, as_of: str) -> None:
    worth = swaps.worth(rates, date.fromisoformat(as_of))
    assert np.abs(worth).max() <= 1e-11 * NOTIONAL


def test_forward_rates_of_an_end_of_month_are_of_ends_of_months(rates: Any) -> None:
    """From 27 February 2026, before a weekend: 3x6 begins on 29 May, before a Sunday, and ends on 31 August."""
    curve, level = "EUR.EURIBOR3M", 0.021
    convention = {curve: CurveConvention(end_of_month=True)}
    rows = [*par_rates(curve, "fra", {"6M": level}), point("zero_rate", "EUR.ESTR", 0.02, "5Y", "EUR")]
    conventions = Conventions(discount_curves={"EUR": "EUR.ESTR"}, curves=convention)
    model = model_of(rows, conventions, days_of(date(2026, 2, 25)))
    columns = {
        "currency": "EUR",
        "index": curve,
        "discount_curve": "EUR.ESTR",
        "notional": NOTIONAL,
        "direction": "pay",
        "rate": level,
        "start_date": days_of(date(2026, 5, 29)),
        "maturity_date": days_of(date(2026, 8, 31)),
        "day_count": "ACT/360",
    }
    worth = values_of(rates, ForwardRateAgreement(), model, {name: [value] for name, value in columns.items()})
    assert np.abs(worth).max() <= 1e-11 * NOTIONAL


# --- basis swaps ---
def _basis(
    curve: str, against: str, market: Market, frequencies: tuple[str, str], day_count: str = "ACT/360", **same: Any
) -> tuple[str, Market, dict[str, Any]]:
    """The leg with the basis is received; `frequencies` are of the own leg and of the other."""
    convention = market.curves[curve]
    own, other = (curve, frequencies[0]), (against, frequencies[1])
    on_own = convention.basis_on != "against"
    receive, pay = (own, other) if on_own else (other, own)
    given = {
        "currency": curve[:3],
        "discount_curve": market.discount[curve[:3]],
        "notional": NOTIONAL,
        "receive_index": receive[0],
        "receive_frequency": receive[1],
        "pay_index": pay[0],
        "pay_frequency": pay[1],
        "*day_count": day_count,
        **same,
    }
    return curve, market, given


USD = {"USD.SOFR": _overnight("USD.SOFR", "USGS"), "USD.FEDFUNDS": _overnight("USD.FEDFUNDS", "USGS")}
USD_QUOTES = {"USD.SOFR": "ois"}


def _usd(curve: str, **conventions: Any) -> Market:
    of_curve = CurveConvention(end_of_month=True, **conventions)
    return Market({**USD_QUOTES, curve: "basis"}, {curve: of_curve}, USD)


def _fed_funds(**conventions: Any) -> Market:
    """Another index than the one that discounts is averaged."""
    found = _usd("USD.LIBOR3M", against="USD.FEDFUNDS", **conventions)
    return replace(found, quotes={"USD.SOFR": "ois", "USD.FEDFUNDS": "ois", "USD.LIBOR3M": "basis"})


BASIS = {
    "overnight": _basis(
        "USD.FEDFUNDS", "USD.SOFR", _usd("USD.FEDFUNDS", against="USD.SOFR", basis_on="own"), ("3M", "3M")
    ),
    "overnight, on the other": _basis(
        "USD.FEDFUNDS",
        "USD.SOFR",
        _usd("USD.FEDFUNDS", against="USD.SOFR", basis_on="against", payment_lag=2, float_frequency="6M"),
        ("6M", "6M"),
        **LAG,
    ),
    "overnight, averaged": _basis(
        "USD.FEDFUNDS",
        "USD.SOFR",
        _usd("USD.FEDFUNDS", against="USD.SOFR", basis_on="own", payment_lag=2, averaging="averaged"),
        ("3M", "3M"),
        **LAG,
        receive_averaging="averaged",
    ),
    "term against averaged": _basis(
        "USD.LIBOR3M",
        "USD.FEDFUNDS",
        _fed_funds(basis_on="against", against_averaging="averaged"),
        ("3M", "3M"),
        receive_averaging="averaged",
    ),
    "term against overnight": _basis(
        "USD.LIBOR3M",
        "USD.SOFR",
        _usd("USD.LIBOR3M", against="USD.SOFR", basis_on="own", payment_lag=2),
        ("3M", "3M"),
        **LAG,
    ),
    "averaged against term": _basis(
        "USD.FEDFUNDS",
        "USD.LIBOR3M",
        replace(
            _usd("USD.FEDFUNDS", against="USD.LIBOR3M", basis_on="own", averaging="averaged"),
            quotes={"USD.SOFR": "ois", "USD.LIBOR3M": "swap", "USD.FEDFUNDS": "basis"},
        ),
        ("3M", "3M"),
        receive_averaging="averaged",
    ),
    "two terms": _basis(
        "USD.LIBOR6M",
        "USD.LIBOR3M",
        replace(
            _usd("USD.LIBOR6M", against="USD.LIBOR3M", basis_on="against", payment_lag=2),
            quotes={"USD.SOFR": "ois", "USD.LIBOR3M": "swap", "USD.LIBOR6M": "basis"},
        ),
        ("6M", "3M"),
        **LAG,
    ),
}


@ON_DAYS
@pytest.mark.parametrize("case", BASIS.values(), ids=BASIS)
def test_basis_swaps_at_their_quotes_are_worth_nothing(
    rates: Any, case: tuple[str, Market, dict[str, Any]], as_of: str
) -> None:
    curve, market, same = case
    today = date.fromisoformat(as_of)
    columns = _columns(market, curve, today, "USGS", 2, same)
    columns["receive_spread"] = list(market.levels(curve).values())
    worth = values_of(rates, BasisSwap(), market.model(today), columns)
    assert np.abs(worth).max() <= 1e-11 * NOTIONAL


# --- swaps between currencies ---
def _between(**conventions: Any) -> Market:
    """The curve of cross-currency swaps is sterling's discount curve, of which forward exchange rates are made."""
    curves = {
        "GBP.USDCSA": CurveConvention(
            against="USD.SOFR",
            projection_curve="GBP.SONIA",
            calendar="GBLO+USGS",
            settlement_days=2,
            end_of_month=True,
            **conventions,
        ),
        "GBP.SONIA": CurveConvention(discount_curve="GBP.SONIA"),
    }
    indices = {"USD.SOFR": _overnight("USD.SOFR", "USGS"), "GBP.SONIA": _overnight("GBP.SONIA", "GBLO", "ACT/365F")}
    quotes = {"USD.SOFR": "ois", "GBP.SONIA": "ois", "GBP.USDCSA": "basis"}
    return Market(quotes, curves, indices, {"USD": "USD.SOFR", "GBP": "GBP.USDCSA"})


BETWEEN: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "constant": ({}, {}),
    "constant, paid late": ({"payment_lag": 2}, LAG),
    "constant, on the dollar": ({"basis_on": "against", "float_frequency": "6M"}, {}),
    "dollar resets": ({"resetting": "against"}, {}),
    "sterling resets": ({"resetting": "own"}, {}),
    "dollar resets, basis on it": ({"resetting": "against", "basis_on": "against"}, {}),
    "sterling resets, basis on the dollar": ({"resetting": "own", "basis_on": "against"}, {}),
}


@ON_DAYS
@pytest.mark.parametrize(("said", "same"), BETWEEN.values(), ids=BETWEEN)
def test_cross_currency_swaps_at_their_quotes_are_worth_nothing(
    rates: Any, said: dict[str, Any], same: dict[str, Any], as_of: str
) -> None:
    """Notionals are equal at today's exchange rate, of legs that reset at that of the start.

    On a holiday days to spot are counted from the business day after it.
    """
    market, today = _between(**said), date.fromisoformat(as_of)
    own, other = ("GBP", "USD") if said.get("basis_on") != "against" else ("USD", "GBP")
    resets = {"own": "GBP", "against": "USD", None: ""}[said.get("resetting")]
    model = market.model(today)
    traded = quantlib_calendar("GBLO+USGS").adjust(ql.Date.from_date(today)).to_date()
    start, _, _ = _dates(traded, "GBLO+USGS", 2, True)
    notionals = {"GBP": NOTIONAL, "USD": NOTIONAL * (_forward(model, start) if resets else PAIR)}
    given: dict[str, Any] = {"exchange_notionals": True}
    for side, currency in (("receive", own), ("pay", other)):
        sterling = currency == "GBP"
        leg = {
            "currency": currency,
            "notional": notionals[currency],
            "index": "GBP.SONIA" if sterling else "USD.SOFR",
            "discount_curve": market.discount[currency],
            "frequency": said.get("float_frequency", "3M"),
            "day_count": "ACT/365F" if sterling else "ACT/360",
        }
        given |= {f"{side}_{name}": value for name, value in leg.items()}
        if currency == resets:
            given["reset_side"] = side
    columns = _columns(market, "GBP.USDCSA", traded, "GBLO+USGS", 2, {**given, **same})
    columns["receive_spread"] = list(market.levels("GBP.USDCSA").values())
    worth = values_of(rates, CrossCurrencySwap(), model, columns)
    assert np.abs(worth).max() <= 1e-10 * NOTIONAL


def _forward(model: MarketModel, day: int) -> float:
    """Dollars for a pound."""
    days = np.array([day], np.int32)
    rates, rate = model.fx_forwards(Labels.constant("GBP", 1), Labels.constant("USD", 1), days)
    return float(rates.evaluate(model.snapshot.x0[:, None])[rate[0], 0])
