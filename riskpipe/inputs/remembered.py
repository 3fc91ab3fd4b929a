"""The market of a day and its scenarios, made once: kept for this user under the hash of all that they come from.

That is the content of the input files, every setting but those that are named here, riskpipe's own sources, and the
libraries and the processor that compute. A run that finds them kept reads neither quotes nor history, and bootstraps
nothing; what it finds is to the bit what it would have made, with the same faults.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np

import riskpipe
from riskpipe.arrays import FloatArray
from riskpipe.errors import InfrastructureError, StorageError
from riskpipe.inputs.input_tables import table_sha256
from riskpipe.inputs.inspection import Inspection
from riskpipe.inputs.opened_market import Market
from riskpipe.inputs.previous_day import PreviousDay
from riskpipe.inputs.scenario_places import scenario_locations
from riskpipe.kernels import target
from riskpipe.market.derived import Derivative, DerivedGroup
from riskpipe.market.left_out import LeftOut
from riskpipe.market.model import MarketModel
from riskpipe.market.point_table import MARKET_SCHEMA
from riskpipe.market.scenarios import ScenarioSet
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.measures.catalogue import measure_versions
from riskpipe.measures.made_scenarios import Scenarios
from riskpipe.plan.selection import Selection
from riskpipe.store.kept import Kept, KeptResults

# Settings that neither the market nor scenarios come from; whatever is not named here counts.
_OF_THE_RUN = {
    "output": True,
    "partition": True,
    "cluster": True,
    "retry": True,
    "on_invalid": True,
    "warnings_as_errors": True,
    "scenario_pnl": True,
    "publish": True,
    "reuse": True,
    "grace_seconds": True,
    "lease_seconds": True,
    "dates": True,
    "gates": True,
    "deadline": True,
    "finish_within": True,
    "too_late": True,
    "notify": True,
    "metrics": True,
    "lineage": True,
    "inputs": {"portfolio": True},
}
_OF_SCENARIOS = {
    **_OF_THE_RUN,
    "measures": True,
    "bumps": True,
    "history": True,
    "stress": True,
    "risk": True,
    "inputs": {"portfolio": True, "history": True, "histories": True, "scenarios": True},
}
_LIBRARIES = ("numpy", "numba", "llvmlite", "pyarrow", "QuantLib")
_SNAPSHOT, _SLOPES, _SCENARIOS = "market.arrow", "slopes.npy", "scenarios.arrow"


def remembered_market(inspection: Inspection, kept: KeptResults) -> Market | None:
    """`open_market`, or what it gave when the same was asked before."""
    name = _name("market", inspection, _OF_SCENARIOS, {"market": inspection.settings.inputs.market})
    found = None if name is None else kept.find(name)
    if found is not None:
        with suppress(OSError, StorageError):  # deleted since: it is made again
            restored = _restored(found, inspection)
            inspection.replay(found.facts["found"])
            return restored
    # With all that checks and derives a market, which what is kept can do without.
    from riskpipe.inputs.market_input import open_market

    before = inspection.mark()
    market = open_market(inspection)
    if name is not None and market is not None and not inspection.blocking:
        _keep_market(kept, name, market, inspection.since(before))
    return market


def remembered_scenarios(
    inspection: Inspection, market: Market, selection: Selection, kept: KeptResults, previous: PreviousDay | None = None
) -> Scenarios:
    """`open_scenarios`, or what it gave when the same was asked before."""
    locations = {"market": inspection.settings.inputs.market, **scenario_locations(inspection.settings)}
    of_previous = None if previous is None else [previous.as_of.isoformat(), previous.market.sha256]
    name = _name("scenarios", inspection, _OF_THE_RUN, locations, selection.canonical(("scenario",)), of_previous)
    if measure_versions(inspection.settings.measures):
        name = None  # of another package's code nobody could tell that it has changed
    found = None if name is None else kept.find(name)
    if found is not None:
        with suppress(StorageError):
            columns = ScenarioSet.open(found.path(_SCENARIOS))
            inspection.replay(found.facts["found"])
            return Scenarios(columns)
    from riskpipe.inputs.scenario_input import open_scenarios

    before = inspection.mark()
    scenarios = open_scenarios(inspection, market, selection, previous)
    if name is not None and not inspection.blocking:
        facts = {"found": inspection.since(before)}
        kept.keep(name, facts, {_SCENARIOS: scenarios.columns.write})
    return scenarios


def _name(
    kind: str, inspection: Inspection, left_out: Mapping[str, Any], locations: Mapping[str, str | None], *more: Any
) -> str | None:
    """What the result is kept under; None where an input cannot be read, which reading it will tell.

    :param left_out: settings that do not count. :param locations: of the inputs that count, by name.
    """
    try:
        files = {input_: table_sha256(place) for input_, place in locations.items() if place is not None}
    except StorageError:
        return None
    settings = inspection.settings.model_dump(mode="json", exclude=dict(left_out))
    content = json.dumps([_makers(), settings, files, inspection.calendars, more], sort_keys=True)
    return f"{kind}-{hashlib.sha256(content.encode()).hexdigest()}"


@cache
def _makers() -> str:
    """Hash of what computes: sources, libraries, processor."""
    digest = hashlib.sha256(" ".join([*map(version, _LIBRARIES), target.description()]).encode())
    root = os.path.dirname(riskpipe.__file__)
    sources = [os.path.join(folder, file) for folder, _, files in os.walk(root) for file in files if file[-3:] == ".py"]
    for path in sorted(sources):
        with open(path, "rb") as source:
            digest.update(os.path.relpath(path, root).encode() + b"\0" + source.read() + b"\0")
    return digest.hexdigest()


# -- the market


def _keep_market(kept: KeptResults, name: str, market: Market, found: Any) -> None:
    groups = market.derivative.groups
    facts = {
        "found": found,
        "left_out": [sorted(market.left_out.factors), sorted(market.left_out.groups)],
        "units": dict(market.units),
        "groups": [
            {
                "points": group.points.column("factor").to_pylist(),
                "inputs": group.inputs,
                "revalued": group.revalue is not None,
                "positive": group.positive,
            }
            for group in groups
        ],
    }
    slopes = np.concatenate([np.empty(0), *(group.slope.ravel() for group in groups)])
    snapshot = market.model.snapshot
    kept.keep(name, facts, {_SNAPSHOT: snapshot.write, _SLOPES: lambda path: np.save(path, slopes, allow_pickle=False)})


def _restored(found: Kept, inspection: Inspection) -> Market:
    snapshot = MarketSnapshot.open(found.path(_SNAPSHOT))
    slopes: FloatArray = np.load(found.path(_SLOPES), allow_pickle=False)
    factors, names = found.facts["left_out"]
    left_out = LeftOut(frozenset(factors), frozenset((kind, name) for kind, name in names))
    model = MarketModel(snapshot, inspection.conventions, left_out=left_out.groups)
    anew = _Anew(inspection)
    groups, first = [], 0
    for position, group in enumerate(found.facts["groups"]):
        shape = len(group["points"]), len(group["inputs"])
        slope = slopes[first : first + shape[0] * shape[1]].reshape(shape)
        first += slope.size
        rows = [snapshot.factor_index(factor) for factor in group["points"]]
        points = snapshot.factors.select(MARKET_SCHEMA.names).take(rows)
        revalue = anew.revalue(position) if group["revalued"] else None
        groups.append(DerivedGroup(points, tuple(group["inputs"]), slope, revalue, group["positive"]))
    return Market(model, Derivative(snapshot, tuple(groups)), left_out, found.facts["units"])


class _Anew:
    """The market made again, for what nothing that is kept can do: curves from the quotes of a stress."""

    def __init__(self, inspection: Inspection) -> None:
        self._inspection = inspection
        self._groups: tuple[DerivedGroup, ...] | None = None

    def revalue(self, position: int) -> Callable[[FloatArray], FloatArray]:
        """`DerivedGroup.revalue` of a group."""

        def levels_of(levels: FloatArray) -> FloatArray:
            if self._groups is None:
                from riskpipe.inputs.market_input import open_market

                asked = self._inspection
                again = Inspection(asked.settings, asked.products, asked.portfolio, calendars=asked.calendars)
                market = open_market(again)
                if market is None or again.hashes["market"] != asked.hashes["market"]:
                    where = asked.settings.inputs.market
                    raise StorageError(f"{where} changed while it was read: start again when it is written")
                self._groups = market.derivative.groups
            made = self._groups[position].revalue
            if made is None:  # what is kept says that there is one
                raise InfrastructureError("a curve that was made from quotes is not made from them again")
            return made(levels)

        return levels_of
