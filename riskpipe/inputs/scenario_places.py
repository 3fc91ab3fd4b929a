"""Which inputs the scenarios of a run come from, under what names."""

from __future__ import annotations

from riskpipe.config import Settings
from riskpipe.measures.measure_names import PNL_SETS, SIMULATED

HISTORY = "history"


def uses_history(settings: Settings) -> bool:
    """Whether a measure asks for moves of the past."""
    measures = settings.measures
    of_moves = {"historical_var", *SIMULATED} & set(measures)
    return bool(of_moves) or ("stress" in measures and bool(settings.stress.history))


def history_locations(settings: Settings) -> dict[str, str]:
    """Location of every history that is asked for, by the input's name."""
    inputs = settings.inputs
    if inputs.history is None or not uses_history(settings):
        return {}
    further = inputs.histories.items() if "historical_var" in settings.measures else ()
    return {HISTORY: inputs.history, **{input_name(name): each.path or inputs.history for name, each in further}}


def input_name(set_name: str) -> str:
    """What the history of a scenario set is called among the inputs."""
    return HISTORY if set_name == PNL_SETS["historical_var"] else f"inputs.histories.{set_name}.path"


def scenario_locations(settings: Settings) -> dict[str, str]:
    """Location of every input that scenarios are made from under these measures, by name."""
    stresses = settings.inputs.scenarios if "stress" in settings.measures else None
    return {**({} if stresses is None else {"scenarios": stresses}), **history_locations(settings)}
