"""Why trades have no numbers: by cause, with examples, and what the trades were worth on the day before."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from riskpipe.plan.accounting import RunStatus
from riskpipe.results.day_change import worth_before
from riskpipe.results.find import Results
from riskpipe.runs.recorded_files import RecordedFiles
from riskpipe.store.parquet import open_parquet

SAMPLES = 5
_LOOKED_AT = 1_000
_TRADE = ["reason", "product", "trade_id"]


def failure_causes(files: RecordedFiles, status: RunStatus, before: Results | None) -> list[dict[str, Any]]:
    """Trades by reason, the most frequent first, with the first few of each.

    `worth` is (trades that had a value on the earlier day, sum of these in the base currency, sum of their sizes), None
    where no earlier day is known.

    :raises StorageError: a table cannot be read.
    """
    found: dict[str, dict[str, Any]] = {
        reason: {"reason": reason, "trades": trades, "products": {}, "sample": [], "worth": None}
        for reason, trades in status.failures_by_reason.items()
    }
    trades = _collect(files, found)
    if trades is not None:
        _add_products(found, trades)
        worth = {} if before is None else worth_before(trades.select(["reason", "trade_id"]), before)
        for reason, row in found.items():
            row["worth"] = None if before is None else worth.get(reason, (0, 0.0, 0.0))
    return sorted(found.values(), key=lambda row: (-row["trades"], row["reason"]))


def _collect(files: RecordedFiles, found: dict[str, dict[str, Any]]) -> pa.Table | None:
    """Adds samples to `found`; each trade once for every reason, None: no row says why."""
    store, path = files.folder.store, files.folder.failures
    if not store.exists(path):
        return None
    columns = ["trade_id", "product", "stage", "reason", "message", "retryable"]
    trades: pa.Table | None = None
    with open_parquet(store, path, sha256=files.of(path)) as file:
        for batch in file.iter_batches(65_536, columns=columns):
            rows = pa.Table.from_batches([batch])
            _add_samples(found, rows)
            mine = rows.select(_TRADE)
            trades = (mine if trades is None else pa.concat_tables([trades, mine])).group_by(_TRADE).aggregate([])
    return trades


def _add_products(found: dict[str, dict[str, Any]], trades: pa.Table) -> None:
    """:param trades: each once for every reason; of blocks that were not reached there is none."""
    counts = trades.group_by(["reason", "product"], use_threads=False).aggregate([("trade_id", "count")])
    for row in counts.to_pylist():
        found[row["reason"]]["products"][row["product"]] = row["trade_id_count"]


def _add_samples(found: dict[str, dict[str, Any]], rows: pa.Table) -> None:
    """The first trades of each reason and product, each once: it may have failed in several blocks."""
    for row in rows.group_by(["reason", "product"], use_threads=False).aggregate([]).to_pylist():
        empty = {"reason": row["reason"], "trades": 0, "products": {}, "sample": [], "worth": None}
        entry = found.setdefault(row["reason"], empty)
        shown = {sample["trade_id"] for sample in entry["sample"]}
        if len(shown) >= SAMPLES:
            continue
        some = rows.filter(pc.and_(pc.equal(rows["reason"], row["reason"]), pc.equal(rows["product"], row["product"])))
        for failure in some.slice(0, _LOOKED_AT).to_pylist():
            if failure["trade_id"] not in shown and len(shown) < SAMPLES:
                shown.add(failure["trade_id"])
                entry["sample"].append(failure)
