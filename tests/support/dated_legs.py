"""Legs with roll days, stubs, calendars and lags of their own: random terms, and QuantLib's coupons for them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import QuantLib as ql  # noqa: N813
from curve_market import CurveMarket, day_number, ql_date

from riskpipe.market.conventions import Conventions, IndexConvention
from riskpipe.products.base import Product
from riskpipe.products.trades import Trades
from riskpipe.products.validation import canonical, check_rows

AS_OF = day_number(date(2026, 11, 20))
CALENDARS = {"TARGET": ql.TARGET(), "USNY": ql.UnitedStates(ql.UnitedStates.FederalReserve)}
RULES = {"following": ql.Following, "modified_following": ql.ModifiedFollowing, "preceding": ql.Preceding}
FREQUENCIES = ("4W", "1M", "2M", "3M", "4M", "6M", "1Y")
INDICES = {
    "TERM": IndexConvention("TERM", "EUR.6M", fixing_lag=2, calendar="TARGET"),
    "ESTR": IndexConvention("ESTR", "EUR.OIS", overnight=True, day_count="ACT/360", calendar="TARGET"),
    "SOFR": IndexConvention("SOFR", "USD.OIS", overnight=True, day_count="ACT/360", calendar="USNY"),
}
CONVENTIONS = Conventions(indices=INDICES)

Row = dict[str, Any]


def make_market() -> CurveMarket:
    pillars = [AS_OF + days for days in (30, 91, 365, 1826, 3652)]
    days = range(AS_OF - 2600, AS_OF)

    def daily(calendar: str, level: float) -> dict[int, float]:
        return {k: level + 1e-6 * (k % 91) for k in days if CALENDARS[calendar].isBusinessDay(ql_date(k))}

    return CurveMarket(
        AS_OF,
        {
            ("zero_rate", "EUR.OIS"): (pillars, [0.02, 0.021, 0.022, 0.025, 0.027]),
            ("zero_rate", "EUR.6M"): (pillars, [0.022, 0.023, 0.024, 0.027, 0.029]),
            ("zero_rate", "USD.OIS"): (pillars, [0.041, 0.04, 0.038, 0.036, 0.037]),
        },
        fixings={
            "ESTR": daily("TARGET", 0.019),
            "SOFR": daily("USNY", 0.039),
            "TERM": {k: 0.023 + 1e-6 * (k // 7 % 91) for k in days},  # one a week, from a Thursday on
        },
    )


class RandomLegs:
    """Random terms. :ivar random: what they are drawn from."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def pick(self, values: Iterable[Any]) -> Any:
        every = list(values)
        return every[self.random.integers(len(every))]

    def some(self, names: Iterable[str]) -> str | None:
        """One of the names, or none."""
        return self.pick(names) if self.random.random() < 0.5 else None

    def life(self, earliest: int = -1500) -> tuple[int, int]:
        """Start and maturity. :param earliest: days of the start after today."""
        start = AS_OF + int(self.random.integers(earliest, 400))
        maturity = max(start, AS_OF) + int(self.random.integers(60, 3000))
        if self.random.random() < 0.4:  # the last day of a month
            month = np.datetime64(maturity, "D").astype("datetime64[M]") + 1
            maturity = int(month.astype("datetime64[D]").astype(int)) - 1
        return start, maturity

    def dates(self, start: int, maturity: int, index: str | None = None) -> Row:
        """What a leg may say of its dates; half of all columns are null.

        :param index: of a floating leg, which may have a calendar of fixings. Of overnight ones QuantLib pays coupons
            after their periods only, which begin on days of fixings.
        """
        overnight = index is not None and INDICES[index].overnight
        calendars = [INDICES[index].calendar] if overnight and index else list(CALENDARS)
        inside = sorted(self.random.integers(start + 12, maturity - 12, 2).tolist())
        first, last = (day if self.random.random() < 0.3 else None for day in inside)
        frequency = self.pick(FREQUENCIES)
        rolls = self.random.random() < 0.4 and frequency != "4W" and first is None and last is None
        fixing = {} if index is None else {"fixing_calendar": None if overnight else self.some(CALENDARS)}
        return fixing | {
            "frequency": frequency,
            "roll_convention": "EOM" if rolls else None,
            "date_generation": self.some(["backward", "forward"]),
            "stub": None,
            "first_regular_date": first,
            "last_regular_date": last,
            "accrual_calendar": self.pick(calendars) if overnight else self.some(calendars),
            "accrual_convention": self.some(RULES),
            "maturity_convention": self.some(RULES),
            "payment_calendar": self.some(CALENDARS),
            "payment_convention": "following" if overnight else self.some(RULES),
            "payment_lag": int(self.random.integers(0, 6)) if self.random.random() < 0.5 else None,
        }


def prefixed(prefix: str, terms: Row) -> Row:
    return {prefix + name: value for name, value in terms.items()}


def trades_of(product: Product, rows: list[Row]) -> Trades:
    """Canonical, and by the product's own rules alive and without fault."""
    columns: dict[str, Any] = {"trade_id": [f"T{k}" for k in range(len(rows))], "book": ["rates"] * len(rows)}
    for name in {name: None for row in rows for name in row}:
        values = [row.get(name) for row in rows]
        dated = name.endswith("_date")
        columns[name] = pa.array(values, pa.int32()).cast(pa.date32()) if dated else pa.array(values)
    trades = Trades(canonical(pa.table(columns), product))
    assert check_rows(trades, product) == []
    assert product.validate(trades, AS_OF) == []
    return trades


class QuantLibLegs:
    """QuantLib's coupons in a market: of `row`, which has calendar, convention and the last date, and a leg's `terms`.

    :ivar curves, indices: by name.
    """

    def __init__(self, market: CurveMarket) -> None:
        self.today = ql_date(market.as_of)
        ql.Settings.instance().evaluationDate = self.today
        ql.Settings.instance().enforcesTodaysHistoricFixings = False
        ql.IndexManager.instance().clearHistories()
        self.curves = {name: market.discount(name) for _, name in market.curves}
        euro, count = ql.EURCurrency(), ql.Actual360()
        months, rule = ql.Period(6, ql.Months), ql.ModifiedFollowing
        self.indices = {}
        for name, calendar in CALENDARS.items():
            rules = (euro, calendar, rule, False, count, self.curves["EUR.6M"])
            self.indices["TERM", name] = ql.IborIndex("TERM", months, 2, *rules)
        for name in ("ESTR", "SOFR"):
            of = INDICES[name]
            calendar = CALENDARS[of.calendar or ""]
            self.indices[name, of.calendar] = ql.OvernightIndex(name, 0, euro, calendar, count, self.curves[of.curve])
        for (name, calendar), index in self.indices.items():
            days = [day for day in market.fixings[name] if CALENDARS[calendar].isBusinessDay(ql_date(day))]
            index.addFixings([ql_date(day) for day in days], [market.fixings[name][day] for day in days], True)

    def schedule(self, row: Row, terms: Row, start: str = "start_date", accrual: Any = None) -> Any:
        """:param accrual: the convention that moves dates about which the leg says nothing; None: the row's."""
        otherwise = RULES[row["business_day_convention"]] if accrual is None else accrual
        convention = RULES.get(terms["accrual_convention"], otherwise)
        first, last = (
            ql.Date() if terms[name] is None else ql_date(terms[name])
            for name in ("first_regular_date", "last_regular_date")
        )
        rule = ql.DateGeneration.Forward if terms["date_generation"] == "forward" else ql.DateGeneration.Backward
        return ql.Schedule(
            ql_date(row[start]),
            ql_date(row["maturity_date"]),
            ql.Period(terms["frequency"]),
            CALENDARS[terms["accrual_calendar"] or row["calendar"]],
            convention,
            RULES.get(terms["maturity_convention"], convention),
            ql.DateGeneration.ThirdWednesday if terms["roll_convention"] == "IMM" else rule,
            terms["roll_convention"] == "EOM",
            first,
            last,
        )

    def payment(self, row: Row, terms: Row) -> Row:
        calendar = CALENDARS[terms["payment_calendar"] or row["calendar"]]
        return {"paymentCalendar": calendar, "paymentLag": terms["payment_lag"] or 0}

    def rule(self, row: Row, terms: Row) -> Any:
        return RULES[terms["payment_convention"] or row["business_day_convention"]]

    def exchanged(self, row: Row, terms: Row, day: Any) -> Any:
        """When a notional is exchanged for a day on which a period begins or ends."""
        calendar = CALENDARS[terms["payment_calendar"] or row["calendar"]]
        return calendar.adjust(day, self.rule(row, terms))

    def fixed(self, row: Row, terms: Row, notionals: list[float], rate: float, count: Any, **schedule: Any) -> Any:
        """:param schedule: as `schedule` has it."""
        dates = self.schedule(row, terms, **schedule)
        return ql.FixedRateLeg(dates, count, notionals, [rate], self.rule(row, terms), **self.payment(row, terms))

    def floating(self, row: Row, terms: Row, index: str, notionals: list[float], spread: float, **schedule: Any) -> Any:
        make = ql.OvernightLeg if INDICES[index].overnight else ql.IborLeg
        dates = self.schedule(row, terms, **schedule)
        calendar = terms.get("fixing_calendar") or INDICES[index].calendar
        leg = (notionals, dates, self.indices[index, calendar], ql.Actual360(), self.rule(row, terms))
        return make(*leg, spreads=[spread], **self.payment(row, terms))

    def value(self, leg: Any, curve: str) -> float:
        return float(ql.CashFlows.npv(leg, self.curves[curve], False, self.today))

    def known(self, amount: float, day: Any, curve: str) -> float:
        return float(amount * self.curves[curve].discount(day)) if day > self.today else 0.0
