"""Whether the inputs are still those that a run was planned with."""

from __future__ import annotations

from riskpipe.config.models import Settings
from riskpipe.errors import InputError
from riskpipe.inputs.opened import hash_inputs
from riskpipe.plan.selection import Selection, parse_selection
from riskpipe.plan.stored_plan import PlanHeader
from riskpipe.runs.stored import open_plan
from riskpipe.store.run_folder import RunFolder


def same_inputs(folder: RunFolder, settings: Settings, selection: Selection) -> bool:
    try:
        refuse_other_inputs(folder, settings, selection)
    except InputError:
        return False
    return True


def refuse_other_inputs(folder: RunFolder, settings: Settings, selection: Selection) -> None:
    """:raises InputError: inputs, settings or selection are not those that the run was planned with."""
    header = open_plan(folder).header
    found = []
    if header.config_sha256 != settings.sha256:
        found.append("the configuration")
    if header.selection != selection.canonical():
        found.append("--select")
    elif header.inputs_sha256 != hash_inputs(settings, selection):
        found.append("an input file")
    if found:
        raise InputError(f"{' and '.join(found)} changed since run {folder.run_id} was planned: start a new run")


def refuse_changed_inputs(folder: RunFolder, settings: Settings) -> None:
    """:raises InputError: an input file is not the one that the run was planned with."""
    header = open_plan(folder).header
    selection = _selection_of(header)
    if header.inputs_sha256 != hash_inputs(settings, selection):
        raise InputError(f"an input file changed since run {folder.run_id} was planned: start a new run")


def _selection_of(header: PlanHeader) -> Selection:
    return parse_selection([",".join(terms) for terms in header.selection])
