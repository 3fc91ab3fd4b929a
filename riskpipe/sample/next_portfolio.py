"""The sample's book on the next business day: new, amended and cancelled trades, and without what has been paid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.sample.portfolio_files import added_trades, portfolio_writer
from riskpipe.sample.pricing import Quotes
from riskpipe.sample.random_streams import generator

NEW, AMENDED, CANCELLED = 0.01, 0.005, 0.003
"""Shares of a product's trades."""
GROWTH = 1.25
"""Of the size of what is amended."""
_SIZES = (
    "notional", "quantity", "amount", "buy_amount", "sell_amount", "near_buy_amount", "near_sell_amount",
    "far_buy_amount", "far_sell_amount", "receive_notional", "pay_notional", "vega_notional", "payout",
)  # fmt: skip


class Changes(Struct, frozen=True):
    """How many trades became what."""

    new: int = 0
    amended: int = 0
    cancelled: int = 0
    matured: int = 0

    def __add__(self, other: Changes) -> Changes:
        return Changes(*(getattr(self, name) + getattr(other, name) for name in Changes.__struct_fields__))


def write_changed_product(
    directory: Path, before: Path, product: str, quotes: Quotes, as_of: int, seed: int
) -> Changes:
    """The files of a product, changed, and one more of new trades.

    :param before: the product's directory of the day before. :param as_of: the later day.
    """
    directory.mkdir(parents=True, exist_ok=True)
    changes, trades = Changes(), 0
    rng = generator(seed, "next day", "portfolio", product)
    for path in sorted(before.glob("part-*.parquet")):
        with pq.ParquetFile(path) as file, portfolio_writer(directory / path.name, file.schema_arrow) as writer:
            for number in range(file.num_row_groups):
                rows = file.read_row_group(number)
                trades += rows.num_rows
                kept, found = _changed(rows, as_of, rng)
                changes += found
                writer.write_table(kept)
    count = _some(trades, NEW, rng)
    if count:
        rows = added_trades(product, trades, count, quotes, as_of, seed)
        with portfolio_writer(directory / "part-new.parquet", rows.schema) as writer:
            writer.write_table(rows)
    return changes + Changes(new=count)


def _some(of: int, share: float, rng: np.random.Generator) -> int:
    """About the share: whole trades, the rest of one by chance."""
    return int(np.floor(of * share + rng.random()))


def _changed(rows: pa.Table, as_of: int, rng: np.random.Generator) -> tuple[pa.Table, Changes]:
    over = _is_over(rows, as_of)
    order = rng.permutation(np.flatnonzero(~over))
    cancelled = order[: _some(rows.num_rows, CANCELLED, rng)]
    amended = order[len(cancelled) :][: _some(rows.num_rows, AMENDED, rng)]
    sizes = [name for name in _SIZES if name in rows.column_names]
    if not sizes:
        amended = amended[:0]
    grows = np.zeros(rows.num_rows, np.bool_)
    grows[amended] = True
    for name in sizes:
        larger = pc.if_else(pa.array(grows), pc.multiply(rows[name], GROWTH), rows[name])
        rows = rows.set_column(rows.schema.get_field_index(name), name, larger)
    rows = _with_variance(rows, as_of)
    stays = ~over
    stays[cancelled] = False
    counts = Changes(amended=len(amended), cancelled=len(cancelled), matured=int(over.sum()))
    return rows.filter(pa.array(stays)), counts


def _with_variance(rows: pa.Table, as_of: int) -> pa.Table:
    """What variance swaps that have started have realised: what was agreed, for want of a history of fixings."""
    if "realised_variance" not in rows.column_names:
        return rows
    started = pc.less(rows["start_date"].cast(pa.int32()), as_of)
    agreed = pc.multiply(rows["strike_vol"], rows["strike_vol"])
    realised = pc.if_else(started, pc.coalesce(rows["realised_variance"], agreed), rows["realised_variance"])
    return rows.set_column(rows.schema.get_field_index("realised_variance"), "realised_variance", realised)


def _is_over(rows: pa.Table, as_of: int) -> NDArray[np.bool_]:
    """bool[n]: the last of the trade's dates has come."""
    dates = [rows[field.name] for field in rows.schema if pa.types.is_date32(field.type)]
    if not dates:
        return np.zeros(rows.num_rows, np.bool_)
    last = pc.max_element_wise(*dates, skip_nulls=True).cast(pa.int32())
    return np.asarray(pc.fill_null(pc.less_equal(last, as_of), False).to_numpy(zero_copy_only=False))
