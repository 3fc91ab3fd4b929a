"""Where the time went, of tables small enough to do by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from riskpipe.results.time_spent import LEAST_BLOCKS, TimeSpent, time_spent
from tests.support.block_tables import done, lost, session, settings_of, spent, table


def in_a_row(worker: str, start: float, number: int, seconds: float = 10.0, **more: Any) -> list[dict[str, Any]]:
    return [done(worker, start + k * seconds, seconds, **more) for k in range(number)]


FULL = in_a_row("a", 0.0, 10) + in_a_row("b", 0.0, 10)
STRAGGLER = in_a_row("a", 0.0, 6) + in_a_row("b", 0.0, 5)

# What is done, when the session ended, seconds of planning, settings; kind, key, share of the workers' time.
CASES: dict[str, tuple[list[dict[str, Any]], float, float, list[str], str, str, float]] = {
    "pricing": (FULL, 100.0, 0.0, [], "pricing", "cluster.workers", 1.0),
    "nothing else is a tenth": (
        in_a_row("a", 0.0, 10, price_s=9.5, fetch_s=0.5) + in_a_row("b", 0.0, 10, price_s=9.5, write_s=0.5),
        104.0, 0.0, [], "pricing", "cluster.workers", 190 / 208,
    ),
    "long block at the end": (
        [*STRAGGLER, done("b", 50.0, 100.0)], 150.0, 0.0, [], "tail", "partition.target_seconds", 90 / 300,
    ),
    "block that hung": (
        [*STRAGGLER, done("b", 50.0, 100.0, projected_s=10.0)], 150.0, 0.0, [],
        "tail", "retry.second_start_factor", 0.3,
    ),
    "block that hung, too short for a second start": (
        [*STRAGGLER, done("b", 50.0, 100.0, projected_s=10.0)], 150.0, 0.0, ["retry.second_start_seconds=200"],
        "tail", "retry.second_start_seconds", 0.3,
    ),
    "block that hung without second starts": (
        [*STRAGGLER, done("b", 50.0, 100.0, projected_s=10.0)], 150.0, 0.0, ["retry.second_start=off"],
        "tail", "retry.second_start", 0.3,
    ),
    "pauses between blocks": (
        [done(worker, 2.0 * k, 1.0) for k in range(10) for worker in "ab"], 19.0, 0.0, [],
        "queueing", "partition.target_seconds", 18 / 38,
    ),
    "worker that came late": (
        in_a_row("a", 0.0, 10) + in_a_row("b", 50.0, 5), 100.0, 0.0, [], "start-up", "cluster.workers", 50 / 200,
    ),
    "cluster that took its time": (
        in_a_row("a", 100.0, 10) + in_a_row("b", 100.0, 10), 200.0, 0.0, [], "start-up", "cluster.workers", 0.5,
    ),
    "planning": (FULL, 100.0, 60.0, [], "driver", "cluster.workers", 120 / 320),
    "publishing": (FULL, 150.0, 0.0, [], "driver", "cluster.workers", 100 / 300),
    "accounting for short blocks": (
        in_a_row("a", 0.0, 1000, 0.001) + in_a_row("b", 0.0, 1000, 0.001), 1.3, 0.0, [],
        "driver", "partition.target_seconds", 0.6 / 2.6,
    ),
    "block that timed out": (
        [done("a", 0.0, 10.0), lost("a", "retried", "TIMEOUT"), *in_a_row("a", 60.0, 4), *in_a_row("b", 0.0, 10)],
        100.0, 0.0, ["cluster.block_timeout=50"], "retries", "cluster.block_timeout", 50 / 200,
    ),
    "block out of memory": (
        [*in_a_row("a", 0.0, 5), lost("a", "retried", "OUT_OF_MEMORY"), lost("a", "retried", "OUT_OF_MEMORY"),
         lost("a", "split", "OUT_OF_MEMORY"), *in_a_row("a", 75.0, 2), *in_a_row("b", 0.0, 10, 9.5)],
        95.0, 0.0, [], "retries", "partition.max_memory", 2 * (165 / 17) / 190,
    ),
    "starts that came second": (
        [*in_a_row("a", 0.0, 2), *[lost("a", "outrun", None)] * 2, *in_a_row("a", 40.0, 2), *in_a_row("b", 0.0, 6)],
        60.0, 0.0, [], "retries", "retry.second_start_factor", 20 / 120,
    ),
    "reading": (
        in_a_row("a", 0.0, 10, price_s=4.0, fetch_s=6.0), 100.0, 0.0, [], "fetching", "partition.target_seconds", 0.6,
    ),
    "writing": (
        in_a_row("a", 0.0, 10, price_s=4.0, write_s=6.0), 100.0, 0.0, [], "writing", "scenario_pnl.historical", 0.6,
    ),
    "writing without vectors": (
        in_a_row("a", 0.0, 10, price_s=4.0, write_s=6.0), 100.0, 0.0, ["scenario_pnl.historical=false"],
        "writing", "partition.target_seconds", 0.6,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_bottleneck(case: str, tmp_path: Path) -> None:
    rows, ended, planned, assignments, kind, key, share = CASES[case]
    sessions = [session(0.0, ended, sum(row["status"] == "ok" for row in rows))]
    settings = settings_of(tmp_path, *assignments)
    found = spent(rows, sessions, settings, planned)
    assert (found.bottleneck.kind, found.bottleneck.key) == (kind, key)
    assert found.bottleneck.share == pytest.approx(share)
    assert f"{share:.0%} of the workers' time" in found.bottleneck.sentence
    assert found.bottleneck.sentence.endswith(f"({key})")


def parts_of(found: TimeSpent) -> dict[str, float]:
    return {name: seconds for name, seconds in found.to_json()["parts"].items() if seconds}


def test_parts_are_all_seconds_of_all_workers(tmp_path: Path) -> None:
    rows = [
        done("a", 10.0, 20.0, fetch_s=1.0, price_s=15.0, write_s=3.0),
        done("b", 12.0, 10.0),
        done("b", 30.0, 5.0),
        done("a", 35.0, 25.0),
    ]
    found = spent(rows, [session(0.0, 64.0, 4)], settings_of(tmp_path, "cluster.price_per_core_hour=3600"), plan=3.0)

    # Two workers over 64 + 3 s; the last block starts at 35 and ends at 60, b has ended at 35.
    assert parts_of(found) == pytest.approx(
        {"plan": 6.0, "start": 20.0, "late": 2.0, "fetch": 1.0, "price": 55.0, "write": 3.0, "other": 1.0,
         "wait": 5.0 + 8.0, "tail": 25.0, "finish": 8.0}
    )  # fmt: skip
    assert found.parts.total == pytest.approx(2 * 67.0)
    assert found.utilisation == pytest.approx(60.0 / 100.0)
    assert found.core_hours * 3600 == pytest.approx(50.0 + 48.0)
    assert found.cost == pytest.approx(98.0)
    assert found.cpu_hours * 3600 == pytest.approx(60.0)
    (line,) = found.sessions
    assert (line.workers, line.blocks, line.ended, line.seconds) == (2, 4, True, 64.0)
    assert (line.first_block_s, line.last_block_s, line.tail_s, line.tail_idle_s) == pytest.approx((10, 60, 25, 25))
    assert line.utilisation == pytest.approx(0.6)
    assert line.pricing == pytest.approx(0.55)
    assert sum(line.busy) * line.step_s * 2 == pytest.approx(60.0, rel=1e-3)
    assert line.busy[0] == line.busy[-1] == 0.0
    assert line.busy[len(line.busy) * 15 // 64] == 1.0


def test_a_worker_that_died_is_held_no_longer_and_another_takes_its_place(tmp_path: Path) -> None:
    rows = [
        *in_a_row("a", 0.0, 4),
        lost("a", "retried", "WORKER_LOST"),
        *in_a_row("c", 55.0, 5, 9.0),
        *in_a_row("b", 0.0, 10),
    ]
    found = spent(rows, [session(0.0, 100.0, 19)], settings_of(tmp_path))
    mean = (40.0 + 45.0 + 100.0) / 19
    assert parts_of(found) == pytest.approx({"price": 185.0, "late": 15.0 - mean, "retries": mean})
    assert found.core_hours * 3600 == pytest.approx(40.0 + 45.0 + 100.0)
    assert found.workers == 3
    (cause,) = found.lost_attempts
    assert (cause.cause, cause.repeated, cause.final) == ("WORKER_LOST", 1, 0)


def test_attempts_by_cause(tmp_path: Path) -> None:
    rows = [
        *in_a_row("a", 0.0, 5),
        lost("a", "retried", "STORAGE"), lost("a", "retried", "STORAGE"), lost("a", "failed", "STORAGE"),
        lost("a", "outrun", None), lost("", "failed", "CANCELLED"), lost(None, "cancelled", "CANCELLED"),
        lost(None, "split", "TIMEOUT"),
    ]  # fmt: skip
    found = spent(rows, [session(0.0, 50.0, 5)], settings_of(tmp_path))
    causes = [(each.cause, each.repeated, each.final, each.seconds) for each in found.lost_attempts]
    assert causes == [("STORAGE", 2, 1, 30.0), ("OUTRUN", 1, 0, 10.0)]
    counted = found.products[0]
    assert (counted.retried, counted.outrun, counted.split, counted.failed, counted.cancelled) == (2, 1, 1, 2, 1)
    assert found.parts.retries == 0.0, "nobody was idle: there is no time that they can have taken"


def test_hosts_are_held_against_the_same_products(tmp_path: Path) -> None:
    rows = [
        *in_a_row("a", 0.0, 10, host="as fast", projected_s=10.0),
        *in_a_row("b", 0.0, 10, 20.0, host="slow", projected_s=10.0),
        *in_a_row("c", 0.0, 10, 30.0, host="other product", projected_s=10.0, product="swaption"),
        *in_a_row("d", 0.0, LEAST_BLOCKS - 1, 90.0, host="too few", projected_s=90.0, product="bond"),
    ]
    found = spent(rows, [session(0.0, 900.0, len(rows))], settings_of(tmp_path))
    # Swaps take 300 s in place of 200 on both hosts together.
    assert [(host.host, host.blocks) for host in found.hosts] == [("slow", 10), ("other product", 10), ("as fast", 10)]
    assert [host.pace for host in found.hosts] == pytest.approx([200 / 150, 1.0, 100 / 150])
    assert found.hosts_compared == 3


def test_quantiles_and_the_slowest_blocks(tmp_path: Path) -> None:
    seconds = [0.01 * 1.1**k for k in range(100)]
    start = 0.0
    rows = []
    for k in (*range(50, 100), *range(50)):
        rows.append(done("a", start, seconds[k], block_id=f"b{k}", parent_block_id="p" if k < 10 else None))
        start += seconds[k]
    found = spent(rows, [session(0.0, start, 100)], settings_of(tmp_path))
    (product,) = found.products
    assert (product.p50, product.p90, product.p99) == pytest.approx((seconds[49], seconds[89], seconds[98]), rel=0.01)
    assert product.longest == pytest.approx(seconds[99], abs=1e-6)
    assert product.skew == pytest.approx(seconds[98] / seconds[49], rel=0.02)
    assert product.trades == 900, "those of parts are their blocks'"
    assert [block.block_id for block in found.slowest] == [f"b{k}" for k in range(99, 89, -1)]
    assert found.sessions[0].last_hundredth_s == pytest.approx(seconds[49], abs=start / 4096)


def test_sessions_have_times_of_their_own(tmp_path: Path) -> None:
    rows = [
        *in_a_row("a", 0.0, 10),
        lost("a", "retried", "STORAGE"),
        *in_a_row("a", 1000.0, 2),
        done("b", 1000.0, 20.0),
    ]
    sessions = [session(0.0, None, 10), session(500.0, 510.0, 0), session(990.0, 1020.0, 3)]
    found = spent(rows, sessions, settings_of(tmp_path), plan=5.0)
    first, last = found.sessions
    assert (first.blocks, first.seconds, first.workers, first.ended) == (10, pytest.approx(100.0), 1, False)
    assert (last.blocks, last.seconds, last.workers, last.ended) == (3, pytest.approx(30.0), 2, True)
    assert parts_of(found) == pytest.approx({"plan": 10.0, "start": 20.0, "price": 140.0})
    assert found.core_hours * 3600 == pytest.approx(140.0)


def test_a_worker_whose_clock_is_behind(tmp_path: Path) -> None:
    found = spent(in_a_row("a", -30.0, 10), [session(0.0, 80.0, 10)], settings_of(tmp_path))
    (line,) = found.sessions
    assert (line.first_block_s, line.last_block_s, line.seconds) == pytest.approx((0.0, 100.0, 110.0))
    assert found.parts.start == 0.0


def test_nothing_done(tmp_path: Path) -> None:
    rows = [lost(None, "cancelled", "CANCELLED")]
    assert time_spent([table(rows)], [session(0.0, 1.0, 0)], settings_of(tmp_path), {}) is None
