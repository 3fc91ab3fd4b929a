"""Discrete dividends that a spot can pay: those that are worth more than it are an error of the market."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from riskpipe.errors import Level
from riskpipe.market.conventions import Conventions
from riskpipe.market.derived import Derivation, GroupName, names_of, without_groups
from riskpipe.market.factors import DIVIDENDS, MarketFault, date_of, fault
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot


def payable_dividends(
    table: pa.Table, as_of: int, conventions: Conventions, left_out: frozenset[GroupName]
) -> Derivation:
    """A producer that makes nothing: see `riskpipe.market.derived`.

    Discrete dividends that are worth their spot or more by some ex date are left out, with a fault that names the date.
    Those of a spot without currency, or without a discount curve, are not looked at.
    """
    if not any(names_of(table, kind) for kind in DIVIDENDS):
        return Derivation(table, left_out=left_out)
    model = MarketModel(MarketSnapshot.of_sound(table, as_of), conventions, left_out=left_out)
    faults = [found for name in _payers(model) if (found := _overpaid(model, name)) is not None]
    ids = frozenset().union(*(found.ids for found in faults))
    bad = frozenset(
        (group.kind, group.name)
        for group in model.snapshot.groups
        if group.kind in DIVIDENDS and model.snapshot.factor_ids[group.start] in ids
    )
    return Derivation(without_groups(table, bad), faults=tuple(faults), left_out=left_out | bad)


def _payers(model: MarketModel) -> list[str]:
    return sorted({group.name for group in model.snapshot.groups if group.kind in DIVIDENDS})


def _overpaid(model: MarketModel, name: str) -> MarketFault | None:
    snapshot, spot = model.snapshot, model.snapshot.group("spot", name)
    if spot is None or spot.currency is None or snapshot.group("forward_price", name) is not None:
        return None
    if not model.resolve(("zero_rate",), model.conventions.discount_curve(spot.currency)):
        return None
    groups = [group for group in snapshot.groups if group.name == name and group.kind in DIVIDENDS]
    factors = np.concatenate([np.arange(group.start, group.stop) for group in groups])
    days = np.unique(snapshot.days[factors])
    days = days[days > model.as_of]
    labels = Labels.constant(name, len(days)), Labels.constant(spot.currency, len(days))
    nodes, position = model.forwards(*labels, days)
    worthless = np.isnan(nodes.evaluate(model.base)[position, 0])
    if not worthless.any():
        return None
    message = (
        f"the discrete dividends of {name} until {date_of(int(days[worthless.argmax()]))} are worth its spot "
        f"({snapshot.x0[spot.start]:g}) or more: correct them, or their unit, or leave the distant ones to a "
        "dividend_yield"
    )
    ids = [snapshot.factor_ids[k] for k in factors]
    return fault(Level.ERROR, "value", "dividends above spot", ids, message)
