"""Equity and total return swaps against plain Python, period by period, with QuantLib's schedules, curves and funding
coupons: 1e-10 of notional, today and in a shocked market."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import QuantLib as ql  # noqa: N813
from curve_market import Rates, day_number, iso, ql_date

from riskpipe.errors import Level
from riskpipe.market.conventions import Conventions, IndexConvention
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.equity_swap import EquitySwap

TOLERANCE = 1e-10
PRODUCT = EquitySwap()
AS_OF = day_number(date(2026, 11, 20))
CALENDAR = "TARGET+USNY"
PILLARS = [AS_OF + days for days in (1, 30, 91, 365, 1826, 3652)]
INDICES = {
    "EUR.6M": IndexConvention("EUR.6M", "EUR.6M", day_count="ACT/360", fixing_lag=2, calendar=CALENDAR),
    "EUR.ESTR": IndexConvention("EUR.ESTR", "EUR.OIS", overnight=True, day_count="ACT/360", calendar=CALENDAR),
    "USD.SOFR": IndexConvention("USD.SOFR", "USD.OIS", overnight=True, day_count="ACT/360", calendar=CALENDAR),
}
CONVENTIONS = Conventions(indices=INDICES)
CURRENCY = {"SX": "EUR", "PX": "USD", "GX": "EUR"}
EX_DAYS = (40, 130, 220, 400, 800, 1500)


def is_open(day: int) -> bool:
    return bool(Rates.calendars[CALENDAR].isBusinessDay(ql_date(day)))


class Market:
    """SX pays discrete dividends, a yield and costs to borrow; PX has a yield; GX has forward prices."""

    def __init__(self, shock: float = 0.0) -> None:
        self.spot = {"SX": 101.0 * (1.0 + shock), "PX": 5200.0 * (1.0 - shock)}
        self.fx = 1.16 * (1.0 + 0.5 * shock)
        slope = np.linspace(0.0, 0.01, len(PILLARS)) + 0.02 * shock
        levels = {
            ("zero_rate", "EUR.OIS"): 0.019, ("zero_rate", "EUR.6M"): 0.021, ("zero_rate", "USD.OIS"): 0.04,
            ("zero_rate", "EUR.CSA"): 0.017, ("dividend_yield", "SX"): 0.004, ("dividend_yield", "PX"): 0.013,
            ("borrow", "SX"): 0.003,
        }  # fmt: skip
        self.curves = {key: level + slope for key, level in levels.items()}
        self.cash = dict.fromkeys(EX_DAYS, 1.3 * (1.0 + 2.0 * shock))
        self.ratio = dict.fromkeys(EX_DAYS[2:], 0.01 * (1.0 - shock))
        self.forwards = {30: 77.0 * (1.0 + shock), 365: 79.0, 1826: 90.0}
        days = [day for day in range(AS_OF - 1700, AS_OF) if is_open(day)]
        self.fixings = {name: {day: 0.02 + 0.01 * np.sin(day / 40) for day in days} for name in INDICES}
        for name, level in {"SX": 95.0, "PX": 5000.0, "GX": 75.0, "EURUSD": 1.1}.items():
            self.fixings[name] = {day: level * (1.0 + 0.1 * np.sin(day / 30)) for day in days}
        self.fixings["GX"][AS_OF] = 76.5

    def snapshot(self) -> MarketSnapshot:
        rows = [("spot", "EURUSD", None, self.fx), *(("spot", name, None, level) for name, level in self.spot.items())]
        for (kind, name), values in self.curves.items():
            rows += [(kind, name, iso(day), float(value)) for day, value in zip(PILLARS, values, strict=True)]
        rows += [("dividend", "SX", iso(AS_OF + day), value) for day, value in self.cash.items()]
        rows += [("dividend_ratio", "SX", iso(AS_OF + day), value) for day, value in self.ratio.items()]
        rows += [("forward_price", "GX", iso(AS_OF + day), value) for day, value in self.forwards.items()]
        for name, values in self.fixings.items():
            rows += [("fixing", name, iso(day), float(value)) for day, value in values.items()]
        kind, name, tenor, value = zip(*rows, strict=True)
        factor = [":".join(part for part in row[:3] if part) for row in rows]
        currency = [{"spot": CURRENCY.get(row[1], "USD"), "forward_price": "EUR"}.get(row[0]) for row in rows]
        columns = {"factor": factor, "kind": kind, "name": name, "tenor": tenor, "value": value, "currency": currency}
        return MarketSnapshot.from_table(pa.table(columns), AS_OF)

    def oracle(self) -> Oracle:
        return Oracle(self)


class Oracle:
    def __init__(self, market: Market) -> None:
        self.market = market
        curves = {key: (PILLARS, values.tolist()) for key, values in market.curves.items()}
        points = Rates.Market(AS_OF, curves)
        self.curves = {}
        for kind, name in curves:
            dates, logarithms = points.logarithms(kind, name, AS_OF)
            curve = ql.DiscountCurve(dates, np.exp(-logarithms).tolist(), ql.Actual365Fixed())
            self.curves[kind, name] = ql.YieldTermStructureHandle(curve)
        ql.IndexManager.instance().clearHistories()
        calendar, count, euro = Rates.calendars[CALENDAR], ql.Actual360(), ql.EURCurrency()
        self.indices = {
            name: ql.OvernightIndex(name, 0, euro, calendar, count, self.curves["zero_rate", INDICES[name].curve])
            for name in ("EUR.ESTR", "USD.SOFR")
        }
        curve = self.curves["zero_rate", "EUR.6M"]
        months = ql.Period(6, ql.Months)
        self.indices["EUR.6M"] = ql.IborIndex(
            "EUR", months, 2, euro, calendar, ql.ModifiedFollowing, False, count, curve
        )
        for name, index in self.indices.items():
            known = market.fixings[name]
            index.addFixings([ql_date(day) for day in known], [float(value) for value in known.values()], True)

    def factor(self, kind: str, name: str, day: int) -> float:
        key = (kind, name)
        return float(self.curves[key].discount(ql_date(day))) if key in self.curves and day > AS_OF else 1.0

    def forward(self, name: str, day: int) -> tuple[float, float]:
        """The forward, and the discrete dividends until then."""
        if name == "GX":
            days, prices = zip(*self.market.forwards.items(), strict=True)
            return float(np.interp(day - AS_OF, days, prices)), 0.0

        def growth(when: int) -> float:
            carry = self.factor("dividend_yield", name, when) * self.factor("borrow", name, when)
            return carry / self.factor("zero_rate", f"{CURRENCY[name]}.OIS", when)

        level, last, paid = self.market.spot[name], 1.0, 0.0
        for ex, cash in self.market.cash.items() if name == "SX" else ():
            if AS_OF + ex <= day:
                level, last = level * growth(AS_OF + ex) / last, growth(AS_OF + ex)
                dividend = level * self.market.ratio.get(ex, 0.0) + cash
                level, paid = level - dividend, paid + dividend
        return level * growth(day) / last, paid

    def exchange(self, own: str, into: str, day: int) -> float:
        if own == into:
            return 1.0
        rate = self.market.fx * self.factor("zero_rate", "EUR.OIS", day) / self.factor("zero_rate", "USD.OIS", day)
        return rate if own == "EUR" else 1.0 / rate

    def price(self, row: dict[str, Any], day: int, dividends: float = 0.0) -> float:
        """In the swap's currency, with dividends that are paid together with it."""
        name, into = row["underlying"], row["currency"]
        own = CURRENCY[name]
        fixed = self.market.fixings[name].get(day)
        rate = 1.0 if own == into else self.market.fixings["EURUSD"].get(day)
        if fixed is not None and rate is not None:
            return (fixed + dividends) * (rate if own == "EUR" else 1.0 / rate if own != into else 1.0)
        return (self.forward(name, day)[0] + dividends) * self.exchange(own, into, day)

    def periods(self, row: dict[str, Any], prefix: str = "") -> list[tuple[int, int, int]]:
        """Start, end and payment."""
        frequency = row[f"{prefix}frequency"] or row["frequency"]
        terms = (row["start_date"], row["maturity_date"], frequency, row["calendar"], row["business_day_convention"])
        days = [each.serialNumber() - 25569 for each in Rates.schedule(*terms)]
        lag = row[f"{prefix}payment_lag"]
        lag = row["payment_lag"] if lag is None else lag
        calendar = Rates.calendars[row["calendar"]]

        def paid(end: int) -> int:
            day = ql_date(end)
            return calendar.advance(day, int(lag), ql.Days).serialNumber() - 25569 if lag else end

        return [(start, end, paid(end)) for start, end in pairwise(days)]

    def value(self, row: dict[str, Any]) -> float:
        curve = row["discount_curve"] or f"{row['currency']}.OIS"
        total, spans = 0.0, self.periods(row)
        first = spans[0][0]
        begun = {first: row["initial_price"]} if row["initial_price"] else {}
        for start, end, paid in spans:
            if paid <= AS_OF:
                continue
            opening = begun.get(start) or self.price(row, start)
            closing = self.price(row, end, self.dividends(row, start, end))
            gain = (
                row["quantity"] * (closing - opening) if row["quantity"] else row["notional"] * (closing / opening - 1)
            )
            total += gain * self.factor("zero_rate", curve, paid)
        for (start, _, paid), interest in zip(self.periods(row, "funding_"), self.funding(row), strict=True):
            if paid > AS_OF:
                size = row["notional"]
                if row["quantity"]:
                    reset = max(day for day, _, _ in spans if day <= start)
                    size = row["quantity"] * (begun.get(reset) or self.price(row, reset))
                total -= size * interest() * self.factor("zero_rate", curve, paid)
        return total if row["direction"] == "receive" else -total

    def dividends(self, row: dict[str, Any], start: int, end: int) -> float:
        if row["return_type"] == "price":
            return 0.0
        name = row["underlying"]
        listed = zip(row["dividend_dates"] or [], row["dividends"] or [], strict=True)
        paid = sum(amount for day, amount in listed if start < day <= end)
        if end > AS_OF:
            forward, until = self.forward(name, end)
            growth = self.factor("dividend_yield", name, start) / self.factor("dividend_yield", name, end)
            paid += until - self.forward(name, max(start, AS_OF))[1] + forward * (growth - 1.0)
        return paid * (1.0 if row["dividend_factor"] is None else row["dividend_factor"])

    def funding(self, row: dict[str, Any]) -> list[Any]:
        """What makes the interest on one, of each period: those that are past are not asked."""
        frequency = row["funding_frequency"] or row["frequency"]
        terms = (row["start_date"], row["maturity_date"], frequency, row["calendar"], row["business_day_convention"])
        schedule, count = Rates.schedule(*terms), Rates.day_counts[row["funding_day_count"]]
        index, spread, rule = row["funding_index"], row["funding_spread"] or 0.0, ql.Unadjusted
        if index is None:
            leg = ql.FixedRateLeg(schedule, count, [1.0], [row["funding_fixed_rate"]], rule)
        else:
            make = ql.OvernightLeg if INDICES[index].overnight else ql.IborLeg
            leg = make([1.0], schedule, self.indices[index], count, rule, spreads=[spread])
        return [coupon.amount for coupon in leg]


def book(size: int) -> dict[str, list[Any]]:
    random = np.random.default_rng(5)
    choose = Rates.chooser(random, size)
    start, maturity = Rates.random_dates(random, size, AS_OF, years=5)
    maturity = np.minimum(maturity, AS_OF + 3600)
    underlying, currency = choose(CURRENCY), choose(("EUR", "USD"))
    held, floats, total = (random.random((3, size)) < [[0.5], [0.8], [0.6]]).tolist()

    def some(mask: Any, values: Any) -> list[Any]:
        return [value if has else None for has, value in zip(mask, values, strict=True)]

    index = [random.choice(("EUR.6M", "EUR.ESTR") if code == "EUR" else ("USD.SOFR",)) for code in currency]
    dated = [np.sort(random.choice(np.arange(1, 700), k % 4, replace=False)) for k in range(size)]
    return {
        "underlying": underlying,
        "currency": currency,
        "underlying_currency": some(
            [CURRENCY[name] != code or random.random() < 0.3 for name, code in zip(underlying, currency, strict=True)],
            [CURRENCY[name] for name in underlying],
        ),
        "direction": choose(("pay", "receive")),
        "quantity": some(held, random.uniform(100.0, 1e5, size).tolist()),
        "notional": some([not each for each in held], random.uniform(1e5, 1e8, size).tolist()),
        "return_type": ["total" if each else "price" for each in total],
        "initial_price": some(random.random(size) < 0.5, [{"PX": 5100.0}.get(name, 93.0) for name in underlying]),
        "dividend_factor": some(np.array(total) & (random.random(size) < 0.5), random.uniform(0.5, 1.0, size).tolist()),
        "dividends": [[0.7] * len(days) if each else None for days, each in zip(dated, total, strict=True)],
        "dividend_dates": [(AS_OF - days).tolist() if each else None for days, each in zip(dated, total, strict=True)],
        "discount_curve": some([code == "EUR" and random.random() < 0.4 for code in currency], ["EUR.CSA"] * size),
        "start_date": start.tolist(),
        "maturity_date": maturity.tolist(),
        "frequency": choose(("1M", "3M", "6M", "1Y", "1T")),
        "calendar": [CALENDAR] * size,
        "business_day_convention": choose(("following", "modified_following")),
        "payment_lag": some(random.random(size) < 0.5, [2.0] * size),
        "funding_index": some(floats, index),
        "funding_fixed_rate": some([not each for each in floats], random.normal(0.03, 0.01, size).tolist()),
        "funding_spread": some(floats, random.normal(0.005, 0.003, size).tolist()),
        "funding_frequency": some(random.random(size) < 0.5, choose(("1M", "3M", "6M"))),
        "funding_day_count": choose(("ACT/360", "ACT/365F")),
        "funding_payment_lag": some(random.random(size) < 0.3, [1.0] * size),
    }  # fmt: skip


def trades(columns: dict[str, list[Any]]) -> Any:
    """Lists as Arrow has them."""
    dates = pa.array(columns["dividend_dates"], pa.list_(pa.int32())).cast(pa.list_(pa.date32()))
    lists = {"dividends": pa.array(columns["dividends"], pa.list_(pa.float64())), "dividend_dates": dates}
    typed = {name: pa.nulls(len(values)) for name, values in columns.items() if set(map(str, values)) == {"None"}}
    return Rates.trades(PRODUCT, {**columns, **typed, **lists})


def size_of(row: dict[str, Any], oracle: Oracle) -> float:
    return float(row["notional"] or row["quantity"] * oracle.price(row, AS_OF))


def rows_of(columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


@pytest.mark.parametrize("size", [60, pytest.param(500, marks=pytest.mark.slow)])
def test_against_plain_python(size: int) -> None:
    ql.Settings.instance().evaluationDate = ql_date(AS_OF)
    markets = [Market(), Market(0.07)]
    columns = book(size)
    snapshots = [market.snapshot() for market in markets]
    model, some = MarketModel(snapshots[0], CONVENTIONS), trades(columns)
    assert PRODUCT.validate(some, AS_OF) == []
    assert [fault for fault in PRODUCT.missing_points(some, model) if fault.level is Level.ERROR] == []

    x = np.ascontiguousarray(np.column_stack([snapshot.x0 for snapshot in snapshots]))
    values = PRODUCT.prepare(some, model).price(np.arange(size, dtype=np.int32), x)

    for scenario, market in enumerate(markets):
        oracle = market.oracle()
        for k, row in enumerate(rows_of(columns)):
            error = abs(values[k, scenario] - oracle.value(row)) / size_of(row, oracle)
            assert error <= TOLERANCE, (k, scenario, row)
    assert (values != 0.0).all()


def one(**more: Any) -> dict[str, list[Any]]:
    terms = {
        "underlying": "SX", "currency": "EUR", "direction": "receive", "quantity": 1000.0, "notional": None,
        "return_type": "total", "dividends": None, "dividend_dates": None, "start_date": AS_OF - 30,
        "maturity_date": AS_OF + 335, "frequency": "1T", "calendar": CALENDAR, "business_day_convention": "following",
        "funding_index": None, "funding_fixed_rate": 0.02, "funding_day_count": "ACT/360",
    }  # fmt: skip
    return {name: [each] for name, each in {**terms, **more}.items()}


def priced(columns: dict[str, list[Any]], conventions: Conventions = CONVENTIONS, horizon: int = 0) -> float:
    snapshot = Market().snapshot()
    model = MarketModel(snapshot, conventions, horizon)
    x = np.ascontiguousarray(snapshot.x0[:, None])
    return float(PRODUCT.prepare(trades(columns), model).price(np.zeros(1, np.int32), x)[0, 0])


def test_without_borrow_and_interest_on_dividends_a_total_return_from_today_is_worth_the_share() -> None:
    """What the share costs, less its first price, and less the interest on dividends that are paid with the return."""
    ql.Settings.instance().evaluationDate = ql_date(AS_OF)
    terms = {"start_date": AS_OF, "initial_price": 5200.0, "underlying": "PX", "currency": "USD"}
    value = priced(one(**terms, funding_fixed_rate=0.0))
    last = Oracle(Market()).periods(rows_of(one(**terms, payment_lag=None, funding_payment_lag=None))[0])[-1][1]
    discount = Oracle(Market()).factor("zero_rate", "USD.OIS", last)
    assert value == pytest.approx(1000.0 * 5200.0 * (1.0 - discount), rel=1e-12)


def test_a_day_on_a_dividend_that_goes_ex_is_no_loss() -> None:
    """Theta's day takes the dividend away while the spot stays: the forward has what the dividends have not."""
    start = {"start_date": AS_OF, "initial_price": 101.0, "funding_fixed_rate": 0.0}
    before, after = (priced(one(**start), horizon=days) for days in (EX_DAYS[0] - 1, EX_DAYS[0]))
    assert abs(after - before) < 0.02 * 1000.0  # the dividend is 1300


def test_fixings_that_are_missing_are_named() -> None:
    sunday = AS_OF - 5
    model = MarketModel(Market().snapshot(), CONVENTIONS)
    terms = {"calendar": "weekends", "business_day_convention": "unadjusted", "start_date": sunday}
    (fault,) = PRODUCT.missing_points(trades(one(**terms)), model)
    assert fault.message == f"the market has no fixing:SX:{iso(sunday)}; a price that was agreed is initial_price"
    assert fault.column == "underlying"
    converted = PRODUCT.missing_points(trades(one(**terms, currency="USD", underlying_currency="EUR")), model)
    assert [fault.message.split(";")[0] for fault in converted] == [
        f"the market has no fixing:SX:{iso(sunday)}", f"the market has no fixing:EURUSD:{iso(sunday)}",
    ]  # fmt: skip
    assert PRODUCT.missing_points(trades(one(**terms, initial_price=95.0)), model) == []


def test_total_returns_of_what_has_forward_prices_are_told() -> None:
    model = MarketModel(Market().snapshot(), CONVENTIONS)
    (fault,) = PRODUCT.missing_points(trades(one(underlying="GX")), model)
    assert fault.level is Level.WARNING
    assert fault.message.startswith("forward_price:GX tells no dividends")
    assert PRODUCT.missing_points(trades(one(underlying="GX", return_type="price")), model) == []


@pytest.mark.parametrize(
    ("terms", "column", "message"),
    [
        ({"notional": 1e6}, "notional", "quantity and notional are both given"),
        ({"quantity": None}, "notional", "quantity and notional are both null"),
        ({"underlying_currency": "GBp"}, "underlying_currency", "hundredth of a currency"),
        ({"dividends": [1.0]}, "dividends", "dividends and dividend_dates are not as many"),
        ({"dividends": [1.0], "dividend_dates": [AS_OF + 1]}, "dividend_dates", "dividend_dates are past"),
        (
            {"dividends": [1.0], "dividend_dates": [AS_OF - 1], "return_type": "price"},
            "dividends",
            "of a return_type total",
        ),
        ({"dividend_factor": 0.85, "return_type": "price"}, "dividend_factor", "of a return_type total"),
        ({"calendar": "NOWHERE"}, "calendar", "unknown calendar"),
        (
            {"start_date": AS_OF + 30, "maturity_date": AS_OF + 20},
            "maturity_date",
            "maturity_date is not after start_date",
        ),
        ({"start_date": AS_OF - 60, "maturity_date": AS_OF - 20}, "maturity_date", "maturity in the past"),
        ({"payment_lag": 1.5}, "payment_lag", "whole number of business days"),
        ({"funding_payment_lag": 1.5}, "funding_payment_lag", "whole number of business days"),
        ({"funding_fixed_rate": None}, "funding_fixed_rate", "funding without an index needs a fixed_rate"),
        ({"funding_spreads": [0.1], "funding_spread_dates": []}, "funding_spreads", "not as many"),
    ],
)
def test_rules(terms: dict[str, Any], column: str, message: str) -> None:
    (fault,) = PRODUCT.validate(trades(one(**terms)), AS_OF)
    assert fault.column == column
    assert fault.rows.tolist() == [0]
    assert message in fault.message
