"""Whether a run is published: what the command line asks for, the rule, and what stands for the day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from riskpipe.analyses.catalogue import ANALYSES, analyses
from riskpipe.errors import StorageError, described
from riskpipe.fault_points import FaultPoint, fault_point
from riskpipe.measures.pnl_sets import pnl_sets
from riskpipe.plan.accounting import PublishRule
from riskpipe.plan.stored_plan import PlanHeader
from riskpipe.runs.aggregate import aggregates, book_pnl, scenarios_table
from riskpipe.runs.analysed import analysed, previous_of
from riskpipe.runs.engine import engines_of
from riskpipe.runs.folded import fold
from riskpipe.runs.freed import freed
from riskpipe.runs.gates import Override, check_gates
from riskpipe.runs.limits import read_limits
from riskpipe.runs.losses import missing_outputs
from riskpipe.runs.outputs import whole_failures
from riskpipe.runs.reuse import reuse_table
from riskpipe.runs.session import Session
from riskpipe.runs.stored import open_plan
from riskpipe.store.checksums import content_sha256
from riskpipe.store.filesystem import Store
from riskpipe.store.ledger import read_ledger
from riskpipe.store.parquet import read_parquet
from riskpipe.store.published import publish_day, read_current
from riskpipe.store.records import BlockDone, BlockFailed, BlockSplit, Published, Record
from riskpipe.store.result_tables import Provenance
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.run_ids import run_order
from riskpipe.store.stage import stage
from riskpipe.store.written_files import WrittenFile
from riskpipe.valuation.context import open_context
from riskpipe.valuation.factor_columns import factors_table


class Publication(Struct, frozen=True):
    """What the command line asks for.

    :param rule: complete: when every block is done (single quarantined trades aside); always; never. None: as the
        settings say, but never when the run is of a selection, or the day is from a later one.
    :param replace_day: even when what is published for the day has more trades, more measures or another selection.
    """

    rule: str | None = None
    replace_day: bool = False


FOR_A_RUN = Publication()


class Decision(Struct, frozen=True):
    """:param why: what keeps the run from being published, for people. :param refused: it was asked for.
    :param gated: what it says keeps it from being published."""

    publish: bool
    why: str | None = None
    refused: bool = False
    gated: bool = False


def decide(session: Session, publication: Publication) -> Decision:
    """Whether the run, as it is now, is to be published when its outputs are in place."""
    header, rule = session.plan.header, publication.rule or session.settings.publish
    if session.cut_short and rule == PublishRule.COMPLETE:  # too_late: publish_partial
        rule = PublishRule.ALWAYS
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
        "base_currency": header.base_currency,
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
    counts = [read_parquet(store, file["path"], ["level", "trades"], file["sha256"]) for file in files]
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
    """Whether a run, all of whose outputs are there or freed, is what is published for its day, byte for byte."""
    entry = read_current(folder.store).get(as_of)
    if entry is None or entry["run_id"] != folder.run_id:
        return False
    records = list(read_ledger(folder))
    if not was_published(records):
        return False
    if freed(folder) is None and next(missing_outputs(fold(folder, records)), None) is not None:
        return False
    files = [file for described in entry["tables"].values() for file in described["files"]]
    return all(
        folder.store.size(file["path"]) == file["bytes"]
        and content_sha256(folder.store, file["path"]) == file["sha256"]
        for file in files
    )


def publish_tables(session: Session, override: Override | None = None) -> dict[str, list[WrittenFile]]:
    """Stage what is left to stage of a run whose outputs are combined, and put the day in place.

    :param override: publishes it in spite of its gates.
    :raises GateError: a gate keeps it from being published.

    The footer names every version of riskpipe that did blocks, and this one, which puts them together.
    """
    folder, parts = session.folder, session.parts
    fault_point(FaultPoint.PUBLISH, parts)
    context = open_context(*folder.place)
    context.verify()
    spec = context.spec
    provenance = replace(spec.provenance, engine_version=engines_of(session.state.engines))
    staged = {table: list(files) for table, files in parts.items()}
    totals = session.totals()
    staged["aggregates"] = stage(folder, "aggregates", aggregates(spec, context.scenarios, totals), provenance)
    if pnl_sets(what.scenario_set for what in totals.summed):
        staged["book_pnl"] = stage(folder, "book_pnl", book_pnl(spec, totals), provenance)
    staged["scenarios"] = stage(folder, "scenarios", [scenarios_table(spec, context.scenarios)], provenance)
    staged["factors"] = stage(folder, "factors", [factors_table(context.snapshot, spec.derived)], provenance)
    differences = reuse_table(folder, spec)
    if differences is not None:
        staged["reuse"] = stage(folder, "reuse", [differences], provenance)
    _analyse(session, staged, provenance)
    described = contents(open_plan(folder).header) | check_gates(session, staged, override)
    publish_day(folder, spec.as_of, staged, datetime.now(UTC), described)
    return staged


def _analyse(session: Session, staged: dict[str, list[WrittenFile]], provenance: Provenance) -> None:
    """Stage every analysis of the staged tables. A desk's own that does not work is left out of the day."""
    _tell_other_previous(session)
    known = analyses()
    terms = replace(session.settings.risk.terms(), limits=read_limits(session.folder))
    for broken in known.broken.values():
        session.note(broken)
    for name in known:
        tables = {**staged, **session.beside}
        try:
            if not known.can_be_made(name, tables):
                continue
            made = analysed(session.folder, known[name], tables, terms, provenance)
        except Exception as error:
            if name in ANALYSES or isinstance(error, StorageError):
                raise
            session.note(f"the analysis {name} is left out: {described(error)}")
            continue
        if made:
            staged[name] = made


def _tell_other_previous(session: Session) -> None:
    """The day that P&L is explained from was published from another run since this one was planned."""
    store = session.folder.store
    named = previous_of(store, session.folder.run_id)
    standing = None if named is None else read_current(store).get(named[0], {}).get("run_id")
    if named is not None and standing != named[1]:
        message = (
            f"{named[0]} is published from run {standing} now, not from {named[1]}, which P&L was to be explained "
            "from: no pnl_explain; start a new run for it"
        )
        session.note(message)
