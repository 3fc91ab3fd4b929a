"""No module's name stands in two rooms, except where it says what belongs together (design.md, rooms and floors)."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import riskpipe

ROOT = Path(riskpipe.__file__).parent
TOGETHER = ({"cli", "workflows"}, {"kernels", "products"})
OF_A_ROOM = {"__init__", "catalogue", "kind"}


def test_a_name_stands_once() -> None:
    rooms: dict[str, set[str]] = defaultdict(set)
    for path in ROOT.glob("*/**/*.py"):
        rooms[path.stem].add(str(path.parent.relative_to(ROOT)))

    assert len(rooms) > 200
    assert {
        name: sorted(found)
        for name, found in rooms.items()
        if len(found) > 1 and name not in OF_A_ROOM and found not in TOGETHER
    } == {}
