"""Distinct pairs of small integers, by a table of all that there could be: several times faster than sorting."""

from __future__ import annotations

import numpy as np

from riskpipe.kernels.arguments import Box, Indices
from riskpipe.kernels.compiler import kernel


@kernel
def distinct_in(codes: Indices, days: Indices, box: Box) -> tuple[Indices, Indices, Indices]:
    """Each pair once, ascending, and where each given pair is among them.

    :param codes, days: int32[n], within `box`.
    :return: codes int32[m], days int32[m], positions int32[n].
    """
    first_code, first_day, width, cells = box
    place = np.full(cells, -1, np.int32)
    positions = np.empty(codes.size, np.int32)
    for k in range(codes.size):
        positions[k] = (codes[k] - first_code) * width + days[k] - first_day
        place[positions[k]] = 0
    count = 0
    for cell in range(cells):
        if place[cell] == 0:
            place[cell] = count
            count += 1
    code, day = np.empty(count, np.int32), np.empty(count, np.int32)
    for k in range(codes.size):
        at = place[positions[k]]
        positions[k], code[at], day[at] = at, codes[k], days[k]
    return code, day, positions
