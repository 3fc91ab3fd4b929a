"""`riskpipe sql`: a question to the published tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import pyarrow as pa

from riskpipe.config import Settings
from riskpipe.results.published_tables import Published
from riskpipe.results.query import answered
from riskpipe.store.location import open_store


@contextmanager
def asked(settings: Settings, query: str, as_of: date | None = None) -> Iterator[pa.RecordBatchReader]:
    """The answer to one SELECT; see `riskpipe.results.query.answered`.

    :param as_of: whose rows tables have that are not of `all_days`; None: of the latest day.
    """
    with answered(Published(open_store(settings.output)), query, as_of) as reader:
        yield reader
