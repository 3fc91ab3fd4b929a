"""The limits of a run's books: kept with it, and what is beyond them."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pyarrow.compute as pc

from riskpipe.analyses.limit_terms import Limit
from riskpipe.runs.recorded_files import RecordedFiles, planned_files
from riskpipe.store.parquet import read_parquet
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.written_files import WrittenFile
from riskpipe.structs import asdict

SHOWN = 5


def limits_text(limits: Sequence[Limit]) -> bytes:
    """As a run keeps them."""
    return json.dumps([asdict(limit) for limit in limits], indent=1).encode()


def read_limits(folder: RunFolder) -> tuple[Limit, ...]:
    """Those that it was planned with. :raises StorageError: they cannot be read, or are not what was written."""
    content = RecordedFiles(folder, planned_files(folder)).read(folder.limits)
    return () if content is None else tuple(Limit(**limit) for limit in json.loads(content))


def breaches(folder: RunFolder, checks: Sequence[WrittenFile]) -> str | None:
    """What is beyond its limit, for people; None: nothing is.

    :param checks: files of `limit_checks`.
    """
    rows = []
    for file in checks:
        table = read_parquet(folder.store, file.path, sha256=file.sha256)
        rows += table.filter(pc.equal(table["status"], "breach")).to_pylist()
    if not rows:
        return None
    told = [
        f"{row['book'] or 'the root'}: {row['name'] or row['measure']} "
        + ("is not known" if row["value_base"] is None else f"{row['value_base']:,.0f}")
        + f", limit {row['limit']:,.0f}"
        for row in rows[:SHOWN]
    ]
    more = f"; and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    return f"{len(rows)} limits are breached: {'; '.join(told)}{more}"
