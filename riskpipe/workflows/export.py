"""`riskpipe export`: a published table as CSV, Excel or Arrow."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import pyarrow as pa

from riskpipe.config import Settings
from riskpipe.errors import UsageError
from riskpipe.results.published_tables import Published
from riskpipe.results.query import answered
from riskpipe.results.row_files import SHEET_ROWS, RowFormat, too_many
from riskpipe.store.location import open_store


@contextmanager
def exported(
    settings: Settings, table: str, form: RowFormat, as_of: date | None = None, where: str | None = None
) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
    """The columns and rows of a table, in its order, in pieces.

    :param as_of: the day; None: the latest.
    :param where: a condition in SQL; needs DuckDB.
    :raises UsageError: there is no such table or day, or more rows than the format takes.
    """
    published = Published(open_store(settings.output))
    found = published.table(table, as_of)
    if where is None:
        if form is RowFormat.XLSX and found.rows >= SHEET_ROWS:
            raise UsageError(too_many(found.rows))
        batches = found.batches()
        first = list(itertools.islice(batches, 1))  # held against its checksum, before anything is written
        yield found.schema(), itertools.chain(first, batches)
        return
    with answered(published, f'select * from "{found.name}" where {where}', found.as_of) as reader:
        yield reader.schema, iter(reader)
