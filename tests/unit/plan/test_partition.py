"""Cutting trades and scenarios: everything once, no piece over a limit."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from defaults import BUMPS, LIMITS
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from riskpipe.arrays import FloatArray
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.measures.catalogue import measures_of
from riskpipe.measures.measure_names import PNL_SETS
from riskpipe.measures.run_scenarios import Stresses, build_scenarios
from riskpipe.plan.partition import Limits, cut_trades, scenario_ranges

rows = st.lists(
    st.tuples(st.floats(0.0, 3.0), st.floats(0.0, 400.0), st.booleans()),
    max_size=60,
)


def _columns(given_rows: list[tuple[float, float, bool]]) -> tuple[FloatArray, ...]:
    seconds, memory, counts = (np.array([row[k] for row in given_rows]) for k in range(3))
    return seconds.astype(np.float64), memory.astype(np.float64), counts.astype(np.bool_)


@given(rows, st.floats(0.1, 5.0), st.integers(1, 1000), st.integers(1, 8))
def test_every_row_once_and_no_piece_over_a_limit(
    given_rows: list[tuple[float, float, bool]], seconds: float, memory: int, trades: int
) -> None:
    cost, bytes_, counts = _columns(given_rows)
    limits = replace(LIMITS, target_seconds=seconds, max_memory=memory, max_trades=trades)

    bounds = cut_trades(cost, bytes_, counts, limits)

    assert bounds.dtype == np.int64
    assert bounds[0] == 0
    assert bounds[-1] == len(given_rows)
    assert (np.diff(bounds) > 0).all()
    for start, stop in itertools.pairwise(bounds):
        piece = slice(int(start), int(stop))
        assert counts[piece].sum() <= trades
        if stop - start > 1:
            assert cost[piece].sum() <= seconds * (1 + 1e-12)
            assert bytes_[piece].sum() <= memory * (1 + 1e-12)


@given(rows, st.floats(0.1, 5.0), st.integers(1, 1000), st.integers(1, 8))
def test_pieces_are_as_long_as_the_limits_allow(
    given_rows: list[tuple[float, float, bool]], seconds: float, memory: int, trades: int
) -> None:
    cost, bytes_, counts = _columns(given_rows)

    bounds = cut_trades(cost, bytes_, counts, Limits(seconds, trades, 1, memory))

    for start, stop in itertools.pairwise(bounds[:-1]):
        longer = slice(int(start), int(stop) + 1)
        slack = 1 - 1e-12
        assert (
            cost[longer].sum() > seconds * slack
            or bytes_[longer].sum() > memory * slack
            or counts[longer].sum() > trades
        )


def test_a_row_beyond_every_limit_stands_alone() -> None:
    cost = np.array([0.1, 9.0, 0.1, 0.1])

    bounds = cut_trades(cost, np.ones(4), np.ones(4, np.bool_), replace(LIMITS, target_seconds=1.0))

    assert bounds.tolist() == [0, 1, 2, 4]


def test_rows_that_are_not_selected_do_not_count() -> None:
    counts = np.array([True, False, False, True, True, False])
    nothing = np.zeros(6)

    assert cut_trades(nothing, nothing, counts, replace(LIMITS, max_trades=2)).tolist() == [0, 4, 6]


# -- scenarios


MEASURES = ("pv", "delta", "gamma", "vega", "dv01", "theta", "bucketed_delta", "stress")


@pytest.fixture(scope="module")
def market() -> MarketSnapshot:
    import pyarrow as pa

    from riskpipe.market.point_table import MARKET_SCHEMA

    points = [("spot", "EURUSD", None), ("spot", "SPX", None)]
    points += [("zero_rate", f"{c}.OIS", t) for c in ("USD", "EUR") for t in ("1Y", "2Y", "5Y")]
    table = [
        {"factor": ":".join(filter(None, (k, n, t))), "kind": k, "name": n, "tenor": t, "value": 0.5, "currency": n[:3]}
        for k, n, t in points
    ]
    table += [
        {
            "factor": "black_vol:SPX:1Y",
            "kind": "black_vol",
            "name": "SPX",
            "tenor": "1Y",
            "value": 0.2,
            "strike_type": "atm",
        },
        {
            "factor": "fx_vol:EURUSD:1Y",
            "kind": "fx_vol",
            "name": "EURUSD",
            "tenor": "1Y",
            "value": 0.1,
            "strike_type": "atm",
        },
    ]
    return MarketSnapshot.from_table(pa.Table.from_pylist(table, MARKET_SCHEMA), 20_000)


def _stresses(count: int) -> object:
    import pyarrow as pa

    return pa.table(
        {
            "scenario": [f"s{k}" for k in range(count)],
            "factor": ["spot:*"] * count,
            "shift_type": ["relative"] * count,
            "shift": [0.01 * (k + 1) for k in range(count)],
        }
    )


@pytest.mark.parametrize("most", [1, 2, 3, 5, 8, 13, 1000])
@pytest.mark.parametrize("measures", [MEASURES, ("pv",), ("delta",), ("stress",), ("bucketed_delta", "stress")])
def test_ranges_cover_what_is_reported_and_cut_where_they_may(
    market: MarketSnapshot, measures: tuple[str, ...], most: int
) -> None:
    columns = build_scenarios(market, measures, BUMPS, stress=Stresses(_stresses(20))).columns

    ranges = scenario_ranges(columns, market, measures, most)

    reported = {name for name in columns.sets if measures_of(name) & set(measures)}
    covered = [k for r in ranges for k in range(r.start, r.stop)]
    assert covered == sorted(set(covered))
    wanted = {k for name in reported for k in range(len(columns))[columns.columns_of(name)]}
    assert wanted <= set(covered)
    for r in ranges:
        assert columns.cut[r.start]
        assert r.stop == len(columns) or columns.cut[r.stop]
        inner = np.flatnonzero(columns.cut[r.start + 1 : r.stop])
        # Beyond the limit only where there is no place to cut.
        assert r.stop - r.start <= most or len(inner) == 0
        assert r.measures
        assert set(r.measures) <= set(measures)
        within = [name for name in reported if set(range(r.start, r.stop)) & set(_range(columns, name))]
        assert set(r.measures) == {m for m in measures if any(m in measures_of(name) for name in within)}


def _range(columns: object, name: str) -> range:
    found = columns.columns_of(name)  # type: ignore[attr-defined]
    return range(found.start, found.stop)


def test_measures_with_a_total_are_never_cut(market: MarketSnapshot) -> None:
    """Each total is made in one block; buckets and P&L columns may lie in several."""
    columns = build_scenarios(market, MEASURES, BUMPS, stress=Stresses(_stresses(20))).columns

    ranges = scenario_ranges(columns, market, MEASURES, 1)

    times = {measure: sum(measure in r.measures for r in ranges) for measure in MEASURES}
    assert {m for m, n in times.items() if n > 1} == {"bucketed_delta", "stress"}
    assert times["stress"] == 20
    assert times["bucketed_delta"] == len(market) - 2  # every point but the two of volatility


def test_no_range_reports_nothing(market: MarketSnapshot) -> None:
    """Without pv the base by itself makes no block."""
    columns = build_scenarios(market, ("delta",), BUMPS).columns

    (only,) = scenario_ranges(columns, market, ("delta",), 1)

    assert (only.start, only.stop, only.measures) == (1, len(columns), ("delta",))


def test_what_a_range_costs(market: MarketSnapshot) -> None:
    columns = build_scenarios(market, MEASURES, BUMPS, stress=Stresses(_stresses(20))).columns

    (whole,) = scenario_ranges(columns, market, MEASURES, 1000)

    groups = {(g.kind, g.name): k for k, g in enumerate(market.groups)}
    assert len(whole.by_group) == len(market.groups) + 1
    assert whole.by_group[-1] == 0.0, "the place of trades without a group"
    # A spot: up and down, its bucket, and every stress; a rate curve: its currency's dv01, three buckets.
    assert whole.by_group[groups["spot", "SPX"]] == 2 + 1 + 20
    assert whole.by_group[groups["zero_rate", "USD.OIS"]] == 1 + 3
    assert whole.by_group[groups["black_vol", "SPX"]] == 1
    assert whole.dense == 1 + 1, "the base and a day forward"
    assert whole.pnl_columns == 20


def test_columns_that_touch_most_of_the_market_are_priced_for_all(market: MarketSnapshot) -> None:
    import pyarrow as pa

    everything = pa.table(
        {
            "scenario": ["all"] * 3,
            "factor": ["spot:*", "zero_rate:*", "*_vol:*"],
            "shift_type": ["relative"] * 3,
            "shift": [0.1] * 3,
        }
    )
    columns = build_scenarios(market, ("stress",), BUMPS, stress=Stresses(everything)).columns

    (whole,) = scenario_ranges(columns, market, ("stress",), 1000)

    assert whole.dense == 2
    assert whole.by_group.sum() == 0.0


def test_limits_have_the_documented_defaults() -> None:
    assert asdict(LIMITS) == {
        "target_seconds": 2.0,
        "max_trades": 50_000,
        "max_scenarios": 1024,
        "max_memory": 512 * 2**20,
    }
    assert set(PNL_SETS) == {"stress", "historical_var", "monte_carlo_var", "delta_gamma_var", "pnl_explain"}
