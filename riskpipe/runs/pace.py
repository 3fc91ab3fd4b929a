"""How fast a session values blocks, and so what is left to wait for."""

from __future__ import annotations

import time

from msgspec import Struct, field

from riskpipe.plan.block import Block


class Pace(Struct):
    """What done blocks took against what was projected for them.

    :ivar since: when valuing began, by the monotonic clock; None: not yet.
    :ivar done, left: projected seconds of blocks.
    :ivar took: by product, seconds that done blocks took, without compiling, and that were projected for them.
    :ivar longest_compiled: seconds that the kernels of one block took.
    :ivar compiled: seconds that kernels took, by worker.
    :ivar pending: products of the blocks that the session began with; `valued`: those of done blocks.
    """

    since: float | None = None
    done: float = 0.0
    left: float = 0.0
    took: dict[str, tuple[float, float]] = field(default_factory=dict)
    compiled: dict[str, float] = field(default_factory=dict)
    longest_compiled: float = 0.0
    pending: set[str] = field(default_factory=set)
    valued: set[str] = field(default_factory=set)

    def begin(self, projected_seconds: float, products: set[str]) -> None:
        """:param projected_seconds: of all that is to be done, on one worker. :param products: of it."""
        self.since = time.monotonic()
        self.left, self.pending = projected_seconds, products

    def elapsed(self) -> float:
        """Seconds since valuing began."""
        return 0.0 if self.since is None else time.monotonic() - self.since

    def finished(self, block: Block, worker: str, seconds: float, compile_seconds: float) -> None:
        """:param seconds: that it took, with those that its kernels took to compile."""
        actual, projected = self.took.get(block.product, (0.0, 0.0))
        self.took[block.product] = actual + seconds - compile_seconds, projected + block.projected_seconds
        self.longest_compiled = max(self.longest_compiled, compile_seconds)
        self.compiled[worker] = self.compiled.get(worker, 0.0) + compile_seconds
        self.valued.add(block.product)
        self.done += block.projected_seconds
        self.left -= block.projected_seconds

    def finished_elsewhere(self, projected_seconds: float) -> None:
        """A block of which no more is known than what was projected for it."""
        self.done += projected_seconds
        self.left -= projected_seconds

    def given_up(self, block: Block) -> None:
        self.left -= block.projected_seconds

    def expected(self, block: Block) -> float | None:
        """Seconds that a block takes by the pace of this session: of its product or of all, whichever is slower.

        Without compiling. None before a block is done.
        """
        everything = sum(actual for actual, _ in self.took.values()), self.done
        known = [pace for pace in (everything, self.took.get(block.product, (0.0, 0.0))) if pace[1] > 0.0]
        if not known:
            return None
        return block.projected_seconds * max(actual / projected for actual, projected in known)

    def compiling(self) -> tuple[int, int] | None:
        """Products whose kernels there are, of all; None: none had to be compiled, or every product has its own.

        Kernels are not counted: which ones a product takes shows as it is priced.
        """
        products = len(self.pending)
        return (len(self.valued), products) if any(self.compiled.values()) and len(self.valued) < products else None

    def remaining(self) -> float | None:
        """Seconds; None before a block is done. What kernels took to compile, which is done once, is left out."""
        if self.since is None or self.done <= 0.0:
            return None
        compiled = sum(self.compiled.values()) / len(self.compiled) if self.compiled else 0.0
        return max(self.left, 0.0) * max(self.elapsed() - compiled, 0.0) / self.done
