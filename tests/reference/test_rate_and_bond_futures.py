"""Futures on rates against QuantLib's futures, on bonds against its bond forwards: 1e-10 of the notional."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import QuantLib as ql  # noqa: N813

from riskpipe.errors import Reason
from riskpipe.market.conventions import Conventions, IndexConvention
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.bond_future import BondFuture
from riskpipe.products.interest_rate_future import InterestRateFuture

AS_OF = (date(2026, 11, 20) - date(1970, 1, 1)).days
TRADES = 500
INDICES = {
    "TERM": IndexConvention("TERM", "EUR.3M", day_count="ACT/360", fixing_lag=2, calendar="TARGET"),
    "ESTR": IndexConvention("ESTR", "EUR.OIS", overnight=True, day_count="ACT/360", calendar="TARGET"),
}
CONVENTIONS = Conventions(indices=INDICES)


def rate_market(rates: Any) -> Any:
    pillars = [AS_OF + days for days in (1, 30, 91, 183, 365, 730, 1826, 3652)]
    calendar, random = ql.TARGET(), np.random.default_rng(1)
    fixed = [day for day in range(AS_OF - 200, AS_OF) if calendar.isBusinessDay(rates.ql_date(day))]
    return rates.Market(
        AS_OF,
        {
            ("zero_rate", "EUR.OIS"): (pillars, [0.02, 0.021, 0.022, 0.0215, 0.022, 0.024, 0.026, 0.028]),
            ("zero_rate", "EUR.3M"): (pillars, [0.021, 0.022, 0.023, 0.024, 0.024, 0.025, 0.027, 0.029]),
            ("zero_rate", "REPO"): (pillars, [0.03, 0.029, 0.028, 0.027, 0.027, 0.027, 0.027, 0.027]),
        },
        fixings={"ESTR": {day: 0.02 + 0.001 * random.standard_normal() for day in fixed}, "TERM": {AS_OF - 1: 0.0231}},
    )


def rate_book(rates: Any) -> dict[str, Any]:
    random = np.random.default_rng(2)
    overnight = random.random(TRADES) < 0.5
    start = AS_OF + np.where(overnight, random.integers(-80, 900, TRADES), random.integers(1, 900, TRADES))
    calendar = ql.TARGET()

    def business(days: np.ndarray) -> np.ndarray:
        """Periods of term rates are taken as they are."""
        moved = [calendar.adjust(rates.ql_date(day)).serialNumber() - 25569 for day in days]
        return np.where(overnight, moved, days)

    start = business(start)
    end = business(start + random.integers(85, 100, TRADES))
    return {
        "currency": ["EUR"] * TRADES,
        "index": np.where(overnight, "ESTR", "TERM").tolist(),
        "quantity": np.round(random.normal(0.0, 100.0, TRADES)),
        "point_value": [2500.0] * TRADES,
        "reference_price": 98.0 + random.normal(0.0, 1.0, TRADES),
        "expiry_date": np.where(overnight, end - 1, np.maximum(start - 2, AS_OF)),
        "start_date": start,
        "maturity_date": end,
        "day_count": ["ACT/360"] * TRADES,
        "convexity_volatility": np.where(random.random(TRADES) < 0.5, 0.008, np.nan),
        "averaging": [random.choice(["compounded", "averaged", None]) if each else None for each in overnight],
    }


def test_interest_rate_futures(rates: Any) -> None:
    product, book, market = InterestRateFuture(), rate_book(rates), rate_market(rates)
    trades, model = rates.trades(product, book), market.model(CONVENTIONS)
    assert product.missing_points(trades, model) == []
    shocked = market.shocked(np.random.default_rng(5))
    x = np.column_stack((market.snapshot().x0, shocked.snapshot().x0))
    values = product.prepare(trades, model).price(np.arange(TRADES, dtype=np.int32), x)
    ql.Settings.instance().evaluationDate = rates.ql_date(AS_OF)
    running = 0
    for column, oracle in enumerate((market, shocked)):
        ois, term = oracle.discount("EUR.OIS"), oracle.discount("EUR.3M")
        overnight = ql.OvernightIndex("ESTR", 0, ql.EURCurrency(), ql.TARGET(), ql.Actual360(), ois)
        overnight.clearFixings()
        for day, fixing in market.fixings["ESTR"].items():
            overnight.addFixing(rates.ql_date(day), float(fixing))
        for row in range(TRADES):
            start, end = (rates.ql_date(book[name][row]) for name in ("start_date", "maturity_date"))
            sigma = np.nan_to_num(book["convexity_volatility"][row])
            times = [max(book[name][row] - AS_OF, 0) / 365.0 for name in ("start_date", "maturity_date")]
            convexity = 0.5 * sigma**2 * times[0] * times[1]
            if book["index"][row] == "ESTR":
                quote = ql.QuoteHandle(ql.SimpleQuote(float(convexity)))
                simple = book["averaging"][row] == "averaged"
                method = ql.RateAveraging.Simple if simple else ql.RateAveraging.Compound
                price = ql.OvernightIndexFuture(overnight, start, end, quote, method).NPV()
                running += book["start_date"][row] < AS_OF
            else:
                rate = (term.discount(start) / term.discount(end) - 1.0) / ql.Actual360().yearFraction(start, end)
                fixing = ql.TARGET().advance(start, -2, ql.Days).serialNumber() - 25569
                rate = market.fixings["TERM"].get(fixing, rate)
                price = 100.0 * (1.0 - rate - convexity)
            worth = 2500.0 * book["quantity"][row]
            expected = worth * (price - book["reference_price"][row])
            assert abs(values[row, column] - expected) <= 1e-10 * 100.0 * abs(worth), row
    assert running > 20


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (date(2026, 11, 1), date(2026, 12, 1)),  # began on a Sunday
        (date(2026, 12, 1), date(2027, 1, 1)),
        (date(2027, 1, 1), date(2027, 2, 1)),  # begins on a holiday
        (date(2027, 5, 1), date(2027, 6, 1)),  # on a Saturday; the 31st is Memorial Day
    ],
)
def test_futures_on_the_average_of_a_month(rates: Any, start: date, end: date) -> None:
    """One-month SOFR and federal funds, day by day: those without a fixing have the one before."""
    calendar, first, last = rates.calendars["USNY"], rates.day_number(start), rates.day_number(end)
    market = rate_market(rates)
    open_days = [day for day in range(AS_OF - 60, AS_OF) if calendar.isBusinessDay(rates.ql_date(day))]
    market.fixings = {"FUNDS": {day: 0.038 + 1e-5 * (day % 7) for day in open_days}}
    index = IndexConvention("FUNDS", "EUR.OIS", overnight=True, day_count="ACT/360", calendar="USNY")
    book = {"currency": "USD", "index": "FUNDS", "quantity": 10.0, "point_value": 4167.0, "reference_price": 96.0}
    book |= {"expiry_date": last - 1, "start_date": first, "maturity_date": last, "day_count": "ACT/360"}
    product, model = InterestRateFuture(), market.model(Conventions(indices={"FUNDS": index}))
    trades = rates.trades(product, {name: [value] for name, value in (book | {"averaging": "averaged"}).items()})
    assert product.missing_points(trades, model) == []
    value = product.prepare(trades, model).price(np.zeros(1, np.int32), market.snapshot().x0[:, None])[0, 0]
    curve, total = market.discount("EUR.OIS"), 0.0
    for day in range(first, last):
        fixed = calendar.adjust(rates.ql_date(day), ql.Preceding)
        rate = market.fixings["FUNDS"].get(fixed.serialNumber() - 25569)
        if rate is None:
            after = calendar.advance(fixed, 1, ql.Days)
            rate = (curve.discount(fixed) / curve.discount(after) - 1.0) / ql.Actual360().yearFraction(fixed, after)
        total += rate
    expected = 41670.0 * (100.0 - 100.0 * total / (last - first) - 96.0)
    assert abs(value - expected) < 1e-10 * 4_167_000.0


def test_averages_of_term_rates(rates: Any) -> None:
    product, book = InterestRateFuture(), {name: each[:40] for name, each in rate_book(rates).items()}
    row = book["index"].index("TERM")
    book["averaging"] = ["averaged" if k == row else None for k in range(40)]
    (fault,) = product.missing_points(rates.trades(product, book), rate_market(rates).model(CONVENTIONS))
    assert (fault.column, fault.rows.tolist()) == ("averaging", [row])
    assert fault.message == "averaging is of overnight rates, and the index is none (market.indices)"


def test_a_fixing_that_is_missing(rates: Any) -> None:
    product, market = InterestRateFuture(), rate_market(rates)
    del market.fixings["ESTR"][AS_OF - 1]
    book = {name: each[:2] for name, each in rate_book(rates).items()}
    book |= {"index": ["ESTR"] * 2, "start_date": [AS_OF - 30] * 2, "maturity_date": [AS_OF + 60] * 2}
    book |= {"expiry_date": [AS_OF + 59] * 2, "contract": [None, "ER"]}
    (fault,) = product.missing_points(rates.trades(product, book), market.model(CONVENTIONS))
    assert (fault.reason, fault.rows.tolist()) == (Reason.MISSING_MARKET_DATA, [0])
    assert "fixing:ESTR:2026-11-19" in fault.message


def bond_book(rates: Any) -> dict[str, Any]:
    random = np.random.default_rng(3)
    issue, maturity = rates.random_dates(random, TRADES, AS_OF, years=20)
    maturity = np.maximum(maturity, AS_OF + 800)
    delivery = AS_OF + random.integers(0, 500, TRADES)
    delivery[:3] = AS_OF
    choose = rates.chooser(random, TRADES)
    return {
        "currency": ["EUR"] * TRADES,
        "quantity": np.round(random.normal(0.0, 100.0, TRADES)),
        "contract_size": [100_000.0] * TRADES,
        "reference_price": random.uniform(80.0, 130.0, TRADES),
        "expiry_date": np.maximum(delivery - 2, AS_OF),
        "delivery_date": delivery,
        "conversion_factor": random.uniform(0.6, 1.2, TRADES),
        "discount_curve": choose(["EUR.OIS", "EUR.3M"]),
        "repo_curve": [name or None for name in choose(["REPO", "EUR.OIS", ""])],
        "net_basis": np.where(random.random(TRADES) < 0.5, random.uniform(0.0, 0.5, TRADES), np.nan),
        "coupon": np.where(random.random(TRADES) < 0.1, 0.0, random.normal(0.03, 0.02, TRADES)),
        "frequency": choose(["3M", "6M", "1Y", "1T"]),
        "day_count": choose(["ACT/360", "ACT/365F", "ACT/ACT", "30E/360"]),
        "issue_date": np.minimum(issue, AS_OF - 1),
        "maturity_date": maturity,
        "calendar": choose(["weekends", "TARGET"]),
        # QuantLib gives a coupon to who holds the bond on the day that it is paid; ours are told by their periods.
        "business_day_convention": ["unadjusted"] * TRADES,
    }


def quantlib_price(rates: Any, row: dict[str, Any], curves: dict[str, Any]) -> float:
    """The forward clean price, less the net basis, over the conversion factor."""
    issue, maturity, delivery = (rates.ql_date(row[f"{name}_date"]) for name in ("issue", "maturity", "delivery"))
    calendar = rates.calendars[row["calendar"]]
    backward = ql.DateGeneration.Zero if row["frequency"] == "1T" else ql.DateGeneration.Backward
    schedule = ql.Schedule(
        issue, maturity, rates.periods[row["frequency"]], calendar, ql.Unadjusted, ql.Unadjusted, backward, False
    )
    count = rates.day_counts[row["day_count"]]
    bond = ql.FixedRateBond(0, 100.0, schedule, [float(row["coupon"])], count, ql.Unadjusted, 100.0, issue)
    bond.setPricingEngine(ql.DiscountingBondEngine(curves[row["discount_curve"]]))
    repo = curves[row["repo_curve"] or row["discount_curve"]]
    income = sum(
        flow.amount() * repo.discount(flow.date())
        for flow in bond.cashflows()
        if ql.Settings.instance().evaluationDate < flow.date() <= delivery
    )
    forward = (bond.NPV() - income) / repo.discount(delivery)
    clean = forward - bond.accruedAmount(delivery)
    return float((clean - np.nan_to_num(row["net_basis"])) / row["conversion_factor"])


def test_bond_futures(rates: Any) -> None:
    product, book, market = BondFuture(), bond_book(rates), rate_market(rates)
    trades, model = rates.trades(product, book), market.model(CONVENTIONS)
    shocked = market.shocked(np.random.default_rng(5))
    x = np.column_stack((market.snapshot().x0, shocked.snapshot().x0))
    values = product.prepare(trades, model).price(np.arange(TRADES, dtype=np.int32), x)
    ql.Settings.instance().evaluationDate = rates.ql_date(AS_OF)
    for column, oracle in enumerate((market, shocked)):
        curves = {name: oracle.discount(name) for _, name in oracle.curves}
        for k in range(TRADES):
            row = {name: each[k] for name, each in book.items()}
            points = 1000.0 * row["quantity"]
            expected = points * (quantlib_price(rates, row, curves) - row["reference_price"])
            assert abs(values[k, column] - expected) <= 1e-10 * 200.0 * abs(points), row


def test_the_forward_of_a_deliverable_is_quantlibs(rates: Any) -> None:
    """`BondForward` itself, whose income and financing are of one curve."""
    book, market = bond_book(rates), rate_market(rates)
    ql.Settings.instance().evaluationDate = rates.ql_date(AS_OF)
    curves = {name: market.discount(name) for _, name in market.curves}
    for k in range(20):
        row = {name: each[k] for name, each in book.items()} | {
            "repo_curve": "REPO",
            "net_basis": 0.0,
            "calendar": "weekends",
        }
        row |= {"conversion_factor": 1.0, "frequency": "6M", "day_count": "ACT/365F", "delivery_date": AS_OF + 100 + k}
        issue, maturity, delivery = (rates.ql_date(row[f"{name}_date"]) for name in ("issue", "maturity", "delivery"))
        schedule = ql.Schedule(
            issue, maturity, rates.periods["6M"], ql.NullCalendar(), ql.Unadjusted, ql.Unadjusted,
            ql.DateGeneration.Backward, False,
        )  # fmt: skip
        bond = ql.FixedRateBond(0, 100.0, schedule, [float(row["coupon"])], ql.Actual365Fixed(), ql.Unadjusted)
        bond.setPricingEngine(ql.DiscountingBondEngine(curves[row["discount_curve"]]))
        terms = (0, ql.Actual365Fixed(), ql.NullCalendar(), ql.Unadjusted, bond, curves["REPO"], curves["REPO"])
        forward = ql.BondForward(rates.ql_date(AS_OF), delivery, ql.Position.Long, 100.0, *terms)
        assert quantlib_price(rates, row, curves) == pytest.approx(forward.cleanForwardPrice(), abs=1e-9)


def test_prices_of_their_own(rates: Any) -> None:
    rows: list[tuple[str, str, str, float]] = [
        ("forward_price", "FGBL", "2026-12-08", 128.5), ("forward_price", "FGBL", "2027-03-08", 127.5),
        ("forward_price", "FEU3", "2026-12-14", 97.9), ("zero_rate", "EUR.OIS", "2030-01-01", 0.02),
        ("zero_rate", "EUR.3M", "2030-01-01", 0.02),
    ]  # fmt: skip
    kind, name, tenor, value = zip(*rows, strict=True)
    columns = {"kind": kind, "name": name, "tenor": tenor, "value": value}
    table = pa.table({"factor": [":".join(row[:3]) for row in rows], **columns})
    model = MarketModel(MarketSnapshot.from_table(table, AS_OF), CONVENTIONS)
    bond = {name: each[:2] for name, each in bond_book(rates).items()}
    march = (date(2027, 3, 8) - date(1970, 1, 1)).days
    bond |= {"contract": ["FGBL", None], "quantity": [3.0, 0.0], "reference_price": [128.0] * 2}
    bond |= {"expiry_date": [march] * 2, "delivery_date": [march + 2] * 2, "repo_curve": [None] * 2}
    bond |= {"discount_curve": ["EUR.OIS"] * 2}
    trades = rates.trades(BondFuture(), bond)
    found = BondFuture().prepare(trades, model).price(np.arange(2, dtype=np.int32), model.base)[:, 0]
    assert found == pytest.approx([3.0 * 1000.0 * (127.5 - 128.0), 0.0])
    rate = {name: each[:2] for name, each in rate_book(rates).items()}
    rate |= {"index": ["TERM"] * 2, "contract": [None, "FEU3"], "quantity": [0.0, 2.0], "reference_price": [98.0] * 2}
    december = (date(2026, 12, 14) - date(1970, 1, 1)).days
    rate |= {"expiry_date": [december] * 2, "start_date": [december + 2] * 2, "maturity_date": [december + 93] * 2}
    trades = rates.trades(InterestRateFuture(), rate)
    found = InterestRateFuture().prepare(trades, model).price(np.arange(2, dtype=np.int32), model.base)[:, 0]
    assert found == pytest.approx([0.0, 2.0 * 2500.0 * -0.1])


def test_rules(rates: Any) -> None:
    product = BondFuture()
    book = {name: each[:4] for name, each in bond_book(rates).items()}
    book |= {
        "expiry_date": [AS_OF - 1, AS_OF + 5, AS_OF, AS_OF],
        "delivery_date": [AS_OF, AS_OF + 4, AS_OF + 900, AS_OF + 2],
        "maturity_date": [AS_OF + 900] * 4,
        "calendar": ["TARGET"] * 3 + ["NOWHERE"],
    }
    found = [
        (each.column, each.rule, each.rows.tolist()) for each in product.validate(rates.trades(product, book), AS_OF)
    ]
    assert found == [
        ("calendar", "calendar", [3]), ("expiry_date", "not_past", [0]), ("delivery_date", "date_order", [1]),
        ("delivery_date", "delivery", [2]),
    ]  # fmt: skip
    future = InterestRateFuture()
    book = {name: each[:3] for name, each in rate_book(rates).items()}
    book |= {"expiry_date": [AS_OF - 1, AS_OF + 80, AS_OF], "start_date": [AS_OF, AS_OF, AS_OF + 90]}
    book |= {"maturity_date": [AS_OF + 90, AS_OF + 79, AS_OF + 90]}
    found = [
        (each.column, each.rule, each.rows.tolist()) for each in future.validate(rates.trades(future, book), AS_OF)
    ]
    assert found == [
        ("maturity_date", "date_order", [2]), ("maturity_date", "date_order", [1]), ("expiry_date", "not_past", [0]),
    ]  # fmt: skip
