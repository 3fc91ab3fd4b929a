"""Cross-currency swaps against QuantLib legs, discounted and converted: 1e-10 of notional."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from riskpipe.errors import Reason
from riskpipe.market.calendars import is_business_day
from riskpipe.market.conventions import Conventions, IndexConvention
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.cross_currency_swap import CrossCurrencySwap

PRODUCT = CrossCurrencySwap()
TRADES = 500
TOLERANCE = 1e-10
CALENDAR = "TARGET+USNY"
INDICES = {
    "EUR.6M": IndexConvention("EUR.6M", "EUR.6M", day_count="ACT/360", fixing_lag=2, calendar=CALENDAR),
    "EUR.ESTR": IndexConvention("EUR.ESTR", "EUR.ESTR", overnight=True, day_count="ACT/360", calendar=CALENDAR),
    "USD.SOFR": IndexConvention("USD.SOFR", "USD.SOFR", overnight=True, day_count="ACT/360", calendar=CALENDAR),
}
CONVENTIONS = Conventions(indices=INDICES)
SPOT = {"EURUSD": 1.16, "USDJPY": 155.0}
CURVES = {"EUR": ("EUR.ESTR", "EUR.XCCY"), "USD": ("USD.SOFR",), "JPY": ("JPY.TONA",)}
FLOATING = {"EUR": ("EUR.6M", "EUR.ESTR", None), "USD": ("USD.SOFR", None), "JPY": (None,)}


def make_market(rates: Any, as_of: int) -> Any:
    pillars = [as_of + days for days in (1, 30, 91, 183, 365, 730, 1826, 3652, 10957)]
    days = np.arange(as_of - 1600, as_of, dtype=np.int32)
    days = days[is_business_day(days, CALENDAR)]
    slope = np.linspace(0.0, 0.01, len(pillars))
    levels = {"EUR.ESTR": 0.019, "EUR.6M": 0.021, "EUR.XCCY": 0.017, "USD.SOFR": 0.04, "JPY.TONA": -0.002}
    return rates.Market(
        as_of,
        {("zero_rate", name): (pillars, (level + slope).tolist()) for name, level in levels.items()},
        fixings={name: {int(day): 0.02 + 0.01 * np.sin(day / 40) for day in days} for name in INDICES},
    )


def snapshot_of(market: Any, spots: dict[str, float]) -> MarketSnapshot:
    import pyarrow as pa

    table = market.snapshot().factors.drop_columns(["days", "underlying_days"])
    rows = [
        {"factor": f"spot:{pair}", "kind": "spot", "name": pair, "currency": pair[3:], "value": value}
        for pair, value in spots.items()
    ]
    return MarketSnapshot.from_table(pa.concat_tables([table, pa.Table.from_pylist(rows, table.schema)]), market.as_of)


def random_book(rates: Any, seed: int, as_of: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    start, maturity = rates.random_dates(random, TRADES, as_of)
    start[:2], maturity[:2] = as_of - 100, as_of + 50 * 365
    start[2:4], maturity[2:4] = as_of - 300, as_of + 3

    def choose(values: Any) -> list[Any]:
        return [list(values)[k] for k in random.integers(0, len(values), TRADES)]

    book: dict[str, Any] = {}
    for side in ("receive", "pay"):
        currency = choose(CURVES)
        index = [FLOATING[code][random.integers(len(FLOATING[code]))] for code in currency]
        rate = random.normal(0.02, 0.02, TRADES)
        book |= {
            f"{side}_currency": currency,
            f"{side}_notional": np.exp(random.normal(14.0, 1.0, TRADES)),
            f"{side}_index": index,
            f"{side}_fixed_rate": [None if name else float(r) for name, r in zip(index, rate, strict=True)],
            f"{side}_spread": [float(s) if name else None for name, s in zip(index, 0.1 * rate, strict=True)],
            f"{side}_discount_curve": [CURVES[code][random.integers(len(CURVES[code]))] for code in currency],
            f"{side}_frequency": choose(rates.periods),
            f"{side}_day_count": choose(rates.day_counts),
        }
    return book | {
        "start_date": start,
        "maturity_date": maturity,
        "calendar": [CALENDAR] * TRADES,
        "business_day_convention": choose(["following", "modified_following", "preceding"]),
        "exchange_notionals": choose([True, False]),
    }


class QuantLibSwaps:
    def __init__(self, rates: Any, market: Any, spots: dict[str, float]) -> None:
        self.rates, self.market, self.spots = rates, market, spots
        ql.Settings.instance().evaluationDate = rates.ql_date(market.as_of)
        ql.IndexManager.instance().clearHistories()
        self.curves = {name: market.discount(name) for _, name in market.curves}
        calendar, count, euro = rates.calendars[CALENDAR], ql.Actual360(), ql.EURCurrency()
        self.indices = {
            name: ql.OvernightIndex(name, 0, euro, calendar, count, self.curves[name])
            for name, convention in INDICES.items()
            if convention.overnight
        }
        months, rule = ql.Period(6, ql.Months), ql.ModifiedFollowing
        self.indices["EUR.6M"] = ql.IborIndex(
            "EUR", months, 2, euro, calendar, rule, False, count, self.curves["EUR.6M"]
        )
        for name, index in self.indices.items():
            known = market.fixings[name]
            index.addFixings([rates.ql_date(day) for day in known], list(known.values()), True)

    def leg(self, row: dict[str, Any], side: str) -> float:
        """In its own currency, received."""
        rates, notional = self.rates, [float(row[f"{side}_notional"])]
        schedule = rates.schedule(
            row["start_date"],
            row["maturity_date"],
            row[f"{side}_frequency"],
            row["calendar"],
            row["business_day_convention"],
        )
        count, index = rates.day_counts[row[f"{side}_day_count"]], row[f"{side}_index"]
        convention = rates.conventions[row["business_day_convention"]]
        if index is None:
            leg = ql.FixedRateLeg(schedule, count, notional, [row[f"{side}_fixed_rate"]], convention)
        else:
            make = ql.OvernightLeg if INDICES[index].overnight else ql.IborLeg
            spreads = [row[f"{side}_spread"]]
            leg = make(notional, schedule, self.indices[index], count, convention, spreads=spreads)
        curve = self.curves[row[f"{side}_discount_curve"]]
        value = ql.CashFlows.npv(leg, curve, False)
        if row["exchange_notionals"]:
            for day, sign in ((schedule[0], -1.0), (schedule[len(schedule) - 1], 1.0)):
                if day.serialNumber() - 25569 > self.market.as_of:
                    value += sign * notional[0] * curve.discount(day)
        return float(value)

    def fx(self, base: str, quote: str) -> float:
        in_dollars = {"USD": 1.0, "EUR": self.spots["EURUSD"], "JPY": 1.0 / self.spots["USDJPY"]}
        return in_dollars[base] / in_dollars[quote]

    def value(self, row: dict[str, Any]) -> float:
        rate = self.fx(row["receive_currency"], row["pay_currency"])
        return rate * self.leg(row, "receive") - self.leg(row, "pay")


@pytest.mark.parametrize(("seed", "day"), list(enumerate([date(2026, 11, 20), date(2025, 3, 3)])))
def test_swaps(rates: Any, seed: int, day: date) -> None:
    as_of = rates.day_number(day)
    market, book = make_market(rates, as_of), random_book(rates, seed, as_of)
    trades = rates.trades(PRODUCT, book)
    assert PRODUCT.validate(trades, as_of) == []
    assert PRODUCT.currency(trades).to_list() == book["pay_currency"]
    shocked = market.shocked(np.random.default_rng(seed))
    spots = [SPOT, {pair: 1.1 * level for pair, level in SPOT.items()}]
    snapshots = [snapshot_of(market, spots[0]), snapshot_of(shocked, spots[1])]
    model = MarketModel(snapshots[0], CONVENTIONS)
    assert PRODUCT.missing_points(trades, model) == []
    x = np.column_stack([snapshot.x0 for snapshot in snapshots])
    values = PRODUCT.prepare(trades, model).price(np.arange(TRADES, dtype=np.int32), x)
    assert np.abs(values[:, 1] - values[:, 0]).max() > 1e4
    for column, oracle in enumerate((market, shocked)):
        quantlib = QuantLibSwaps(rates, oracle, spots[column])
        for k in range(TRADES):
            row = {name: values_[k] for name, values_ in book.items()}
            notional = row["pay_notional"] + row["receive_notional"] * quantlib.fx(
                row["receive_currency"], row["pay_currency"]
            )
            assert abs(values[k, column] - quantlib.value(row)) < TOLERANCE * notional, row


def test_a_leg_needs_an_index_or_a_rate(rates: Any) -> None:
    as_of = rates.day_number(date(2026, 11, 20))
    book = {name: values[:3] for name, values in random_book(rates, 5, as_of).items()}
    book |= {"pay_index": [None, "USD.SOFR", None], "pay_fixed_rate": [None, None, 0.02]}
    book |= {"receive_index": ["USD.SOFR"] * 3}
    (fault,) = PRODUCT.validate(rates.trades(PRODUCT, book), as_of)
    assert fault.rows.tolist() == [0]
    assert fault.reason is Reason.INVALID_TRADE


def test_fixings_are_missed_by_the_leg_that_needs_them(rates: Any) -> None:
    as_of = rates.day_number(date(2026, 11, 20))
    market = make_market(rates, as_of)
    market.fixings["EUR.6M"] = {as_of - 1: 0.02}
    book = {name: values[:3] for name, values in random_book(rates, 5, as_of).items()}
    book |= {"start_date": [as_of - 100, as_of - 100, as_of + 40], "maturity_date": [as_of + 900] * 3}
    book |= {"pay_index": [None, "EUR.6M", "EUR.6M"], "pay_fixed_rate": [0.01] * 3, "receive_index": ["EUR.ESTR"] * 3}
    model = MarketModel(snapshot_of(market, SPOT), CONVENTIONS)
    (fault,) = PRODUCT.missing_points(rates.trades(PRODUCT, book), model)
    assert (fault.column, fault.rows.tolist()) == ("pay_index", [1])


def test_a_day_later_with_the_same_levels(rates: Any) -> None:
    """Theta's model is tomorrow's market, for swaps that neither fix nor pay in between."""
    as_of = rates.day_number(date(2026, 11, 18))
    market, book = make_market(rates, as_of), random_book(rates, 6, as_of)
    book["start_date"] = np.maximum(book["start_date"], as_of + 10)
    book["maturity_date"] = np.maximum(book["maturity_date"], book["start_date"] + 40)
    trades, rows = rates.trades(PRODUCT, book), np.arange(TRADES, dtype=np.int32)
    today, later = (
        snapshot_of(rates.Market(day, market.curves, fixings=market.fixings), SPOT) for day in (as_of, as_of + 1)
    )
    x = today.x0[:, None].copy()
    now, found, expected = (
        PRODUCT.prepare(trades, MarketModel(snapshot, CONVENTIONS, horizon)).price(rows, x)[:, 0]
        for snapshot, horizon in ((today, 0), (today, 1), (later, 0))
    )
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-12 * np.abs(found).max())
    assert np.abs(found - now).max() > 10.0
