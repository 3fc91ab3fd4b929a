"""Inputs that are not what they were when a run was planned, one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from riskpipe.config import Settings
from riskpipe.errors import StorageError
from riskpipe.inputs.calendar_input import calendar_locations
from riskpipe.inputs.input_tables import table_sha256
from riskpipe.inputs.limit_input import limit_locations
from riskpipe.inputs.scenario_places import scenario_locations
from riskpipe.store.checksums import content_sha256
from riskpipe.store.location import open_store

_PORTFOLIO = "portfolio/"


def changed_inputs(settings: Settings, planned: Mapping[str, str]) -> Iterator[tuple[str, bool]]:
    """Names of inputs that are others now, or not there, and whether they are there.

    :param settings: the run's. :param planned: name -> SHA-256, as `OpenedInputs.hashes`; what is no file is left out.
    """
    portfolio = open_store(settings.inputs.portfolio)
    others = {**calendar_locations(settings), **limit_locations(settings), **scenario_locations(settings)}
    places = {"market": settings.inputs.market, **others}
    for name, sha256 in planned.items():
        if not name.startswith(_PORTFOLIO) and name not in places:
            continue
        try:
            path = name.removeprefix(_PORTFOLIO)
            found = table_sha256(places[name]) if name in places else content_sha256(portfolio, path)
        except StorageError:
            yield name, False
            continue
        if found != sha256:
            yield name, True
