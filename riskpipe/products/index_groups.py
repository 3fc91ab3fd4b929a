"""Periods of floating legs by what their rates are of: index, day count and calendar."""

from __future__ import annotations

import numpy as np

from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.products.flows import Integers

_SEPARATOR = "\0"


def index_groups(
    index: Labels,
    day_count: Labels,
    calendar: Labels,
    trade: Integers,
    model: MarketModel,
    fixing_calendar: Labels | None = None,
) -> list[tuple[Integers, str, str, str]]:
    """Periods that share an index, its day count and its calendar: positions in `trade` and these three names.

    Periods of trades without an index are in none.

    :param index, day_count, calendar: of the trades; the last two where the index has none of its own.
    :param trade: int64[k], the trade of each period.
    :param fixing_calendar: of the trades, before that of the index.
    """
    names = index.combine(day_count, _joined).combine(calendar, _joined)
    if fixing_calendar is not None:
        names = names.combine(fixing_calendar.otherwise(Labels.constant("", len(index))), _joined)
    code = names.codes.take(trade)
    groups = []
    for k, joint in enumerate(names.names):
        name, count, days, *own = joint.split(_SEPARATOR)
        rows, convention = np.flatnonzero(code == k), model.conventions.index(name)
        if rows.size:
            groups.append((rows, name, convention.day_count or count, "".join(own) or convention.calendar or days))
    return groups


def _joined(first: str, second: str) -> str:
    return f"{first}{_SEPARATOR}{second}"
