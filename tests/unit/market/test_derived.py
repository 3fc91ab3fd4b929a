"""Points made from quotes: they join the market, and follow their quotes in every scenario."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from defaults import BUMPS
from histories import moves_of

from riskpipe.market.conventions import Conventions
from riskpipe.market.derived import (
    Derivation,
    Derivative,
    DerivedGroup,
    derive,
    with_points,
    without_groups,
)
from riskpipe.market.history import HistoryRules
from riskpipe.market.point_table import MARKET_SCHEMA
from riskpipe.market.scenarios import ScenarioSetBuilder
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.measures.run_scenarios import Histories, Stresses, build_scenarios

AS_OF = 20_000
QUOTES = ("par_rate:USD.SOFR:1Y", "par_rate:USD.SOFR:2Y")
NEAR, FAR = "zero_rate:USD.SOFR:2025-10-04", "zero_rate:USD.SOFR:2026-10-04"
BASIS = "zero_rate:USD.TERM:2026-10-04"
SLOPE = np.array([[0.9, 0.0], [0.2, 0.7]])


def _row(factor: str, value: float, instrument: str | None = None) -> dict[str, object]:
    kind, name, tenor = factor.split(":")
    return {"factor": factor, "kind": kind, "name": name, "tenor": tenor, "value": value, "instrument": instrument}


def _squares(inputs: np.ndarray) -> np.ndarray:
    if inputs[0] > 1.0:
        raise ValueError("the quote of 1Y is too high")
    return 0.1 * inputs**2


GIVEN = pa.Table.from_pylist([_row(QUOTES[0], 0.03, "ois"), _row(QUOTES[1], 0.04, "ois")], MARKET_SCHEMA)
CURVE = DerivedGroup(pa.Table.from_pylist([_row(NEAR, 0.031), _row(FAR, 0.041)], MARKET_SCHEMA), QUOTES, SLOPE)
TERM = DerivedGroup(pa.Table.from_pylist([_row(BASIS, 0.05)], MARKET_SCHEMA), (FAR,), np.array([[2.0]]))
EXACT = DerivedGroup(CURVE.points, QUOTES, SLOPE, _squares)


def _derivative(*groups: DerivedGroup) -> Derivative:
    return Derivative(MarketSnapshot.from_table(with_points(GIVEN, groups), AS_OF), groups)


def _column(derivative: Derivative, shocks: dict[str, float], *, exact: bool = False) -> dict[str, float]:
    snapshot = derivative.snapshot
    factor = np.array([snapshot.factor_index(name) for name in shocks])
    builder = ScenarioSetBuilder(snapshot, derivative)
    builder.add("shock", "stress", factor, np.array(list(shocks.values())), exact=exact)
    built = builder.build()
    factors, levels = built.shocks(1)
    assert factors[built.lead[1]] == factor[0]
    assert (np.diff(factors) > 0).all()
    return {snapshot.factor_ids[f]: v for f, v in zip(factors, levels, strict=True)}


def test_derived_points_follow_their_quotes() -> None:
    moved = _column(_derivative(CURVE), {QUOTES[0]: 0.03 + 1e-4})
    assert moved == {
        QUOTES[0]: 0.03 + 1e-4,
        NEAR: pytest.approx(0.031 + 0.9e-4, abs=1e-16),
        FAR: pytest.approx(0.041 + 0.2e-4, abs=1e-16),
    }


def test_a_point_without_slope_on_what_moves_is_not_touched() -> None:
    assert set(_column(_derivative(CURVE), {QUOTES[1]: 0.05})) == {QUOTES[1], FAR}


def test_points_made_of_derived_points_follow_through_them() -> None:
    moved = _column(_derivative(CURVE, TERM), {QUOTES[1]: 0.04 + 1e-3})
    assert moved[BASIS] == pytest.approx(0.05 + 2.0 * 0.7e-3, abs=1e-15)


def test_a_derived_point_that_is_shocked_itself_stays_there_and_carries_others() -> None:
    moved = _column(_derivative(CURVE, TERM), {QUOTES[0]: 0.04, FAR: 0.042})
    assert moved[FAR] == 0.042
    assert moved[NEAR] == pytest.approx(0.031 + 0.9e-2, abs=1e-15)
    assert moved[BASIS] == pytest.approx(0.052, abs=1e-15)


def test_exact_columns_are_made_anew() -> None:
    moved = _column(_derivative(EXACT), {QUOTES[0]: 0.5}, exact=True)
    assert moved[NEAR] == 0.1 * 0.5**2
    assert moved[FAR] == 0.1 * 0.04**2


@pytest.mark.parametrize("error", [RuntimeError, ZeroDivisionError, FloatingPointError, ValueError])
def test_what_cannot_be_made_anew_has_no_level_and_neither_has_what_is_made_of_it(error: type[Exception]) -> None:
    def refuse(levels: np.ndarray) -> np.ndarray:
        raise error("negative discount")

    never = DerivedGroup(CURVE.points, QUOTES, SLOPE, refuse)
    on_it = DerivedGroup(TERM.points, TERM.inputs, TERM.slope, lambda levels: levels)
    for term in (TERM, on_it):
        moved = _column(_derivative(never, term), {QUOTES[0]: 0.05}, exact=True)
        assert {name for name, level in moved.items() if np.isnan(level)} == {NEAR, FAR, BASIS}
    shocked = {QUOTES[0]: 0.05, NEAR: 0.03, FAR: 0.04}
    assert _column(_derivative(never), shocked, exact=True) == shocked, "nothing of it is to be made"


def test_levels_that_are_no_numbers_are_none() -> None:
    strange = DerivedGroup(CURVE.points, QUOTES, SLOPE, lambda levels: np.array([0.03, np.inf]))
    moved = _column(_derivative(strange), {QUOTES[0]: 0.05}, exact=True)
    assert np.isnan([moved[NEAR], moved[FAR]]).all()


def test_the_same_bits_whatever_else_moves() -> None:
    alone = _column(_derivative(CURVE, TERM), {QUOTES[1]: 0.0437})
    beside = _column(_derivative(CURVE, TERM), {QUOTES[1]: 0.0437, QUOTES[0]: 0.03})
    assert alone[FAR] == beside[FAR]
    assert alone[BASIS] == beside[BASIS]


def test_a_later_producer_sees_the_points_and_the_faults_of_those_before() -> None:
    seen: list[tuple[int, frozenset[tuple[str, str]]]] = []

    def first(table: pa.Table, as_of: int, conventions: Conventions, left_out: frozenset) -> Derivation:
        return Derivation(with_points(table, [CURVE]), (CURVE,), (), frozenset({("zero_rate", "EUR.ESTR")}))

    def second(table: pa.Table, as_of: int, conventions: Conventions, left_out: frozenset) -> Derivation:
        seen.append((len(table), left_out))
        return Derivation(with_points(table, [TERM]), (TERM,))

    bad = frozenset({("par_rate", "EUR.ESTR")})
    found = derive(GIVEN, (first, second), AS_OF, Conventions(), bad)
    assert seen == [(4, bad | {("zero_rate", "EUR.ESTR")})]
    assert found.groups == (CURVE, TERM)
    assert found.left_out == bad | {("zero_rate", "EUR.ESTR")}
    assert len(without_groups(found.table, frozenset({("par_rate", "USD.SOFR")}))) == 3


def test_measures_by_point_have_quotes_in_place_of_derived_points() -> None:
    derivative = _derivative(CURVE)
    columns = build_scenarios(derivative.snapshot, ("bucketed_delta",), BUMPS, derivative=derivative).columns
    assert columns.names.to_pylist() == ["base", *QUOTES]


def test_a_stress_of_which_no_curve_can_be_made_is_told_and_kept() -> None:
    derivative = _derivative(EXACT)
    names, shifts = ["up", "far up", "further up"], [0.9, 1.5, 1.6]
    stress = {"scenario": names, "factor": [QUOTES[0]] * 3, "shift_type": ["set"] * 3, "shift": shifts}
    found = build_scenarios(
        derivative.snapshot, ("stress",), BUMPS, stress=Stresses(pa.table(stress)), derivative=derivative
    )
    (fault,) = found.stress_faults
    assert (fault.level, fault.sample) == ("warning", ("far up", "further up"))
    assert "in 'far up': the quote of 1Y is too high; what depends on it fails there" in fault.message
    levels = found.columns.levels(derivative.snapshot.x0, np.arange(4))
    near = derivative.snapshot.factor_index(NEAR)
    assert levels[near, 1] == 0.1 * 0.9**2
    np.testing.assert_array_equal(np.isnan(levels[near]), [False, False, True, True])


def test_a_history_without_derived_points_lacks_nothing() -> None:
    derivative = _derivative(CURVE)
    days = pa.array([AS_OF - 1, AS_OF - 1, AS_OF, AS_OF], pa.int32()).cast(pa.date32())
    history = pa.table({"date": days, "factor": [*QUOTES, *QUOTES], "value": [0.03, 0.04, 0.031, 0.04]})
    moves = moves_of(history, derivative.snapshot, HistoryRules(derived=derivative.is_derived))
    found = build_scenarios(
        derivative.snapshot, ("historical_var",), BUMPS, histories=Histories(moves), derivative=derivative
    )
    assert found.history_faults == {"historical": []}
    assert found.columns.levels(derivative.snapshot.x0, np.array([1]))[
        derivative.snapshot.factor_index(NEAR), 0
    ] == pytest.approx(0.031 + 0.9e-3, abs=1e-15)


def test_parts_move_derived_points_with_the_quotes_that_move() -> None:
    """Of a curve made of two quotes, of which one rests; a point that was given is not one that follows."""
    derivative = _derivative(CURVE)
    snapshot = derivative.snapshot
    builder = ScenarioSetBuilder(snapshot, derivative)
    given = {QUOTES[0]: 0.05, QUOTES[1]: 0.06, NEAR: 0.07}
    at = np.array([snapshot.factor_index(name) for name in given])
    builder.add("day", "whole", at, np.array(list(given.values())))
    moves = np.ones(len(snapshot), np.bool_)
    moves[[snapshot.factor_index(QUOTES[0]), snapshot.factor_index(NEAR)]] = False
    builder.add_part("part", "whole", moves)
    factors, levels = builder.build().shocks(2)
    found = dict(zip([snapshot.factor_ids[k] for k in factors], levels.tolist(), strict=True))
    assert found == _column(derivative, {QUOTES[1]: 0.06})
