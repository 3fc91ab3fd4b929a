"""The published day that today's P&L is explained from: its run, and the market that this was priced with."""

from __future__ import annotations

from datetime import date
from typing import Any

from msgspec import Struct

from riskpipe.config import Settings
from riskpipe.errors import Level, StorageError
from riskpipe.inputs.inspection import Inspection
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.measures.measure_names import EXPLAIN
from riskpipe.plan.fault import Fault
from riskpipe.plan.selection import Selection
from riskpipe.store.checksums import content_sha256
from riskpipe.store.local_files import local_file
from riskpipe.store.location import open_store
from riskpipe.store.published import read_current
from riskpipe.store.run_folder import RunFolder
from riskpipe.valuation.spec import read_spec

PREVIOUS = "previous"
"""Name of the input."""
_DAYS_TOLD = 5


class PreviousDay(Struct, frozen=True):
    """:param market: as the day's run priced with it, derived points included. :param measures: of that run."""

    as_of: date
    run_id: str
    market: MarketSnapshot
    measures: tuple[str, ...]


def find_previous(inspection: Inspection, selection: Selection) -> PreviousDay | None:
    """The earlier day; None where nothing asks for it or there is none yet, or it cannot be used, which is a fault that
    stands in the way."""
    settings = inspection.settings
    if not _is_wanted(settings, selection):
        return None
    try:
        found = _opened(settings)
    except StorageError as error:
        where = settings.output
        fault = Fault(Level.ERROR, PREVIOUS, where, "", "unusable", 0, (), str(error))
        inspection.add(fault, blocking=True)
        return None
    if found is not None:
        inspection.hashes[PREVIOUS] = hash_previous(settings, selection)
    return found


def _is_wanted(settings: Settings, selection: Selection) -> bool:
    """Of whole days: beside a part of one all the rest of the earlier day would be cancelled."""
    return EXPLAIN in settings.measures and not selection.canonical()


def hash_previous(settings: Settings, selection: Selection) -> str:
    """SHA-256 of what the earlier day's blocks shared: its run, and the hash of its market; "" where there is none.

    :raises StorageError: it cannot be used.
    """
    store = open_store(settings.output)
    entry = _published(settings, read_current(store)) if _is_wanted(settings, selection) else None
    return "" if entry is None else content_sha256(store, RunFolder(store, entry[1]).valuation)


def _opened(settings: Settings) -> PreviousDay | None:
    store = open_store(settings.output)
    entry = _published(settings, read_current(store))
    if entry is None:
        return None
    day, run_id = entry
    folder = RunFolder(store, run_id)
    if not (folder.opened() and store.exists(folder.market) and store.exists(folder.valuation)):
        raise StorageError(
            f"the market of run {run_id}, which {day} is published from, is not in {store.full_path('runs')} any more "
            "(cleared away, or freed by `riskpipe runs gc`), and is needed to explain P&L; name "
            "another day (risk.explain.previous), run that day again, or leave "
            f"{EXPLAIN} out of measures"
        )
    try:
        spec = read_spec(folder)
    except StorageError as error:
        raise StorageError(
            f"run {run_id}, which {day} is published from, cannot be read: it is damaged, or of another version of "
            f"riskpipe; run that day again, name another (risk.explain.previous), or leave {EXPLAIN} out of measures"
        ) from error
    base = spec.conventions.base_currency
    if base != settings.base_currency:
        raise StorageError(
            f"{day} is published in {base}, and base_currency is {settings.base_currency}: name a day in "
            f"{settings.base_currency} (risk.explain.previous), or leave {EXPLAIN} out of measures"
        )
    path = local_file(store, folder.market, spec.files_sha256.get("market.arrow", ""))
    return PreviousDay(day, run_id, MarketSnapshot.open(path), spec.measures)


def _published(settings: Settings, current: dict[str, Any]) -> tuple[date, str] | None:
    """Day and run. :raises StorageError: nothing is published for the day that is named, or it is no earlier one."""
    wanted = settings.risk.explain.previous
    earlier = [day for day in sorted(current) if date.fromisoformat(day) < settings.as_of]
    if isinstance(wanted, str):
        return (date.fromisoformat(earlier[-1]), str(current[earlier[-1]]["run_id"])) if earlier else None
    if wanted.isoformat() not in earlier:
        known = ", ".join(earlier[-_DAYS_TOLD:]) or "none"
        raise StorageError(
            f"risk.explain.previous: {wanted} is no published day before {settings.as_of}; those there are: {known}"
        )
    return wanted, str(current[wanted.isoformat()]["run_id"])
