"""Bonds of 13 markets with odd coupons, that amortise, step up and trade ex coupon, and their figures; bills and zeros.

QuantLib's within 1e-10 of face.

Yields are QuantLib's of bonds whose payments are not moved to business days, as the street convention has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from riskpipe.products.bond import Bond

PRODUCT = Bond()
TOLERANCE = 1e-10
DAYS = [date(2026, 11, 20), date(2025, 3, 3)]
ICMA = ql.ActualActual(ql.ActualActual.ISMA)


@dataclass(frozen=True)
class Market:
    """How a government's bonds are traded.

    :param ex: days before the payment; of business days, where `business` is said.
    """

    calendar: str
    holidays: Any
    frequency: str
    day_count: str
    count: Any
    settlement: int
    ex: int = 0
    business: bool = False


MARKETS = {
    "US": Market("USGS", ql.UnitedStates(ql.UnitedStates.GovernmentBond), "6M", "ACT/ACT ICMA", ICMA, 1),
    "UK": Market("GBLO", ql.UnitedKingdom(ql.UnitedKingdom.Settlement), "6M", "ACT/ACT ICMA", ICMA, 1, 7, True),
    "DE": Market("TARGET", ql.TARGET(), "1Y", "ACT/ACT ICMA", ICMA, 2),
    "FR": Market("TARGET", ql.TARGET(), "1Y", "ACT/ACT ICMA", ICMA, 2),
    "NL": Market("TARGET", ql.TARGET(), "1Y", "ACT/ACT ICMA", ICMA, 2),
    "IT": Market("TARGET", ql.TARGET(), "6M", "ACT/ACT ICMA", ICMA, 2),
    "ES": Market("TARGET", ql.TARGET(), "1Y", "ACT/ACT ICMA", ICMA, 2),
    "JP": Market("JPTO", ql.Japan(), "6M", "NL/365", ql.Actual365Fixed(ql.Actual365Fixed.NoLeap), 1),
    "CA": Market("CATO", ql.Canada(ql.Canada.Settlement), "6M", "ACT/365F", ql.Actual365Fixed(), 1),
    "AU": Market("AUSY", ql.Australia(ql.Australia.Settlement), "6M", "ACT/ACT ICMA", ICMA, 2, 7),
    "CH": Market("CHZU", ql.Switzerland(), "1Y", "30E/360", ql.Thirty360(ql.Thirty360.EurobondBasis), 2),
    "SE": Market("SEST", ql.Sweden(), "1Y", "30E/360", ql.Thirty360(ql.Thirty360.EurobondBasis), 2, 5, True),
    "NZ": Market("NZWE", ql.NewZealand(ql.NewZealand.Wellington), "6M", "ACT/ACT ICMA", ICMA, 2, 10),
}
FREQUENCIES = {"6M": ql.Semiannual, "1Y": ql.Annual}


def make_market(rates: Any, as_of: int) -> Any:
    pillars = [as_of + days for days in (1, 30, 183, 365, 730, 1826, 3652, 5479)]
    levels = [0.019, 0.02, 0.0215, 0.022, 0.023, 0.025, 0.027, 0.028]
    return rates.Market(as_of, {("zero_rate", "GOVT"): (pillars, levels)})


def plain_book(rates: Any, seed: int, as_of: int, size: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    issue, maturity = rates.random_dates(random, size, as_of, years=20)
    # A third pays soon, so that some are ex coupon.
    soon = np.flatnonzero(random.random(size) < 0.33)
    month = (as_of + random.integers(1, 14, len(soon))).astype("datetime64[D]")
    day = month - month.astype("datetime64[M]")
    far = month.astype("datetime64[M]") + 12 * random.integers(1, 12, len(soon))
    maturity[soon] = (far.astype("datetime64[D]") + np.minimum(day, np.timedelta64(27, "D"))).astype(int)
    issue[soon] = np.minimum(issue[soon], as_of - 40)
    names = [str(name) for name in random.choice(list(MARKETS), size)]
    markets = [MARKETS[name] for name in names]
    return {
        "market": names,
        "currency": ["EUR"] * size,
        "discount_curve": ["GOVT"] * size,
        "quantity": np.round(random.normal(0.0, 1000.0, size)) + 0.5,
        "face": random.choice([100.0, 1000.0], size),
        "coupon": np.where(random.random(size) < 0.1, 0.0, random.uniform(0.0, 0.07, size)),
        "frequency": [market.frequency for market in markets],
        "day_count": [market.day_count for market in markets],
        "issue_date": issue,
        "maturity_date": maturity,
        "calendar": [market.calendar for market in markets],
        "business_day_convention": ["following"] * size,
        "settlement_days": [float(market.settlement) for market in markets],
        "ex_coupon_days": [float(market.ex) if market.ex else None for market in markets],
        "ex_coupon_calendar": [market.calendar if market.business else None for market in markets],
        "market_price": random.uniform(80.0, 120.0, size),
        "stub": ["long" if odd else None for odd in ((maturity - issue > 800) & (random.random(size) < 0.3)).tolist()],
    }


def schedule(rates: Any, book: dict[str, Any], k: int) -> Any:
    dates = rates.ql_date(book["issue_date"][k]), rates.ql_date(book["maturity_date"][k])
    rule = (ql.Unadjusted, ql.Unadjusted, ql.DateGeneration.Backward, False)
    market = MARKETS[book["market"][k]]
    made = ql.Schedule(*dates, ql.Period(market.frequency), market.holidays, *rule)
    if book["stub"][k] != "long" or made.isRegular(1):
        return made
    # The odd first coupon is paid with the one after it.
    return ql.Schedule(*dates, ql.Period(market.frequency), market.holidays, *rule, list(made.dates())[2])


def stepped_book(rates: Any, seed: int, as_of: int, size: int) -> dict[str, Any]:
    """Half of the bonds amortise, half step up."""
    random = np.random.default_rng(seed + 100)
    book = plain_book(rates, seed, as_of, size)
    lists: dict[str, list[Any]] = {
        name: [None] * size for name in ("notionals", "notional_dates", "coupons", "coupon_dates")
    }
    for k in range(size):
        starts = [day.serialNumber() - 25569 for day in list(schedule(rates, book, k).dates())[1:-1]]
        for values, dates, scale in (("notionals", "notional_dates", 1.0), ("coupons", "coupon_dates", 1e-4)):
            if starts and random.random() < 0.5:
                chosen = np.sort(random.choice(starts, random.integers(1, len(starts) + 1), replace=False))
                falls = np.sort(random.uniform(10.0, book["face"][k] if scale == 1.0 else 900.0, len(chosen)))
                lists[dates][k] = [np.datetime64(int(day), "D").item() for day in chosen]
                lists[values][k] = ((falls[::-1] if scale == 1.0 else falls) * scale).tolist()
    return book | lists


def by_period(first: float, values: Any, dates: Any, starts: list[int]) -> list[float]:
    days = [] if dates is None else [np.datetime64(day, "D").astype(int) for day in dates]
    steps = list(zip(days, values or [], strict=True))
    return [next((value for day, value in reversed(steps) if day <= start), first) for start in starts]


def bond(rates: Any, book: dict[str, Any], k: int) -> Any:
    market = MARKETS[book["market"][k]]
    calendar = market.holidays if market.business else ql.NullCalendar()
    return made(rates, book, k, ql.Following, ql.Period(market.ex, ql.Days), calendar)


def on_the_street(rates: Any, book: dict[str, Any], k: int, own: Any) -> Any:
    """Payments are not moved; the next coupon is the buyer's if it is that of `own`."""
    settled = own.settlementDate()
    coupon = next(ql.as_coupon(flow) for flow in own.cashflows() if flow.date() > settled)
    lead = coupon.accrualEndDate() - settled if ql.Date() < coupon.exCouponDate() <= settled else 0
    return made(rates, book, k, ql.Unadjusted, ql.Period(int(lead), ql.Days), ql.NullCalendar())


def made(rates: Any, book: dict[str, Any], k: int, convention: Any, ex: Any, calendar: Any) -> Any:
    market, dates = MARKETS[book["market"][k]], schedule(rates, book, k)
    starts = [day.serialNumber() - 25569 for day in list(dates.dates())[:-1]]

    def of(first: str, values: str) -> list[float]:
        given = (book[name][k] if name in book else None for name in (values, f"{values[:-1]}_dates"))
        return by_period(float(book[first][k]), *given, starts)

    terms = (dates, of("coupon", "coupons"), market.count, convention, rates.ql_date(book["issue_date"][k]))
    return ql.AmortizingFixedRateBond(market.settlement, of("face", "notionals"), *terms, ex, calendar)


def figures(rates: Any, book: dict[str, Any], k: int, curve: Any, dirty: float) -> dict[str, float]:
    """:param dirty: the price that the yield is of."""
    market, own = MARKETS[book["market"][k]], bond(rates, book, k)
    street = on_the_street(rates, book, k, own)
    own.setPricingEngine(ql.DiscountingBondEngine(curve))
    settled = own.settlementDate()
    accrued = ql.BondFunctions.accruedAmount(own, settled)
    rule = (market.count, ql.Compounded, FREQUENCIES[market.frequency], settled)
    price = ql.BondPrice(dirty - ql.BondFunctions.accruedAmount(street, settled), ql.BondPrice.Clean)
    rate = ql.BondFunctions.bondYield(street, price, *rule, 1e-14, 1000, 0.03)
    quoted = ql.BondPrice(float(book["market_price"][k]), ql.BondPrice.Clean)
    spread = (curve.currentLink(), ql.Actual365Fixed(), ql.Continuous, ql.Annual, settled, 1e-14, 1000, 0.01)
    return {
        "accrued": accrued,
        "clean_price": own.cleanPrice(),
        "dirty_price": own.dirtyPrice(),
        "yield": rate,
        "modified_duration": ql.BondFunctions.duration(street, rate, *rule[:-1], ql.Duration.Modified, settled),
        "z_spread": ql.BondFunctions.zSpread(own, quoted, *spread),
    }


@pytest.mark.parametrize(("seed", "day"), list(enumerate(DAYS)))
@pytest.mark.parametrize("make", [plain_book, stepped_book])
def test_bonds_of_thirteen_markets(rates: Any, make: Any, seed: int, day: date) -> None:
    as_of = rates.day_number(day)
    market = make_market(rates, as_of)
    book = make(rates, seed, as_of, 500)
    trades = rates.trades(PRODUCT, {name: values for name, values in book.items() if name != "market"})
    assert PRODUCT.validate(trades, as_of) == []
    shocked = market.shocked(np.random.default_rng(seed))
    rows, n = np.arange(500, dtype=np.int32), 500
    ql.Settings.instance().evaluationDate = rates.ql_date(as_of)
    for oracle in (market, shocked):
        model, curve = oracle.model(), oracle.discount("GOVT")
        pv = PRODUCT.prepare(trades, model).price(rows, model.base)[:, 0]
        found = PRODUCT.figure_values(trades, model, pv, PRODUCT.figures)
        engine, living = ql.DiscountingBondEngine(curve), 0
        for k in range(n):
            theirs = bond(rates, book, k)
            theirs.setPricingEngine(engine)
            error = abs(pv[k] / book["quantity"][k] - theirs.NPV()) / book["face"][k]
            assert error < TOLERANCE, (k, error, {name: values[k] for name, values in book.items()})
            if theirs.notional(theirs.settlementDate()) == 0.0:
                assert np.isnan([found[name][k] for name in found]).all()
                continue
            living += 1
            expected = figures(rates, book, k, curve, found["dirty_price"][k])
            off = {name: abs(found[name][k] - value) for name, value in expected.items()}
            worst = max(off, key=lambda name: off[name])
            assert off[worst] < 100.0 * TOLERANCE, (k, worst, off[worst], {n_: v[k] for n_, v in book.items()})
        assert living > 450
    shares = trades.numbers("ex_coupon_days", 0.0) > 0.0
    assert (found["accrued"][shares] < 0.0).sum() > 3, "some trade ex coupon"


def test_bills_and_zeros(rates: Any) -> None:
    """Bills pay once; zeros have the periods of the bonds that they were stripped from, which yields compound by."""
    as_of = rates.day_number(DAYS[0])
    market = make_market(rates, as_of)
    kinds = [("1T", "ACT/360"), ("1T", "ACT/365F"), ("6M", "ACT/ACT ICMA"), ("1Y", "ACT/ACT ICMA"), ("1Y", "30E/360")]
    frequencies = {"1T": ql.Annual, **FREQUENCIES}
    counts = {"ACT/360": ql.Actual360(), "ACT/365F": ql.Actual365Fixed(), "ACT/ACT ICMA": ICMA}
    counts["30E/360"] = ql.Thirty360(ql.Thirty360.EurobondBasis)
    random, n = np.random.default_rng(11), 20 * len(kinds)
    frequency, day_count = zip(*(20 * kinds), strict=True)
    once = np.array(frequency) == "1T"
    maturity = as_of + np.where(once, random.integers(5, 360, n), random.integers(400, 10_000, n))
    book = {
        "currency": ["EUR"] * n, "discount_curve": ["GOVT"] * n, "quantity": [5.0] * n, "face": [1000.0] * n,
        "coupon": [0.0] * n, "frequency": list(frequency), "day_count": list(day_count),
        "issue_date": np.full(n, as_of - 20), "maturity_date": maturity, "calendar": ["TARGET"] * n,
        "business_day_convention": ["following"] * n, "settlement_days": [2.0] * n, "market_price": [90.0] * n,
    }  # fmt: skip
    trades, model, curve = rates.trades(PRODUCT, book), market.model(), market.discount("GOVT")
    pv = PRODUCT.prepare(trades, model).price(np.arange(n, dtype=np.int32), model.base)[:, 0]
    found = PRODUCT.figure_values(trades, model, pv, PRODUCT.figures)
    ql.Settings.instance().evaluationDate = rates.ql_date(as_of)
    for k in range(n):
        end, count = rates.ql_date(maturity[k]), counts[day_count[k]]
        own, street = (ql.ZeroCouponBond(2, ql.TARGET(), 100.0, end, rule) for rule in (ql.Following, ql.Unadjusted))
        own.setPricingEngine(ql.DiscountingBondEngine(curve))
        settled = own.settlementDate()
        assert abs(pv[k] / 50.0 - own.NPV()) < TOLERANCE * 100.0
        assert found["accrued"][k] == 0.0
        assert found["clean_price"][k] == found["dirty_price"][k] == pytest.approx(own.dirtyPrice(), abs=1e-8)
        rule = (count, ql.Compounded, frequencies[frequency[k]])
        if once[k] or day_count[k] != "ACT/ACT ICMA":
            price = ql.BondPrice(found["dirty_price"][k], ql.BondPrice.Clean)
            rate = ql.BondFunctions.bondYield(street, price, *rule, settled, 1e-14, 1000, 0.03)
        else:  # by quasi-coupons, of which QuantLib's has none
            dates = ql.Schedule(
                rates.ql_date(as_of - 20), end, ql.Period(frequency[k]), ql.TARGET(), ql.Unadjusted, ql.Unadjusted,
                ql.DateGeneration.Backward, False,
            )  # fmt: skip
            stripped = ql.FixedRateBond(2, 100.0, dates, [1e-14], count, ql.Unadjusted)
            price = ql.BondPrice(found["dirty_price"][k], ql.BondPrice.Clean)
            rate = ql.BondFunctions.bondYield(stripped, price, *rule, settled, 1e-14, 1000, 0.03)
        assert found["yield"][k] == pytest.approx(rate, abs=1e-10), (k, frequency[k], day_count[k])
