"""Floating-rate notes against QuantLib's bond engines: 1e-10 of face, base and shocked curves."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813
from curve_market import EURO_INDICES
from selections import one_in

from riskpipe.errors import Reason
from riskpipe.market.calendars import is_business_day
from riskpipe.market.conventions import Conventions
from riskpipe.products.floating_rate_note import FloatingRateNote

PRODUCT = FloatingRateNote()
TRADES = 500
TOLERANCE = 1e-10
CONVENTIONS = Conventions(indices=EURO_INDICES)


def make_market(rates: Any, as_of: int) -> Any:
    pillars = [as_of + days for days in (1, 30, 91, 183, 365, 730, 1826, 3652, 5479)]
    days = np.arange(as_of - 1600, as_of, dtype=np.int32)
    days = days[is_business_day(days, "TARGET")]
    return rates.Market(
        as_of,
        {
            ("zero_rate", "EUR.OIS"): (pillars, [-0.019, -0.02, -0.01, -0.005, 0.0, 0.003, 0.005, 0.007, 0.008]),
            ("zero_rate", "EUR.6M"): (pillars, [0.021, 0.022, 0.023, 0.024, 0.024, 0.025, 0.027, 0.029, 0.03]),
            ("hazard_rate", "ACME"): (pillars[4:], [0.01, 0.012, 0.02, 0.022, 0.025]),
            ("hazard_rate", "RISKY"): (pillars[1:], [0.3, 0.25, 0.22, 0.2, 0.16, 0.1, 0.08, 0.07]),
        },
        recoveries={"RISKY": 0.25},
        fixings={name: {int(day): 0.02 + 0.01 * np.sin(day / 40) for day in days} for name in EURO_INDICES},
    )


def random_book(rates: Any, seed: int, as_of: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    issue, maturity = rates.random_dates(random, TRADES, as_of, years=14)
    issue[:2], maturity[:2] = as_of - 100, as_of + 50 * 365

    choose = rates.chooser(random, TRADES)

    return {
        "currency": ["EUR"] * TRADES,
        "index": choose(EURO_INDICES),
        "discount_curve": choose(["EUR.OIS", "EUR.6M"]),
        "quantity": np.round(random.normal(0.0, 1000.0, TRADES)) + 0.5,
        "face": random.choice([100.0, 1000.0], TRADES),
        "spread": random.normal(0.0, 0.01, TRADES),
        "frequency": choose(rates.periods),
        "day_count": choose(rates.day_counts),
        "issue_date": issue,
        "maturity_date": maturity,
        "calendar": ["TARGET"] * TRADES,
        "business_day_convention": choose(["following", "modified_following", "preceding"]),
        "settlement_days": [2.0] * TRADES,
        "credit_curve": [name or None for name in choose(["ACME", "RISKY", ""])],
    }


def by_period(row: dict[str, Any], first: str, later: str, schedule: Any) -> list[float]:
    """The last value whose date is not after the start of a period."""
    steps = list(zip(row.get(f"{later}_dates") or [], row.get(f"{later}s") or [], strict=True))
    starts = [day.to_date() for day in list(schedule)[:-1]]
    return [float([row[first], *(value for day, value in steps if day <= start)][-1]) for start in starts]


def stepping_terms(rates: Any, book: dict[str, Any]) -> dict[str, Any]:
    """Faces and spreads that change on some starts of periods, or do not."""
    random, found = np.random.default_rng(23), []
    for k in range(TRADES):
        terms = [book[name][k] for name in ("issue_date", "maturity_date", "frequency", "calendar")]
        starts = [day.to_date() for day in list(rates.schedule(*terms, book["business_day_convention"][k]))[1:-1]]
        of = {}
        for name, scale in (("notional", book["face"][k]), ("spread", 0.01)):
            dates = [start for start in starts if random.random() < 0.3]
            of |= {
                f"{name}_dates": dates or None,
                f"{name}s": (scale * random.uniform(0.2, 1.5, len(dates))).tolist() or None,
            }
        found.append(of)
    return {name: [of[name] for of in found] for name in found[0]}


def quantlib_values(rates: Any, market: Any, book: dict[str, Any]) -> list[float]:
    ql.Settings.instance().evaluationDate = rates.ql_date(market.as_of)
    ql.IndexManager.instance().clearHistories()
    curves = {name: market.discount(name) for kind, name in market.curves if kind == "zero_rate"}
    credits = {name: market.survival(name) for kind, name in market.curves if kind == "hazard_rate"}
    target, count, euro = ql.TARGET(), ql.Actual360(), ql.EURCurrency()
    term = ql.IborIndex(
        "TERM", ql.Period(6, ql.Months), 2, euro, target, ql.ModifiedFollowing, False, count, curves["EUR.6M"]
    )
    overnight = {name: ql.OvernightIndex(name, 0, euro, target, count, curves["EUR.OIS"]) for name in ("ESTR", "LATE")}
    indices = {"TERM": term, **overnight}
    for name, index in indices.items():
        known = market.fixings[name]
        index.addFixings([rates.ql_date(day) for day in known], list(known.values()), True)
    values = []
    for k in range(TRADES):
        row = {name: column[k] for name, column in book.items()}
        rolls = (row["calendar"], row["business_day_convention"])
        schedule = rates.schedule(row["issue_date"], row["maturity_date"], row["frequency"], *rolls)
        lookback = {"lookbackDays": 2} if row["index"] == "LATE" else {}
        leg = (ql.OvernightLeg if row["index"] in overnight else ql.IborLeg)(
            by_period(row, "face", "notional", schedule),
            schedule,
            indices[row["index"]],
            rates.day_counts[row["day_count"]],
            rates.conventions[row["business_day_convention"]],
            spreads=by_period(row, "spread", "spread", schedule),
            **lookback,
        )
        # The bond adds the redemption to its coupons.
        bond = ql.Bond(0, target, rates.ql_date(row["issue_date"]), leg)
        credit = row["credit_curve"]
        issuer = () if credit is None else (credits[credit], market.recoveries.get(credit, 0.4))
        values.append(float(row["quantity"] * rates.bond_value(bond, curves[row["discount_curve"]], *issuer)))
    return values


@pytest.mark.parametrize(
    ("seed", "day", "steps"),
    one_in(
        2,
        [
            (0, date(2026, 11, 20), False),
            (0, date(2026, 11, 20), True),
            (1, date(2025, 3, 3), True),
            (1, date(2025, 3, 3), False),
        ],
    ),
)
def test_notes(rates: Any, seed: int, day: date, steps: bool) -> None:
    as_of = rates.day_number(day)
    market, book = make_market(rates, as_of), random_book(rates, seed, as_of)
    if steps:
        book |= stepping_terms(rates, book)
    trades, model = rates.trades(PRODUCT, book), market.model(CONVENTIONS)
    assert PRODUCT.validate(trades, as_of) == []
    assert PRODUCT.missing_points(trades, model) == []
    prepared = PRODUCT.prepare(trades, model)
    shocked = market.shocked(np.random.default_rng(seed))
    x = np.column_stack((market.snapshot().x0, shocked.snapshot().x0))
    values = prepared.price(np.arange(TRADES, dtype=np.int32), x)
    assert np.abs(values[:, 1] - values[:, 0]).max() > 1e2
    scale = np.abs(book["quantity"] * book["face"])
    for column, oracle in enumerate((market, shocked)):
        errors = np.abs(values[:, column] - quantlib_values(rates, oracle, book)) / scale
        worst = int(np.argmax(errors))
        assert errors[worst] < TOLERANCE, (errors[worst], {name: c[worst] for name, c in book.items()})


def test_a_note_lacks_the_fixing_of_its_running_coupon(rates: Any) -> None:
    as_of = rates.day_number(date(2026, 11, 20))
    market = make_market(rates, as_of)
    book = {name: values[:2] for name, values in random_book(rates, 3, as_of).items()}
    book |= {"index": ["TERM", "ESTR"], "issue_date": [as_of - 100] * 2, "maturity_date": [as_of + 1700] * 2}
    book |= {"frequency": ["1T"] * 2, "business_day_convention": ["following"] * 2}
    trades = rates.trades(PRODUCT, book)
    assert PRODUCT.missing_points(trades, market.model(CONVENTIONS)) == []
    market.fixings = {"TERM": {as_of - 1: 0.02}, "ESTR": {as_of - 1: 0.02}}
    faults = PRODUCT.missing_points(trades, market.model(CONVENTIONS))
    assert [fault.rows.tolist() for fault in faults] == [[1], [0]] or [f.rows.tolist() for f in faults] == [[0], [1]]
    assert {fault.reason for fault in faults} == {Reason.MISSING_MARKET_DATA}


def test_a_day_later_with_the_same_levels(rates: Any) -> None:
    """Theta's model is tomorrow's market, for notes that neither fix nor pay in between."""
    as_of = rates.day_number(date(2026, 11, 18))
    market, book = make_market(rates, as_of), random_book(rates, 6, as_of)
    book["issue_date"] = np.maximum(book["issue_date"], as_of + 10)
    book["maturity_date"] = np.maximum(book["maturity_date"], book["issue_date"] + 40)
    trades, rows = rates.trades(PRODUCT, book), np.arange(TRADES, dtype=np.int32)
    tomorrow = rates.Market(as_of + 1, market.curves, market.recoveries, market.fixings)
    x = market.snapshot().x0[:, None].copy()
    now, found, expected = (
        PRODUCT.prepare(trades, model).price(rows, x)[:, 0]
        for model in (market.model(CONVENTIONS), market.model(CONVENTIONS, 1), tomorrow.model(CONVENTIONS))
    )
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-12 * np.abs(book["quantity"]).max() * 1000.0)
    assert np.abs(found - now).max() > 10.0
