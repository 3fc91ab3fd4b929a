"""Where everything of an output lies; what is in a run: run_folder.py."""

from __future__ import annotations

from datetime import date

from riskpipe.store.filesystem import checked_name

RUNS = "runs"
PUBLISHED = "published"
LEASES = "meta/lease"
CURRENT = "meta/CURRENT.json"
CHECKS = "meta/checks.parquet"
# What workers leave of the pieces of a portfolio while a run is planned.
PLANNING = "meta/planning"
# What analyses read beside a day's tables; not published by themselves.
TRADE_COMPONENTS, REVALUATIONS = "trade_components", "revaluations"


def day_name(as_of: date) -> str:
    """The hive partition directory of a day: `as_of=2026-11-20`."""
    return f"as_of={as_of:%Y-%m-%d}"


def published_day(table: str, as_of: date) -> str:
    """The directory of a table's day."""
    return f"{PUBLISHED}/{checked_name(table)}/{day_name(as_of)}"
