"""Credit default swaps against QuantLib's MidPointCdsEngine and the ISDA model in plain Python: 1e-10 of notional."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813
from isda_model import Contract, Curve, legs
from selections import pairs_one_in

from riskpipe.market.conventions import Conventions
from riskpipe.products.credit_default_swap import CreditDefaultSwap

PRODUCT = CreditDefaultSwap()
TRADES = 600
TOLERANCE = 1e-10
GOOD_FRIDAY = date(2027, 3, 26)  # paid on Tuesday; the curves have points on the Saturday between


def make_market(rates: Any, as_of: int) -> Any:
    pillars = [as_of + days for days in (7, 30, 91, 183, 365, 730, 1826, 3652, 5479)]
    kink = rates.day_number(GOOD_FRIDAY) + 1

    def curve(first: int, levels: list[float]) -> tuple[list[int], list[float]]:
        days = pillars[first : first + len(levels)]
        level = float(np.interp(kink, days, levels)) + 0.002
        days, levels = zip(*sorted([*zip(days, levels, strict=True), (kink, level)]), strict=True)
        return list(days), list(levels)

    return rates.Market(
        as_of,
        {
            ("zero_rate", "EUR.OIS"): curve(0, [0.019, 0.02, 0.021, 0.0215, 0.022, 0.023, 0.025, 0.027, 0.028]),
            ("zero_rate", "FLAT"): (pillars[:1], [0.0]),
            ("hazard_rate", "ACME"): curve(4, [0.01, 0.012, 0.02, 0.022, 0.025]),
            ("hazard_rate", "RISKY"): curve(1, [0.3, 0.25, 0.22, 0.2, 0.16, 0.1, 0.08, 0.07]),
        },
    )


def random_book(rates: Any, seed: int, as_of: int, day_counts: list[str]) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    start, maturity = rates.random_dates(random, TRADES, as_of, years=11)
    maturity[:5] = rates.day_number(GOOD_FRIDAY)
    start[:5] = np.minimum(start[:5], as_of + 30)

    choose = rates.chooser(random, TRADES)

    day_count = choose(day_counts)
    return {
        "reference_entity": choose(["ACME", "RISKY"]),
        "currency": ["EUR"] * TRADES,
        "discount_curve": choose(["EUR.OIS", "FLAT"]),
        "notional": random.normal(0.0, 1e7, TRADES),
        "protection": choose(["buy", "sell"]),
        "spread": random.choice([0.01, 0.05], TRADES),
        "upfront": random.normal(0.0, 0.03, TRADES),
        "recovery": random.choice([0.4, 0.2, 0.0], TRADES),
        "start_date": start,
        "maturity_date": maturity,
        "frequency": choose(rates.periods),
        "day_count": day_count,
        "calendar": ["TARGET"] * 5 + choose(rates.calendars)[5:],
        # QuantLib can make the last period longer by this day count alone
        "accrual_includes_maturity": (random.random(TRADES) < 0.5) & (np.array(day_count) == "ACT/360"),
    }


def quantlib_values(rates: Any, market: Any, book: dict[str, Any]) -> list[float]:
    today = rates.ql_date(market.as_of)
    ql.Settings.instance().evaluationDate = today
    curves = {name: market.discount(name) for kind, name in market.curves if kind == "zero_rate"}
    credits = {name: market.survival(name) for kind, name in market.curves if kind == "hazard_rate"}
    values = []
    for k in range(TRADES):
        row = {name: column[k] for name, column in book.items()}
        schedule = rates.schedule(
            row["start_date"], row["maturity_date"], row["frequency"], row["calendar"], "following", "unadjusted"
        )
        begins = rates.calendars[row["calendar"]].adjust(rates.ql_date(row["start_date"]))
        notional = float(row["notional"])
        buys = (row["protection"] == "buy") == (notional > 0.0)
        count = rates.day_counts[row["day_count"]]
        last = ql.Actual360(True) if row["accrual_includes_maturity"] else count
        swap = ql.CreditDefaultSwap(
            ql.Protection.Buyer if buys else ql.Protection.Seller,
            abs(notional),
            float(row["upfront"]),
            float(row["spread"]),
            schedule,
            ql.Following,
            last if len(schedule) == 2 else count,  # a single period is a first one to QuantLib
            True,
            True,
            begins,
            begins,
            ql.FaceValueClaim(),
            last,
            False,
        )
        curve, credit, recovery = (
            curves[row["discount_curve"]],
            credits[row["reference_entity"]],
            float(row["recovery"]),
        )
        swap.setPricingEngine(ql.MidPointCdsEngine(credit, recovery, curve))
        values.append(float(swap.NPV()))
    return values


def isda_values(rates: Any, market: Any, book: dict[str, Any]) -> list[float]:
    """The plain model, and a coupon that ends tomorrow, which the model leaves out, in full."""
    today, tomorrow = to_date(market.as_of), to_date(market.as_of + 1)
    curves = {
        name: Curve(
            today,
            [to_date(day) for day in days],
            [level * (day - market.as_of) / 365.0 for day, level in zip(days, levels, strict=True)],
            flat_zero=True,
        )
        for (_, name), (days, levels) in market.curves.items()
    }
    values = []
    for k in range(len(book["notional"])):
        row = {name: column[k] for name, column in book.items()}
        calendar, count = rates.calendars[row["calendar"]], rates.day_counts[row["day_count"]]

        def adjust(day: date, calendar: Any = calendar) -> date:
            return calendar.adjust(ql.Date.from_date(day)).to_date()

        def year_fraction(begin: date, end: date, count: Any = count) -> float:
            return float(count.yearFraction(ql.Date.from_date(begin), ql.Date.from_date(end)))

        start = to_date(row["start_date"])
        contract = Contract(
            start if row["start_convention"] == "unadjusted" else adjust(start),
            to_date(row["maturity_date"]),
            float(row["spread"]),
            float(row["recovery"]),
            adjust,
            int(rates.periods[row["frequency"]].length() * (12 if row["frequency"] == "1Y" else 1)),
            int(row["accrual_includes_maturity"]),
            year_fraction,
        )
        rate = curves[row["discount_curve"]]
        protection, coupons, on_default = legs(contract, today, rate, curves[row["reference_entity"]])
        for begin, end, paid in contract.periods():
            if end <= tomorrow and paid > today:
                coupons += contract.spread * year_fraction(begin, end) * rate.factor(paid)
        upfront = float(row["upfront"]) * rate.factor(adjust(start)) if adjust(start) > today else 0.0
        bought = float(row["notional"]) * (1.0 if row["protection"] == "buy" else -1.0)
        values.append(bought * (protection - coupons - on_default - upfront))
    return values


def to_date(day: int) -> date:
    return date(1970, 1, 1) + timedelta(days=int(day))


@pytest.mark.parametrize(
    ("model", "day"),
    pairs_one_in(2, ["midpoint", "isda"], [date(2026, 11, 20), date(2025, 3, 3), date(2025, 9, 19)]),
)
def test_credit_default_swaps(rates: Any, model: str, day: date) -> None:
    as_of = rates.day_number(day)
    market = make_market(rates, as_of)
    book = random_book(rates, 7, as_of, list(rates.day_counts))
    if model == "isda":
        random = np.random.default_rng(8)
        book = {name: column[: TRADES // 4] for name, column in book.items()}
        book["start_convention"] = [[None, "following", "unadjusted"][k] for k in random.integers(0, 3, TRADES // 4)]
        book["accrual_includes_maturity"] = random.random(TRADES // 4) < 0.5
    trades = rates.trades(PRODUCT, book)
    assert PRODUCT.validate(trades, as_of) == []
    prepared = PRODUCT.prepare(trades, market.model(Conventions(credit_model=model)))
    shocked = market.shocked(np.random.default_rng(1))
    x = np.column_stack((market.snapshot().x0, shocked.snapshot().x0))
    values = prepared.price(np.arange(len(trades), dtype=np.int32), x)
    assert np.abs(values[:, 1] - values[:, 0]).max() > 1e4
    for column, oracle in enumerate((market, shocked)):
        expected = (isda_values if model == "isda" else quantlib_values)(rates, oracle, book)
        errors = np.abs(values[:, column] - expected) / np.abs(book["notional"])
        worst = int(np.argmax(errors))
        assert errors[worst] < TOLERANCE, (worst, {name: c[worst] for name, c in book.items()})
