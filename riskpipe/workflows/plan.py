"""`riskpipe plan`: blocks, cost, memory, missing data; no cluster, nothing is priced."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from riskpipe.config import Settings
from riskpipe.kernels.sums import BYTES_A_SUM
from riskpipe.plan.costs import SUMS_COMPRESSED
from riskpipe.plan.neighbours import FAN_IN
from riskpipe.plan.partition import BLOCKS_A_WORKER
from riskpipe.plan.planned_blocks import LONG_SECONDS, SHORT_SECONDS
from riskpipe.plan.selection import Selection
from riskpipe.plan.stored_plan import PlanHeader
from riskpipe.runs.earlier_run import find_earlier
from riskpipe.runs.planning import Planned, make_plan
from riskpipe.runs.stored import put_file
from riskpipe.store.location import open_store, store_of_file
from riskpipe.structs import asdict

# Sums per book that take less are not worth a word.
MANY_SUMS_BYTES = 256 * 2**20


class ProductRow(Struct, frozen=True):
    product: str
    trades: int
    blocks: int
    projected_seconds: float


class PlanReport(Struct, frozen=True):
    """What `riskpipe plan` shows.

    :param valuations: trades x scenarios that will be priced.
    :param numbers: trades x measures that will be reported.
    :param cluster: where it would be priced.
    :param projected_bytes_output: of results and sums per book together.
    :param projected_bytes_sums: of sums per book: blocks leave them, and what they add up to, in the run.
    :param reuse: what is taken over of an earlier run and what differs: `since`, `taken_over`, `priced`, `differences`.
    :param max_memory: the most that a worker process is projected to hold, bytes.
    """

    blocks: int
    trades: int
    scenarios: int
    valuations: int
    numbers: int
    quarantined: int
    quarantined_by_reason: dict[str, int]
    projected_seconds: float
    projected_bytes_output: int
    projected_bytes_sums: int
    max_memory: int
    cluster: str
    warnings: list[str]
    by_product: list[ProductRow]
    path: str | None = None
    reuse: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def plan(settings: Settings, selection: Selection, path: str | None = None, since: str | None = None) -> PlanReport:
    """Plan, and write the plan to `path` when there is one.

    :param since: a run of the day whose numbers are to be taken over.
    :raises InputError: inputs that cannot be used. :raises UsageError: nothing can be taken over of that run.
    """
    notes: list[str] = []
    find = partial(find_earlier, open_store(settings.output), settings, selection, since, notes.append)
    with make_plan(settings, selection, find) as planned:
        if path is not None:
            store, name = store_of_file(path)
            put_file(store, name, planned.plan.path)
        found = report(settings, planned, path)
        return replace(found, warnings=[*found.warnings, *notes])


def report(settings: Settings, planned: Planned, path: str | None) -> PlanReport:
    """The plan in figures, with its warnings."""
    cluster = settings.cluster
    header, totals = planned.plan.header, planned.plan.header.totals
    pnl = sum(r.pnl_columns for r in planned.ranges) if planned.stored_pnl else 0
    numbers = int(totals["numbers"])
    quarantine = planned.quarantine.table()
    of_books = int(totals["books"]) * sum(r.sums for r in planned.ranges)
    results, sums = (int(totals["trades"]) * pnl + of_books) * 8 + numbers * 40, _sums_bytes(planned)
    return PlanReport(
        blocks=len(planned.plan),
        trades=int(totals["trades"]),
        scenarios=len(planned.inputs.scenarios.columns),
        valuations=header.valuations,
        numbers=numbers,
        quarantined=len(quarantine),
        quarantined_by_reason=dict(Counter(quarantine.column("reason").to_pylist())),
        projected_seconds=float(totals["projected_seconds"]),
        projected_bytes_output=results + sums,
        projected_bytes_sums=sums,
        max_memory=int(totals["most_bytes"]),
        cluster=cluster.runs_on.describe(cluster.sizing, float(totals["projected_seconds"])),
        warnings=[*_warnings(settings, header, len(quarantine)), *_many_sums(int(totals["books"]), results, sums)],
        by_product=[
            ProductRow(name, int(row["trades"]), int(row["blocks"]), row["seconds"])
            for name, row in sorted(totals["products"].items())
        ],
        path=path,
        reuse=None if planned.reuse is None else planned.reuse.to_json(),
    )


def _warnings(settings: Settings, header: PlanHeader, quarantined: int) -> list[str]:
    totals = header.totals
    warnings = []
    if totals["long_blocks"]:
        warnings.append(
            f"{totals['long_blocks']} blocks are projected beyond {LONG_SECONDS:g} s (the longest "
            f"{totals['longest_seconds']:.0f} s): lower partition.target_seconds or partition.max_trades"
        )
    # A few short blocks are the ends of files, or a short run balanced over its workers; many are overhead.
    seconds = float(totals["projected_seconds"])
    workers = settings.cluster.planned_workers(seconds)
    if totals["short_blocks"] > 4 * BLOCKS_A_WORKER * workers:
        warnings.append(
            f"{totals['short_blocks']} of {totals['blocks']} blocks are projected under {SHORT_SECONDS:g} s: "
            "raise partition.max_trades, max_scenarios or max_memory, or put more trades in a file"
        )
    warnings += settings.cluster.runs_on.size_warnings(settings.cluster.sizing, seconds)
    limit = settings.cluster.memory_limit
    if limit is not None and totals["most_bytes"] > 0.85 * limit:
        warnings.append(
            f"a worker is projected to need {totals['most_bytes'] / 2**20:.0f} MiB of its {limit / 2**20:.0f} MiB: "
            "lower partition.max_memory or raise cluster.memory_limit"
        )
    if quarantined:
        trades = "1 trade" if quarantined == 1 else f"{quarantined} trades"
        warnings.append(f"{trades} will fail with a reason: `riskpipe check` lists them")
    return warnings


def _sums_bytes(planned: Planned) -> int:
    """On disk: those of the blocks, and of what is added up of `FAN_IN` files at a time until there is one."""
    totals = planned.plan.header.totals
    blocks, left = int(totals["book_sums"]), int(totals["books"]) * sum(r.sums for r in planned.ranges)
    files, combined = len(planned.plan), 0
    while files > 1 or not combined:
        files = -(-files // FAN_IN)
        combined += min(files * left, blocks)
    return int((blocks + combined) * BYTES_A_SUM * SUMS_COMPRESSED)


def _many_sums(books: int, results: int, sums: int) -> list[str]:
    if sums < MANY_SUMS_BYTES or sums < results:
        return []
    return [
        f"sums of {books} books under every scenario are projected to take {sums / 2**20:.0f} MiB of the run's "
        f"directory, and results {results / 2**20:.0f} MiB: fewer books, or fewer scenarios, take less"
    ]
