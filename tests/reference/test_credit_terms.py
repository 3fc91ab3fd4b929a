"""Terms of credit default swaps beyond the standard ones against QuantLib and plain Python: 1e-10 of notional."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813
from isda_model import Contract, Curve, months_before, on_default
from selections import one_in

from riskpipe.market.conventions import Conventions
from riskpipe.products.credit_default_swap import CreditDefaultSwap
from riskpipe.products.index_cds import IndexCds

SINGLE, INDEX = CreditDefaultSwap(), IndexCds()
TRADES = 500
TOLERANCE = 1e-10
DAY = timedelta(days=1)
TODAY = date(2026, 11, 20)


def make_market(rates: Any, as_of: int) -> Any:
    pillars = [as_of + days for days in (91, 183, 365, 730, 1826, 3652, 5479)]
    return rates.Market(
        as_of,
        {
            ("zero_rate", "EUR.OIS"): (pillars, [0.019, 0.02, 0.021, 0.0215, 0.022, 0.023, 0.025]),
            ("hazard_rate", "ACME"): (pillars[2:], [0.01, 0.012, 0.02, 0.022, 0.025]),
            ("hazard_rate", "RISKY"): (pillars, [0.3, 0.25, 0.22, 0.2, 0.16, 0.1, 0.08]),
        },
    )


def random_book(rates: Any, as_of: int, amortises: bool) -> dict[str, Any]:
    """Swaps traded within the two weeks before today, or that start, or whose protection starts, later."""
    random = np.random.default_rng(17)
    choose = rates.chooser(random, TRADES)
    calendar = choose(rates.calendars)

    def business(days: np.ndarray) -> np.ndarray:
        moved = [
            rates.calendars[name].adjust(rates.ql_date(day)).serialNumber() - 25569
            for name, day in zip(calendar, days, strict=True)
        ]
        return np.array(moved, np.int32)

    traded = as_of - random.integers(0, 14, TRADES)
    forward = random.random(TRADES) < 0.4
    start = business(
        np.where(forward, as_of + random.integers(0, 700, TRADES), traded - random.integers(0, 60, TRADES))
    )
    # QuantLib and the standard model look at survival on different days where a maturity is no business day
    maturity = business(start + random.integers(200, 3000, TRADES))
    later = random.random(TRADES) < 0.6
    protected = start + np.where(later, random.integers(0, 60, TRADES), 0)
    # not before protection, as QuantLib will have it
    upfront = np.maximum(as_of + random.integers(-5, 40, TRADES), protected)
    book = {
        "reference_entity": choose(["ACME", "RISKY"]),
        "currency": ["EUR"] * TRADES,
        "discount_curve": ["EUR.OIS"] * TRADES,
        "notional": random.normal(0.0, 1e7, TRADES),
        "protection": choose(["buy", "sell"]),
        "spread": random.choice([0.01, 0.05], TRADES),
        "upfront": random.normal(0.0, 0.03, TRADES) * (random.random(TRADES) < 0.7),
        "recovery": random.choice([0.4, 0.2, 0.0], TRADES),
        "start_date": start,
        "maturity_date": maturity,
        "frequency": choose(["3M", "6M"]),
        "day_count": ["ACT/360"] * TRADES,
        "calendar": calendar,
        "protection_start": dates_or_none(protected, later),
        "upfront_date": dates_or_none(upfront, later | (random.random(TRADES) < 0.5)),
        "rebates_accrual": random.random(TRADES) < 0.6,
        "trade_date": dates_or_none(traded, np.full(TRADES, True)),
        "fixed_recovery": [[None, 0.0, 0.55][k] for k in random.integers(0, 3, TRADES)],
    }
    if amortises:
        book |= stubs(rates, random, book)
        return book | amortisation(rates, random, book)
    for k, day in enumerate(book["protection_start"]):  # QuantLib looks for it in the first period alone
        end = contract_of(rates, {name: column[k] for name, column in book.items()}).periods()[0][1]
        book["protection_start"][k] = min(day, end - DAY) if day else None
    return book


def dates_or_none(days: np.ndarray, given: np.ndarray) -> list[date | None]:
    return [to_date(day) if there else None for day, there in zip(days, given, strict=True)]


def stubs(rates: Any, random: np.random.Generator, book: dict[str, Any]) -> dict[str, Any]:
    """Dates counted from the start, or a long first period, by its name or by its end; or nothing of it."""
    found = []
    for row in rows_of(book):
        months, start = int(row["frequency"][0]), to_date(row["start_date"])
        counted = [to_date(row["maturity_date"])]
        while counted[-1] > start:
            counted.append(months_before(to_date(row["maturity_date"]), len(counted) * months))
        odd = contract_of(rates, row).adjust(counted[-1]) < start
        kind = random.integers(0, 4) if odd and len(counted) > 4 else 0
        regular = counted[-3] if kind > 1 else None
        found.append((regular, [None, "forward", None, None][kind], "long" if kind == 2 else None, kind))
    regular, generation, stub, kind = zip(*found, strict=True)
    return {
        "date_generation": list(generation),
        "stub": list(stub),
        "first_regular_date": [day if k == 3 else None for day, k in zip(regular, kind, strict=True)],
        "regular": list(regular),
    }


@dataclass(frozen=True)
class Rolled(Contract):
    """:param dates: of periods, on business days, maturity as it is."""

    dates: tuple[date, ...] = ()

    def periods(self) -> list[tuple[date, date, date]]:
        ends = (*self.dates[1:-1], self.maturity + self.extra * DAY)
        return list(zip(self.dates[:-1], ends, map(self.adjust, self.dates[1:]), strict=True))


def amortisation(rates: Any, random: np.random.Generator, book: dict[str, Any]) -> dict[str, Any]:
    """New notionals on some dates of the schedule, or none."""
    notionals, dates = [], []
    for k in range(TRADES):
        steps = [begin for begin, _, _ in contract_of(rates, {name: c[k] for name, c in book.items()}).periods()[1:]]
        steps = [step for step in steps if random.random() < 0.3]
        notionals.append((book["notional"][k] * random.uniform(-0.5, 2.0, len(steps))).tolist() if steps else None)
        dates.append(steps or None)
    return {"notionals": notionals, "notional_dates": dates, "accrual_includes_maturity": random.random(TRADES) < 0.5}


def to_date(day: int) -> date:
    return date(1970, 1, 1) + timedelta(days=int(day))


def contract_of(rates: Any, row: dict[str, Any]) -> Contract:
    def adjust(day: date) -> date:
        return rates.calendars[row["calendar"]].adjust(ql.Date.from_date(day)).to_date()

    months, extra = int(row["frequency"][0]), int(row.get("accrual_includes_maturity", False))
    start, maturity = to_date(row["start_date"]), to_date(row["maturity_date"])
    terms = (start, maturity, float(row["spread"]), 0.0, adjust, months, extra)
    if not (row.get("regular") or row.get("date_generation")):
        return Contract(*terms)
    schedule = ql.Schedule(
        ql.Date.from_date(start),
        ql.Date.from_date(maturity),
        ql.Period(row["frequency"]),
        rates.calendars[row["calendar"]],
        ql.Following,
        ql.Unadjusted,
        ql.DateGeneration.Forward if row["date_generation"] else ql.DateGeneration.Backward,
        False,
        ql.Date.from_date(row["regular"]) if row["regular"] else ql.Date(),
    )
    return Rolled(*terms, dates=tuple(day.to_date() for day in schedule))


def plain_value(rates: Any, curves: dict[str, Curve], row: dict[str, Any], model: str) -> float:
    contract, rate, hazard = contract_of(rates, row), curves["EUR.OIS"], curves[row["reference_entity"]]
    recovery = row["recovery"] if row["fixed_recovery"] is None else row["fixed_recovery"]
    steps = list(zip(row.get("notional_dates") or [], row.get("notionals") or [], strict=True))
    protected = row["protection_start"] or contract.start
    upfront, value = row["notional"] * row["upfront"], 0.0
    for begin, end, paid in contract.periods():
        notional = [row["notional"], *(level for day, level in steps if day <= begin)][-1]
        stepped_in = row["trade_date"] + DAY
        if row["rebates_accrual"] and begin < stepped_in < end:
            upfront -= notional * contract.spread * (stepped_in - begin).days / 360.0
        if paid > TODAY:
            terms = (notional * (1.0 - recovery), notional * contract.spread / 360.0)
            period = (begin, end, paid)
            of = isda_period if model == "isda" else midpoint_period
            value += of(contract, period, terms, max(protected, begin), (rate, hazard))
    day = contract.adjust(row["upfront_date"] or contract.start)
    value -= upfront * rate.factor(day) if day > TODAY else 0.0
    return float(value if row["protection"] == "buy" else -value)


Period, Terms, Curves = tuple[date, date, date], tuple[float, float], tuple[Curve, Curve]


def midpoint_period(contract: Contract, period: Period, terms: Terms, protected: date, curves: Curves) -> float:
    (begin, end, paid), (loss, a_day), (rate, hazard) = period, terms, curves
    closes = min(end, contract.maturity)
    first = min(max(protected, TODAY), closes)
    middle = first + timedelta(days=(closes - first).days // 2)
    earned = a_day * ((middle - begin).days + (end - closes).days)
    lost = hazard.factor(first) - hazard.factor(closes)
    coupon = a_day * (end - begin).days * rate.factor(paid) * hazard.factor(paid)
    return (loss - earned) * rate.factor(middle) * lost - coupon


def isda_period(contract: Contract, period: Period, terms: Terms, protected: date, curves: Curves) -> float:
    (begin, end, paid), (loss, a_day), (rate, hazard) = period, terms, curves
    stops = sorted({*rate.dates, *hazard.dates})
    first, last = max(protected - DAY, TODAY), end - DAY
    value = -a_day * (end - begin).days * rate.factor(paid) * (hazard.factor(last) if end > TODAY + DAY else 1.0)
    if last > first:
        earned = a_day * ((first - begin).days + 1.5)
        value -= on_default(first, last, stops, rate, hazard, earned, a_day)
    until = max(last, contract.maturity) if end >= contract.maturity else last
    return value + (on_default(first, until, stops, rate, hazard, loss, 0.0) if until > first else 0.0)


def plain_values(rates: Any, market: Any, book: dict[str, Any], model: str) -> list[float]:
    curves = {
        name: Curve(
            TODAY,
            [to_date(day) for day in days],
            [level * (day - market.as_of) / 365.0 for day, level in zip(days, levels, strict=True)],
            flat_zero=True,
        )
        for (_, name), (days, levels) in market.curves.items()
    }
    return [plain_value(rates, curves, row, model) for row in rows_of(book)]


def rows_of(book: dict[str, Any]) -> list[dict[str, Any]]:
    return [dict(zip(book, values, strict=True)) for values in zip(*book.values(), strict=True)]


def quantlib_values(rates: Any, market: Any, book: dict[str, Any], model: str) -> list[float]:
    ql.Settings.instance().evaluationDate = rates.ql_date(market.as_of)
    curve, values = market.discount("EUR.OIS"), []
    credits = {name: market.survival(name) for name in ("ACME", "RISKY")}
    for row in rows_of(book):
        recovery = row["recovery"] if row["fixed_recovery"] is None else row["fixed_recovery"]
        contract = contract_of(rates, row)
        paid = contract.adjust(row["upfront_date"] or contract.start)
        periods = contract.periods()
        dates = [*(begin for begin, _, _ in periods), contract.maturity]
        schedule = ql.Schedule(
            [ql.Date.from_date(day) for day in dates],
            rates.calendars[row["calendar"]],
            ql.Following,
            ql.Unadjusted,
            ql.Period(row["frequency"]),
            ql.DateGeneration.CDS,  # by which protection may start after the premium
            False,
            [True] * len(periods),
        )
        swap = ql.CreditDefaultSwap(
            ql.Protection.Buyer if (row["protection"] == "buy") == (row["notional"] > 0.0) else ql.Protection.Seller,
            abs(float(row["notional"])),
            float(row["upfront"]),
            float(row["spread"]),
            schedule,
            ql.Following,
            ql.Actual360(),
            True,
            True,
            ql.Date.from_date(row["protection_start"] or contract.start),
            ql.Date.from_date(paid),
            ql.FaceValueClaim(),
            ql.Actual360(),
            bool(row["rebates_accrual"]),
            ql.Date.from_date(row["trade_date"]),
        )
        engine = (
            ql.IsdaCdsEngine(credits[row["reference_entity"]], recovery, curve, False)
            if model == "isda"
            else ql.MidPointCdsEngine(credits[row["reference_entity"]], recovery, curve)
        )
        swap.setPricingEngine(engine)
        values.append(float(swap.NPV()))
    return values


def assert_values(rates: Any, product: Any, book: dict[str, Any], model: str, expected: Any) -> None:
    """Today and under a shock. :param expected: values in a market, one a trade."""
    as_of = rates.day_number(TODAY)
    market = make_market(rates, as_of)
    trades = rates.trades(product, {name: column for name, column in book.items() if name != "regular"})
    assert product.validate(trades, as_of) == []
    prepared = product.prepare(trades, market.model(Conventions(credit_model=model)))
    shocked = market.shocked(np.random.default_rng(1))
    x = np.column_stack((market.snapshot().x0, shocked.snapshot().x0))
    values = prepared.price(np.arange(TRADES, dtype=np.int32), x)
    assert np.abs(values[:, 1] - values[:, 0]).max() > 1e4
    for column, state in enumerate((market, shocked)):
        errors = np.abs(values[:, column] - expected(state)) / np.abs(book["notional"])
        worst = int(np.argmax(errors))
        assert errors[worst] < TOLERANCE, (worst, {name: c[worst] for name, c in book.items()})


@pytest.mark.parametrize(
    ("model", "oracle"),
    one_in(2, [("midpoint", "quantlib"), ("midpoint", "plain"), ("isda", "plain"), ("isda", "quantlib")]),
)
def test_single_names(rates: Any, model: str, oracle: str) -> None:
    book = random_book(rates, rates.day_number(TODAY), amortises=oracle == "plain")
    values_of = quantlib_values if oracle == "quantlib" else plain_values
    assert_values(rates, SINGLE, book, model, lambda market: values_of(rates, market, book, model))


@pytest.mark.parametrize("model", ["midpoint", "isda"])
def test_indices(rates: Any, model: str) -> None:
    """One swap on the index's curve, or one on each constituent with its weight."""
    book = random_book(rates, rates.day_number(TODAY), amortises=False)
    random = np.random.default_rng(5)
    factor = np.where(random.random(TRADES) < 0.3, 1.0, random.uniform(0.5, 1.0, TRADES))
    index = book | {"index": book["reference_entity"], "factor": [None if each == 1.0 else each for each in factor]}
    index |= {"valued_on": [[None, "index", "constituents", "constituents"][k] for k in random.integers(0, 4, TRADES)]}
    del index["reference_entity"], index["fixed_recovery"]
    lists = [constituents(random, each) for each in factor]
    index |= {name: [of[name] for of in lists] for name in lists[0]}
    trade, parts = parts_of(index, factor)

    def expected(market: Any) -> np.ndarray:
        return np.bincount(trade, quantlib_values(rates, market, parts, model))

    assert_values(rates, INDEX, index, model, expected)


def constituents(random: np.random.Generator, factor: float) -> dict[str, Any]:
    """Of one index, in lists that may be missing where they may."""
    count = int(random.integers(1, 6))
    weights = random.dirichlet(np.ones(count)) * factor
    recoveries = random.choice([0.0, 0.3, 0.4], count)
    return {
        "constituents": random.choice(["ACME", "RISKY"], count).tolist(),
        "constituent_weights": weights.tolist() if random.random() < 0.6 else None,
        "constituent_recoveries": recoveries.tolist() if random.random() < 0.6 else None,
    }


def parts_of(index: dict[str, Any], factor: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
    """The swaps on single names of which the indices consist, and which index each belongs to."""
    trade, parts = [], []
    for k, row in enumerate(rows_of(index)):
        names, weights, recoveries = ([row["index"]], [factor[k]], [row["recovery"]])
        if row["valued_on"] == "constituents":
            names = row["constituents"]
            weights = row["constituent_weights"] or [factor[k] / len(names)] * len(names)
            recoveries = row["constituent_recoveries"] or [row["recovery"]] * len(names)
        for name, weight, recovery in zip(names, weights, recoveries, strict=True):
            own = {"reference_entity": name, "recovery": recovery, "fixed_recovery": None}
            parts.append(row | own | {"notional": row["notional"] * weight})
            trade.append(k)
    return np.array(trade), {name: [part[name] for part in parts] for name in parts[0]}
