from __future__ import annotations

import random
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest
from histories import historical_columns

from riskpipe.market.factors import KINDS, date_of
from riskpipe.market.history import HistoryRules
from riskpipe.market.snapshot import MarketSnapshot

Rows = list[dict[str, object]]


@pytest.fixture
def days(as_of) -> list[date]:
    """Four dates, a weekend between the second and the third, the last one as_of."""
    return [date_of(as_of) - timedelta(days=back) for back in (8, 7, 4, 0)]


@pytest.fixture
def history(rows, days) -> Rows:
    """The small market on each of the dates, every value moved at random."""
    rng = np.random.default_rng(11)
    return [{**row, "date": day, "value": row["value"] * rng.uniform(0.8, 1.2)} for day in days for row in rows]


def _table(rows: Rows) -> pa.Table:
    return pa.table(
        {
            "date": pa.array([row["date"] for row in rows], pa.date32()),
            "factor": pa.array([row["factor"] for row in rows], pa.string()),
            "value": pa.array([row["value"] for row in rows], pa.float64()),
        }
    )


def _value(history: Rows, factor: str, day: date) -> float:
    return next(row["value"] for row in history if row["factor"] == factor and row["date"] == day)


def test_moves_between_consecutive_dates_applied_to_today(history, days, snapshot) -> None:
    columns, faults = historical_columns(_table(history), snapshot)
    assert faults == []
    assert [name for name, _, _ in columns] == [day.isoformat() for day in days[1:]]
    moving = [k for k, kind in enumerate(snapshot.kinds) if KINDS[kind].move != "none"]
    for (_, factor, value), before, after in zip(columns, days, days[1:], strict=False):
        assert factor.tolist() == moving
        assert factor.dtype == np.int32
        for index, shocked in zip(factor.tolist(), value.tolist(), strict=True):
            name, today = snapshot.factor_ids[index], float(snapshot.x0[index])
            a, b = _value(history, name, before), _value(history, name, after)
            if name.split(":")[0] in ("zero_rate", "hazard_rate", "dividend_yield"):
                assert shocked == pytest.approx(today + (b - a), rel=1e-15)
            else:
                assert shocked == pytest.approx(today * b / a, rel=1e-15)


def test_what_does_not_move(history, snapshot) -> None:
    columns, _ = historical_columns(_table(history), snapshot)
    moved = {snapshot.factor_ids[f] for _, factor, _ in columns for f in factor}
    assert not [f for f in moved if f.startswith(("fixing:", "recovery:"))]
    assert len(moved) == len(snapshot) - 3


def test_order_of_rows_does_not_matter(history, snapshot) -> None:
    reference, _ = historical_columns(_table(history), snapshot)
    shuffled, _ = historical_columns(_table(random.Random(3).sample(history, len(history))), snapshot)
    for ours, theirs in zip(reference, shuffled, strict=True):
        assert ours[0] == theirs[0]
        assert ours[1].tobytes() == theirs[1].tobytes()
        assert ours[2].tobytes() == theirs[2].tobytes()


def test_a_still_day_gives_today_exactly(rows, days, snapshot) -> None:
    still = [{**row, "date": day} for day in days for row in rows]
    for _, factor, value in historical_columns(_table(still), snapshot)[0]:
        assert value.tobytes() == snapshot.x0[factor].tobytes()


def test_gaps_give_no_move_on_either_side(history, days, snapshot) -> None:
    gap = [
        row
        for row in history
        if not (row["factor"] == "spot:SPX" and row["date"] == days[1]) and row["factor"] != "spot:DAX"
    ]
    extra = {"date": days[0], "factor": "spot:OLD", "value": 1.0}
    columns, faults = historical_columns(_table([*gap, extra]), snapshot)
    spx, dax = snapshot.factor_index("spot:SPX"), snapshot.factor_index("spot:DAX")
    assert [spx in factor for _, factor, _ in columns] == [False, False, True]
    assert not any(dax in factor for _, factor, _ in columns)
    assert {(f.level, f.rule, f.rows, f.sample) for f in faults} == {
        ("warning", "gaps", 1, ("spot:SPX",)),
        ("warning", "no history", 1, ("spot:DAX",)),
        ("warning", "not of today", 1, ("spot:OLD",)),
    }


def _levels(columns, snapshot) -> dict[str, dict[str, float]]:
    """Date -> factor -> level."""
    return {
        name: {snapshot.factor_ids[k]: level for k, level in zip(factor.tolist(), value.tolist(), strict=True)}
        for name, factor, value in columns
    }


def _changed(history, days, snapshot, bad) -> dict[str, set[str]]:
    """Factor -> dates on which a spoilt history gives it another level (or none, NaN) than the whole one."""
    whole = _levels(historical_columns(_table(history), snapshot)[0], snapshot)
    found = _levels(historical_columns(_table(bad), snapshot)[0], snapshot)
    assert list(found) == list(whole)
    changed: dict[str, set[str]] = {}
    for day, levels in whole.items():
        for factor, level in levels.items():
            if found[day].get(factor) != level:
                changed.setdefault(factor, set()).add(day)
    return changed


BAD_CELLS = {
    "spot:SPX": (0.0, "not positive"),
    "black_vol:SPX:1Y:absolute:5000.0": (-0.2, "not positive"),
    "zero_rate:USD.OIS:1M": (float("inf"), "not finite"),
}


def test_a_bad_cell_makes_two_moves_of_its_factor_unknown(history, days, snapshot) -> None:
    """That to its date and that from it; every other level stays, to the bit."""
    bad = [dict(row) for row in history]
    for row in bad:
        if row["date"] == days[1] and row["factor"] in BAD_CELLS:
            row["value"] = BAD_CELLS[row["factor"]][0]
    bad.append({"factor": "spot:DAX", "date": days[1], "value": 1.0})  # beside another value
    columns, faults = historical_columns(_table(bad), snapshot)
    two = {days[1].isoformat(), days[2].isoformat()}
    assert _changed(history, days, snapshot, bad) == dict.fromkeys([*BAD_CELLS, "spot:DAX"], two)
    levels = _levels(columns, snapshot)
    for factor in (*BAD_CELLS, "spot:DAX"):
        assert [bool(np.isnan(levels[day][factor])) for day in levels] == [True, True, False]
    found = {(f.column, f.rule): f for f in faults}
    assert {f.level for f in faults} == {"error"}
    assert {key: f.rows for key, f in found.items()} == {
        ("value", "not finite"): 1,
        ("value", "not positive"): 2,
        ("factor", "duplicate"): 2,
    }
    assert all(f"first on {days[1]}; its moves to and from there" in f.message for f in faults)


@pytest.mark.parametrize("nothing", [None, float("nan"), "no row"])
def test_a_cell_that_says_nothing_is_a_gap(history, days, snapshot, nothing) -> None:
    """As a row that is not there: the factor does not move on two dates, with a warning."""
    bad = [dict(row) for row in history]
    (row,) = [row for row in bad if (row["factor"], row["date"]) == ("spot:SPX", days[1])]
    row["value"] = nothing
    if nothing == "no row":
        bad.remove(row)
    columns, faults = historical_columns(_table(bad), snapshot)
    assert [(f.level, f.rule, f.sample) for f in faults] == [("warning", "gaps", ("spot:SPX",))]
    assert ["spot:SPX" in moves for moves in _levels(columns, snapshot).values()] == [False, False, True]


def test_a_row_without_date_or_factor_makes_unknown_what_it_may_have_been(history, days, snapshot) -> None:
    bad = [dict(row) for row in history]
    for row in bad:
        if (row["factor"], row["date"]) == ("spot:SPX", days[1]):
            row["date"] = None
        if (row["factor"], row["date"]) == ("spot:DAX", days[3]):
            row["factor"] = None
    columns, faults = historical_columns(_table(bad), snapshot)
    first, second, third = (day.isoformat() for day in days[1:])
    assert _changed(history, days, snapshot, bad) == {"spot:SPX": {first, second}, "spot:DAX": {third}}
    levels = _levels(columns, snapshot)
    assert np.isnan([levels[first]["spot:SPX"], levels[second]["spot:SPX"], levels[third]["spot:DAX"]]).all()
    assert {(f.level, f.column, f.rule): f.rows for f in faults} == {
        ("error", "date", "null"): 1,
        ("error", "factor", "null"): 1,
    }


def test_days_after_as_of_blank_rows_and_what_is_said_twice_are_warnings(history, days, snapshot, as_of) -> None:
    later = [{**row, "date": date_of(as_of + 1), "value": -1.0} for row in history if row["date"] == days[0]]
    blank = {"factor": None, "date": None, "value": None}
    bad = [*history, *later, blank, history[0]]
    _, faults = historical_columns(_table(bad), snapshot)
    assert _changed(history, days, snapshot, bad) == {}
    assert {(f.level, f.column, f.rule): f.rows for f in faults} == {
        ("warning", "date", "after as_of"): len(later),
        ("warning", "date", "blank"): 1,
        ("warning", "factor", "duplicate"): 1,
    }


def test_a_history_in_pence(point, table_of, as_of, days) -> None:
    """Differences are in the units of the quote; ratios have none."""
    snapshot = MarketSnapshot.from_table(table_of([point("spot", "VOD", 72.3), point("spot", "BP", 5.0)]), as_of)
    rows = [
        {"factor": factor, "date": day, "value": value}
        for factor, values in {"spot:VOD": (7000.0, 7100.0), "spot:BP": (500.0, 550.0)}.items()
        for day, value in zip(days, values, strict=False)
    ]
    units = {"spot:VOD": 100.0, "spot:BP": 100.0}
    columns, _ = historical_columns(_table(rows), snapshot, HistoryRules({"spot:VOD": "absolute"}, units=units))
    (levels,) = _levels(columns, snapshot).values()
    assert levels == {"spot:VOD": pytest.approx(73.3, rel=1e-14), "spot:BP": pytest.approx(5.5, rel=1e-14)}


def test_missing_and_mistyped_columns(history, snapshot) -> None:
    table = _table(history).drop_columns(["value"])
    table = table.set_column(0, "date", pa.array(["2024-01-01"] * len(table)))
    columns, faults = historical_columns(table, snapshot)
    assert columns == []
    assert {(f.column, f.rule) for f in faults} == {("value", "missing column"), ("date", "wrong type")}


@pytest.mark.parametrize("n_dates", [0, 1])
def test_one_date_has_no_move(history, rows, snapshot, n_dates) -> None:
    columns, faults = historical_columns(_table(history[: n_dates * len(rows)]), snapshot)
    assert columns == []
    assert [(f.level, f.rule) for f in faults] == [("error", "too short" if n_dates else "empty")]


def test_a_file_of_an_empty_frame(snapshot) -> None:
    columns, faults = historical_columns(pa.table({}), snapshot)
    assert columns == []
    assert [fault.message for fault in faults] == ["the table has no rows: there is no historical scenario"]


def test_zero_rates_in_the_past_are_no_trouble(point, table_of, as_of, days) -> None:
    snapshot = MarketSnapshot.from_table(table_of([point("zero_rate", "X", 0.02, "1Y")]), as_of)
    rows = [
        {"factor": "zero_rate:X:1Y", "date": d, "value": v} for d, v in zip(days, (0.0, 0.0, -0.01, 0.0), strict=True)
    ]
    columns, faults = historical_columns(_table(rows), snapshot)
    assert faults == []
    np.testing.assert_allclose([value[0] for _, _, value in columns], [0.02, 0.01, 0.03], rtol=1e-15)


def test_risk_reversals_and_butterflies_move_by_differences(rows, spread_quotes, table_of, days, as_of) -> None:
    quotes = spread_quotes(0.08, -0.01, 0.0)
    snapshot = MarketSnapshot.from_table(table_of([*rows, *quotes]), as_of)
    past = {days[0]: (0.10, 0.002, -0.001), days[1]: (0.11, -0.004, 0.003)}
    history = [
        {"factor": quote["factor"], "date": day, "value": value}
        for day, values in past.items()
        for quote, value in zip(quotes, values, strict=True)
    ]
    ((_, factor, value),), faults = historical_columns(_table(history), snapshot)
    assert {fault.level for fault in faults} == {"warning"}
    found = {snapshot.factor_ids[k]: level for k, level in zip(factor, value, strict=True)}
    assert [found[quote["factor"]] for quote in quotes] == pytest.approx([0.08 * 0.11 / 0.10, -0.016, 0.004])


def _oil(point, table_of, as_of, levels=(70.0, 73.0)) -> MarketSnapshot:
    rows = [point("forward_price", "WTI", level, tenor) for tenor, level in zip(("1M", "6M"), levels, strict=True)]
    return MarketSnapshot.from_table(
        table_of([*rows, point("spot", "SPX", 5000.0), point("zero_rate", "X", -0.01, "1Y")]), as_of
    )


def _past(days, **series) -> pa.Table:
    names = {"oil": "forward_price:WTI:1M", "spx": "spot:SPX", "rate": "zero_rate:X:1Y"}
    return _table(
        [
            {"factor": names[name], "date": day, "value": value}
            for name, values in series.items()
            for day, value in zip(days, values, strict=True)
        ]
    )


@pytest.mark.parametrize(
    ("returns", "oil"),
    [
        ({"forward_price:*": "absolute"}, [70.0 - 18.27 - 37.63, 70.0 + 10.01 + 37.63, 70.0]),
        ({"*": "log", "forward_price:WTI": "absolute"}, [70.0 - 18.27 - 37.63, 70.0 + 10.01 + 37.63, 70.0]),
        ({"forward_price:W?I": "relative"}, [70.0 * -37.63 / 18.27, 70.0 * 10.01 / -37.63, 70.0]),
    ],
)
def test_oil_in_april_2020(returns, oil, point, table_of, as_of, days) -> None:
    """The front contract's closes of 17, 20 and 21 April 2020, as differences and as ratios; the last glob counts."""
    snapshot = _oil(point, table_of, as_of)
    past = _past(days, oil=(18.27, -37.63, 10.01, 10.01), spx=(100.0, 90.0, 99.0, 99.0))
    columns, faults = historical_columns(past, snapshot, HistoryRules(returns))
    assert {fault.level for fault in faults} <= {"warning"}
    at = snapshot.factor_index("forward_price:WTI:1M")
    np.testing.assert_allclose([dict(zip(f.tolist(), v, strict=True))[at] for _, f, v in columns], oil, rtol=1e-14)
    spx = snapshot.factor_index("spot:SPX")
    moved = [dict(zip(f.tolist(), v, strict=True))[spx] for _, f, v in columns]
    np.testing.assert_allclose(moved, [4500.0, 5500.0, 5000.0], rtol=1e-14)


def test_a_negative_price_has_no_ratio_and_the_message_says_what_to_set(point, table_of, as_of, days) -> None:
    past = _past(days, oil=(18.27, -37.63, 0.0, 10.01))
    columns, faults = historical_columns(past, _oil(point, table_of, as_of))
    assert np.isnan([value for _, _, value in columns]).all()
    ((fault),) = [fault for fault in faults if fault.level == "error"]
    assert (fault.rule, fault.rows) == ("not positive", 2)
    assert "history.returns: absolute" in fault.message


def test_a_negative_price_of_today_has_no_ratio(point, table_of, as_of, days) -> None:
    """Scaled up, it would fall where prices rose."""
    past = _past(days, oil=(10.0, 20.0, 30.0, 40.0))
    snapshot = _oil(point, table_of, as_of, levels=(-37.63, 20.0))
    columns, faults = historical_columns(past, snapshot)
    assert np.isnan([value for _, _, value in columns]).all()
    assert "today's value is zero or negative" in next(fault.message for fault in faults if fault.level == "error")
    columns, faults = historical_columns(past, snapshot, HistoryRules({"forward_price:*": "absolute"}))
    at = snapshot.factor_index("forward_price:WTI:1M")
    np.testing.assert_allclose([v[f.tolist().index(at)] for _, f, v in columns], [-27.63] * 3, rtol=1e-14)


def test_zero_has_no_ratio_either(point, table_of, as_of, days) -> None:
    past = _past(days, rate=(0.01, 0.0, 0.01, 0.02))
    columns, faults = historical_columns(past, _oil(point, table_of, as_of), HistoryRules({"zero_rate:*": "relative"}))
    np.testing.assert_allclose([value[0] for _, _, value in columns], [np.nan, np.nan, -0.02], rtol=1e-14)
    assert [(fault.rule, fault.rows) for fault in faults if fault.level == "error"] == [("not positive", 1)]
    past = _past(days, rate=(0.01, -0.02, 0.01, 0.02))
    columns, _ = historical_columns(past, _oil(point, table_of, as_of), HistoryRules({"zero_rate:*": "relative"}))
    np.testing.assert_allclose([value[0] for _, _, value in columns], [0.02, 0.005, -0.02], rtol=1e-14)


def test_a_difference_may_not_sink_a_price_that_must_be_above_zero(point, table_of, as_of, days) -> None:
    past = _past(days, spx=(6000.0, 500.0, 600.0, 700.0))
    columns, faults = historical_columns(past, _oil(point, table_of, as_of), HistoryRules({"spot:*": "absolute"}))
    np.testing.assert_allclose([value[0] for _, _, value in columns], [np.nan, 5100.0, 5100.0], rtol=1e-14)
    (fault,) = [fault for fault in faults if fault.level == "error"]
    assert (fault.rule, fault.sample) == ("not positive", ("spot:SPX",))
    assert days[1].isoformat() in fault.message
    assert "history.returns: log" in fault.message


def test_a_move_without_end_is_told(point, table_of, as_of, days) -> None:
    past = _past(days, spx=(5e-324, 1e300, 1.0, 1.0))
    columns, faults = historical_columns(past, _oil(point, table_of, as_of))
    assert [bool(np.isnan(value[0])) for _, _, value in columns] == [True, False, False]
    assert [(fault.rule, fault.rows) for fault in faults if fault.level == "error"] == [("not finite", 1)]


def test_globs_without_a_match_and_what_is_not_to_be_moved(rows, spread_quotes, table_of, days, as_of) -> None:
    quotes = spread_quotes(0.08, -0.01, 0.0)
    snapshot = MarketSnapshot.from_table(table_of([*rows, *quotes]), as_of)
    history = [{"factor": quote["factor"], "date": day, "value": value} for day, values in
               zip(days, ((0.1, 0.01, 0.0), (0.11, -0.01, 0.01)), strict=False)
               for quote, value in zip(quotes, values, strict=True)]  # fmt: skip
    returns = {"recovery:*": "absolute", "Spot:*": "log", "*": "log"}
    ((_, factor, value),), faults = historical_columns(_table(history), snapshot, HistoryRules(returns))
    found = {snapshot.factor_ids[k]: level for k, level in zip(factor, value, strict=True)}
    assert [found[quote["factor"]] for quote in quotes] == pytest.approx([0.088, -0.03, 0.01])
    (fault,) = [fault for fault in faults if fault.rule == "unknown factor"]
    assert (fault.level, fault.sample) == ("warning", ("recovery:*", "Spot:*"))


def test_moves_over_several_days_overlap(point, table_of, as_of) -> None:
    """Against closed forms: every date that has one h dates before it; ratios and differences telescope."""
    rng = np.random.default_rng(4)
    dates = [date_of(as_of) - timedelta(days=back) for back in range(40, 0, -1)]
    spx, rate = 5000.0 * np.exp(np.cumsum(rng.normal(0, 0.01, 40))), 0.02 + np.cumsum(rng.normal(0, 1e-4, 40))
    names = {"spot:SPX": spx, "zero_rate:X:1Y": rate}
    rows = [{"factor": k, "date": d, "value": v} for k, vs in names.items() for d, v in zip(dates, vs, strict=True)]
    snapshot = MarketSnapshot.from_table(
        table_of([point("spot", "SPX", 70.0), point("zero_rate", "X", 0.03, "1Y")]), as_of
    )
    for days in (1, 3, 10):
        columns, faults = historical_columns(_table(rows), snapshot, HistoryRules(horizon_days=days))
        assert faults == []
        assert [name for name, _, _ in columns] == [d.isoformat() for d in dates[days:]]
        levels = list(_levels(columns, snapshot).values())
        steps = np.log(spx[1:] / spx[:-1])
        ratios = [70.0 * np.exp(steps[k : k + days].sum()) for k in range(40 - days)]
        np.testing.assert_allclose([level["spot:SPX"] for level in levels], ratios, rtol=1e-13)
        differences = 0.03 + rate[days:] - rate[:-days]
        np.testing.assert_allclose([level["zero_rate:X:1Y"] for level in levels], differences, rtol=1e-13)


def test_a_gap_and_a_bad_value_reach_the_moves_to_and_from_them_alone(history, days, snapshot) -> None:
    bad = [row for row in history if (row["factor"], row["date"]) != ("spot:SPX", days[1])]
    bad = [{**row, "value": -1.0} if (row["factor"], row["date"]) == ("spot:DAX", days[0]) else row for row in bad]
    columns, faults = historical_columns(_table(bad), snapshot, HistoryRules(horizon_days=2))
    first, second = _levels(columns, snapshot).values()
    assert "spot:SPX" in first
    assert "spot:SPX" not in second
    assert np.isnan(first["spot:DAX"])
    assert (
        second["spot:DAX"]
        == _levels(*[historical_columns(_table(history), snapshot, HistoryRules(horizon_days=2))[0]], snapshot)[
            days[3].isoformat()
        ]["spot:DAX"]
    )
    assert {fault.rule for fault in faults} == {"gaps", "not positive"}


def test_a_move_of_several_days_needs_as_many_dates_and_one(history, snapshot) -> None:
    columns, faults = historical_columns(_table(history), snapshot, HistoryRules(horizon_days=4))
    assert columns == []
    assert [(fault.rule, fault.message) for fault in faults] == [
        ("too short", "moves need 5 dates at least: there is no historical scenario")
    ]


def test_what_is_said_twice_in_distant_rows(history, days, snapshot) -> None:
    """Different values are unknown and counted, all of them; equal ones are a warning."""
    (spx,) = [row for row in history if (row["factor"], row["date"]) == ("spot:SPX", days[1])]
    (dax,) = [row for row in history if (row["factor"], row["date"]) == ("spot:DAX", days[2])]
    bad = [{**spx, "value": spx["value"] * 1.01}, dax, *history, spx, dax]
    _, faults = historical_columns(_table(bad), snapshot)
    assert _changed(history, days, snapshot, bad) == {"spot:SPX": {days[1].isoformat(), days[2].isoformat()}}
    assert {(f.level, f.rule, f.rows, f.sample) for f in faults} == {
        ("error", "duplicate", 3, ("spot:SPX",)),
        ("warning", "duplicate", 2, ("spot:DAX",)),
    }
    assert f"first on {days[1]}" in next(f.message for f in faults if f.level == "error")


def test_text_that_is_not_utf_8_is_no_name(history, days, snapshot) -> None:
    table = _table(history)
    at = next(k for k, row in enumerate(history) if (row["factor"], row["date"]) == ("spot:SPX", days[1]))
    names = [name.encode() for name in table["factor"].to_pylist()]
    names[at] = b"spot:\xff"
    table = table.set_column(1, "factor", pa.array(names, pa.binary()))
    columns, faults = historical_columns(table, snapshot)
    assert [(f.column, f.rule, f.rows, f.sample) for f in faults] == [
        ("factor", "utf_8", 1, (f"row {at}",)),
        ("factor", "null", 1, (f"row {at}",)),
    ]
    levels = _levels(columns, snapshot)
    assert [bool(np.isnan(levels[day.isoformat()]["spot:SPX"])) for day in days[1:]] == [True, True, False]
