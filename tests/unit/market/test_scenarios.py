from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskpipe.errors import StorageError
from riskpipe.market.factors import SMILE
from riskpipe.market.scenarios import ScenarioSet, ScenarioSetBuilder, bump, stress_columns
from riskpipe.market.snapshot import MarketSnapshot


@pytest.fixture
def builder(snapshot) -> ScenarioSetBuilder:
    builder = ScenarioSetBuilder(snapshot)
    rng = np.random.default_rng(5)
    for k in range(4):
        builder.add(f"spot {k}", "delta", np.array([k]), np.array([1.0 + k]), cut=k == 0)
    builder.add("theta", "theta", np.empty(0, np.int32), np.empty(0), horizon=1)
    for k in range(6):
        factors = rng.permutation(len(snapshot))[: 5 + k]
        builder.add(f"2024-01-0{k + 1}", "historical", factors, rng.normal(size=len(factors)))
    return builder


@pytest.fixture
def scenarios(builder) -> ScenarioSet:
    return builder.build()


def _shocks(scenarios: ScenarioSet, column: int) -> dict[int, float]:
    factors, levels = scenarios.shocks(column)
    return dict(zip(factors.tolist(), levels.tolist(), strict=True))


# --- the set ---
def test_columns_in_the_order_of_adding(scenarios) -> None:
    assert len(scenarios) == 12
    assert scenarios.sets == ("base", "delta", "theta", "historical")
    assert scenarios.columns_of("base") == slice(0, 1)
    assert scenarios.columns_of("delta") == slice(1, 5)
    assert scenarios.columns_of("historical") == slice(6, 12)
    assert scenarios.names.to_pylist()[:2] == ["base", "spot 0"]
    assert scenarios.horizon.tolist() == [0] * 5 + [1] + [0] * 6
    assert scenarios.cut.tolist() == [True, True, False, False, False] + [True] * 7
    assert _shocks(scenarios, 0) == {}
    assert _shocks(scenarios, 3) == {2: 3.0}
    with pytest.raises(KeyError):
        scenarios.columns_of("stress")


def test_levels_are_the_base_with_the_shocks(scenarios, snapshot) -> None:
    columns = np.array([7, 0, 3, 5, 7])
    levels = scenarios.levels(snapshot.x0, columns)
    assert levels.shape == (len(snapshot), 5)
    assert levels.flags.c_contiguous
    for position, column in enumerate(columns):
        expected = snapshot.x0.copy()
        for factor, value in _shocks(scenarios, column).items():
            expected[factor] = value
        assert levels[:, position].tobytes() == expected.tobytes()
    assert levels[:, 1].tobytes() == snapshot.x0.tobytes()
    assert scenarios.levels(snapshot.x0, np.empty(0, np.int64)).shape == (len(snapshot), 0)


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_a_column_is_the_same_in_every_tile(data, point, table_of, as_of) -> None:
    n = data.draw(st.integers(1, 6))
    snapshot = MarketSnapshot.from_table(table_of([point("spot", f"S{k}", 1.0 + k) for k in range(n)]), as_of)
    builder = ScenarioSetBuilder(snapshot)
    shock = st.tuples(st.integers(0, n - 1), st.floats(0.1, 10.0))
    columns = data.draw(st.lists(st.lists(shock), max_size=8))
    for k, shocks in enumerate(columns):
        builder.add(str(k), "x", np.array([s[0] for s in shocks], np.int32), np.array([s[1] for s in shocks]))
    scenarios = builder.build()
    order = np.array(data.draw(st.permutations(range(len(scenarios)))))
    whole = scenarios.levels(snapshot.x0, np.arange(len(scenarios)))
    assert scenarios.levels(snapshot.x0, order).tobytes() == np.ascontiguousarray(whole[:, order]).tobytes()
    for k, shocks in enumerate(columns):
        expected = {
            **dict(enumerate(snapshot.x0.tolist())),
            **dict(shocks),
        }  # of a factor given twice the later
        assert whole[:, k + 1].tolist() == [expected[f] for f in range(n)]


def test_touched_groups(scenarios, snapshot) -> None:
    columns = np.array([11, 0, 2, 5, 8])
    indptr, groups = scenarios.touched_groups(columns, snapshot)
    assert len(indptr) == len(columns) + 1
    for k, column in enumerate(columns):
        expected = {int(snapshot.group_of_factor[f]) for f in _shocks(scenarios, int(column))}
        assert groups[indptr[k] : indptr[k + 1]].tolist() == sorted(expected)
    indptr, groups = scenarios.touched_groups(np.empty(0, np.int64), snapshot)
    assert (indptr.tolist(), len(groups)) == ([0], 0)


def test_file_round_trip_is_exact_and_mapped(scenarios, snapshot, tmp_path) -> None:
    path = tmp_path / "scenarios.arrow"
    scenarios.write(path)
    before = pa.total_allocated_bytes()
    again = ScenarioSet.open(path)
    assert pa.total_allocated_bytes() - before < scenarios.factor.nbytes  # the shocks are views of the mapping
    for name in ("indptr", "value", "pattern", "pattern_indptr", "factor", "horizon", "set_code", "cut", "lead"):
        ours, theirs = getattr(scenarios, name), getattr(again, name)
        assert ours.dtype == theirs.dtype
        assert ours.tobytes() == theirs.tobytes()
        assert not theirs.flags.writeable
    assert again.sets == scenarios.sets
    assert again.names.equals(scenarios.names)
    assert again.sha256 == scenarios.sha256
    del again.__dict__["sha256"]  # the stored one is also what the content hashes to
    assert again.sha256 == scenarios.sha256
    columns = np.arange(len(scenarios))
    assert again.levels(snapshot.x0, columns).tobytes() == scenarios.levels(snapshot.x0, columns).tobytes()
    again.write(tmp_path / "again.arrow")
    assert (tmp_path / "again.arrow").read_bytes() == path.read_bytes()


def test_columns_of_the_same_factors_share_their_list(snapshot) -> None:
    builder = ScenarioSetBuilder(snapshot)
    for day in range(40):
        builder.add(
            str(day),
            "historical",
            np.array([5, 2, 7]) if day % 8 else np.array([2]),
            np.full(3 if day % 8 else 1, 1.0 + day),
        )
    scenarios = builder.build()
    assert scenarios.factor.tolist() == [2, 2, 5, 7]
    assert len(scenarios.value) == 5 + 35 * 3
    for day in range(40):
        assert _shocks(scenarios, day + 1) == dict.fromkeys((2, 5, 7) if day % 8 else (2,), 1.0 + day)


def test_many_levels_are_kept_while_the_set_grows(snapshot) -> None:
    """Beyond the first buffers of the builder."""
    builder, rng = ScenarioSetBuilder(snapshot), np.random.default_rng(2)
    levels = rng.normal(size=(500, len(snapshot)))
    for day, row in enumerate(levels):
        builder.add(str(day), "historical", np.arange(len(snapshot)), row)
    scenarios = builder.build()
    assert scenarios.value.tobytes() == levels.tobytes()
    assert np.array_equal(scenarios.levels(snapshot.x0, np.arange(1, 501)), levels.T)


def test_base_alone_round_trips(snapshot, tmp_path) -> None:
    ScenarioSetBuilder(snapshot).build().write(tmp_path / "base.arrow")
    again = ScenarioSet.open(tmp_path / "base.arrow")
    assert len(again) == 1
    assert again.levels(snapshot.x0, np.array([0]))[:, 0].tobytes() == snapshot.x0.tobytes()


def test_open_refuses_other_files(snapshot, tmp_path) -> None:
    (tmp_path / "a.arrow").write_bytes(b"text")
    snapshot.write(tmp_path / "b.arrow")
    for name in ("a.arrow", "b.arrow", "missing.arrow"):
        with pytest.raises(StorageError, match=name):
            ScenarioSet.open(tmp_path / name)


def test_hash_covers_everything(snapshot) -> None:
    def sha256(name="a", set_name="s", factor=1, value=2.0, horizon=0, cut=True) -> str:
        builder = ScenarioSetBuilder(snapshot)
        builder.add(name, set_name, np.array([factor]), np.array([value]), horizon, cut)
        return builder.build().sha256

    variants = [
        sha256(),
        sha256(name="b"),
        sha256(set_name="t"),
        sha256(factor=2),
        sha256(value=2.5),
        sha256(horizon=1),
        sha256(cut=False),
    ]
    assert len(set(variants)) == len(variants)
    assert sha256() == variants[0]


def test_builder_refuses_nonsense(snapshot) -> None:
    builder = ScenarioSetBuilder(snapshot)
    one = np.array([1.0])
    for factor, value, word in (
        ([-1], one, "does not have"),
        ([len(snapshot)], one, "does not have"),
        ([0], np.array([np.inf]), "infinite"),
        ([0, 1], one, "2"),
    ):
        with pytest.raises(ValueError, match=word):
            builder.add("x", "x", np.array(factor), value)
    assert builder.add("x", "x", np.array([0]), one) == 1
    assert builder.add("y", "y", np.array([0]), one) == 2
    with pytest.raises(ValueError, match="one after the other"):
        builder.add("z", "x", np.array([0]), one)


# --- bumps and stresses ---
@pytest.mark.parametrize(
    ("shift_type", "expected"),
    [("absolute", 5000.5), ("relative", 7500.0), ("log", 5000.0 * math.exp(0.5)), ("set", 0.5)],
)
def test_bump(snapshot, shift_type, expected) -> None:
    index = np.array([snapshot.factor_index("spot:SPX")])
    assert bump(snapshot, index, 0.5, shift_type)[0] == pytest.approx(expected, rel=1e-15)


def _stresses(*rows: tuple[object, ...]) -> pa.Table:
    names = ("scenario", "factor", "shift_type", "shift")
    columns = zip(*rows, strict=True)
    types = (pa.string(), pa.string(), pa.string(), pa.float64())
    return pa.table({n: pa.array(c, t) for n, c, t in zip(names, columns, types, strict=True)})


def _named(columns, snapshot) -> dict[str, dict[str, float]]:
    return {
        name: {snapshot.factor_ids[f]: v for f, v in zip(factor, value.tolist(), strict=True)}
        for name, factor, value in columns
    }


def test_shift_types_and_globs(snapshot, level) -> None:
    columns, faults = stress_columns(
        _stresses(
            ("crash", "spot:???USD", "relative", -0.1),
            ("rates", "zero_rate:[UE]*:*", "absolute", 0.01),
            ("crash", "spot:SPX", "log", -0.3),
            ("crash", "black_vol:SPX:*", "relative", 0.5),
            ("fixed", "recovery:ACME", "set", 0.2),
        ),
        snapshot,
    )
    assert faults == []
    assert [name for name, _, _ in columns] == ["crash", "rates", "fixed"]
    for _, factor, _ in columns:
        assert factor.dtype == np.int32
        assert (np.diff(factor) > 0).all()
    found = _named(columns, snapshot)
    vols = {f: level[f] * 1.5 for f in level if f.startswith("black_vol:SPX:")}
    assert found["crash"] == {
        "spot:EURUSD": 1.1 * 0.9,
        "spot:GBPUSD": 1.3 * 0.9,
        "spot:SPX": pytest.approx(5000.0 * math.exp(-0.3), rel=1e-15),
        **vols,
    }
    assert found["rates"] == {f: v + 0.01 for f, v in level.items() if f.startswith(("zero_rate:U", "zero_rate:E"))}
    assert found["fixed"] == {"recovery:ACME": 0.2}


def test_a_later_row_wins_on_the_same_point(snapshot, level) -> None:
    columns, faults = stress_columns(
        _stresses(
            ("a", "spot:SPX", "relative", -0.5),
            ("b", "spot:SPX", "relative", -0.4),
            ("a", "spot:*", "relative", 0.1),
            ("b", "spot:DAX", "relative", -0.4),
            ("a", "spot:DAX", "set", 1.0),
            ("a", "spot:DAX", "set", 2.0),
        ),
        snapshot,
    )
    assert faults == []
    found = _named(columns, snapshot)
    assert found["a"] == {**{f: v * 1.1 for f, v in level.items() if f.startswith("spot:")}, "spot:DAX": 2.0}
    assert found["b"] == {"spot:SPX": 5000.0 * 0.6, "spot:DAX": 18000.0 * 0.6}


def test_globs_are_case_sensitive_and_pass_over_fixings(snapshot, level) -> None:
    columns, faults = stress_columns(_stresses(("all", "*", "relative", 0.01)), snapshot)
    assert faults == []
    moved = set(_named(columns, snapshot)["all"])
    assert moved == {f for f in level if not f.startswith("fixing:")}
    columns, faults = stress_columns(_stresses(("low", "SPOT:*", "relative", 0.01)), snapshot)
    assert [(f.level, f.rule) for f in faults] == [("warning", "unknown factor")]
    assert [(name, len(factor)) for name, factor, _ in columns] == [("low", 0)]


def test_parallel_shifts_by_glob_pass_over_spreads(rows, point, spread_quotes, table_of, as_of) -> None:
    quotes = spread_quotes(0.1, -0.01, 0.004)
    derived = point(SMILE, "fx_vol:GBPUSD", 0.1, "1Y", strike_type="absolute", strike=1.3)
    snapshot = MarketSnapshot.from_table(table_of([*rows, *quotes, derived]), as_of)

    def moved(factor: str, shift_type: str, shift: float) -> list[float | None]:
        table = _stresses(("s", factor, shift_type, shift))
        ((_, factors, levels),), faults = stress_columns(table, snapshot)
        assert faults == []
        found = {snapshot.factor_ids[k]: float(level) for k, level in zip(factors, levels, strict=True)}
        assert derived["factor"] not in found
        return [found.get(quote["factor"]) for quote in quotes]

    assert moved("*:GBPUSD:*", "absolute", 0.05) == pytest.approx([0.15, None, None])
    assert moved("fx_vol:GBPUSD:*", "set", 0.2) == [0.2, None, None]
    assert moved("fx_vol:GBPUSD:*", "relative", 0.5) == pytest.approx([0.15, -0.015, 0.006])
    assert moved("fx_vol:GBPUSD:*:risk_reversal:*", "absolute", 0.01) == [None, pytest.approx(0.0), None]
    assert moved(quotes[2]["factor"], "absolute", -0.01) == [None, None, pytest.approx(-0.006)]


def test_a_derived_volatility_is_no_factor_to_name(rows, point, table_of, as_of) -> None:
    derived = point(SMILE, "fx_vol:GBPUSD", 0.1, "1Y", strike_type="absolute", strike=1.3)
    snapshot = MarketSnapshot.from_table(table_of([*rows, derived]), as_of)
    columns, faults = stress_columns(_stresses(("s", derived["factor"], "absolute", 0.1)), snapshot)
    assert columns == []
    assert [fault.rule for fault in faults] == ["unknown factor", "left out"]


def test_an_id_with_brackets_is_an_id(point, table_of, as_of) -> None:
    snapshot = MarketSnapshot.from_table(table_of([point("spot", "X[A]", 1.0), point("spot", "XA", 1.0)]), as_of)
    columns, faults = stress_columns(_stresses(("a", "spot:X[A]", "set", 2.0)), snapshot)
    assert faults == []
    assert _named(columns, snapshot) == {"a": {"spot:X[A]": 2.0}}


BAD_ROWS = {
    "typo": ("zero_rate:USD.OIS:11Y", "absolute", 0.01),
    "kind": ("spot:SPX", "percent", 0.01),
    "nan": ("spot:SPX", "relative", float("nan")),
    "null": ("spot:SPX", "relative", None),
    "past": ("fixing:USD.SOFR:2024-10-03", "set", 0.01),
    "no factor": (None, "relative", 0.1),
    "no type": ("spot:SPX", None, 0.1),
}


def test_a_bad_row_leaves_out_its_scenario_alone(snapshot) -> None:
    """Every fault comes at once; the scenarios without one are as if the others were not there."""
    good = [("good", "spot:SPX", "relative", -0.1), ("idle", "spot:ZZZ*", "absolute", 0.01)]
    bad = [(name, *row) for name, row in BAD_ROWS.items()]
    more = [("typo", "spot:DAX", "relative", 0.1), ("past", "fixing:*", "set", 0.01)]
    columns, faults = stress_columns(_stresses(*good, *bad, *more), snapshot)
    alone, _ = stress_columns(_stresses(*good), snapshot)
    assert [name for name, _, _ in columns] == ["good", "idle"]
    assert _named(columns, snapshot) == _named(alone, snapshot)
    found = {(f.level, f.column, f.rule): f for f in faults}
    assert {key: f.rows for key, f in found.items()} == {
        ("error", "factor", "unknown factor"): 1,
        ("warning", "factor", "unknown factor"): 1,
        ("error", "shift_type", "unknown shift_type"): 2,
        ("error", "shift", "not finite"): 2,
        ("error", "factor", "fixing"): 2,
        ("error", "factor", "null"): 1,
        ("error", "scenario", "left out"): len(BAD_ROWS),
    }
    assert [f.level for f in faults] == sorted(f.level for f in faults)
    unknown = found["error", "factor", "unknown factor"]
    assert unknown.sample == ("zero_rate:USD.OIS:11Y",)
    assert "did you mean 'zero_rate:USD.OIS:1M'" in unknown.message or "zero_rate:USD.OIS:10Y" in unknown.message
    assert found["error", "shift", "not finite"].sample == ("nan", "null")
    assert found["error", "scenario", "left out"].ids == set(BAD_ROWS)
    assert found["error", "scenario", "left out"].message.startswith("7 of 9 scenarios are left out")


@pytest.mark.parametrize("nobody", [None, ""])
def test_a_row_of_no_scenario_leaves_no_stress(snapshot, nobody) -> None:
    rows = [("good", "spot:SPX", "relative", -0.1), (nobody, "spot:DAX", "relative", 0.1)]
    columns, faults = stress_columns(_stresses(*rows), snapshot)
    assert columns == []
    assert {f.rule: f.rows for f in faults} == {"null": 1, "left out": 1}


def test_a_blank_row_is_passed_over(snapshot) -> None:
    rows = [("good", "spot:SPX", "relative", -0.1), (None, None, None, None), ("", "", None, float("nan"))]
    columns, faults = stress_columns(_stresses(*rows), snapshot)
    assert [name for name, _, _ in columns] == ["good"]
    assert [(f.level, f.rule, f.sample) for f in faults] == [("warning", "blank", ("row 1", "row 2"))]


def test_shifts_are_in_the_units_of_the_quote(snapshot) -> None:
    """A share that is quoted in pence: 100 of them are one pound."""
    rows = [
        (shift_type, factor, shift_type, shift)
        for shift_type, shift in (("absolute", -50.0), ("set", 4000.0), ("relative", 0.1), ("log", 0.1))
        for factor in ("spot:SPX", "spot:DAX")
    ]
    plain = _named(stress_columns(_stresses(*rows), snapshot)[0], snapshot)
    found = _named(stress_columns(_stresses(*rows), snapshot, units={"spot:SPX": 100.0})[0], snapshot)
    assert {name: shocks["spot:SPX"] for name, shocks in found.items()} == {
        "absolute": 5000.0 - 0.5,
        "set": 40.0,
        "relative": plain["relative"]["spot:SPX"],
        "log": plain["log"]["spot:SPX"],
    }
    assert all(found[name]["spot:DAX"] == plain[name]["spot:DAX"] for name in found)


@pytest.mark.parametrize(
    ("factor", "shift_type", "shift", "rule"),
    [
        ("black_vol:SPX:*", "absolute", -0.3, "not positive"),
        ("spot:SPX", "relative", -1.0, "not positive"),
        ("spot:SPX", "log", 2000.0, "not finite"),
        ("recovery:ACME", "absolute", 0.7, "out of range"),
        ("recovery:ACME", "absolute", -0.5, "out of range"),
    ],
)
def test_levels_that_cannot_be(snapshot, factor, shift_type, shift, rule) -> None:
    columns, faults = stress_columns(
        _stresses(("x", factor, shift_type, shift), ("x", "zero_rate:USD.OIS:1M", "set", 0.01)), snapshot
    )
    ((name, factors, levels),) = columns
    there = snapshot.factor_ids[int(factors[np.isfinite(levels)][0])]
    assert (name, there, np.isnan(levels).sum()) == ("x", "zero_rate:USD.OIS:1M", len(levels) - 1)
    assert [(f.level, f.rule) for f in faults] == [("warning", rule)]
    assert "'x'" in faults[0].message
    assert "NUMERICAL" in faults[0].message


@pytest.mark.parametrize("row", [("zero_rate:*", "absolute", -0.3), ("forward_price:WTI:6M", "set", -37.0)])
def test_rates_and_forward_prices_may_go_below_zero(snapshot, row) -> None:
    columns, faults = stress_columns(_stresses(("x", *row)), snapshot)
    assert faults == []
    assert (columns[0][2] < 0).all()


def test_missing_and_mistyped_columns(snapshot) -> None:
    table = _stresses(("x", "spot:NONE", "percent", 0.1)).drop_columns(["scenario"])
    table = table.set_column(2, "shift", pa.array(["0.1"]))
    columns, faults = stress_columns(table, snapshot)
    assert columns == []
    assert {(f.column, f.rule) for f in faults} == {
        ("scenario", "missing column"),
        ("shift", "wrong type"),
        ("factor", "unknown factor"),
        ("shift_type", "unknown shift_type"),
    }


def test_no_stresses(snapshot) -> None:
    for table in (_stresses(("x", "spot:SPX", "set", 1.0)).slice(0, 0), pa.table({})):
        columns, faults = stress_columns(table, snapshot)
        assert columns == []
        assert [(f.level, f.rule, f.message) for f in faults] == [
            ("error", "empty", "the table has no rows: there is no stress")
        ]


def test_a_part_has_the_columns_of_the_whole_with_some_factors_at_rest(builder, snapshot) -> None:
    moves = np.arange(len(snapshot)) % 2 == 0
    builder.add_part("part", "historical", moves)
    scenarios = builder.build()
    whole, part = scenarios.columns_of("historical"), scenarios.columns_of("part")
    assert scenarios.names[part.start : part.stop].equals(scenarios.names[whole.start : whole.stop])
    for column, of in zip(range(part.start, part.stop), range(whole.start, whole.stop), strict=True):
        assert _shocks(scenarios, column) == {k: level for k, level in _shocks(scenarios, of).items() if moves[k]}
