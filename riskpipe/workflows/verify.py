"""`riskpipe verify`: every stored file of a run and of its published day, the ledger, the numbers, published rows."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from riskpipe.analyses.risk_terms import RiskTerms
from riskpipe.config import Settings, load_settings
from riskpipe.errors import ExitCode, InfrastructureError, RiskpipeError, StorageError
from riskpipe.inputs.changed_inputs import changed_inputs
from riskpipe.results.accounted import verify_numbers
from riskpipe.results.published_rows import published_day_of, verify_analyses, verify_rows, verify_sums
from riskpipe.results.soundness import Damage, Findings
from riskpipe.results.stored_files import verify_files, verify_published
from riskpipe.runs.folded import FoldedRun
from riskpipe.runs.freed import freed
from riskpipe.runs.limits import read_limits
from riskpipe.store.location import open_store
from riskpipe.store.run_ids import resolve_run


class Rows(StrEnum):
    """Which published rows are held against the blocks'."""

    SAMPLE = "sample"
    ALL = "all"
    NONE = "none"


class VerifyReport(Struct, frozen=True):
    """What was found.

    :param files, bytes: that were held against their checksums. :param numbers: planned numbers by outcome.
    :param compared: published rows that were held against what they are made of, by table.
    :param recomputed: tables that were made once more. :param notes: what is no damage, or was not looked at.
    """

    run_id: str
    files: int
    bytes: int
    numbers: Mapping[str, int]
    compared: Mapping[str, int]
    recomputed: tuple[str, ...]
    damages: tuple[Damage, ...]
    notes: tuple[str, ...]

    @property
    def sound(self) -> bool:
        return not self.damages

    @property
    def exit_code(self) -> ExitCode:
        return ExitCode.DONE if self.sound else InfrastructureError.exit_code

    def to_json(self) -> dict[str, Any]:
        return {
            "schema_version": 1,
            "run_id": self.run_id,
            "sound": self.sound,
            "files": self.files,
            "bytes": self.bytes,
            "numbers": dict(self.numbers),
            "compared": dict(self.compared),
            "recomputed": list(self.recomputed),
            "damages": [damage.to_json() for damage in self.damages],
            "notes": list(self.notes),
            "exit_code": self.exit_code,
        }


def verify(settings: Settings, run: str, rows: Rows = Rows.SAMPLE) -> VerifyReport:
    """Look at everything that is stored of a run; all damage is told at once.

    Checksums come first. Only of files that have theirs, numbers are counted and rows compared.

    :param run: an id, a unique prefix of one, or "latest".
    :raises UsageError: there is no such run.
    """
    store = open_store(settings.output)
    found = Findings(resolve_run(store, run))
    folded = verify_files(found)
    entry = None
    as_of = _as_of(found)
    if as_of is not None:
        entry = verify_published(found, as_of)
    if folded is None or found.damages:
        found.notes.append("numbers and rows are not looked at before every file is what was written")
        return _report(found)
    of_run = _settings_of(found)
    _tell_changed_inputs(found, of_run)
    if freed(found.folder) is None:  # else what it was counted from is no more
        with found.looking_at(found.folder.root):
            verify_numbers(found, folded)
    if entry is not None:
        asked = [_terms(found, each) for each in (of_run, settings) if each is not None]
        _verify_day(found, folded, entry, asked, rows)
    return _report(found)


def _verify_day(
    found: Findings, run: FoldedRun, entry: Mapping[str, Any], terms: Sequence[RiskTerms], rows: Rows
) -> None:
    if next(run.state.pending(), None) is not None:
        found.damaged(run.folder.ledger, "the run is published, and the ledger lacks blocks: its end is missing")
        return
    if rows is Rows.NONE or freed(run.folder) is not None:  # of freed blocks, there is nothing to hold them against
        return
    day = published_day_of(run, entry)
    with found.looking_at(run.folder.root):
        verify_rows(found, day, rows is Rows.ALL)
        verify_sums(found, day)
        verify_analyses(found, day, terms)


def _as_of(found: Findings) -> date | None:
    """The run's day; None where run.json is damaged, which is told already."""
    with suppress(StorageError, ValueError, KeyError):
        return date.fromisoformat(found.folder.described()["as_of"])
    return None


def _settings_of(found: Findings) -> Settings | None:
    """The run's own configuration; None where it is of a version that had other keys."""
    with tempfile.TemporaryDirectory() as directory, suppress(RiskpipeError):
        file = Path(directory) / "config.yaml"
        file.write_bytes(found.store.read_bytes(found.folder.config))
        return load_settings(file, environment={})
    return None


def _terms(found: Findings, settings: Settings) -> RiskTerms:
    return replace(settings.risk.terms(), limits=read_limits(found.folder))


def _tell_changed_inputs(found: Findings, settings: Settings | None) -> None:
    """What was read is in the run; where it was read from there may be another day's by now."""
    if settings is None:
        return
    planned = json.loads(found.store.read_bytes(found.folder.inputs))
    changed = dict(changed_inputs(settings, planned))
    for is_there, said in ((True, "others now than when the run was planned"), (False, "not there any more")):
        names = [name for name, each in changed.items() if each is is_there]
        if names:
            found.notes.append(f"{len(names)} of {len(planned)} inputs are {said}, such as {names[0]}")


def _report(found: Findings) -> VerifyReport:
    return VerifyReport(
        run_id=found.folder.run_id,
        files=len(found.files),
        bytes=found.bytes,
        numbers=found.numbers,
        compared=found.compared,
        recomputed=tuple(found.recomputed),
        damages=tuple(found.damages),
        notes=tuple(found.notes),
    )
