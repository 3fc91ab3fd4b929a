"""`make bench`: every benchmark, one after the other; figures to the terminal and to bench-output/results.json.

Figures of a shared machine: compare ratios, which are measured in the same run, rather than absolute times.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import (
    blocks,
    bond_figures,
    buckets,
    day,
    european,
    first_block,
    night,
    ore_var,
    pipeline,
    plan_blocks,
    planning,
    products,
    publishing,
    risk_classes,
    scale,
    scale_day,
    shapes,
    since,
    small,
    spreading,
)

BENCHMARKS: Mapping[str, Callable[[], object]] = {
    "european": european.main,
    "products": products.main,
    "publishing": publishing.main,
    "bond_figures": bond_figures.main,
    "buckets": buckets.main,
    "first_block": first_block.main,
    "plan_blocks": plan_blocks.main,
    "planning": planning.main,
    "small": small.main,
    "ore_var": ore_var.main,
    "blocks": blocks.main,
    "pipeline": pipeline.main,
    "night": night.main,
    "since": since.main,
    "risk_classes": risk_classes.main,
    "shapes": shapes.main,
    "day": day.main,
    "scale": scale.main,
    "scale_day": scale_day.main,
    "spreading": spreading.main,
}
# Take many minutes: `make bench-day`, `make bench-scale`.
ON_DEMAND = {"day", "planning", "publishing", "scale", "scale_day", "spreading"}
OUTPUT = Path("bench-output") / "results.json"


def main(wanted: list[str]) -> None:
    unknown = sorted(set(wanted) - set(BENCHMARKS))
    if unknown:
        sys.exit(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    results: dict[str, object] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cpu": platform.processor() or platform.machine(), "cores": os.cpu_count()},
    }
    for name in wanted or [name for name in BENCHMARKS if name not in ON_DEMAND]:
        print(f"\n== {name}", flush=True)
        results[name] = BENCHMARKS[name]()
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(results, indent=1))
    print(f"\n{OUTPUT}")


if __name__ == "__main__":
    main(sys.argv[1:])
