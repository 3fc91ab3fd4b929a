"""The day that a market or a history says it is of: a column of the table, a key of the file's footer, or its path."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from riskpipe.errors import Level
from riskpipe.market.calendars import add_business_days
from riskpipe.market.factors import MarketFault, date_of, days_of, fault
from riskpipe.store.columns import can_read, read_column

FOOTER_KEY = "riskpipe.as_of_date"
"""As the package's own files have it: a day as YYYY-MM-DD."""
AS_OF_COLUMNS = ("as_of", "as_of_date")
MARKET_COLUMNS = (*AS_OF_COLUMNS, "date")
OTHER_DAY = "another day"

# A day that is a holiday in one of the large markets, whose fixings stop on it, is not asked for.
_EVERYWHERE = "TARGET+USNY+USGS+GBLO+JPTO+SOFR+SONIA+SARON+CORRA+AONIA+NZOCR+SWESTR+DESTR+NOWA+KOFR"


# Years of this century and the last, so that no other number of eight digits is taken for a day.
_IN_PATH = re.compile(r"(?<!\d)((?:19|20)\d\d)([-/_]?)(\d\d)\2(\d\d)(?!\d)")


class DateSource(Struct, frozen=True):
    """Where a market must say which day it is of (`inputs.market_date`).

    :param where: footer, path, or column:NAME. :param path: of the market.
    """

    where: str
    path: str

    @property
    def column(self) -> str | None:
        kind, _, name = self.where.partition(":")
        return name if kind == "column" else None


def market_date_faults(
    table: pa.Table, as_of: int, level: Level, source: DateSource | None = None
) -> Iterator[MarketFault]:
    """What says that the market is of another day than `as_of`.

    :param table: as read: its footer's keys are the metadata of its schema.
    :param as_of: days since 1970-01-01. :param level: of a market of another day, or that does not say where it must.
    """
    days: set[int] = set()
    if source is not None:
        days |= _declared(table, source)
        if not days:
            message = f"the market does not say which day it is of: inputs.market_date is {source.where}"
            yield fault(level, source.column or "", "no date", (), f"{message}; as_of is {date_of(as_of)}")
    for column in _columns(table, MARKET_COLUMNS):
        found = _days(table, column)
        if found is None:
            yield _unread(column)
        else:
            days |= found
    footer = _footer(table)
    if footer is None:
        yield _unread(FOOTER_KEY, "the footer's key")
    days |= footer or set()
    others = sorted(days - {as_of})
    if others:
        yield _other_day("market", others, as_of, level, mixed=len(days) > 1)


def history_date_faults(table: pa.Table, as_of: int, level: Level) -> Iterator[MarketFault]:
    """A history that was made for a day before `as_of`, or that ends before the business day before it.

    One of a later day serves: what is after `as_of` is not used. A column that has a day of its own for each row says
    nothing of the whole.
    """
    days: set[int] = set()
    for column in _columns(table, AS_OF_COLUMNS):
        found = _days(table, column)
        if found is None:
            yield _unread(column)
        elif len(found) == 1:
            days |= found
    footer = _footer(table)
    if footer is None:
        yield _unread(FOOTER_KEY, "the footer's key")
    days |= footer or set()
    if days and max(days) < as_of:
        yield _other_day("history", sorted(days), as_of, level, mixed=len(days) > 1)
    dates = _days(table, "date") if _is_one(table, "date") else None
    past = [day for day in dates or () if day <= as_of]
    needed = int(add_business_days(np.array([as_of], np.int32), -1, _EVERYWHERE)[0])
    if past and max(past) < needed:
        last = date_of(max(past))
        message = (
            f"the history ends on {last}, before {date_of(needed)}, the business day before as_of ({date_of(as_of)}): "
            "the moves since then are not among the scenarios"
        )
        yield fault(Level.WARNING, "date", "ends early", (), message)


def days_of_directories(given: Mapping[str, str | None]) -> set[int]:
    """Days that the names of directories give (`as_of=2026-11-20`), in days since 1970-01-01.

    :param given: column -> value, as `store.listing.partitions` has them.
    """
    texts = (text for name, text in given.items() if name.lower() in MARKET_COLUMNS and text is not None)
    return {day for day in map(_parsed, texts) if day is not None}


def _declared(table: pa.Table, source: DateSource) -> set[int]:
    """What stands where it must; nothing, or no date: none."""
    if source.where == "footer":
        return _footer(table) or set()
    if source.column is not None:
        return (_days(table, source.column) if _is_one(table, source.column) else None) or set()
    # The last of a path is nearest to the file: /2025-archive/2026/11/20/market.parquet.
    texts = ["-".join(match.group(1, 3, 4)) for match in _IN_PATH.finditer(source.path)]
    found = [day for day in map(_parsed, texts) if day is not None]
    return set(found[-1:])


def _columns(table: pa.Table, names: tuple[str, ...]) -> list[str]:
    """Each once: a column that occurs twice is another rule's fault."""
    return [name for name in dict.fromkeys(table.column_names) if _is_one(table, name) and name.lower() in names]


def _is_one(table: pa.Table, name: str) -> bool:
    return len(table.schema.get_all_field_indices(name)) == 1


def _other_day(what: str, days: list[int], as_of: int, level: Level, *, mixed: bool) -> MarketFault:
    named = ", ".join(date_of(day).isoformat() for day in days[:5]) + (", ..." if len(days) > 5 else "")
    today = date_of(as_of).isoformat()
    way_out = f"give --as-of {named}, or inputs.{what} of {today}"
    if mixed:
        way_out = f"leave the rows of {today} alone in inputs.{what}"
    ending = "" if level == Level.WARNING else " (check.market_date: warning values it all the same)"
    message = f"the {what} says that it is of {named}, as_of is {today}: {way_out}{ending}"
    return fault(level, "", OTHER_DAY, (), message)


def _unread(column: str, what: str = "the column") -> MarketFault:
    message = f"{what} {column!r} holds no dates (a date, or text YYYY-MM-DD): it is not compared with as_of"
    return fault(Level.WARNING, column, "unreadable date", (), message)


def _footer(table: pa.Table) -> set[int] | None:
    """Of a directory of files, what each of them says (`store.dataset`); None: one says no date."""
    text = (table.schema.metadata or {}).get(FOOTER_KEY.encode(), b"").decode("ascii", "replace")
    days = {_parsed(part) for part in text.split(",") if part.strip()}
    return None if None in days else {day for day in days if day is not None}


def _days(table: pa.Table, name: str) -> set[int] | None:
    """Days since 1970-01-01 of a column, nulls and what cannot be read aside; None: it holds no dates."""
    column, field = table.column(name), table.schema.field(name)
    if pa.types.is_timestamp(field.type):  # its time of day, and its zone, say nothing here
        column = (pc.local_timestamp(column) if field.type.tz else column).cast(pa.date32(), safe=False)
        field = field.with_type(pa.date32())
    if can_read(field, "string", identifier=True):
        texts = read_column(column, field, "string", optional=True)[0].unique().to_pylist()
        days = {_parsed(text) for text in texts if text is not None}
        return None if None in days else {day for day in days if day is not None}
    if not can_read(field, "date"):
        return None
    found = read_column(column, field, "date", optional=True)[0].unique().drop_null()
    return set(found.cast(pa.int32()).to_pylist())


def _parsed(text: str) -> int | None:
    """A day as YYYY-MM-DD or YYYYMMDD, a time of day after it aside."""
    try:
        return days_of(date.fromisoformat(text.strip().replace("T", " ").partition(" ")[0]))
    except ValueError:
        return None
