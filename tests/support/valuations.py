"""Runs that are planned and laid out on disk but not driven, and books made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from riskpipe.arrays import FloatArray
from riskpipe.config import Settings, load_settings
from riskpipe.market.derived import Derivative
from riskpipe.market.point_table import MARKET_SCHEMA
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.measures.measure_names import MEASURES as EVERY_MEASURE
from riskpipe.plan.block import Block
from riskpipe.plan.partition import ScenarioRange
from riskpipe.plan.selection import Selection
from riskpipe.products.base import Product
from riskpipe.products.trades import Trades
from riskpipe.products.validation import all_columns
from riskpipe.runs.new_run import write_run
from riskpipe.runs.planning import make_plan
from riskpipe.store.columns import ARROW_TYPES
from riskpipe.store.filesystem import Store
from riskpipe.store.location import open_store
from riskpipe.store.run_folder import RunFolder
from riskpipe.valuation.context import Context
from riskpipe.valuation.part import Part
from riskpipe.valuation.price import value_trades
from riskpipe.valuation.run_block import BlockPayload, read_trades

RUN_ID = "20261120-193055-3f9a1c"

MEASURES = f"measures=[{', '.join(EVERY_MEASURE)}]"
PAIRS = "bumps.cross_gamma=[[spot:SPX, black_vol:SPX], [spot:SPX, spot:EURUSD]]"
"""Of the sample's market."""


@dataclass(frozen=True)
class OpenRun:
    """A planned run, its inputs in place, nothing valued."""

    folder: RunFolder
    context: Context
    blocks: tuple[Block, ...]
    ranges: tuple[ScenarioRange, ...]
    derivative: Derivative

    @property
    def store(self) -> Store:
        return self.folder.store

    def blocks_of(self, product: str) -> tuple[Block, ...]:
        return tuple(block for block in self.blocks if block.product == product)

    def trades(self, product: str) -> Trades:
        """All planned trades of a product that has one file."""
        (trades,) = {block.row_start: read_trades(self.context, block)[0] for block in self.blocks_of(product)}.values()
        return trades

    def task(self, block: Block) -> BlockPayload:
        return BlockPayload(*self.folder.place, block)

    def value(self, product: Product, trades: Trades, measures: Sequence[str] = EVERY_MEASURE) -> Part:
        """Every measure from every column."""
        return value_trades(self.context, product, trades, tuple(measures), 0, len(self.context.scenarios))


def open_run(settings: Settings, selection: Selection | None = None) -> OpenRun:
    """Plan, and put in place what workers open."""
    folder = RunFolder(open_store(settings.output), RUN_ID)
    with make_plan(settings, selection or Selection()) as planned:
        write_run(folder, settings, planned)
        blocks = tuple(block for _, block in planned.plan.blocks())
        ranges = planned.ranges
        derivative = planned.inputs.derivative
        assert derivative is not None
    return OpenRun(folder, Context(folder), blocks, ranges, derivative)


def with_levels(snapshot: MarketSnapshot, levels: FloatArray) -> MarketSnapshot:
    """The same factors at other levels, whatever these are: the checks of `from_table` are left out."""
    position = snapshot.factors.column_names.index("value")
    return MarketSnapshot(
        snapshot.as_of, snapshot.factors.set_column(position, "value", pa.array(levels)), snapshot.sha256
    )


def trades_of(product: Product, rows: Sequence[Mapping[str, Any]]) -> Trades:
    """Trades from dictionaries; ids and a book are made up where there are none."""
    given = [{"trade_id": f"T-{k}", "book": "desk/one", **row} for k, row in enumerate(rows)]
    schema = pa.schema([(column.name, ARROW_TYPES[column.kind]) for column in all_columns(product)])
    return Trades(pa.Table.from_pylist(given, schema))


def write_book(
    directory: Path,
    products: Mapping[str, Trades],
    market: Sequence[Mapping[str, Any]],
    *,
    scenarios: Sequence[Mapping[str, Any]] = (),
    history: pa.Table | None = None,
    as_of: str = "2026-11-20",
    **sections: str,
) -> Path:
    """A book with its market and configuration.

    :param market: points; `factor` is made from kind, name, tenor and strike where it is not given.
    :param sections: further lines of the configuration, by key.
    """
    for name, trades in products.items():
        (directory / "portfolio" / name).mkdir(parents=True)
        pq.write_table(trades.table, directory / "portfolio" / name / "part-000.parquet")
    points = [{"factor": _factor(point), **point} for point in market]
    pq.write_table(pa.Table.from_pylist(points, MARKET_SCHEMA), directory / "market.parquet")
    lines = ["inputs:", "  portfolio: portfolio", "  market: market.parquet"]
    if scenarios:
        pq.write_table(pa.Table.from_pylist(list(scenarios)), directory / "scenarios.parquet")
        lines.append("  scenarios: scenarios.parquet")
    if history is not None:
        pq.write_table(history, directory / "history.parquet")
        lines.append("  history: history.parquet")
    more = [f"{key}: {value}" for key, value in sections.items()]
    (directory / "riskpipe.yaml").write_text("\n".join([f"as_of: {as_of}", *lines, *more]) + "\n")
    return directory


def settings_at(directory: Path, output: Path, *assignments: str) -> Settings:
    """The settings of a book that is valued in this process."""
    given = ("cluster.kind=serial", f"output={output}", "risk.monte_carlo.scenarios=16", *assignments)
    return load_settings(directory / "riskpipe.yaml", assignments=given, environment={})


def _factor(point: Mapping[str, Any]) -> str:
    parts = [point["kind"], point["name"], point.get("tenor"), point.get("strike")]
    return ":".join(str(part) for part in parts if part is not None)


def same_bits(first: FloatArray, second: FloatArray) -> bool:
    """Equal as bit patterns: -0.0 is not 0.0, and NaN is NaN."""
    a, b = np.ascontiguousarray(first), np.ascontiguousarray(second)
    return a.shape == b.shape and a.tobytes() == b.tobytes()
