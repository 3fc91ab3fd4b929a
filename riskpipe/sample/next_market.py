"""The sample's next business day: today's market a day on, and a history that is one day longer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec.structs import replace

from riskpipe.market.dates import FOOTER_KEY
from riskpipe.sample.day_numbers import business_days, to_iso
from riskpipe.sample.drivers import factor_model
from riskpipe.sample.history_file import HISTORY_SCHEMA, driver_states, history_writer, levels_moved
from riskpipe.sample.market_table import Point, columns, values_of
from riskpipe.sample.random_streams import generator


def next_day(as_of: int) -> int:
    """The business day after."""
    return int(business_days(np.array([as_of + 1]))[0])


def moved_points(points: Sequence[Point], seed: int) -> list[Point]:
    """The points after one more day of the history, of the same pillars."""
    model = factor_model(points)
    state = driver_states(model, 1, generator(seed, "next day", "drivers"))
    noise = generator(seed, "next day", "noise").standard_normal((1, len(points)))
    levels = levels_moved(model, values_of(points), state, noise)[0]
    return [replace(point, value=float(level)) for point, level in zip(points, levels, strict=True)]


def with_new_facts(before: Sequence[Point], after: Sequence[Point]) -> list[Point]:
    """What was observed by the day before, and what has been since.

    :param after: facts of the later day, whose older ones may be others.
    """
    known = {point.factor for point in before}
    last: dict[str, str] = {}
    for point in before:
        last[point.name] = max(last.get(point.name, ""), point.tenor or "")
    return [*before, *(p for p in after if p.factor not in known and (p.tenor or "") > last.get(p.name, ""))]


def write_longer_history(path: Path, before: Path, points: Sequence[Point], as_of: int) -> None:
    """The days of an earlier history and one more, of the same points. :param as_of: the day that is new."""
    names = {name: pa.array(values, HISTORY_SCHEMA.field(name).type) for name, values in columns(points).items()}
    names["date"] = pa.repeat(pa.scalar(as_of, pa.int32()), len(points)).cast(pa.date32())
    with history_writer(path, HISTORY_SCHEMA) as writer, pq.ParquetFile(before) as file:
        for group in range(file.num_row_groups):
            writer.write_table(file.read_row_group(group).select(HISTORY_SCHEMA.names).cast(HISTORY_SCHEMA))
        writer.write_table(pa.table([names[field.name] for field in HISTORY_SCHEMA], HISTORY_SCHEMA))
        writer.add_key_value_metadata({FOOTER_KEY: to_iso(as_of)})
