"""What held a run up most, in one sentence with the key to turn; the rule is in docs/operations.md."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import astuple, replace

from riskpipe.config import Settings

LEAST_SHARE = 0.10
"""Of all worker seconds, that something other than pricing must take to be named."""
SHORT_SECONDS = 0.5
"""Of a block, below which reading, writing and scheduling show (docs/operations.md)."""
WINDOW = 3
"""Blocks that a worker is given ahead."""
SCHEDULER_BLOCKS = 500.0
"""A second, half of what one scheduler does on one core, and a third of what its driver does (docs/scale.md)."""
FINISHING_SECONDS = 1e-4
"""Of the driver after the last block, for each block (docs/scale.md)."""


class Parts(Struct, frozen=True):
    """All seconds of all workers, from the begin of planning to the end of publishing, by what they went into.

    :param plan: planned by the driver alone. :param start: before the first block. :param late: workers that came
        later than the first, or took the place of one that died.
    :param fetch, price, write, other: in blocks that are done.
    :param wait: idle between blocks. :param retries: in attempts that came to nothing (estimated).
    :param tail: idle since nothing was left to start.
    :param finish: after the last block: combining, accounting, publishing.
    """

    plan: float = 0.0
    start: float = 0.0
    late: float = 0.0
    fetch: float = 0.0
    price: float = 0.0
    write: float = 0.0
    other: float = 0.0
    wait: float = 0.0
    retries: float = 0.0
    tail: float = 0.0
    finish: float = 0.0

    def __add__(self, other: Parts) -> Parts:
        return Parts(*(mine + its for mine, its in zip(astuple(self), astuple(other), strict=True)))

    @property
    def total(self) -> float:
        return float(sum(astuple(self)))

    @property
    def utilisation(self) -> float:
        """Seconds in blocks over workers x seconds from the first block's start to the last one's end."""
        busy = self.fetch + self.price + self.write + self.other
        return busy / max(busy + self.late + self.wait + self.retries + self.tail, 1e-9)

    def plus(self, *, plan: float) -> Parts:
        return replace(self, plan=self.plan + plan)

    def repeated(self, seconds: float) -> Parts:
        """With that much of the idle time as what it was: attempts of which no row of a done block tells."""
        of_wait = min(seconds, self.wait)
        of_late = min(seconds - of_wait, self.late)
        return replace(
            self, wait=self.wait - of_wait, late=self.late - of_late, retries=self.retries + of_wait + of_late
        )


PART_NAMES = {
    "plan": "planning",
    "start": "before the first block",
    "late": "late workers",
    "fetch": "fetching",
    "price": "pricing",
    "write": "writing",
    "other": "else in blocks",
    "wait": "between blocks",
    "retries": "lost attempts",
    "tail": "tail",
    "finish": "after the last block",
}


class Evidence(Struct, frozen=True):
    """What tells which key to turn.

    :param block_seconds: of a block, the mean. :param span: seconds from first to last block, of all sessions.
    :param finishing: seconds after the last block. :param lost_most: the cause of lost attempts that cost most.
    :param last_product, last_seconds: of the block that ended last; `last_expected` by the pace of its product.
    """

    blocks: int
    workers: int
    block_seconds: float
    span: float
    finishing: float
    lost_most: str
    last_product: str
    last_seconds: float
    last_expected: float


class Bottleneck(Struct, frozen=True):
    """:param kind: a key of KINDS. :param share: of all worker seconds. :param key: of the configuration."""

    kind: str
    share: float
    key: str
    sentence: str


Advice = tuple[str, str, str]
"""What it is, the key, and which way to turn it."""


def bottleneck(parts: Parts, evidence: Evidence, settings: Settings) -> Bottleneck:
    """What takes most worker seconds beside pricing, where that is LEAST_SHARE of them at least; else pricing."""
    total = max(parts.total, 1e-9)
    shares = {kind: sum(getattr(parts, name) for name in names) / total for kind, (names, _) in KINDS.items()}
    kind = max((each for each in KINDS if each != "pricing"), key=lambda each: shares[each])
    if shares[kind] < LEAST_SHARE:
        kind = "pricing"
    what, key, turn = KINDS[kind][1](evidence, settings)
    return Bottleneck(kind, shares[kind], key, f"{what} {shares[kind]:.0%} of the workers' time: {turn} ({key})")


def _pricing(evidence: Evidence, settings: Settings) -> Advice:
    return "pricing takes", "cluster.workers", "nothing else holds the run up, more workers make it shorter"


def _fetching(evidence: Evidence, settings: Settings) -> Advice:
    return "reading inputs takes", "partition.target_seconds", "longer blocks read less often"


def _writing(evidence: Evidence, settings: Settings) -> Advice:
    if evidence.block_seconds < SHORT_SECONDS or not settings.scenario_pnl.historical:
        return "writing results takes", "partition.target_seconds", "longer blocks write fewer files"
    return "writing results takes", "scenario_pnl.historical", "P&L vectors of trades are most of what is written"


def _queueing(evidence: Evidence, settings: Settings) -> Advice:
    what = "waiting for blocks takes"
    rate = evidence.blocks / max(evidence.span, 1e-9)
    if evidence.blocks < WINDOW * evidence.workers:
        few = f"there are fewer than {WINDOW} blocks a worker, shorter ones are shared out more evenly"
        return what, "partition.target_seconds", few
    shards = settings.cluster.shards_of(evidence.workers)
    if rate / shards >= SCHEDULER_BLOCKS:
        return (
            what,
            "cluster.shards",
            f"{rate / shards:,.0f} blocks a second are much for a scheduler, use more of them",
        )
    return (
        what,
        "partition.target_seconds",
        f"blocks take {evidence.block_seconds:.2g} s on the mean, {rate:,.0f} of them a second: longer ones are handed "
        "out less often",
    )


def _repeating(evidence: Evidence, settings: Settings) -> Advice:
    what = "attempts that came to nothing take"
    key, turn = _LOST.get(evidence.lost_most, ("partition.target_seconds", "less is lost with a shorter block"))
    return what, key, f"most by {evidence.lost_most}; {turn}"


_LOST = {
    "OUT_OF_MEMORY": ("partition.max_memory", "smaller blocks need less memory"),
    "TIMEOUT": ("cluster.block_timeout", "a block that hangs is given up sooner with less"),
    "OUTRUN": ("retry.second_start_factor", "fewer blocks are started twice with more"),
}


def _tail(evidence: Evidence, settings: Settings) -> Advice:
    what = "idling while the last blocks run takes"
    took = f"the last block ({evidence.last_product}) took {evidence.last_seconds:.3g} s"
    if evidence.last_seconds < settings.retry.second_start_factor * evidence.last_expected:
        return what, "partition.target_seconds", f"{took}, shorter blocks end closer together"
    more = f"{took} in place of {evidence.last_expected:.2g} s"
    if settings.retry.second_start == "off":
        return what, "retry.second_start", f"{more}, a second start would have come first"
    if evidence.last_seconds < settings.retry.second_start_seconds:
        return what, "retry.second_start_seconds", f"{more}, which is too short for a second start as it is set"
    return what, "retry.second_start_factor", f"{more}, with less it is started a second time sooner"


def _starting(evidence: Evidence, settings: Settings) -> Advice:
    return (
        "the start of workers takes",
        "cluster.workers",
        "fewer are there sooner and wait for less; or have nodes and images ready beforehand",
    )


def _driving(evidence: Evidence, settings: Settings) -> Advice:
    what = "planning and publishing, while workers idle, take"
    if evidence.blocks * FINISHING_SECONDS >= evidence.finishing / 2 > 0.0:
        return what, "partition.target_seconds", "longer blocks are fewer to account for and to combine"
    return what, "cluster.workers", "they take as long however many workers there are"


KINDS: dict[str, tuple[tuple[str, ...], Callable[[Evidence, Settings], Advice]]] = {
    "pricing": (("price",), _pricing),
    "tail": (("tail",), _tail),
    "queueing": (("wait",), _queueing),
    "start-up": (("start", "late"), _starting),
    "driver": (("plan", "finish"), _driving),
    "retries": (("retries",), _repeating),
    "fetching": (("fetch",), _fetching),
    "writing": (("write",), _writing),
}
"""What may hold a run up: which parts it is, and what to say of it."""
