"""The history: ends at today, moves like markets, keeps the shape of curves."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from histories import historical_columns
from scipy.stats import kurtosis

from riskpipe.arrays import FloatArray
from riskpipe.market.factors import days_of
from riskpipe.market.point_table import MARKET_SCHEMA
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.sample.day_numbers import last_business_days
from riskpipe.sample.history_file import levels_of, write_history
from riskpipe.sample.market_table import market_table, values_of
from riskpipe.sample.todays_market import fact_points, shockable_points

AS_OF = days_of(date(2026, 11, 20))
POINTS = shockable_points(AS_OF)
DAYS = last_business_days(AS_OF, 501)
POSITION = {point.factor: k for k, point in enumerate(POINTS)}
FRONT_OIL = next(p.factor for p in POINTS if p.factor.startswith("forward_price:WTI"))
BACK_OIL = [p.factor for p in POINTS if p.factor.startswith("forward_price:WTI")][-1]


@pytest.fixture(scope="module")
def levels() -> FloatArray:
    return levels_of(POINTS, DAYS, 7)


@pytest.fixture(scope="module")
def moves(levels: FloatArray) -> FloatArray:
    rates = np.array([point.kind == "zero_rate" for point in POINTS])
    moved = np.diff(levels, axis=0)
    moved[:, ~rates] = np.diff(np.log(levels[:, ~rates]), axis=0)
    return moved


def _correlation(moves: FloatArray, first: str, second: str) -> float:
    return float(np.corrcoef(moves[:, POSITION[first]], moves[:, POSITION[second]])[0, 1])


def test_the_last_day_is_today_exactly(levels: FloatArray) -> None:
    assert np.array_equal(levels[-1], values_of(POINTS))
    assert not np.array_equal(levels[-2], values_of(POINTS))


def test_everything_but_rates_stays_above_zero(levels: FloatArray) -> None:
    assert np.isfinite(levels).all()
    rates = np.array([point.kind == "zero_rate" for point in POINTS])
    assert (levels[:, ~rates] > 0.0).all()


def test_moves_are_fat_tailed_and_cluster(moves: FloatArray) -> None:
    tails = kurtosis(moves, axis=0, fisher=False)
    assert 4.0 < np.median(tails) < 12.0
    spots = [k for k, point in enumerate(POINTS) if point.kind == "spot"]
    assert (tails[spots] > 3.2).mean() > 0.9
    # Volatility clusters: the size of a day's moves, over the whole market, tells of the next fortnight's.
    size = np.log(np.abs(moves / moves.std(axis=0)).mean(axis=1))
    smooth = np.convolve(size, np.ones(10) / 10, mode="valid")
    assert np.corrcoef(smooth[:-10], smooth[10:])[0, 1] > 0.2
    assert abs(np.corrcoef(moves[1:, spots[0]], moves[:-1, spots[0]])[0, 1]) < 0.15


def test_sizes_of_moves_are_those_of_markets(moves: FloatArray) -> None:
    daily = dict(zip(POSITION, moves.std(axis=0), strict=True))
    assert 0.006 < daily["spot:SPX"] < 0.020
    assert 0.003 < daily["spot:EURUSD"] < 0.009
    assert 3e-4 < daily["zero_rate:USD.SOFR:10Y"] < 9e-4
    assert daily["zero_rate:JPY.TONA:10Y"] < daily["zero_rate:USD.SOFR:10Y"]
    assert daily["black_vol:SPX:1M:100"] > 1.5 * daily["black_vol:SPX:2Y:100"]
    assert 0.01 < daily["hazard_rate:US_BANK_01:5Y"] < 0.06
    assert daily[FRONT_OIL] > 1.2 * daily[BACK_OIL]


def test_asset_classes_move_together(moves: FloatArray) -> None:
    assert _correlation(moves, "spot:SPX", "black_vol:SPX:1M:100") < -0.5
    assert _correlation(moves, "spot:SPX", "spot:DAX") > 0.6
    assert _correlation(moves, "spot:SPX", "hazard_rate:US_BANK_01:5Y") < -0.25
    assert _correlation(moves, "spot:EURUSD", "spot:USDJPY") < -0.1
    assert _correlation(moves, "spot:EURUSD", "spot:GBPUSD") > 0.3
    assert _correlation(moves, "zero_rate:USD.SOFR:10Y", "zero_rate:EUR.ESTR:10Y") > 0.35
    assert _correlation(moves, "zero_rate:USD.SOFR:10Y", "zero_rate:USD.SOFR:15Y") > 0.95
    assert _correlation(moves, "zero_rate:USD.SOFR:10Y", "zero_rate:USD.GOVT:10Y") > 0.9
    assert _correlation(moves, FRONT_OIL, FRONT_OIL.replace("WTI", "BRENT")) > 0.9


def test_three_components_explain_a_curve(moves: FloatArray) -> None:
    columns = [k for k, point in enumerate(POINTS) if point.kind == "zero_rate" and point.name == "EUR.ESTR"]
    values = np.linalg.eigvalsh(np.cov(moves[:, columns].T))[::-1]
    assert values[:3].sum() / values.sum() > 0.97
    assert 0.5 < values[0] / values.sum() < 0.97


def test_curves_keep_their_shape_on_every_day(levels: FloatArray) -> None:
    for curve in {point.name for point in POINTS if point.kind == "zero_rate"}:
        columns = [k for k, point in enumerate(POINTS) if point.kind == "zero_rate" and point.name == curve]
        t = np.array([POINTS[k].years for k in columns])
        forward = np.diff(levels[:, columns] * t, axis=1) / np.diff(t)
        assert forward.min() > -0.03, curve
        assert forward.max() < 0.10, curve
        assert np.abs(np.diff(forward, axis=1)).max() < 0.012, curve


def test_the_file_holds_every_point_of_every_day(tmp_path: Path, levels: FloatArray) -> None:
    path = tmp_path / "history.parquet"
    rows = write_history(path, POINTS, AS_OF, 500, 7)
    table = pq.read_table(path)
    assert table.schema.equals(pa.schema([("date", pa.date32()), *MARKET_SCHEMA]))
    assert table.num_rows == rows == levels.size
    assert np.array_equal(table["value"].to_numpy().reshape(levels.shape), levels)
    assert np.array_equal(table["date"].cast(pa.int32()).to_numpy()[:: len(POINTS)], DAYS)
    assert table["factor"].to_pylist()[-len(POINTS) :] == list(POSITION)
    assert path.stat().st_size < 15_000_000


@pytest.mark.slow
def test_the_market_room_takes_it_without_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "history.parquet"
    write_history(path, POINTS, AS_OF, 40, 7)
    table = market_table([*POINTS, *fact_points(AS_OF, np.random.default_rng(1))])
    columns, faults = historical_columns(pq.read_table(path), MarketSnapshot.from_table(table, AS_OF))
    assert faults == []
    assert len(columns) == 40


def test_one_scenario_is_two_days(tmp_path: Path) -> None:
    path = tmp_path / "history.parquet"
    write_history(path, POINTS, AS_OF, 1, 7)
    assert pq.read_table(path, columns=["date"])["date"].unique().to_pylist() == [
        date(2026, 11, 19),
        date(2026, 11, 20),
    ]


def test_another_seed_is_another_history() -> None:
    days = DAYS[-40:]
    assert np.array_equal(levels_of(POINTS, days, 7), levels_of(POINTS, days, 7))
    assert not np.array_equal(levels_of(POINTS, days, 7), levels_of(POINTS, days, 8))


def test_weekends_holidays_and_odd_last_days() -> None:
    assert DAYS[-1] == AS_OF
    dates = DAYS.astype("datetime64[D]")
    assert np.is_busday(dates).all()
    assert np.datetime64("2025-12-25") not in dates
    saturday = days_of(date(2026, 11, 21))
    assert last_business_days(saturday, 3).tolist() == [saturday - 2, saturday - 1, saturday]
