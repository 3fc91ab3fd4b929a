"""Zero-coupon inflation swaps against QuantLib: 1e-10 of notional, base and shocked curves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813
from inflation_market import AS_OF, CONVENTIONS, INDICES, QuantLibMarket, fixings_of, random_market, snapshot_of

from riskpipe.errors import Reason
from riskpipe.market.model import MarketModel
from riskpipe.products.inflation_swap import InflationSwap

PRODUCT = InflationSwap()
TRADES = 500
TOLERANCE = 1e-10


def random_book(whole_years: bool) -> dict[str, Any]:
    random = np.random.default_rng(17)
    start = AS_OF + random.integers(-1800, 1, TRADES)
    start[:10] = AS_OF - 2 * 365 - np.arange(10)
    # Days that every month has.
    start = start - np.maximum(days_of_month(start) - 28, 0)
    years = random.integers(1, 51, TRADES)
    years[:10] = 2 + (np.arange(10) > 5)
    years[10:12] = 50
    month = start.astype("datetime64[D]").astype("datetime64[M]")
    maturity = (month + 12 * years).astype("datetime64[D]").astype(int) + days_of_month(start) - 1
    if not whole_years:
        maturity = maturity + random.integers(-150, 150, TRADES)
    maturity = np.maximum(maturity, AS_OF + random.integers(0, 3, TRADES))
    index = random.choice(["HICP", "CPI", "RPI"], TRADES)
    index[::7] = "NSA"
    base = [base_of(name, day) for name, day in zip(index, start.tolist(), strict=True)]
    return {
        "currency": ["EUR"] * TRADES,
        "index": index.tolist(),
        "discount_curve": ["OIS"] * TRADES,
        "notional": random.normal(0.0, 1e7, TRADES),
        "direction": random.choice(["pay", "receive"], TRADES).tolist(),
        "fixed_rate": random.normal(0.02, 0.02, TRADES),
        "base_index": base,
        "start_date": start,
        "maturity_date": maturity,
    }


def base_of(name: str, start: int) -> float:
    """The index that a swap from this day starts from."""
    month = np.datetime64(start, "D").astype("datetime64[M]")
    fixings, seen = fixings_of(name), month - INDICES[name].observation_lag
    if INDICES[name].observation == "flat":
        return fixings[seen]
    length = ((month + 1).astype("datetime64[D]") - month.astype("datetime64[D]")).astype(int)
    into = (np.datetime64(start, "D") - month.astype("datetime64[D]")).astype(int) / length
    return float(fixings[seen] + into * (fixings[seen + 1] - fixings[seen])) if into else fixings[seen]


def days_of_month(days: np.ndarray) -> np.ndarray:
    stamps = days.astype("datetime64[D]")
    return (stamps - stamps.astype("datetime64[M]").astype("datetime64[D]")).astype(int) + 1


class QuantLibSwaps(QuantLibMarket):
    def __init__(self, rates: Any, curves: dict[str, list[float]], discount: list[float]) -> None:
        super().__init__(curves, discount)
        self.rates = rates

    def swap(self, row: dict[str, Any]) -> float:
        # QuantLib's payer pays inflation.
        kind = ql.Swap.Receiver if row["direction"] == "pay" else ql.Swap.Payer
        start, end = self.rates.ql_date(row["start_date"]), self.rates.ql_date(row["maturity_date"])
        swap = ql.ZeroCouponInflationSwap(
            kind, abs(row["notional"]), start, end, ql.NullCalendar(), ql.Unadjusted, self.count,
            row["fixed_rate"], self.indices[row["index"]], *self.observation(row["index"]),
        )  # fmt: skip
        swap.setPricingEngine(ql.DiscountingSwapEngine(self.discount, False))
        return float(np.sign(row["notional"]) * swap.NPV())

    def by_index(self, row: dict[str, Any]) -> float:
        """From QuantLib's forecast of the index, for bases and dates that its swap does not take."""
        end = self.rates.ql_date(row["maturity_date"])
        if row["maturity_date"] <= AS_OF:
            return 0.0
        level = ql.CPI.laggedFixing(self.indices[row["index"]], end, *self.observation(row["index"]))
        years = self.count.yearFraction(self.rates.ql_date(row["start_date"]), end)
        amount = level / row["base_index"] - (1.0 + row["fixed_rate"]) ** years
        sign = 1.0 if row["direction"] == "pay" else -1.0
        return float(sign * row["notional"] * amount * self.discount.discount(end))


@pytest.mark.parametrize("whole_years", [True, False])
def test_swaps(rates: Any, whole_years: bool) -> None:
    book = random_book(whole_years)
    if not whole_years:
        book["base_index"] = (np.array(book["base_index"]) * 1.1).tolist()
    trades = rates.trades(PRODUCT, book)
    assert PRODUCT.validate(trades, AS_OF) == []
    markets = [random_market(seed) for seed in (1, 2)]
    snapshots = [snapshot_of(*market) for market in markets]
    model = MarketModel(snapshots[0], CONVENTIONS)
    assert PRODUCT.missing_points(trades, model) == []
    x = np.column_stack([snapshot.x0 for snapshot in snapshots])
    values = PRODUCT.prepare(trades, model).price(np.arange(TRADES, dtype=np.int32), x)
    assert np.abs(values[:, 1] - values[:, 0]).max() > 1e4
    for column, market in enumerate(markets):
        quantlib = QuantLibSwaps(rates, *market)
        for k in range(TRADES):
            row = {name: values_[k] for name, values_ in book.items()}
            growth = (1.0 + abs(row["fixed_rate"])) ** ((row["maturity_date"] - row["start_date"]) / 365.0)
            expected = quantlib.swap(row) if whole_years and row["maturity_date"] > AS_OF else quantlib.by_index(row)
            error = abs(values[k, column] - expected)
            assert error < TOLERANCE * max(growth, 1.0) * abs(row["notional"]), (error, row)


def test_payments(rates: Any) -> None:
    """Of the same amount on a business day of a calendar, as QuantLib's swap moves it, or some of them later."""
    random, book = np.random.default_rng(3), random_book(True)
    choose = rates.chooser(random, TRADES)
    lags, calendars = random.integers(0, 3, TRADES), choose(["TARGET", "USNY"])
    conventions = choose(["following", "modified_following", "preceding"])
    dated = {"payment_calendar": calendars, "payment_convention": conventions, "payment_lag": lags.astype(float)}
    trades = rates.trades(PRODUCT, book | dated)
    curves, discounts = random_market(1)
    snapshot = snapshot_of(curves, discounts)
    model = MarketModel(snapshot, CONVENTIONS)
    values = PRODUCT.prepare(trades, model).price(np.arange(TRADES, dtype=np.int32), snapshot.x0[:, None])[:, 0]
    quantlib, moved = QuantLibSwaps(rates, curves, discounts), 0
    for k in range(TRADES):
        row = {name: values_[k] for name, values_ in book.items()}
        due, calendar = rates.ql_date(row["maturity_date"]), rates.calendars[calendars[k]]
        adjusted = calendar.adjust(due, rates.conventions[conventions[k]])
        paid = calendar.advance(due, int(lags[k]), ql.Days) if lags[k] else adjusted
        if min(due, adjusted) <= rates.ql_date(AS_OF):
            continue
        kind = ql.Swap.Receiver if row["direction"] == "pay" else ql.Swap.Payer
        swap = ql.ZeroCouponInflationSwap(
            kind, abs(row["notional"]), rates.ql_date(row["start_date"]), due, calendar,
            rates.conventions[conventions[k]], quantlib.count, row["fixed_rate"], quantlib.indices[row["index"]],
            *quantlib.observation(row["index"]),
        )  # fmt: skip
        swap.setPricingEngine(ql.DiscountingSwapEngine(quantlib.discount, False))
        later = quantlib.discount.discount(paid) / quantlib.discount.discount(adjusted)
        expected = float(np.sign(row["notional"]) * swap.NPV()) * later
        growth = (1.0 + abs(row["fixed_rate"])) ** ((row["maturity_date"] - row["start_date"]) / 365.0)
        assert abs(values[k] - expected) < TOLERANCE * max(growth, 1.0) * abs(row["notional"]), row
        moved += paid != due
    assert moved > 300


@pytest.mark.parametrize(
    ("said", "column", "message"),
    [
        ({"payment_calendar": "MARS"}, "payment_calendar", "payment_calendar: unknown calendar"),
        ({"payment_calendar": "TARGET", "payment_lag": 32.0}, "payment_lag", "payment_lag is a whole number of"),
        ({"payment_lag": 2.0}, "payment_lag", "payment_lag is by a payment_calendar, which is null"),
        ({"payment_convention": "following"}, "payment_convention", "payment_convention is by a payment_calendar"),
    ],
)
def test_payments_that_cannot_be(rates: Any, said: dict[str, Any], column: str, message: str) -> None:
    book = {name: values[20:21] for name, values in random_book(True).items()}
    trades = rates.trades(PRODUCT, book | {name: [value] for name, value in said.items()})
    (fault,) = PRODUCT.validate(trades, AS_OF)
    assert fault.column == column
    assert fault.message.startswith(message)


def test_indices_that_are_missing(rates: Any) -> None:
    book = {name: values[:3] for name, values in random_book(True).items()}
    book |= {"index": ["HICP", "CPI", "HICP"], "start_date": [AS_OF - 800] * 3}
    # In August 2026 the index of the maturity is known; later ones start from it.
    book["maturity_date"] = [AS_OF + 5, AS_OF + 900, AS_OF + 900]
    trades = rates.trades(PRODUCT, book)
    for drop, rows in (("index_fixing:HICP:2026-08-01", [0, 2]), ("index_fixing:CPI:2026-08-01", [1])):
        model = MarketModel(snapshot_of(*random_market(1), drop=drop), CONVENTIONS)
        faults = PRODUCT.missing_points(trades, model)
        assert sorted(row for fault in faults for row in fault.rows.tolist()) == rows
        assert all(drop in fault.message and fault.reason is Reason.MISSING_MARKET_DATA for fault in faults)


def test_a_fixed_rate_that_does_not_compound_is_refused(rates: Any) -> None:
    book = {name: values[:2] for name, values in random_book(True).items()} | {"fixed_rate": [-1.0, 0.02]}
    (fault,) = PRODUCT.validate(rates.trades(PRODUCT, book), AS_OF)
    assert (fault.column, fault.rows.tolist()) == ("fixed_rate", [0])
