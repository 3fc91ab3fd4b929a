"""A day beside the published one before it: by book, and what trades that failed today were worth then."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from riskpipe.errors import UsageError
from riskpipe.results.find import Results, find_results
from riskpipe.store.filesystem import Store
from riskpipe.store.published import read_current
from riskpipe.store.result_tables import ResultStatus

SHOWN = ("pv", "var_99", "es_97_5", "dv01")
MOST_BOOKS = 60


class BookChange(Struct, frozen=True):
    """:param before, now: by the measures of `DayChange`; None: there was no number."""

    book: str
    level: int
    before: Sequence[float | None]
    now: Sequence[float | None]

    def change(self, measure: int) -> float | None:
        a, b = self.before[measure], self.now[measure]
        return None if a is None and b is None else (b or 0.0) - (a or 0.0)


class DayChange(Struct, frozen=True):
    """The root and the books right below it. :param more: how many of these are left out."""

    day: str
    run_id: str
    measures: Sequence[str]
    books: Sequence[BookChange]
    more: int


def previous_results(store: Store, as_of: str) -> Results | None:
    """What is published of the last day before; None: nothing."""
    earlier = [day for day in read_current(store) if day < as_of]
    if not earlier:
        return None
    try:
        return find_results(store, f"published:{max(earlier)}", date.fromisoformat(as_of))
    except UsageError:
        return None


def day_change(now: pa.Table, before: Results) -> DayChange:
    """:param now: rows of `aggregates`.

    :raises StorageError: the earlier day cannot be read.
    """
    today, earlier = _values(now), _values(before.aggregates())
    measures = [m for m in SHOWN if any((m, "") in each for each in (today, earlier))]
    books = sorted({book for each in (today, earlier) for _, book in each if book})
    rows = [_change(book, measures, earlier, today) for book in books]
    rows.sort(key=lambda row: (-abs(row.change(0) or 0.0), row.book))
    root = _change("", measures, earlier, today)
    return DayChange(before.as_of, before.run_id, measures, [root, *rows[:MOST_BOOKS]], max(len(rows) - MOST_BOOKS, 0))


def _values(rows: pa.Table) -> dict[tuple[str, str], float | None]:
    wanted = pc.and_(pc.less_equal(rows["level"], 1), pc.is_in(rows["measure"], value_set=pa.array(SHOWN)))
    return {(row["measure"], row["book"]): row["value_base"] for row in rows.filter(wanted).to_pylist()}


def _change(
    book: str,
    measures: Sequence[str],
    before: dict[tuple[str, str], float | None],
    now: dict[tuple[str, str], float | None],
) -> BookChange:
    return BookChange(
        book, int(book != ""), [before.get((m, book)) for m in measures], [now.get((m, book)) for m in measures]
    )


def worth_before(trades: pa.Table, before: Results) -> dict[str, tuple[int, float, float]]:
    """What failed trades were worth on the earlier day, by reason: (trades with a value then, sum, sum of sizes).

    :param trades: `reason`, `trade_id`, each pair once. :raises StorageError: the earlier day cannot be read.
    """
    wanted = pc.unique(trades["trade_id"]).drop_null()
    ids: list[pa.ChunkedArray] = []
    values: list[pa.ChunkedArray] = []
    for rows in before.rows("valuations", ["trade_id", "measure", "value_base", "status"]):
        mine = pc.and_(pc.equal(rows["measure"], "pv"), pc.equal(rows["status"], ResultStatus.OK))
        mine = pc.and_(pc.and_(mine, pc.is_valid(rows["value_base"])), pc.is_in(rows["trade_id"], value_set=wanted))
        rows = rows.filter(mine)
        ids += rows["trade_id"].cast(pa.string()).chunks
        values += rows["value_base"].chunks
    if not ids:
        return {}
    place = pc.index_in(trades["trade_id"], value_set=pa.chunked_array(ids, pa.string()))
    value = pa.chunked_array(values, pa.float64()).take(place)
    found = pa.table({"reason": trades["reason"], "value": value, "size": pc.abs(value)})
    found = found.filter(pc.is_valid(found["value"])).group_by("reason", use_threads=False)
    summed = found.aggregate([("value", "count"), ("value", "sum"), ("size", "sum")])
    return {row["reason"]: (row["value_count"], row["value_sum"], row["size_sum"]) for row in summed.to_pylist()}
