"""What a look at a machine or a cluster showed; `riskpipe doctor` prints them."""

from __future__ import annotations

from msgspec import Struct

from riskpipe.errors import Level


class Finding(Struct, frozen=True):
    """What one look showed; `level` is ok, warning or error, and `detail` says what to do."""

    level: Level
    what: str
    detail: str
