"""Trades on bootstrapped curves: at its quote each is worth nothing, and others are worth what QuantLib says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813
from msgspec.structs import replace
from par_quotes import CONVENTIONS, CREDIT, EVERY_KIND, LONG, cds_spreads, par_rates, point, shifted, table_of
from quoted_trades import model_of, values_of

from riskpipe.market.conventions import Conventions, CurveConvention, IndexConvention
from riskpipe.market.derived import derive
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.producers import PRODUCERS
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.credit_default_swap import CreditDefaultSwap
from riskpipe.products.cross_currency_swap import CrossCurrencySwap
from riskpipe.products.fra import ForwardRateAgreement
from riskpipe.products.interest_rate_swap import InterestRateSwap

TODAY = ql.Date(20, 11, 2026)
NOTIONAL = 1e8
TARGET, USGS = ql.TARGET(), ql.UnitedStates(ql.UnitedStates.GovernmentBond)
EPOCH = ql.Date(1, 1, 1970)


def _days(date: Any) -> int:
    return int(date - EPOCH)


def _spot(calendar: Any, today: Any = TODAY) -> Any:
    return calendar.advance(today, 2, ql.Days)


def _ends(calendar: Any, tenors: Any, today: Any = TODAY) -> list[int]:
    return [_days(_spot(calendar, today) + ql.Period(tenor)) for tenor in tenors]


def _swaps(quotes: dict[str, float], index: str, discount: str, today: Any = TODAY, **columns: Any) -> dict[str, Any]:
    n = len(quotes)
    calendar = USGS if index.startswith("USD") else TARGET
    given = {
        "currency": index[:3],
        "index": index,
        "discount_curve": discount,
        "notional": NOTIONAL,
        "direction": "pay",
        "float_spread": 0.0,
        "start_date": _days(_spot(calendar, today)),
        "fixed_frequency": "1Y",
        "fixed_day_count": "ACT/360",
        "float_frequency": "1Y",
        "float_day_count": "ACT/360",
        "calendar": "USGS" if index.startswith("USD") else "TARGET",
        "business_day_convention": "modified_following",
        **columns,
    }
    return {
        **{name: [value] * n for name, value in given.items()},
        "fixed_rate": list(quotes.values()),
        "maturity_date": _ends(calendar, quotes, today),
    }


def _quotes(name: str, instrument: str) -> dict[str, float]:
    return {
        row["tenor"]: row["value"] for row in EVERY_KIND if (row["name"], row.get("instrument")) == (name, instrument)
    }


OVERNIGHT = IndexConvention("USD.SOFR", "USD.SOFR", overnight=True, day_count="ACT/360", calendar="USGS")
TERM = {"fixed_day_count": "30E/360", "float_frequency": "3M"}


@pytest.mark.parametrize(
    "swaps",
    [
        lambda: _swaps(_quotes("USD.SOFR", "ois"), "USD.SOFR", "USD.SOFR"),
        lambda: _swaps(_quotes("EUR.ESTR", "ois"), "EUR.ESTR", "EUR.ESTR"),
        lambda: _swaps(_quotes("EUR.EURIBOR3M", "swap"), "EUR.EURIBOR3M", "EUR.ESTR", **TERM),
    ],
    ids=["sofr", "estr", "euribor"],
)
def test_swaps_at_their_quotes_are_worth_nothing(rates: Any, swaps: Callable[[], dict[str, Any]]) -> None:
    model = model_of(EVERY_KIND, CONVENTIONS)
    assert np.abs(values_of(rates, InterestRateSwap(), model, swaps())).max() <= 1e-12 * NOTIONAL


def _worth_of_swaps(rates: Any, as_of: date) -> float:
    """The largest value of quoted swaps at their quotes on a day, of a notional of 1."""
    today = ql.Date.from_date(as_of)
    dated = {"1W", "2027-06-16", "2027-12-15", "2028-03-15", "2028-06-21"}  # of one day, or not of whole months
    model = model_of([row for row in EVERY_KIND if row["tenor"] not in dated], CONVENTIONS, rates.day_number(as_of))
    estr = {tenor: rate for tenor, rate in _quotes("EUR.ESTR", "ois").items() if tenor not in dated}
    books = (
        _swaps(_quotes("USD.SOFR", "ois"), "USD.SOFR", "USD.SOFR", today),
        _swaps(estr, "EUR.ESTR", "EUR.ESTR", today),
        _swaps(_quotes("EUR.EURIBOR3M", "swap"), "EUR.EURIBOR3M", "EUR.ESTR", today, **TERM),
    )
    values = [np.abs(values_of(rates, InterestRateSwap(), model, book)).max() for book in books]
    return float(max(values)) / NOTIONAL


@pytest.mark.parametrize("as_of", ["2026-02-27", "2026-03-19", "2026-12-31", "2027-08-31", "2028-02-29"])
def test_swaps_at_their_quotes_are_worth_nothing_on_other_days(rates: Any, as_of: str) -> None:
    assert _worth_of_swaps(rates, date.fromisoformat(as_of)) <= 1e-12


@pytest.mark.slow
def test_swaps_at_their_quotes_are_worth_nothing_through_five_years(rates: Any) -> None:
    for day in range(0, 5 * 365, 8):
        as_of = date(2026, 1, 1) + timedelta(day)
        if all(calendar.isBusinessDay(ql.Date.from_date(as_of)) for calendar in (TARGET, USGS)):
            assert _worth_of_swaps(rates, as_of) <= 1e-12, as_of


@pytest.mark.parametrize("extrapolation", ["flat_zero", "flat_forward"])
def test_swaps_beyond_the_points_of_their_discount_curve_are_worth_nothing_at_their_quotes(
    rates: Any, extrapolation: str
) -> None:
    estr = [point("zero_rate", "EUR.ESTR", level, tenor, "EUR") for tenor, level in (("1Y", 0.02), ("4Y", 0.03))]
    euribor = [row for row in EVERY_KIND if row["name"] == "EUR.EURIBOR3M"]
    conventions = replace(CONVENTIONS, curve_extrapolation={"EUR.ESTR": extrapolation})
    model = model_of([*estr, *euribor], conventions)
    swaps = _swaps(_quotes("EUR.EURIBOR3M", "swap"), "EUR.EURIBOR3M", "EUR.ESTR", **TERM)
    assert np.abs(values_of(rates, InterestRateSwap(), model, swaps)).max() <= 1e-12 * NOTIONAL


def test_fras_at_their_quotes_are_worth_nothing(rates: Any) -> None:
    spot = _spot(TARGET)
    ends = [TARGET.advance(spot, months, ql.Months, ql.ModifiedFollowing) for months in (6, 9)]
    starts = [TARGET.advance(spot, months, ql.Months, ql.ModifiedFollowing) for months in (3, 6)]
    dated = ql.Date(15, 12, 2027)
    columns = {
        "currency": ["EUR"] * 3,
        "index": ["EUR.EURIBOR3M"] * 3,
        "discount_curve": ["EUR.ESTR"] * 3,
        "notional": [NOTIONAL] * 3,
        "direction": ["pay"] * 3,
        "rate": list(_quotes("EUR.EURIBOR3M", "fra").values()),
        "start_date": [_days(day) for day in (*starts, dated)],
        "maturity_date": [_days(day) for day in (*ends, TARGET.advance(dated, 3, ql.Months, ql.ModifiedFollowing))],
        "day_count": ["ACT/360"] * 3,
    }
    assert (
        np.abs(values_of(rates, ForwardRateAgreement(), model_of(EVERY_KIND, CONVENTIONS), columns)).max()
        <= 1e-12 * NOTIONAL
    )


def _basis_swaps(
    quotes: dict[str, float], receive: tuple[str, str, str, str], pay: tuple[str, str, str, str], pair: float
) -> dict[str, Any]:
    """Receives the leg with the basis; each leg: currency, index, discount curve, frequency."""
    n = len(quotes)
    sides = {"receive": receive, "pay": pay}
    columns: dict[str, Any] = {}
    for side, (currency, index, discount, frequency) in sides.items():
        values = {"currency": currency, "index": index, "discount_curve": discount, "frequency": frequency}
        columns |= {f"{side}_{name}": [value] * n for name, value in values.items()}
        columns[f"{side}_day_count"] = ["ACT/360"] * n
    return {
        **columns,
        "receive_notional": [NOTIONAL] * n,
        "receive_spread": list(quotes.values()),
        "pay_notional": [NOTIONAL * pair] * n,
        "start_date": [_days(_spot(TARGET))] * n,
        "maturity_date": _ends(TARGET, quotes),
        "calendar": ["TARGET"] * n,
        "business_day_convention": ["modified_following"] * n,
        "exchange_notionals": [pair != 1.0] * n,
    }


@pytest.mark.parametrize(
    ("name", "receive", "pay"),
    [
        ("EUR.EURIBOR6M", ("EUR", "EUR.EURIBOR3M", "EUR.ESTR", "3M"), ("EUR", "EUR.EURIBOR6M", "EUR.ESTR", "6M")),
        ("EUR.EURIBOR1M", ("EUR", "EUR.ESTR", "EUR.ESTR", "1M"), ("EUR", "EUR.EURIBOR1M", "EUR.ESTR", "1M")),
        ("EUR.USDCSA", ("EUR", "EUR.ESTR", "EUR.USDCSA", "3M"), ("USD", "USD.SOFR", "USD.SOFR", "3M")),
    ],
)
def test_basis_swaps_at_their_quotes_are_worth_nothing(
    rates: Any, name: str, receive: tuple[str, str, str, str], pay: tuple[str, str, str, str]
) -> None:
    pair = 1.16
    spot = {"factor": "spot:EURUSD", "kind": "spot", "name": "EURUSD", "currency": "USD", "value": pair}
    model = model_of([*EVERY_KIND, spot], CONVENTIONS)
    swaps = _basis_swaps(_quotes(name, "basis"), receive, pay, pair if pay[0] == "USD" else 1.0)
    assert np.abs(values_of(rates, CrossCurrencySwap(), model, swaps)).max() <= 1e-12 * NOTIONAL


def _sofr_curve() -> Any:
    """QuantLib's own."""
    ql.Settings.instance().evaluationDate = TODAY
    helpers = [
        ql.OISRateHelper(2, ql.Period(t), ql.QuoteHandle(ql.SimpleQuote(r)), ql.Sofr(), paymentFrequency=ql.Annual)
        for t, r in shifted(LONG, 0.017).items()
    ]
    curve = ql.PiecewiseLogLinearDiscount(TODAY, helpers, ql.Actual365Fixed(), ql.IterativeBootstrap(1e-15))
    return ql.YieldTermStructureHandle(curve)


def test_swaps_off_the_quotes_are_worth_what_quantlib_s_curve_says(rates: Any) -> None:
    conventions = Conventions(discount_curves={"USD": "USD.SOFR"}, indices={"USD.SOFR": OVERNIGHT})
    model = model_of(par_rates("USD.SOFR", "ois", shifted(LONG, 0.017)), conventions)
    tenors = {f"{years}Y": 0.03 + 0.001 * years for years in range(1, 20)}
    found = values_of(rates, InterestRateSwap(), model, _swaps(tenors, "USD.SOFR", "USD.SOFR"))
    handle = _sofr_curve()
    expected = []
    for tenor, rate in tenors.items():
        swap = ql.MakeOIS(ql.Period(tenor), ql.Sofr(handle), rate, nominal=NOTIONAL, discountingTermStructure=handle)
        expected.append(swap.NPV())
    assert found == pytest.approx(expected, abs=1e-10 * NOTIONAL)


CREDIT_MODELS = pytest.mark.parametrize("credit_model", ["midpoint", "isda"])
OIS = [("zero_rate", "USD.SOFR", level, tenor) for tenor, level in {"6M": 0.031, "2Y": 0.028, "7Y": 0.033}.items()]
NAMES = {"ACME": CREDIT, "GLOBEX": shifted(CREDIT, 0.03), "FALLEN": dict.fromkeys(CREDIT, 0.8)}
MONTHS = {"6M": 6, "1Y": 12, "3Y": 36, "5Y": 60, "10Y": 120}


def _months_later(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, day.day)


def _weekday(day: date) -> date:
    return day + timedelta(max(0, 7 - day.weekday()) if day.weekday() > 4 else 0)


def _standard_contracts(as_of: date, credit_model: str, months: int) -> tuple[date, date, int]:
    """By the rules as they are published: first accrual day, standard maturity of no tenor, days accrued.

    The ISDA model begins on the day after the trade, so a coupon that ends then is gone.
    """
    rolls = [date(year, month, 20) for year in (as_of.year - 1, as_of.year) for month in (3, 9)]
    base = _months_later(max(day for day in rolls if day <= as_of), 3)
    known = as_of + timedelta(1) if credit_model == "isda" else as_of
    coupons = [_weekday(_months_later(base, k)) for k in range(-24, 24, months)]
    start = max(day for day in coupons if day <= known)
    return start, base, (as_of + timedelta(1) - start).days


def _worth_at_their_quotes(rates: Any, as_of: date, credit_model: str, frequency: str = "3M") -> np.ndarray:
    """Of the quoted contracts as trades of 1 each, the accrued premium handed back on the third weekday after."""
    day = rates.day_number(as_of)
    rows = [point(*row, currency="USD") for row in OIS]
    for name, quotes in NAMES.items():
        rows += cds_spreads(name, quotes)
    curves = {name: CurveConvention(fixed_frequency=frequency) for name in NAMES}
    conventions = Conventions(discount_curves={"USD": "USD.SOFR"}, credit_model=credit_model, curves=curves)
    found = derive(table_of(rows), PRODUCERS, day, conventions)
    assert found.faults == ()
    model = MarketModel(MarketSnapshot.from_table(found.table, day), conventions)
    start, base, accrued = _standard_contracts(as_of, credit_model, {"1M": 1, "3M": 3, "6M": 6}[frequency])
    trades = [
        (name, spread, rates.day_number(_months_later(base, MONTHS[tenor])))
        for name, quotes in NAMES.items()
        for tenor, spread in quotes.items()
    ]
    entities, spreads, maturities = (list(column) for column in zip(*trades, strict=True))
    constants = {
        "currency": "USD", "discount_curve": "USD.SOFR", "notional": 1.0, "protection": "buy", "upfront": 0.0,
        "recovery": 0.4, "frequency": frequency, "day_count": "ACT/360", "calendar": "weekends",
        "accrual_includes_maturity": True, "start_date": rates.day_number(start),
    }  # fmt: skip
    columns = {name: [value] * len(trades) for name, value in constants.items()}
    columns |= {"reference_entity": entities, "spread": spreads, "maturity_date": maturities}
    settled = as_of
    for _ in range(3):
        settled = _weekday(settled + timedelta(1))
    days = np.array([rates.day_number(settled)], np.int32)
    discount, (position,) = model.discount((Labels.constant("USD.SOFR", 1), days))
    factor = discount.evaluate(model.snapshot.x0[:, None])[position, 0]
    return values_of(rates, CreditDefaultSwap(), model, columns) + np.array(spreads) * accrued / 360.0 * factor


def _days_about_coupons() -> list[date]:
    """About each quarter's 20th of a year, on weekends too, eves of other years, and some between."""
    about = [date(2026, month, 20) + timedelta(k) for month in (3, 6, 9, 12) for k in (-1, 0, 1, 2)]
    eves = [date(2027, 3, 19), date(2028, 6, 19), date(2029, 9, 19), date(2030, 12, 19)]
    return [*about, *eves, date(2026, 1, 1), date(2028, 2, 29), date(2026, 11, 20)]


@CREDIT_MODELS
@pytest.mark.parametrize("as_of", _days_about_coupons(), ids=str)
def test_credit_default_swaps_at_their_quotes_are_worth_nothing(rates: Any, credit_model: str, as_of: date) -> None:
    assert np.abs(_worth_at_their_quotes(rates, as_of, credit_model)).max() <= 1e-13


@pytest.mark.slow
@CREDIT_MODELS
def test_credit_default_swaps_at_their_quotes_are_worth_nothing_on_any_day_of_five_years(
    rates: Any, credit_model: str
) -> None:
    for day in range(5 * 365 + 2):
        as_of = date(2026, 1, 1) + timedelta(day)
        if as_of.weekday() < 5:
            assert np.abs(_worth_at_their_quotes(rates, as_of, credit_model)).max() <= 1e-13, as_of


@CREDIT_MODELS
@pytest.mark.parametrize(
    "as_of", [date(2026, 11, 20), date(2026, 3, 19), date(2026, 6, 19), date(2026, 6, 20)], ids=str
)
@pytest.mark.parametrize("frequency", ["1M", "6M"])
def test_contracts_of_other_frequencies_at_their_quotes_are_worth_nothing(
    rates: Any, credit_model: str, as_of: date, frequency: str
) -> None:
    assert np.abs(_worth_at_their_quotes(rates, as_of, credit_model, frequency)).max() <= 1e-13


def test_credit_default_swaps_are_worth_what_quantlib_s_curves_say(rates: Any) -> None:
    """On a day like most; QuantLib's helper counts a coupon of tomorrow in full and hands none of it back."""
    conventions = Conventions(discount_curves={"USD": "USD.SOFR"})
    rows = par_rates("USD.SOFR", "ois", shifted(LONG, 0.017)) + cds_spreads("ACME", CREDIT)
    handle = _sofr_curve()
    kind = ql.CreditDefaultSwap.Midpoint
    contract = (ql.WeekendsOnly(), ql.Quarterly, ql.Following, ql.DateGeneration.CDS2015, ql.Actual360())
    helpers = [
        ql.SpreadCdsHelper(
            spread, ql.Period(t), 0, *contract, 0.4, handle, True, True, ql.Date(), ql.Actual360(True), True, kind
        )
        for t, spread in CREDIT.items()
    ]
    credit = ql.PiecewiseFlatHazardRate(TODAY, helpers, ql.Actual365Fixed(), ql.IterativeBootstrap(1e-15))
    engine = ql.MidPointCdsEngine(ql.DefaultProbabilityTermStructureHandle(credit), 0.4, handle)
    begin = ql.Date(21, 9, 2026)  # the 20th is a Sunday
    ends = [ql.cdsMaturity(TODAY, ql.Period(years, ql.Years), ql.DateGeneration.CDS2015) for years in range(1, 10)]
    expected = []
    for end in ends:
        schedule = ql.Schedule(
            begin,
            end,
            ql.Period("3M"),
            ql.WeekendsOnly(),
            ql.Following,
            ql.Unadjusted,
            ql.DateGeneration.Backward,
            False,
        )
        swap = ql.CreditDefaultSwap(
            ql.Protection.Buyer, NOTIONAL, 0.01, schedule, ql.Following, ql.Actual360(), True, True, begin,
            ql.FaceValueClaim(), ql.Actual360(), False,
        )  # fmt: skip
        swap.setPricingEngine(engine)
        expected.append(swap.NPV())
    n = len(ends)
    columns = {
        "reference_entity": ["ACME"] * n,
        "currency": ["USD"] * n,
        "discount_curve": ["USD.SOFR"] * n,
        "notional": [NOTIONAL] * n,
        "protection": ["buy"] * n,
        "spread": [0.01] * n,
        "upfront": [0.0] * n,
        "recovery": [0.4] * n,
        "start_date": [_days(begin)] * n,
        "maturity_date": [_days(end) for end in ends],
        "frequency": ["3M"] * n,
        "day_count": ["ACT/360"] * n,
        "calendar": ["weekends"] * n,
    }
    found = values_of(rates, CreditDefaultSwap(), model_of(rows, conventions), columns)
    assert found == pytest.approx(expected, abs=1e-10 * NOTIONAL)
