"""A rule that an input breaks."""

from __future__ import annotations

from msgspec import Struct

from riskpipe.errors import Level


class Fault(Struct, frozen=True):
    """One rule broken in one file; the same shape for trades, market, history, scenarios.

    :param rows: how many rows break it.
    :param sample: some of their trade ids (or factors, or dates).
    """

    level: Level
    table: str
    file: str
    column: str
    rule: str
    rows: int
    sample: tuple[str, ...]
    message: str
