"""Whether a run is published: what the command line asks for, the rule, and what stands for the day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from riskpipe.fault_points import FaultPoint, fault_point
from riskpipe.plan.accounting import PublishRule
from riskpipe.plan.stored_plan import PlanHeader
from riskpipe.runs.aggregate import aggregates, scenarios_table
from riskpipe.runs.engine import engines_of
from riskpipe.runs.folded import fold
from riskpipe.runs.losses import missing_outputs
from riskpipe.runs.outputs import whole_failures
from riskpipe.runs.session import Session
from riskpipe.runs.stored import open_plan
from riskpipe.store.filesystem import Store
from riskpipe.store.ledger import read_ledger
from riskpipe.store.parquet import WrittenFile, read_parquet
from riskpipe.store.portfolio import content_sha256
from riskpipe.store.published import publish_day, read_current
from riskpipe.store.records import BlockDone, BlockFailed, BlockSplit, Published, Record
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.run_ids import run_order
from riskpipe.store.stage import stage
from riskpipe.valuation.book_sums import PartialFile, read_sums
from riskpipe.valuation.context import open_context


@dataclass(frozen=True)
class Publication:
    """What the command line asks for.

    :param rule: complete: when every block is done (single quarantined trades aside); always; never. None: as the
        settings say, but never when the run is of a selection, or the day is from a later one.
    :param replace_day: even when what is published for the day has more trades, more measures or another selection.
    """

    rule: str | None = None
    replace_day: bool = False


FOR_A_RUN = Publication()


@dataclass(frozen=True)
class Decision:
    """:param why: what keeps the run from being published, for people. :param refused: it was asked for."""

    publish: bool
    why: str | None = None
    refused: bool = False


def decide(session: Session, publication: Publication) -> Decision:
    """Whether the run, as it is now, is to be published when its outputs are in place."""
    header, rule = session.plan.header, publication.rule or session.settings.publish
    if rule == PublishRule.NEVER:
        return Decision(False)
    broken = whole_failures(session.state)
    if rule == PublishRule.COMPLETE and broken:
        return Decision(False, f"{broken} blocks failed; retry them, or --publish always")
    return allowed(session.folder, header, publication)


def allowed(folder: RunFolder, header: PlanHeader, publication: Publication) -> Decision:
    """Whether what stands for the day lets a run take its place."""
    if publication.rule is None:
        if header.selection:
            return Decision(False, f"it is of a selection ({_selection(header.selection)})")
        standing = read_current(folder.store).get(header.as_of, {}).get("run_id")
        if standing is not None and run_order(standing) > run_order(folder.run_id):
            return Decision(False, f"{header.as_of} is from run {standing}, which came later")
    why = None if publication.replace_day else obstacle(folder, header)
    return Decision(why is None, why, refused=why is not None)


def contents(header: PlanHeader) -> dict[str, Any]:
    """What meta/CURRENT.json says of a day besides its files."""
    return {
        "trades": int(header.totals["trades"]),
        "selection": header.selection,
        "measures": list(header.measures),
    }


def obstacle(folder: RunFolder, header: PlanHeader) -> str | None:
    """Why a run may take the place of what stands for its day only when it is told to (`--replace-day`).

    None: it may. A run of the whole book with all measures of what stands, and with no fewer trades, may in any case.
    """
    entry = read_current(folder.store).get(header.as_of)
    if entry is None or entry["run_id"] == folder.run_id:
        return None
    mine, standing = contents(header), _standing(folder.store, entry)
    lost = sorted(set(standing["measures"]) - set(mine["measures"]))
    faults = []
    if mine["selection"] and mine["selection"] != standing["selection"]:
        faults.append(f"is of another selection ({_selection(mine['selection'])})")
    if mine["trades"] < standing["trades"]:
        faults.append(f"has {mine['trades']:,} trades in place of {standing['trades']:,}")
    if lost:
        faults.append(f"lacks {', '.join(lost)}")
    if not faults:
        return None
    return (
        f"run {folder.run_id} {' and '.join(faults)}, and would replace all of {header.as_of}, which is from run "
        f"{entry['run_id']}; --replace-day allows it"
    )


def _standing(store: Store, entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """The contents of a published day; of one from before they were written down, as far as they can be found."""
    if "trades" in entry:
        return entry
    folder = RunFolder(store, entry["run_id"])
    if folder.planned():
        return contents(open_plan(folder).header)
    files = entry["tables"].get("aggregates", {"files": []})["files"]
    counts = [read_parquet(store, file["path"], ["level", "trades"]) for file in files]
    trades = max((row["trades"] for table in counts for row in table.to_pylist() if row["level"] == 0), default=0)
    return {"trades": trades, "selection": [], "measures": []}


def _selection(selection: Sequence[Sequence[str]]) -> str:
    return " or ".join(",".join(terms) for terms in selection)


def was_published(records: Sequence[Record]) -> bool:
    """Whether the run was published as it is now: nothing was valued since."""
    for record in reversed(records):
        if isinstance(record, Published):
            return True
        if isinstance(record, BlockDone | BlockFailed | BlockSplit):
            return False
    return False


def stands(folder: RunFolder, as_of: str) -> bool:
    """Whether a run, all of whose outputs are there, is what is published for its day, byte for byte."""
    entry = read_current(folder.store).get(as_of)
    if entry is None or entry["run_id"] != folder.run_id:
        return False
    records = list(read_ledger(folder))
    if not was_published(records) or next(missing_outputs(fold(folder, records)), None) is not None:
        return False
    files = [file for described in entry["tables"].values() for file in described["files"]]
    return all(
        folder.store.size(file["path"]) == file["bytes"]
        and content_sha256(folder.store, file["path"]) == file["sha256"]
        for file in files
    )


def publish_tables(
    folder: RunFolder,
    parts: Mapping[str, Sequence[WrittenFile]],
    sums: Sequence[PartialFile],
    engines: Iterable[str],
) -> dict[str, list[WrittenFile]]:
    """Stage what is left to stage of a run whose outputs are combined, and put the day in place.

    :param parts: of the tables with a row a trade, as workers have staged them.
    :param engines: versions of riskpipe that did the blocks; this one puts them together.
    :param sums: the files that hold the run's sums.
    """
    fault_point(FaultPoint.PUBLISH, parts)
    context = open_context(*folder.place)
    context.verify()
    spec = context.spec
    provenance = replace(spec.provenance, engine_version=engines_of(engines))
    staged = {table: list(files) for table, files in parts.items()}
    nodes = aggregates(spec, context.scenarios, read_sums(context, sums))
    staged["aggregates"] = stage(folder, "aggregates", nodes, provenance)
    staged["scenarios"] = stage(folder, "scenarios", [scenarios_table(spec, context.scenarios)], provenance)
    described = contents(open_plan(folder).header)
    publish_day(folder, spec.as_of, staged, datetime.now(UTC), described)
    return staged
