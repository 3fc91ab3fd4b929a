"""The earlier run of a day whose numbers a new one takes over: found, and opened with what it was priced under."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import pyarrow as pa
import yaml
from msgspec import Struct

from riskpipe.config.models import Settings
from riskpipe.errors import StorageError, UsageError
from riskpipe.market.scenarios import ScenarioSet
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.plan.selection import Selection
from riskpipe.plan.stored_plan import PlanHeader
from riskpipe.runs.folded import FoldedRun, fold
from riskpipe.runs.freed import Left, left_of
from riskpipe.runs.losses import missing_outputs
from riskpipe.runs.status import read_status
from riskpipe.store.filesystem import Store
from riskpipe.store.ledger import read_ledger
from riskpipe.store.local_files import local_file
from riskpipe.store.parquet import read_parquet
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.run_ids import list_runs, resolve_run
from riskpipe.valuation.changed_groups import PricedMarket
from riskpipe.valuation.spec import ValuationSpec, read_spec

LATEST = "latest"


class EarlierRun(Struct, frozen=True):
    """A run that has ended.

    :param settings: as resolved then. :param contents: rows of `trade_contents.CONTENTS`.
    :param failed: ids of trades without some of their numbers.
    :param lost: blocks that have outputs which are missing.
    """

    run: FoldedRun
    spec: ValuationSpec
    market: PricedMarket
    settings: Mapping[str, Any]
    contents: pa.Table
    failed: pa.ChunkedArray
    lost: frozenset[str]

    @property
    def folder(self) -> RunFolder:
        return self.run.folder

    @property
    def header(self) -> PlanHeader:
        return self.run.plan.header


def earlier_run(store: Store, text: str, as_of: date, selection: Selection) -> EarlierRun:
    """The run that `--since` names.

    :param text: an id, a unique prefix of one, or `latest`: the last one of the day that has ended.
    :raises UsageError: there is none, or nothing can be taken over of it; the message says why.
    """
    folder = latest(store, as_of) if text == LATEST else resolve_run(store, text)
    if folder is None:
        raise UsageError(f"--since latest: no run of {as_of} has ended in {store.root}; run without --since")
    if why := unfit(folder, as_of, selection):
        raise UsageError(f"--since {text}: run {folder.run_id} {why}")
    return opened(folder)


def find_earlier(
    store: Store, settings: Settings, selection: Selection, since: str | None, tell: Callable[[str], None]
) -> EarlierRun | None:
    """The run whose numbers are taken over, as asked for or, with `reuse: auto`, by itself.

    :param since: as it was named; None: it was not.
    :param tell: is told why nothing is taken over of the day's last run.
    :raises UsageError: nothing can be taken over of the run that was named.
    """
    if since is not None:
        return earlier_run(store, since, settings.as_of, selection)
    if settings.reuse == "off":
        return None
    folder = latest(store, settings.as_of)
    if folder is None:
        return None
    why = unfit(folder, settings.as_of, selection)
    if why is None:
        return opened(folder)
    tell(f"nothing is taken over: run {folder.run_id} {why}")
    return None


def latest(store: Store, as_of: date) -> RunFolder | None:
    """The last run of a day that has ended."""
    for run_id in reversed(list_runs(store)):
        folder = RunFolder(store, run_id)
        if folder.planned() and folder.described()["as_of"] == as_of.isoformat() and _ended(folder):
            return folder
    return None


def unfit(folder: RunFolder, as_of: date, selection: Selection) -> str | None:
    """Why nothing can be taken over of a run."""
    if not folder.planned():
        return "was stopped before it had a plan"
    described = folder.described()["as_of"]
    if described != as_of.isoformat():
        return f"is of {described}, not of {as_of}: numbers are taken over within a day"
    if not _ended(folder):
        return "has not ended: `riskpipe run --resume` goes on with it"
    spec = read_spec(folder)
    if spec.selection != tuple(tuple(terms) for terms in selection.canonical()):
        return "is of another selection"
    if left_of(folder) is not Left.WHOLE:
        return "has no blocks any more (`riskpipe runs gc`): run without --since"
    if not folder.store.exists(folder.trade_contents):
        return "was made by a version that did not note what its trades were: run without --since"
    return None


def opened(folder: RunFolder) -> EarlierRun:
    """:raises StorageError: a file of the run is missing or damaged."""
    store, spec = folder.store, read_spec(folder)
    checksums = spec.files_sha256

    def checksum(path: str) -> str:
        return checksums.get(path.rpartition("/")[2], "")

    run = fold(folder, read_ledger(folder))
    market, scenarios = (local_file(store, path, checksum(path)) for path in (folder.market, folder.scenarios))
    settings = yaml.safe_load(store.read_bytes(folder.config).decode())
    if not isinstance(settings, dict):
        raise StorageError(f"{store.full_path(folder.config)} is damaged")
    return EarlierRun(
        run,
        spec,
        PricedMarket(MarketSnapshot.open(market), ScenarioSet.open(scenarios)),
        settings,
        read_parquet(store, folder.trade_contents, sha256=checksum(folder.trade_contents)),
        read_parquet(store, folder.failures, ["trade_id"]).column("trade_id"),
        frozenset(loss.name for loss in missing_outputs(run)),
    )


def _ended(folder: RunFolder) -> bool:
    status = read_status(folder, read_ledger(folder))
    return status is not None and status.state.ended
