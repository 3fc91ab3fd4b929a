"""Discrete dividends and borrow costs: forwards against the recursion in plain Python, and what is told of faults."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from derived import derived_model
from histories import historical_columns

from riskpipe.market.checks import check_market_table
from riskpipe.market.consistency import consistency_faults
from riskpipe.market.conventions import Conventions
from riskpipe.market.derived import derive
from riskpipe.market.dividends import payable_dividends
from riskpipe.market.factors import date_of
from riskpipe.market.history import HistoryRules
from riskpipe.market.labels import Labels
from riskpipe.market.minor_units import in_major_units
from riskpipe.market.model import MarketModel
from riskpipe.market.odd_values import odd_facts, odd_levels
from riskpipe.market.ranges import RANGES
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.market.stresses import stress_columns
from riskpipe.products.shared_nodes import TradeNodes, take

RATE, YIELD, BORROW = 0.04, 0.01, 0.006


def iso(days: int) -> str:
    return date_of(days).isoformat()


@pytest.fixture
def payers(point, as_of):
    """PAYER has cash, a ratio and both on one day, a yield and a borrow cost; RATIO a ratio, LENT a borrow cost."""
    return [
        *(point("spot", name, 100.0, currency="USD") for name in ("PAYER", "RATIO", "LENT", "PLAIN")),
        point("zero_rate", "USD.OIS", RATE, "10Y", currency="USD"),
        point("dividend_yield", "PAYER", YIELD, "10Y"),
        point("borrow", "PAYER", BORROW, "10Y"),
        point("borrow", "LENT", BORROW, "1Y"),
        point("dividend", "PAYER", 50.0, iso(as_of - 3)),
        point("dividend", "PAYER", 2.0, iso(as_of + 90), currency="USD"),
        point("dividend", "PAYER", 3.0, iso(as_of + 400)),
        point("dividend_ratio", "PAYER", 0.03, iso(as_of + 250)),
        point("dividend_ratio", "PAYER", 0.01, iso(as_of + 400)),
        point("dividend_ratio", "RATIO", 0.05, iso(as_of + 10)),
    ]


EVENTS = {
    "PAYER": ((90, 2.0, 0.0), (250, 0.0, 0.03), (400, 3.0, 0.01)),
    "RATIO": ((10, 0.0, 0.05),),
}


def by_recursion(name: str, ahead: int, spot: float = 100.0, scale: float = 1.0, horizon: int = 0) -> float:
    """From ex date to ex date: grow, fall to 1 - ratio, pay the cash; `scale` is of all dividends."""
    growth = RATE - {"PAYER": YIELD + BORROW, "LENT": BORROW}.get(name, 0.0)
    level, last = spot, horizon
    for day, cash, ratio in EVENTS.get(name, ()):
        if horizon < day <= ahead:
            level = level * math.exp(growth * (day - last) / 365.0) * (1.0 - scale * ratio) - scale * cash
            last = day
    return level * math.exp(growth * max(ahead - last, 0) / 365.0)


AHEAD = (0, 9, 10, 89, 90, 91, 250, 399, 400, 1000)
NAMES = ("PAYER", "RATIO", "LENT", "PLAIN")


def forwards(model: MarketModel, as_of: int) -> TradeNodes:
    names = Labels.of([name for name in NAMES for _ in AHEAD])
    days = np.array([as_of + ahead for _ in NAMES for ahead in AHEAD], np.int32)
    return TradeNodes(*model.forwards(names, Labels.constant("USD", len(days)), days))


def test_forwards_are_the_recursion(payers, table_of, as_of) -> None:
    snapshot = MarketSnapshot.from_table(table_of(payers), as_of)
    model = MarketModel(snapshot, Conventions())
    x = np.column_stack((snapshot.x0, snapshot.x0, snapshot.x0))
    x[np.isin(snapshot.kinds, ["spot"]), 1] = 80.0
    x[np.isin(snapshot.kinds, ["dividend", "dividend_ratio"]), 2] *= 1.5
    found = forwards(model, as_of)
    values = found.nodes.evaluate(x)[found.position]
    k = 0
    for name in NAMES:
        for ahead in AHEAD:
            moved = (by_recursion(name, ahead), by_recursion(name, ahead, 80.0), by_recursion(name, ahead, scale=1.5))
            np.testing.assert_allclose(values[k], moved, rtol=1e-14)
            k += 1


def test_any_of_the_forwards_have_the_same_bits(payers, table_of, as_of) -> None:
    snapshot = MarketSnapshot.from_table(table_of(payers), as_of)
    nodes = forwards(MarketModel(snapshot, Conventions()), as_of).nodes
    x = np.ascontiguousarray(snapshot.x0[:, None] * np.linspace(0.9, 1.1, 11))
    values = nodes.evaluate(x)
    for chosen in ([0], [31, 5], [39, 38], [20, 15, 11], [8, 2, 30]):
        assert take(nodes, np.array(chosen)).evaluate(x).tobytes() == values[chosen].tobytes()
    # A name without any of this is what it is in a market without any of this.
    plain = [row for row in payers if row["kind"] in ("spot", "zero_rate")]
    alone = MarketModel(MarketSnapshot.from_table(table_of(plain), as_of), Conventions())
    names, days = Labels.constant("PLAIN", len(AHEAD)), np.array([as_of + ahead for ahead in AHEAD], np.int32)
    found, position = alone.forwards(names, Labels.constant("USD", len(days)), days)
    both = forwards(MarketModel(snapshot, Conventions()), as_of)
    mine = both.nodes.evaluate(np.ascontiguousarray(snapshot.x0[:, None]))[both.position[-len(AHEAD) :]]
    assert found.evaluate(alone.base)[position].tobytes() == mine.tobytes()


def test_a_dividend_of_thetas_day_is_gone(payers, table_of, as_of) -> None:
    model = MarketModel(MarketSnapshot.from_table(table_of(payers), as_of), Conventions(), horizon_days=90)
    found = forwards(model, as_of)
    values = found.today(model)[: len(AHEAD)]
    np.testing.assert_allclose(values, [by_recursion("PAYER", ahead, horizon=90) for ahead in AHEAD], rtol=1e-14)


def test_forward_prices_win(payers, point, table_of, as_of) -> None:
    table = table_of([*payers, point("forward_price", "PAYER", 120.0, "1Y")])
    model = MarketModel(MarketSnapshot.from_table(table, as_of), Conventions())
    assert (forwards(model, as_of).today(model)[: len(AHEAD)] == 120.0).all()
    messages = [fault.message for fault in consistency_faults(table, as_of) if fault.rule == "not used"]
    for what in ("dividend yields", "cash dividends", "proportional dividends", "borrow costs"):
        assert any(message.startswith(f"{what} of what has forward prices are not used") for message in messages)


def test_dividends_of_the_past_are_a_warning(payers, point, table_of, as_of) -> None:
    rows = [*payers, point("dividend", "PLAIN", 1.0, iso(as_of))]
    (fault,) = check_market_table(table_of(rows), as_of)
    assert (fault.level, fault.rule, fault.rows) == ("warning", "point in the past", 2)


def worth(point, as_of, *dividends: tuple[str, int, float]):
    return [
        point("spot", "ACME", 40.0, currency="USD"),
        point("zero_rate", "USD.OIS", 0.05, "10Y", currency="USD"),
        *(point(kind, "ACME", value, iso(as_of + days)) for kind, days, value in dividends),
    ]


def test_dividends_above_the_spot_are_left_out(point, table_of, as_of) -> None:
    rows = worth(point, as_of, ("dividend", 100, 25.0), ("dividend", 200, 18.0), ("dividend", 300, 1.0))
    made = derive(table_of(rows), (payable_dividends,), as_of, Conventions())
    (fault,) = made.faults
    assert (fault.level, fault.rule, fault.rows) == ("error", "dividends above spot", 3)
    assert f"until {date_of(as_of + 200)} are worth its spot (40) or more" in fault.message
    assert made.left_out == {("dividend", "ACME")}
    assert set(made.table.column("kind").to_pylist()) == {"spot", "zero_rate"}


@pytest.mark.parametrize(
    "dividends",
    [
        (("dividend", 100, 25.0), ("dividend", 200, 15.0)),  # 40 in all, and worth less today
        (("dividend_ratio", 100, 0.9), ("dividend_ratio", 200, 0.9)),
    ],
)
def test_dividends_that_the_spot_can_pay(point, table_of, as_of, dividends) -> None:
    made = derive(table_of(worth(point, as_of, *dividends)), (payable_dividends,), as_of, Conventions())
    assert (made.faults, made.left_out) == ((), frozenset())


def test_dividends_that_a_scenario_makes_too_large_leave_no_forward(point, table_of, as_of) -> None:
    table = table_of(worth(point, as_of, ("dividend", 100, 25.0), ("dividend", 200, 10.0)))
    model = derived_model(table, as_of, Conventions())
    days = np.array([as_of + 99, as_of + 150, as_of + 250], np.int32)
    found = TradeNodes(*model.forwards(Labels.constant("ACME", 3), Labels.constant("USD", 3), days))
    low = model.base.copy()
    low[model.snapshot.factor_index("spot:ACME")] = 30.0
    assert np.isnan(found.nodes.evaluate(low)[found.position, 0]).tolist() == [False, False, True]
    rows = np.arange(3, dtype=np.int32)
    assert found.overpaid(rows, low).tolist() == [False, False, True]
    assert not found.overpaid(rows, model.base).any()


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("dividend", -0.5, "dividend must not be negative"),
        ("dividend_ratio", 2.0, "dividend_ratio must be in [0.0, 1.0]"),
        ("dividend_ratio", -0.1, "dividend_ratio must be in [0.0, 1.0]"),
    ],
)
def test_dividends_that_cannot_be(point, table_of, as_of, kind, value, message) -> None:
    faults = check_market_table(table_of([point(kind, "ACME", value, "6M")]), as_of)
    assert [(fault.level, fault.message) for fault in faults] == [("error", message)]


def test_two_dividends_of_one_day_are_one_point(point, table_of, as_of) -> None:
    twice = [point("dividend", "ACME", 1.0, iso(as_of + 9)), point("dividend", "ACME", 2.0, "9D")]
    assert [f.rule for f in check_market_table(table_of(twice), as_of)] == ["duplicate point"]


def test_dividends_in_another_currency_and_of_nothing(point, table_of, as_of) -> None:
    rows = [
        point("spot", "ACME", 40.0, currency="USD"),
        point("dividend", "ACME", 1.0, "6M", currency="EUR"),
        point("borrow", "ACME", 0.01, "6M", currency="EUR"),
        point("dividend", "ACNE", 1.0, "6M", currency="USD"),
    ]
    found = {(f.level, f.rule, f.message) for f in consistency_faults(table_of(rows), as_of)}
    assert found == {
        ("warning", "contradicting currency", "borrow:ACME is in EUR, its underlying in USD"),
        ("error", "contradicting currency", "dividend:ACME is in EUR, its underlying in USD"),
        (
            "warning",
            "not used",
            "cash dividends of what has no spot are not used, such as those of 'ACNE'; did you mean 'ACME'?",
        ),
    }


def test_dividends_in_pence(point, table_of) -> None:
    rows = [point("dividend", "VOD", 4.5, "6M", currency="GBX"), point("dividend_ratio", "VOD", 0.1, "1Y")]
    table, units = in_major_units(table_of(rows))
    assert table.column("value").to_pylist() == [0.045, 0.1]
    assert units == {"dividend:VOD:6M": 100.0}


def test_odd_dividends_and_borrow_costs(point, table_of, as_of) -> None:
    rows = worth(point, as_of, ("dividend", 100, 15.0), ("dividend", 200, 1.0), ("dividend_ratio", 50, 0.3))
    table = table_of([*rows, point("borrow", "ACME", 1.5, "1Y")])
    assert [fault.sample for fault in odd_levels(table, RANGES)] == [
        ("borrow:ACME:1Y",),
        (f"dividend_ratio:ACME:{iso(as_of + 50)}",),
    ]
    (fault,) = odd_facts(derived_model(table, as_of, Conventions()), RANGES)
    assert fault.sample == (f"dividend:ACME:{iso(as_of + 100)}",)
    assert "is 15, the spot 40" in fault.message
    assert "check.ranges.dividend_over_spot" in fault.message


def test_forward_prices_beside_dividends_are_told_by_the_carry(point, table_of, as_of) -> None:
    """Of what has dividends the carry is known: a forward price 8 % under it is odd a year ahead only with them."""
    rows = worth(point, as_of, ("dividend", 100, 6.0))
    told = [point("forward_price", "ACME", 40.0 * math.exp(0.05), "1Y", currency="USD")]
    (fault,) = odd_facts(
        derived_model(table_of([*rows, *told]), as_of, Conventions()), {**RANGES, "dividend_over_spot": (0, 1)}
    )
    assert "spot, rates and dividends make it 35.8" in fault.message
    assert "forward_less_carry" in fault.message


def _past(as_of: int, factor: str, *values: float) -> pa.Table:
    first = date_of(as_of) - timedelta(days=len(values) - 1)
    rows = [{"factor": factor, "date": first + timedelta(days=k), "value": value} for k, value in enumerate(values)]
    return pa.Table.from_pylist(rows)


def test_history_moves_dividends_by_ratios_and_borrow_by_differences(payers, table_of, as_of) -> None:
    snapshot = MarketSnapshot.from_table(table_of(payers), as_of)
    for factor, before, after, expected in (
        (f"dividend:PAYER:{iso(as_of + 90)}", 1.0, 1.1, 2.2),
        (f"dividend_ratio:PAYER:{iso(as_of + 250)}", 0.02, 0.01, 0.015),
        ("borrow:LENT:1Y", 0.02, 0.03, BORROW + 0.01),
    ):
        ((_, _, levels),), _ = historical_columns(_past(as_of, factor, before, after), snapshot)
        assert levels.tolist() == pytest.approx([expected], rel=1e-12)


def test_a_difference_that_makes_a_dividend_negative_is_unknown(payers, table_of, as_of) -> None:
    snapshot, factor = MarketSnapshot.from_table(table_of(payers), as_of), f"dividend:PAYER:{iso(as_of + 90)}"
    rules = HistoryRules({"dividend:*": "absolute"})
    columns, faults = historical_columns(_past(as_of, factor, 5.0, 2.5, 3.0), snapshot, rules)
    assert np.isnan(columns[0][2]).all()
    assert columns[1][2].tolist() == [2.5]
    (told,) = [fault for fault in faults if fault.rule == "out of range"]
    assert "history.returns: relative" in told.message


def test_stresses_may_cancel_dividends_and_not_turn_them(payers, table_of, as_of) -> None:
    snapshot, factor = MarketSnapshot.from_table(table_of(payers), as_of), f"dividend:PAYER:{iso(as_of + 90)}"
    table = pa.table(
        {
            "scenario": ["cut", "turned"],
            "factor": ["dividend*:PAYER:*", factor],
            "shift_type": ["set", "absolute"],
            "shift": [0.0, -2.5],
        }
    )
    (cut, turned), faults = stress_columns(table, snapshot)
    assert (cut[2] == 0.0).all()
    assert len(cut[2]) == 6  # the yield, too
    assert np.isnan(turned[2]).all()
    assert [fault.rule for fault in faults] == ["out of range"]
    assert "a dividend one that cannot be" in faults[0].message
