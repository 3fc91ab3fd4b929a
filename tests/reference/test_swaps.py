"""Interest rate swaps against QuantLib's DiscountingSwapEngine: 1e-10 of notional, base and shocked curves."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from riskpipe.market.calendars import is_business_day
from riskpipe.market.conventions import Conventions, IndexConvention
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
}
CONVENTIONS = Conventions(indices=INDICES)
INDEX_CALENDARS = {"TERM": None, "LAGGED": "TARGET", "ONE": None, "ESTR": "TARGET", "SOFR": "USNY"}
TODAYS = {"TERM", "SOFR"}  # indices with today's fixing in the market


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

    def choose(values: Any) -> list[str]:
        return [str(value) for value in random.choice(list(values), TRADES)]

    index, calendar, convention = choose(INDICES), choose(rates.calendars), choose(rates.conventions)
    frequency = choose(["1M", "3M", "6M", "1Y", "1T"])
    for k, name in enumerate(index):
        if name not in ("TERM", "ONE"):
            # QuantLib's indices fix and accrue on business days of their own
            calendar[k] = {"LAGGED": "TARGET", "ESTR": "TARGET+USNY", "SOFR": "USNY"}[name]
            convention[k] = "modified_following" if convention[k] == "unadjusted" else convention[k]
        elif convention[k] == "unadjusted":
            calendar[k] = "weekends"
            dates = rates.schedule(start[k], maturity[k], frequency[k], calendar[k], "unadjusted")
            # such a period fixes on the Friday, which is past; QuantLib would have it fix on the weekend
            if any(0 <= date.serialNumber() - rates.ql_date(as_of).serialNumber() < 3 for date in dates):
                convention[k] = "following"
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
        "fixed_frequency": choose(rates.periods),
        "fixed_day_count": choose(rates.day_counts),
        "float_frequency": frequency,
        "float_day_count": choose(rates.day_counts),
        "calendar": calendar,
        "business_day_convention": convention,
    }


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

    def value(self, book: dict[str, Any], k: int) -> float:
        rates = self.rates
        row = {name: values[k] for name, values in book.items()}
        dates = (row["start_date"], row["maturity_date"])
        rolls = (row["calendar"], row["business_day_convention"])
        convention = rates.conventions[row["business_day_convention"]]
        sign = -1.0 if row["direction"] == "receive" else 1.0
        notional = [float(row["notional"])]
        fixed = ql.FixedRateLeg(
            rates.schedule(*dates, row["fixed_frequency"], *rolls),
            rates.day_counts[row["fixed_day_count"]],
            notional,
            [float(row["fixed_rate"])],
            convention,
        )
        index = self.index(row["index"], row["float_day_count"])
        leg = ql.OvernightLeg if INDICES[row["index"]].overnight else ql.IborLeg
        floating = leg(
            notional,
            rates.schedule(*dates, row["float_frequency"], *rolls),
            index,
            rates.day_counts[row["float_day_count"]],
            convention,
            spreads=[float(row["float_spread"])],
        )
        swap = ql.Swap(fixed, floating)
        swap.setPricingEngine(ql.DiscountingSwapEngine(self.curves[row["discount_curve"]], False))
        return float(sign * swap.NPV())


def assert_close(values: np.ndarray, expected: list[float], book: dict[str, Any]) -> None:
    errors = np.abs(values - np.array(expected)) / np.abs(book["notional"])
    worst = int(np.argmax(errors))
    assert errors[worst] < TOLERANCE, (worst, {name: column[worst] for name, column in book.items()})


@pytest.mark.parametrize(("seed", "day"), [(1, date(2026, 11, 20)), (2, date(2025, 3, 3)), (3, date(2025, 7, 5))])
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
    for column, oracle in enumerate((market, shocked)):
        quantlib = QuantLibSwaps(rates, oracle)
        assert_close(values[:, column], [quantlib.value(book, k) for k in range(TRADES)], book)
