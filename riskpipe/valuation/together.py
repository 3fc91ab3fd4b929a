"""Classes of columns that no trade has two of: priced at once, each trade under the columns of its own class.

A price depends on the factors of its trade alone, so that what other classes move in the same columns changes no bit.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from riskpipe.valuation.context import ColumnClass

Rows = NDArray[np.int32]


class Together(Struct):
    """Some classes of one width.

    :ivar taken: bool[n], trades that some class touches. :ivar members: with the trades that each prices.
    """

    width: int
    taken: NDArray[np.bool_]
    members: list[tuple[ColumnClass, Rows]] = field(default_factory=list)

    @property
    def rows(self) -> Rows:
        """int32[m]: of one member after the other."""
        return np.concatenate([rows for _, rows in self.members])

    @property
    def classes(self) -> tuple[ColumnClass, ...]:
        return tuple(columns for columns, _ in self.members)


def together(
    classes: Iterable[tuple[ColumnClass, Rows, Rows]],
    trades: int,
    lanes: int,
    most_values: int,
) -> list[Together]:
    """:param classes: with the trades that each prices, and those that it touches in any way, the first among them.

    :param lanes: classes are priced in multiples of so many columns. :param most_values: trades x columns at once, if
        there are more classes than one.
    """
    groups: list[Together] = []
    for columns, rows, touched in classes:
        width = len(columns.columns) + columns.missing(lanes)
        taken = np.zeros(trades, np.bool_)
        taken[touched] = True
        for group in groups:
            size = (sum(len(own) for _, own in group.members) + len(rows)) * width
            if group.width == width and size <= most_values and not (group.taken & taken).any():
                group.taken |= taken
                group.members.append((columns, rows))
                break
        else:
            groups.append(Together(width, taken, [(columns, rows)]))
    return groups
