"""Interest rate swaps against QuantLib's DiscountingSwapEngine: 1e-10 of notional, base and shocked curves."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813
from selections import one_in

from riskpipe.market.calendars import is_business_day
from riskpipe.market.conventions import Conventions, IndexConvention
from riskpipe.market.model import MarketModel
from riskpipe.products.interest_rate_swap import InterestRateSwap

PRODUCT = InterestRateSwap()
TRADES = 500
TOLERANCE = 1e-10

INDICES = {
    "TERM": IndexConvention("TERM", curve="EUR.6M"),
    "LAGGED": IndexConvention("LAGGED", "EUR.6M", day_count="ACT/360", fixing_lag=2, calendar="TARGET"),
    "ONE": IndexConvention("ONE", curve="EUR.OIS"),
    "ESTR": IndexConvention("ESTR", "EUR.OIS", overnight=True, day_count="ACT/360", calendar="TARGET"),
    "SOFR": IndexConvention("SOFR", "USD.SOFR", overnight=True, day_count="ACT/360", calendar="USNY"),
    "ESTR-2": IndexConvention("ESTR-2", "EUR.OIS", True, day_count="ACT/360", fixing_lag=2, calendar="TARGET"),
    "SOFR-5": IndexConvention("SOFR-5", "USD.SOFR", True, day_count="ACT/360", fixing_lag=5, calendar="USNY"),
}
CONVENTIONS = Conventions(indices=INDICES)
INDEX_CALENDARS = {name: index.calendar for name, index in INDICES.items()}
TODAYS = {"TERM", "SOFR", "SOFR-5"}  # indices with today's fixing in the market


def make_market(rates: Any, as_of: int) -> Any:
    pillars = [as_of + days for days in (1, 30, 91, 183, 365, 730, 1826, 3652, 5479)]
    fixings: dict[str, dict[int, float]] = {}
    for number, index in enumerate(INDICES):
        calendar = INDEX_CALENDARS[index] or "weekends"
        days = np.arange(as_of - 1600, as_of + 1, dtype=np.int32)
        open_days = days[is_business_day(days, calendar)] if INDEX_CALENDARS[index] else days
        fixings[index] = {
            int(day): 0.02 + 0.002 * number + 0.01 * np.sin(when(int(day), index) / 70.0 + number)
            for day in open_days
            if day < as_of or index in TODAYS
        }
    return rates.Market(
        as_of,
        {
            ("zero_rate", "EUR.OIS"): (
                pillars,
                [0.019, 0.02, 0.021, 0.0215, 0.022, 0.023, 0.025, 0.027, 0.028],
            ),
            ("zero_rate", "EUR.6M"): (
                pillars,
                [0.021, 0.022, 0.023, 0.024, 0.024, 0.025, 0.027, 0.029, 0.03],
            ),
            ("zero_rate", "USD.SOFR"): (pillars[1:7], [0.043, 0.042, 0.04, 0.037, 0.036, -0.002]),
        },
        fixings=fixings,
    )


def when(day: int, index: str) -> int:
    """Term fixings stay for a week, so that a period that starts on a weekend has one in both libraries."""
    return day if INDEX_CALENDARS[index] else (day + 3) // 7 * 7


def random_book(rates: Any, seed: int, as_of: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    start, maturity = rates.random_dates(random, TRADES, as_of)

    choose = rates.chooser(random, TRADES)

    index, calendar, convention = choose(INDICES), choose(rates.calendars), choose(rates.conventions)
    frequency = choose(["1M", "3M", "6M", "1Y", "1T"])
    for k, name in enumerate(index):
        if name not in ("TERM", "ONE"):
            # QuantLib's indices fix and accrue on business days of their own
            calendar[k] = "TARGET+USNY" if name == "ESTR" else str(INDEX_CALENDARS[name])
            convention[k] = "modified_following" if convention[k] == "unadjusted" else convention[k]
        elif convention[k] == "unadjusted":
            calendar[k] = "weekends"
            dates = rates.schedule(start[k], maturity[k], frequency[k], calendar[k], "unadjusted")
            # such a period fixes on the Friday, which is past; QuantLib would have it fix on the weekend
            if any(0 <= date.serialNumber() - rates.ql_date(as_of).serialNumber() < 3 for date in dates):
                convention[k] = "following"
    fixed_frequency = choose(rates.periods)
    return {
        "currency": ["EUR"] * TRADES,
        "index": index,
        "discount_curve": choose(["EUR.OIS", "EUR.6M"]),
        "notional": random.normal(0.0, 1e7, TRADES),
        "direction": choose(["pay", "receive"]),
        "fixed_rate": random.normal(0.025, 0.02, TRADES),
        "float_spread": np.where(random.random(TRADES) < 0.5, random.normal(0.0, 0.003, TRADES), 0.0),
        "start_date": start,
        "maturity_date": maturity,
        "fixed_frequency": fixed_frequency,
        "fixed_day_count": rates.fixed_day_counts(random, fixed_frequency),
        "float_frequency": frequency,
        "float_day_count": choose(rates.day_counts),
        "calendar": calendar,
        "business_day_convention": convention,
    }


def received(book: dict[str, Any], k: int) -> float:
    """Sign of the fixed leg."""
    return 1.0 if book["direction"][k] == "receive" else -1.0


class QuantLibSwaps:
    """One market's prices by QuantLib."""

    def __init__(self, rates: Any, market: Any, today: int | None = None) -> None:
        self.rates = rates
        self.today = market.as_of if today is None else today
        ql.Settings.instance().evaluationDate = rates.ql_date(self.today)
        ql.Settings.instance().enforcesTodaysHistoricFixings = False
        self.curves = {name: market.discount(name, self.today) for kind, name in market.curves}
        self.market = market
        self.indices: dict[tuple[str, str], Any] = {}
        ql.IndexManager.instance().clearHistories()

    def index(self, name: str, day_count: str) -> Any:
        if (name, day_count) not in self.indices:
            convention = INDICES[name]
            handle = self.curves[convention.curve]
            count = self.rates.day_counts[convention.day_count or day_count]
            calendar = self.rates.calendars.get(INDEX_CALENDARS[name], ql.NullCalendar())
            if convention.overnight:
                index = ql.OvernightIndex(name, 0, ql.EURCurrency(), calendar, count, handle)
            else:
                period, lag = ql.Period(6, ql.Months), convention.fixing_lag
                family = f"{name}-{day_count.replace('/', '')}"
                index = ql.IborIndex(
                    family,
                    period,
                    lag,
                    ql.EURCurrency(),
                    calendar,
                    ql.ModifiedFollowing,
                    False,
                    count,
                    handle,
                )
            known = self.market.fixings[name]
            index.addFixings([self.rates.ql_date(day) for day in known], list(known.values()), True)
            self.indices[name, day_count] = index
        return self.indices[name, day_count]

    def legs(self, book: dict[str, Any], k: int) -> tuple[Any, Any]:
        """The fixed and the floating one."""
        rates = self.rates
        row = {name: values[k] for name, values in book.items()}
        dates = (row["start_date"], row["maturity_date"])
        rolls = (row["calendar"], row["business_day_convention"])
        convention = rates.conventions[row["business_day_convention"]]
        notional = [float(row["notional"])]
        fixed = ql.FixedRateLeg(
            rates.schedule(*dates, row["fixed_frequency"], *rolls),
            rates.coupon_day_counts[row["fixed_day_count"]],
            notional,
            [float(row["fixed_rate"])],
            convention,
        )
        index = self.index(row["index"], row["float_day_count"])
        terms = (notional, rates.schedule(*dates, row["float_frequency"], *rolls), index)
        count, spreads, lag = (
            rates.day_counts[row["float_day_count"]],
            [float(row["float_spread"])],
            INDICES[row["index"]],
        )
        if lag.overnight:
            lookback = {"lookbackDays": lag.fixing_lag} if lag.fixing_lag else {}
            floating = ql.OvernightLeg(*terms, count, convention, spreads=spreads, **lookback)
        else:
            floating = ql.IborLeg(*terms, count, convention, spreads=spreads)
        return fixed, floating

    def value(self, book: dict[str, Any], k: int) -> float:
        swap = ql.Swap(*self.legs(book, k))
        swap.setPricingEngine(ql.DiscountingSwapEngine(self.curves[book["discount_curve"][k]], False))
        return float(-received(book, k) * swap.NPV())


def assert_close(values: np.ndarray, expected: list[float], book: dict[str, Any]) -> None:
    errors = np.abs(values - np.array(expected)) / np.abs(book["notional"])
    worst = int(np.argmax(errors))
    assert errors[worst] < TOLERANCE, (worst, {name: column[worst] for name, column in book.items()})


@pytest.mark.parametrize(
    ("seed", "day"), one_in(2, [(1, date(2026, 11, 20)), (2, date(2025, 3, 3)), (3, date(2025, 7, 5))])
)
def test_swaps(rates: Any, seed: int, day: date) -> None:
    """A Friday, a Monday and a Saturday; a third of the trades seasoned."""
    as_of = rates.day_number(day)
    market = make_market(rates, as_of)
    book = random_book(rates, seed, as_of)
    trades = rates.trades(PRODUCT, book)
    assert PRODUCT.validate(trades, as_of) == []
    model = market.model(CONVENTIONS)
    assert PRODUCT.missing_points(trades, model) == []
    prepared = PRODUCT.prepare(trades, model)
    shocked = market.shocked(np.random.default_rng(seed))
    x = np.column_stack((market.snapshot().x0, shocked.snapshot().x0))
    values = prepared.price(np.arange(TRADES, dtype=np.int32), x)
    assert np.abs(values[:, 1] - values[:, 0]).max() > 1e4
    some = np.arange(seed, TRADES, 7, dtype=np.int32)
    assert np.array_equal(prepared.price(some, x), values[some])
    apart = PRODUCT.prepare(trades.take(some), model).price(np.arange(len(some), dtype=np.int32), x)
    assert np.array_equal(apart, values[some])
    for column, oracle in enumerate((market, shocked)):
        quantlib = QuantLibSwaps(rates, oracle)
        assert_close(values[:, column], [quantlib.value(book, k) for k in range(TRADES)], book)


def test_cash_flows(rates: Any) -> None:
    """What each leg pays on each day, coupon by coupon, also where one curve projects and discounts."""
    as_of = rates.day_number(date(2026, 11, 20))
    market, book = make_market(rates, as_of), random_book(rates, 4, as_of)
    model = MarketModel(market.snapshot(), CONVENTIONS, by_flow=True)
    flows = PRODUCT.prepare(rates.trades(PRODUCT, book), model).cash_flows(model.base.copy())
    assert flows is not None
    keys = zip(flows.trade.tolist(), flows.leg.to_list(), flows.day.tolist(), strict=True)
    found = dict(zip(keys, flows.amount.tolist(), strict=True))
    quantlib = QuantLibSwaps(rates, market)
    expected: dict[tuple[int, str, int], float] = {}
    for k in range(0, TRADES, 5):
        sides = zip(("fixed", "floating"), quantlib.legs(book, k), (1.0, -1.0), strict=True)
        for name, leg, sign in sides:
            for coupon in leg:
                day = coupon.date().serialNumber() - rates.ql_date(0).serialNumber()
                if day > as_of:
                    key = (k, name, day)
                    expected[key] = expected.get(key, 0.0) + sign * received(book, k) * coupon.amount()
    assert len(expected) > TRADES
    assert {key for key in found if key[0] % 5 == 0} <= set(expected)
    for key, amount in expected.items():
        assert abs(found.get(key, 0.0) - amount) < TOLERANCE * abs(book["notional"][key[0]]), key
    assert not flows.projected[flows.leg.is_one("fixed")].any()


GOOD_FRIDAY = date(2026, 4, 3)


@pytest.mark.parametrize("lag", [0, 3])
@pytest.mark.parametrize("calendar", ["SOFR", "USGS"])
def test_no_rate_on_good_friday(rates: Any, calendar: str, lag: int) -> None:
    """SOFR was not fixed while the market of Treasuries was open; as of the Thursday after, by hand."""
    as_of, holiday = rates.day_number(date(2026, 4, 9)), rates.day_number(GOOD_FRIDAY)
    known = np.arange(as_of - 400, as_of, dtype=np.int32)
    known = known[is_business_day(known, "SOFR")]
    assert holiday not in known
    fixings = {int(day): 0.036 + 0.004 * np.sin(day) for day in known}
    market = make_market(rates, as_of)
    market.fixings = {"SOFR": fixings}
    convention = IndexConvention("SOFR", "USD.SOFR", True, day_count="ACT/360", fixing_lag=lag, calendar=calendar)
    start, end = rates.day_number(date(2026, 3, 24)), rates.day_number(date(2026, 5, 15))
    book = {name: values[:1] for name, values in random_book(rates, 1, as_of).items()}
    book |= {"index": ["SOFR"], "discount_curve": ["USD.SOFR"], "notional": [1e8], "direction": ["pay"]}
    book |= {"fixed_rate": [0.0], "float_spread": [0.0], "start_date": [start], "maturity_date": [end]}
    book |= {"float_frequency": ["1T"], "float_day_count": ["ACT/360"], "calendar": ["USGS"]}
    trades, model = rates.trades(PRODUCT, book), market.model(Conventions(indices={"SOFR": convention}))
    faults = PRODUCT.missing_points(trades, model)
    if calendar == "USGS":
        (fault,) = faults
        assert (fault.level, fault.rows.tolist()) == ("warning", [0])
        assert "fixing:SOFR:2026-04-03" in fault.message
        assert "market.indices.SOFR.calendar" in fault.message
    else:
        assert faults == []
    x = market.snapshot().x0[:, None]
    found = PRODUCT.prepare(trades, model).price(np.zeros(1, np.int32), x)[0, 0]
    curve = market.discount("USD.SOFR")
    days = [day for day in range(start - 10, end + 1) if day in fixings or (day >= as_of and _is_open(day))]
    growth = 1.0
    for day, following in pairwise(days):
        if start <= day < end:
            fixed = days[days.index(day) - lag]
            after = days[days.index(fixed) + 1]
            forward = curve.discount(rates.ql_date(max(fixed, as_of))) / curve.discount(
                rates.ql_date(max(after, as_of))
            )
            rate = fixings.get(fixed, (forward - 1.0) / (after - fixed) * 360.0)
            growth *= 1.0 + rate * (following - day) / 360.0
    expected = 1e8 * (growth - 1.0) * curve.discount(rates.ql_date(end))
    assert abs(found - expected) < 1e-6


def _is_open(day: int) -> bool:
    return bool(is_business_day(np.array([day], np.int32), "SOFR")[0])


def test_fixings_that_have_not_come_are_missing(rates: Any) -> None:
    """On the Monday after, the rate of Friday is no hole but late, unless the calendar knows better."""
    as_of = rates.day_number(date(2026, 4, 6))
    known = np.arange(as_of - 400, as_of, dtype=np.int32)
    market = make_market(rates, as_of)
    market.fixings = {"SOFR": {int(day): 0.04 for day in known[is_business_day(known, "SOFR")]}}
    book = {name: values[:1] for name, values in random_book(rates, 1, as_of).items()}
    book |= {"index": ["SOFR"], "start_date": [as_of - 30], "maturity_date": [as_of + 60], "calendar": ["USGS"]}
    book |= {"float_frequency": ["1T"]}
    trades, messages = rates.trades(PRODUCT, book), {}
    for calendar in ("SOFR", "USGS"):
        convention = IndexConvention("SOFR", "USD.SOFR", True, day_count="ACT/360", calendar=calendar)
        faults = PRODUCT.missing_points(trades, market.model(Conventions(indices={"SOFR": convention})))
        messages[calendar] = [(fault.level, fault.message) for fault in faults]
    assert messages["SOFR"] == []
    ((level, message),) = messages["USGS"]
    assert level == "error"
    assert "no fixing:SOFR:2026-04-03" in message
    assert "market.indices.SOFR.calendar" in message
