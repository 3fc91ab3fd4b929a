"""How fast a session values blocks, and so what is left to wait for."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from riskpipe.plan.block import Block


@dataclass
class Pace:
    """What done blocks took against what was projected for them.

    :ivar since: when valuing began, by the monotonic clock; None: not yet.
    :ivar done, left: projected seconds of blocks.
    :ivar compiled: seconds that kernels took, by worker. :ivar valued: products of done blocks.
    """

    since: float | None = None
    done: float = 0.0
    left: float = 0.0
    compiled: dict[str, float] = field(default_factory=dict)
    valued: set[str] = field(default_factory=set)

    def begin(self, pending: Iterable[Block]) -> None:
        self.since = time.monotonic()
        self.left = sum(block.projected_seconds for block in pending)

    def elapsed(self) -> float:
        """Seconds since valuing began."""
        return 0.0 if self.since is None else time.monotonic() - self.since

    def finished(self, block: Block, worker: str, compile_seconds: float) -> None:
        self.compiled[worker] = self.compiled.get(worker, 0.0) + compile_seconds
        self.valued.add(block.product)
        self.done += block.projected_seconds
        self.left -= block.projected_seconds

    def given_up(self, block: Block) -> None:
        self.left -= block.projected_seconds

    def compiling(self, products: int) -> tuple[int, int] | None:
        """Products whose kernels there are, of all; None: none had to be compiled, or every product has its own."""
        return (len(self.valued), products) if any(self.compiled.values()) and len(self.valued) < products else None

    def remaining(self) -> float | None:
        """Seconds; None before a block is done. What kernels took to compile, which is done once, is left out."""
        if self.since is None or self.done <= 0.0:
            return None
        compiled = sum(self.compiled.values()) / len(self.compiled) if self.compiled else 0.0
        return max(self.left, 0.0) * max(self.elapsed() - compiled, 0.0) / self.done
