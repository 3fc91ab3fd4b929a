"""Histories that tests make as tables, read as those of files are."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import pyarrow as pa

from riskpipe.market.factors import MarketFault
from riskpipe.market.history import HistoricalMoves, HistoryRules
from riskpipe.market.history_source import distinct_values
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.market.stresses import Column


@dataclass(frozen=True)
class Past:
    """A table whose rows come in small batches, the text of every second one as dictionaries."""

    table: pa.Table
    batch_rows: int = 7

    @property
    def rows(self) -> int:
        return int(self.table.num_rows)

    @property
    def schema(self) -> pa.Schema:
        return self.table.schema

    def batches(self, columns: Collection[str]) -> Iterator[pa.Table]:
        wanted = self.table.select([name for name in self.table.column_names if name in columns])
        for number, start in enumerate(range(0, self.rows, self.batch_rows)):
            batch = wanted.slice(start, self.batch_rows)
            for k, name in enumerate(batch.column_names):
                if number % 2 and pa.types.is_string(batch.column(k).type):
                    batch = batch.set_column(k, name, batch.column(k).dictionary_encode())
            yield batch


def moves_of(table: pa.Table, snapshot: MarketSnapshot, rules: HistoryRules | None = None) -> HistoricalMoves:
    past = Past(table)
    return HistoricalMoves(past, distinct_values(past), snapshot, rules or HistoryRules())


def historical_columns(
    table: pa.Table, snapshot: MarketSnapshot, rules: HistoryRules | None = None
) -> tuple[list[Column], list[MarketFault]]:
    """All columns of a history, and all its faults."""
    moves = moves_of(table, snapshot, rules)
    columns = list(moves.columns())
    return columns, moves.faults
