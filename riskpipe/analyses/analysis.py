"""What an analysis is: a pure function of a day's result tables to one more."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import ClassVar

import pyarrow as pa
from msgspec import Struct

from riskpipe.analyses.risk_terms import RiskTerms
from riskpipe.errors import StorageError
from riskpipe.market.model import MarketModel
from riskpipe.market.scenarios import ScenarioSet
from riskpipe.store.table_schemas import SCHEMAS


def _not_at_hand() -> ScenarioSet:
    raise StorageError("the scenarios of the day's run are not at hand")


class Day(Struct, frozen=True):
    """The results of one day, as analyses see them.

    :param read: a table's rows in its order, in pieces; none where the day lacks the table.
    :param market: what the day's run priced with.
    :param previous: the published day that P&L is explained from; None: there is none, or it is of another run now.
    :param earlier: the days published before this one, the latest first.
    :param scenarios: the columns that the day's run priced under.
    """

    as_of: date
    run_id: str
    terms: RiskTerms
    read: Callable[[str], Iterator[pa.Table]]
    market: Callable[[], MarketModel]
    previous: Day | None = None
    earlier: Callable[[], Iterator[Day]] = lambda: iter(())
    scenarios: Callable[[], ScenarioSet] = _not_at_hand

    def table(
        self, name: str, columns: Sequence[str], wanted: Callable[[pa.Table], pa.Array] | None = None
    ) -> pa.Table:
        """All rows of a table that are wanted, some of their columns; none where the day lacks the table."""
        pieces = [SCHEMAS[name].empty_table().select(columns)]
        for piece in self.read(name):
            pieces.append((piece if wanted is None else piece.filter(wanted(piece))).select(columns))
        return pa.concat_tables(pieces).combine_chunks()

    def constants(self, rows: int) -> dict[str, pa.Array]:
        """The columns that say which day and run a row is of."""
        return {
            "as_of_date": pa.repeat(pa.scalar(self.as_of, pa.date32()), rows),
            "run_id": pa.repeat(pa.scalar(self.run_id, pa.string()), rows),
        }


class Analysis(ABC):
    """One analysis. Its bits follow from its tables alone, however these were made.

    :cvar name: also of the table that it makes.
    :cvar version: raised when it makes other numbers of the same tables.
    :cvar measure: whose vectors it is made of, or what else there must be.
    :cvar key: of the configuration, that asks for it; none: nothing has to.
    :cvar reads: tables that it needs; where a day lacks one of them there is nothing to make.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    measure: ClassVar[str] = "historical_var"
    key: ClassVar[str] = ""
    reads: ClassVar[tuple[str, ...]]

    @property
    def schema(self) -> pa.Schema:
        """Of the table, which begins with as_of_date and run_id. A desk's own analysis says what its table is."""
        return SCHEMAS[self.name]

    @abstractmethod
    def compute(self, day: Day) -> Iterator[pa.Table]:
        """The table's rows, in its order, in pieces.

        :raises UsageError: the configuration asks for what the day's tables cannot give.
        """
