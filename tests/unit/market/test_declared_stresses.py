"""Stresses of the configuration: the levels they make, by plain arithmetic, and what is wrong with them."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from histories import moves_of

from riskpipe.market.declared_stresses import declared_columns
from riskpipe.market.factors import MarketFault, date_of, days_of
from riskpipe.market.stress_terms import CurveStress, DeclaredStresses, HistoryStress, LadderStress
from riskpipe.market.stresses import Column

DAYS = (8, 7, 4, 0)


@pytest.fixture
def past(rows, as_of) -> pa.Table:
    """Each factor on four dates; EURUSD lacks the first, DAX cannot be on the second."""
    found = []
    for k, back in enumerate(DAYS):
        for row in rows:
            value = row["value"] * (1.0 + 0.01 * (k + 1) * (1 + len(row["name"]) % 3))
            if row["factor"] == "spot:EURUSD" and k == 0:
                continue
            value = -1.0 if row["factor"] == "spot:DAX" and k == 1 else value
            found.append((date_of(as_of - back), row["factor"], value))
    date_, factor, value = zip(*found, strict=True)
    return pa.table({"date": pa.array(date_, pa.date32()), "factor": factor, "value": value})


@pytest.fixture
def made(snapshot, past):
    def make(*stresses: object, taken: tuple[str, ...] = ()) -> tuple[dict[str, dict[str, float]], list[MarketFault]]:
        declared = DeclaredStresses(
            tuple(each for each in stresses if isinstance(each, HistoryStress)),
            tuple(each for each in stresses if isinstance(each, LadderStress)),
            tuple(each for each in stresses if isinstance(each, CurveStress)),
        )
        columns, faults = declared_columns(declared, snapshot, moves_of(past, snapshot), taken)
        return {name: _levels(snapshot, (name, factors, levels)) for name, factors, levels in columns}, faults

    return make


def _levels(snapshot, column: Column) -> dict[str, float]:
    _, factors, levels = column
    assert (np.diff(factors) > 0).all()
    return {snapshot.factor_ids[f]: float(v) for f, v in zip(factors, levels, strict=True)}


def _ladder(underlying: str, spot=(0.0,), vol=(0.0,), shift="relative", separately=False, name="grid") -> LadderStress:
    return LadderStress(name, underlying, spot, vol, shift, separately)


def _curve(curve: str, shape="parallel", pivot=None, kind="rates", shift=0.01, end="30Y", name="move") -> CurveStress:
    return CurveStress(name, curve, kind, shape, shift, pivot, end)


def test_days_of_the_past_add_up(made, past, snapshot, level, as_of) -> None:
    found, faults = made(HistoryStress("fall", as_of - 7, as_of), HistoryStress("one", as_of - 4, as_of - 4))
    then = {(day, factor): v for day, factor, v in zip(*(past[k].to_pylist() for k in range(3)), strict=True)}
    for name, before, after in (("fall", 8, 0), ("one", 7, 4)):
        for factor, value in found[name].items():
            a, b = (then.get((date_of(as_of - back), factor)) for back in (before, after))
            if factor == "spot:DAX" and name == "one":
                assert np.isnan(value)
            elif factor.split(":")[0] in ("zero_rate", "hazard_rate", "dividend_yield"):
                assert value == pytest.approx(level[factor] + b - a, rel=1e-14)
            else:
                assert value == pytest.approx(level[factor] * b / a, rel=1e-14)
    assert "spot:EURUSD" not in found["fall"]
    assert "spot:EURUSD" in found["one"]
    ((gap),) = faults
    assert (gap.level, gap.column, gap.rule, gap.sample) == ("warning", "history.fall", "gaps", ("spot:EURUSD",))


def test_a_day_is_the_historical_scenario_of_that_day(made, past, snapshot, as_of) -> None:
    found, _ = made(HistoryStress("day", as_of - 4, as_of - 4))
    (name, factors, levels) = list(moves_of(past, snapshot).columns())[1]
    assert name == date_of(as_of - 4).isoformat()
    np.testing.assert_array_equal(list(found["day"].values()), levels)
    assert list(found["day"]) == [snapshot.factor_ids[k] for k in factors]


def test_ladders_move_prices_and_their_volatilities(made, level) -> None:
    found, faults = made(_ladder("SPX", (-0.2, 0.1), (0.0, 0.5)))
    assert faults == []
    names = [f"grid/spot{s}%/vol{v}%" for s in ("-20", "+10") for v in ("+0", "+50")]
    assert list(found) == names
    vols = {f: v for f, v in level.items() if f.startswith("black_vol:SPX:")}
    assert len(vols) > 1
    assert found[names[1]] == {"spot:SPX": 5000.0 * 0.8, **{f: v * 1.5 for f, v in vols.items()}}
    assert found[names[2]] == {"spot:SPX": 5000.0 * 1.1, **vols}
    found, _ = made(_ladder("SPX", vol=(0.05,), shift="absolute"))
    assert found == {"grid/spot+0%/vol+5": {"spot:SPX": 5000.0, **{f: v + 0.05 for f, v in vols.items()}}}


def test_ladders_of_several_underlyings(made, level) -> None:
    found, _ = made(_ladder("???USD", (0.1,)))
    assert {f for f in found["grid/spot+10%/vol+0%"] if f.startswith("spot:")} == {"spot:EURUSD", "spot:GBPUSD"}
    apart, _ = made(_ladder("???USD", (0.1,), separately=True))
    assert list(apart) == ["grid/EURUSD/spot+10%/vol+0%", "grid/GBPUSD/spot+10%/vol+0%"]
    assert apart["grid/EURUSD/spot+10%/vol+0%"]["spot:EURUSD"] == level["spot:EURUSD"] * 1.1
    forwards, _ = made(_ladder("WTI", (-0.5,)))
    assert {f: v for f, v in forwards["grid/spot-50%/vol+0%"].items() if f.startswith("forward")} == {
        f: v * 0.5 for f, v in level.items() if f.startswith("forward_price:WTI:")
    }


@pytest.mark.parametrize("shape", ["parallel", "steepen", "twist"])
def test_curves_move_by_time(made, snapshot, level, as_of, shape: str) -> None:
    pivot = None if shape == "parallel" else "2Y"
    found, faults = made(_curve("USD.*", shape, pivot, end="10Y"))
    assert faults == []
    moved = found["move"]
    assert set(moved) == {f for f in level if f.startswith("zero_rate:USD.")}
    start, end = (days_of(date(date_of(as_of).year + n, 10, 4)) for n in (2, 10))
    for factor, value in moved.items():
        day = int(snapshot.days[snapshot.factor_index(factor)])
        if shape == "parallel":
            share = 1.0
        elif day >= start:
            share = min((day - start) / (end - start), 1.0)
        else:
            share = 0.0 if shape == "steepen" else -(start - day) / (start - as_of)
        assert value == pytest.approx(level[factor] + 0.01 * share, abs=1e-15)


def test_hazard_rates_are_curves_of_credit(made, level) -> None:
    found, _ = made(_curve("AC*", kind="credit", shift=0.02))
    assert found["move"] == {f: v + 0.02 for f, v in level.items() if f.startswith("hazard_rate:ACME:")}


def test_every_fault_at_once(made, as_of) -> None:
    good = _curve("USD.*", name="good")
    found, faults = made(
        HistoryStress("weekend", as_of - 6, as_of + 1),
        HistoryStress("first", as_of - 8, as_of),
        _ladder("SPY", (0.1,), name="typo"),
        _ladder("EURCHF", vol=(0.1,), name="flat"),
        _curve("USD.OIZ", name="unknown"),
        _curve("USD.*", kind="credit", name="other"),
        good,
        taken=("good",),
    )
    assert list(found) == ["good"]
    assert {(each.level, each.rows) for each in faults} == {("error", 0)}
    told = {each.column: f"{each.rule}: {each.message}" for each in faults}
    iso = {back: date_of(as_of - back).isoformat() for back in (8, 7, 6, 4, -1)}
    assert told["history.weekend"] == (
        f"not in the history: the history has no {iso[6]}, {iso[-1]}: nearest are {iso[7]} and {iso[4]}"
    )
    assert told["history.first"].endswith(f"a move to {iso[8]} needs a date before it, and the history begins there")
    assert told["ladders.typo"].startswith("unknown underlying: today's market has no spot or forward price 'SPY'; did")
    assert told["ladders.flat"].endswith("has no volatilities of 'EURCHF': leave volatility out")
    assert told["curves.unknown"].startswith(
        "unknown curve: today's market has no curve 'USD.OIZ' of rates; did you mean"
    )
    assert told["curves.other"].startswith("unknown curve: today's market has no curve 'USD.*' of credit")
    assert told["curves.good"].startswith("named twice: inputs.scenarios has 'good', too")


def test_levels_that_cannot_be_have_none(made) -> None:
    found, faults = made(_ladder("SPX", vol=(-5.0, 0.1), shift="absolute"))
    low = found["grid/spot+0%/vol-500"]
    assert all(np.isnan(v) for f, v in low.items() if f.startswith("black_vol"))
    assert not any(np.isnan(v) for v in found["grid/spot+0%/vol+10"].values())
    ((told),) = faults
    assert (told.level, told.column, told.rule) == ("warning", "ladders.grid", "not positive")
    assert "first in scenario 'grid/spot+0%/vol-500'" in told.message
