"""Which driver has which blocks: shares of the plan that grow smaller as it runs out.

After guided self-scheduling (Polychronopoulos and Kuck, 1987, "Guided self-scheduling: a practical scheduling scheme
for parallel supercomputers"): whoever asks gets a fraction of what is left, so that few messages are needed at the
beginning, and at the end nobody sits on what others could do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskpipe.plan.neighbours import FAN_IN

MOST_AT_ONCE = 8_192  # a message of 48 KiB at most: it fits into a pipe whose reader is busy
SHARES = 4
_NOBODY = -1
_GROUP_OF_GROUPS = FAN_IN**2


class Dealer:
    """The blocks that nobody has yet, and who has the others.

    :param pending: bool[n], of the plan's blocks.
    """

    def __init__(self, pending: NDArray[np.bool_]) -> None:
        self._free = pending.copy()
        self._owner = np.full(len(pending), _NOBODY, np.int32)
        self._next = 0
        self.left = int(pending.sum())

    def deal(self, driver: int, most: int) -> NDArray[np.int32]:
        """Positions of blocks, ascending, that the driver has from here on.

        :param most: about so many; of `FAN_IN` and above the last group is whole, and of as many as make a group of
            groups the last of these: what is made of a group is made where all of it was done.
        """
        unit = _GROUP_OF_GROUPS if most >= _GROUP_OF_GROUPS else FAN_IN
        found: list[NDArray[np.int64]] = []
        count = 0
        while count < most and self._next < len(self._free):
            stop = min(_group_end(self._next + most - count, unit), len(self._free))
            found.append(np.flatnonzero(self._free[self._next : stop]) + self._next)
            count += len(found[-1])
            self._next = stop
        dealt = np.concatenate(found) if found else np.empty(0, np.int64)
        if len(dealt) > most and most < FAN_IN:
            self._next = int(dealt[most])
            dealt = dealt[:most]
        self._free[dealt] = False
        self._owner[dealt] = driver
        self.left -= len(dealt)
        return dealt.astype(np.int32)

    def give_back(self, indices: NDArray[np.integer[Any]]) -> None:
        """Blocks that their driver has not begun."""
        if len(indices):
            self._free[indices] = True
            self._owner[indices] = _NOBODY
            self._next = min(self._next, int(indices.min()))
            self.left += len(indices)

    def lose(self, driver: int, pending: NDArray[np.bool_]) -> int:
        """A driver is gone; how many of its blocks are to be done by others. :param pending: bool[n]."""
        found = np.flatnonzero((self._owner == driver) & pending)
        self.give_back(found)
        return len(found)


def share(left: int, slots: int, all_slots: int, idle: int) -> int:
    """How many blocks a driver that asks for more gets.

    :param left: blocks that nobody has. :param slots: that it runs at a time. :param all_slots: that all run.
    :param idle: slots that have nothing to do.
    """
    if left <= all_slots:  # the last ones go where they are begun at once
        return min(idle, left)
    return min(max(left * slots // (SHARES * all_slots), slots), MOST_AT_ONCE)


def _group_end(index: int, unit: int) -> int:
    return -(-index // unit) * unit
