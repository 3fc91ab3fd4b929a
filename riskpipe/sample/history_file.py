"""history.parquet: business days up to today that move like markets, ending exactly at today's levels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.dates import FOOTER_KEY
from riskpipe.market.point_table import MARKET_SCHEMA
from riskpipe.sample.day_numbers import last_business_days, to_iso
from riskpipe.sample.drivers import CORRELATION, MAX_LOADINGS, FactorModel, common_weights, factor_model
from riskpipe.sample.market_table import Point, columns, values_of
from riskpipe.sample.random_streams import generator

DAYS_A_CHUNK = 32
TAILS = 6.0
"""Degrees of freedom of the Student t shocks; clustering of the vol comes on top."""
PERSISTENCE = 0.97
VOL_OF_VOL = 0.085
HISTORY_SCHEMA = pa.schema([("date", pa.date32()), *MARKET_SCHEMA])


def write_history(path: Path, points: Sequence[Point], as_of: int, scenarios: int, seed: int) -> int:
    """Write `scenarios + 1` days, a chunk of days at a time; the last day is `as_of` with today's values.

    :return: rows written.
    """
    days = last_business_days(as_of, scenarios + 1)
    repeated = {name: _encoded(values, name) for name, values in columns(points).items() if name != "value"}
    with history_writer(path, _file_schema(repeated)) as writer:
        for start, levels in _chunks(points, days, seed):
            writer.write_table(_table(days[start : start + len(levels)], repeated, levels))
        writer.add_key_value_metadata({FOOTER_KEY: to_iso(as_of)})
    return len(days) * len(points)


def history_writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """A file of the history, to be closed by the caller."""
    return pq.ParquetWriter(
        path,
        schema,
        use_dictionary=[name for name in HISTORY_SCHEMA.names if name != "value"],
        column_encoding={"value": "BYTE_STREAM_SPLIT"},
        compression="zstd",
        compression_level=3,
        store_schema=False,
    )


def levels_of(points: Sequence[Point], days: NDArray[np.int32], seed: int) -> FloatArray:
    """The whole history at once, [n_days, n_points]: for tests and small samples."""
    return np.concatenate([levels for _, levels in _chunks(points, days, seed)])


def _chunks(points: Sequence[Point], days: NDArray[np.int32], seed: int) -> Iterator[tuple[int, FloatArray]]:
    model = factor_model(points)
    today = values_of(points)
    states = driver_states(model, len(days), generator(seed, "history", "drivers"))
    states -= states[-1]
    for start in range(0, len(days), DAYS_A_CHUNK):
        block = states[start : start + DAYS_A_CHUNK]
        rng = generator(seed, "history", "noise", start // DAYS_A_CHUNK)
        noise = rng.standard_normal((DAYS_A_CHUNK, len(points)))[: len(block)]
        if start + len(block) == len(days):
            noise[-1] = 0.0
        levels = levels_moved(model, today, block, noise)
        if start + len(block) == len(days):
            levels[-1] = today
        yield start, levels


def levels_moved(model: FactorModel, today: FloatArray, states: FloatArray, noise: FloatArray) -> FloatArray:
    """Today's levels moved by driver states, [n_days, n_points], in quotes of seven digits."""
    move = noise * model.noise
    for j in range(MAX_LOADINGS):
        move += states[:, model.index[:, j]] * model.weight[:, j]
    moved = np.where(model.logarithmic, today * np.exp(move), today + move)
    return np.asarray(moved.astype(np.float32).astype(np.float64))


def driver_states(model: FactorModel, n_days: int, rng: np.random.Generator) -> FloatArray:
    """Accumulated driver shocks, [n_days, n_drivers].

    Global shocks are multivariate Student t; a common log-vol, autoregressive of order one (Taylor 1986),
    scales all shocks of a day, so that quiet and stormy weeks cluster.
    """
    common, own = common_weights(model.drivers)
    root = np.linalg.cholesky(CORRELATION)
    shared = rng.standard_normal((n_days, len(CORRELATION)))
    mixing = np.sqrt((TAILS - 2.0) / rng.chisquare(TAILS, n_days))
    vol_shocks = rng.standard_normal(n_days) * VOL_OF_VOL
    stationary = VOL_OF_VOL**2 / (1.0 - PERSISTENCE**2)
    log_vol = rng.standard_normal() * np.sqrt(stationary)
    idiosyncratic = rng.standard_t(TAILS, (n_days, len(own))) * np.sqrt((TAILS - 2.0) / TAILS)
    keep = 1.0 - np.array([driver.reversion for driver in model.drivers])
    states = np.zeros((n_days, len(own)))
    state = np.zeros(len(own))
    for day in range(n_days):
        log_vol = PERSISTENCE * log_vol + vol_shocks[day]
        world = (root * shared[day]).sum(axis=1) * mixing[day]
        shock = (common * world).sum(axis=1) + own * idiosyncratic[day]
        state = keep * state + np.exp(log_vol - stationary) * shock
        states[day] = state
    return states


def _encoded(values: Sequence[str | float | None], name: str) -> pa.DictionaryArray:
    return pa.array(values, MARKET_SCHEMA.field(name).type).dictionary_encode()


def _file_schema(repeated: dict[str, pa.DictionaryArray]) -> pa.Schema:
    """Repeated columns go to the writer as dictionaries; readers see the plain types of `HISTORY_SCHEMA`."""
    return pa.schema(
        [pa.field(f.name, repeated[f.name].type if f.name in repeated else f.type) for f in HISTORY_SCHEMA]
    )


def _table(days: NDArray[np.int32], repeated: dict[str, pa.DictionaryArray], levels: FloatArray) -> pa.Table:
    n_days, n_points = levels.shape
    rows = pa.array(np.tile(np.arange(n_points, dtype=np.int32), n_days))
    arrays = {name: column.take(rows) for name, column in repeated.items()}
    arrays["date"] = pa.array(np.repeat(days, n_points)).cast(pa.date32())
    arrays["value"] = pa.array(levels.ravel())
    return pa.table([arrays[name] for name in HISTORY_SCHEMA.names], schema=_file_schema(repeated))
