"""What one pass over the valuations says: pv by product, and in which book some trades are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from riskpipe.results.find import Results
from riskpipe.store.result_tables import ResultStatus


class ValuedTrades(Struct, frozen=True):
    """:param products: rows of product, pv in the base currency, trades with (`ok`) and without (`failed`) a value.
    :param books: of the trades that were asked for."""

    products: Sequence[dict[str, Any]]
    books: Mapping[str, str]


def valued_trades(results: Results, trades: Sequence[str]) -> ValuedTrades:
    """:param trades: whose books are wanted. :raises StorageError: the table cannot be read."""
    found: dict[str, dict[str, Any]] = {}
    books: dict[str, str] = {}
    wanted = pa.array(sorted(set(trades)), pa.string())
    columns = ["trade_id", "book", "product", "measure", "value_base", "status"]
    for rows in results.rows("valuations", columns):
        rows = rows.filter(pc.equal(rows["measure"], "pv"))
        for row in rows.group_by(["product", "status"], use_threads=False).aggregate(
            [("value_base", "sum"), ("trade_id", "count")]
        ).to_pylist():  # fmt: skip
            entry = found.setdefault(row["product"], {"product": row["product"], "pv": None, "ok": 0, "failed": 0})
            if row["status"] == ResultStatus.OK:
                entry["ok"] += row["trade_id_count"]
                entry["pv"] = (entry["pv"] or 0.0) + row["value_base_sum"]
            else:
                entry["failed"] += row["trade_id_count"]
        mine = rows.filter(pc.is_in(rows["trade_id"], value_set=wanted)).select(["trade_id", "book"])
        books |= dict(zip(*(column.to_pylist() for column in mine.columns), strict=True))
    return ValuedTrades(sorted(found.values(), key=lambda entry: entry["product"]), books)
