"""Every stored file of a run, and of the day that is published from it, against what was recorded of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from riskpipe.results.soundness import CHANGED, Findings
from riskpipe.runs.folded import FoldedRun, fold
from riskpipe.runs.freed import Left, files_gone, freed, left_of
from riskpipe.runs.recorded_files import ended_files, planned_files
from riskpipe.store.layout import CURRENT, PUBLISHED, published_day
from riskpipe.store.ledger import ledger_faults, read_ledger
from riskpipe.store.published import read_current
from riskpipe.store.records import Record
from riskpipe.store.sealed import broken_lines, is_sealed_page
from riskpipe.valuation.spec import read_spec


def verify_files(found: Findings) -> FoldedRun | None:
    """Look at all files; the run as its ledger tells it, or None where that cannot be read."""
    folder = found.folder
    for path, read in ((folder.run, folder.described), (folder.valuation, lambda: read_spec(folder))):
        found.files.add(path)
        with found.looking_at(path):
            read()
    planned: dict[str, str] = {}
    with found.looking_at(folder.valuation):
        gone = set(files_gone(folder))
        planned = {path: sha256 for path, sha256 in planned_files(folder).items() if path not in gone}
        found.hold(planned)
    _verify_text(found, sealed=folder.checks in planned)
    records = _ledger(found)
    run = None if records is None else _outputs(found, records)
    _tell_unrecorded(found)
    return run


def _ledger(found: Findings) -> Sequence[Record] | None:
    folder = found.folder
    segments = found.store.list_files(folder.ledger, recursive=False)
    found.files.update(entry.path for entry in segments)
    found.bytes += sum(entry.bytes for entry in segments)
    faults = ledger_faults(folder)
    for fault in faults:
        found.damaged(folder.ledger, str(fault))
    if faults:
        return None
    return list(read_ledger(folder))


def _outputs(found: Findings, records: Sequence[Record]) -> FoldedRun | None:
    folder = found.folder
    if any(damage.path == found.store.full_path(folder.plan) for damage in found.damages):
        return None
    run: FoldedRun | None = None
    with found.looking_at(folder.plan):
        run = fold(folder, records)
        record = freed(folder)
        if record is None:
            found.hold(dict(_of_blocks(run)))
        else:
            found.files.add(folder.freed)
            of = "what blocks left" if left_of(folder) is Left.INPUTS else "all but its account"
            found.notes.append(f"{of} was freed by `runs gc` ({record['at']}): it is not looked at")
        if run.unended:
            found.notes.append(
                "the last session has not ended, or was killed: what sessions write at their end is not looked at"
            )
        else:
            found.hold({f"{folder.root}/{name}": sha256 for name, sha256 in ended_files(records).items()})
    return run


def _of_blocks(run: FoldedRun) -> Iterator[tuple[str, str]]:
    """Path and SHA-256 of what blocks left, also of those that failed, and of what was combined of it."""
    folder, files = run.folder, run.state.files
    for table in files.tables():
        for place, _, sha256 in files.files(table):
            yield folder.block_output(table, place if isinstance(place, str) else run.plan.id_at(place)), sha256
    for _, piece in files.all_vectors():
        yield piece.path, piece.sha256
    for _, path, sha256 in run.combined.files():
        # What was staged went with its publication; after a kill in the middle of one, another day may lie there.
        if not path.startswith(f"{folder.staging}/") or (folder.store.exists(path) and not run.unended):
            yield path, sha256


def _verify_text(found: Findings, sealed: bool) -> None:
    """Log and report, which have their checksums in them. :param sealed: the run is of a version that does so."""
    folder = found.folder
    for path in (folder.log, folder.report):
        if not found.store.exists(path):
            continue
        with found.looking_at(path):
            found.files.add(path)
            content = found.store.read_bytes(path)
            found.bytes += len(content)
            if path == folder.report and sealed and not is_sealed_page(content):
                found.damaged(path, CHANGED)
            for line in broken_lines(content) if path == folder.log and sealed else ():
                found.damaged(path, f"line {line} is not what was written")


def _tell_unrecorded(found: Findings) -> None:
    there = {entry.path for entry in found.store.list_files(found.folder.root)}
    unknown = sorted(there - found.files)
    if unknown:
        first = found.store.full_path(unknown[0])
        found.notes.append(f"{len(unknown)} files of the run are recorded nowhere, such as {first}: nothing reads them")


def verify_published(found: Findings, as_of: date) -> Mapping[str, Any] | None:
    """The entry of meta/CURRENT.json of the day, when the run is what is published, after its files were looked at."""
    found.files.add(CURRENT)
    entry: Mapping[str, Any] | None = None
    with found.looking_at(CURRENT):
        standing: Mapping[str, Any] | None = read_current(found.store).get(as_of.isoformat())
        if standing is None or standing["run_id"] != found.folder.run_id:
            found.notes.append(f"the run is not what is published for {as_of}")
            return None
        entry = standing
        files = {file["path"]: file["sha256"] for table in entry["tables"].values() for file in table["files"]}
        found.hold(files)
        for table in found.store.list_directories(PUBLISHED):
            for file in found.store.list_files(published_day(table, as_of)):
                if file.path not in files:
                    found.damaged(file.path, f"it is not of the day, as {CURRENT} has it, and readers read it too")
    return entry
