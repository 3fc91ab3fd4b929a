"""What a worker's first block waits for: a fresh process, compiled kernels in the cache, one block of every product.

Wall seconds from opening the block (its run's market, scenarios and trades with it) to its results on disk; those of
the imports before, which a worker does when it starts; and the processor's seconds of both. The sample book is valued
once before, which fills the cache.

Run: python -m benchmarks first_block
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

REQUIRED_SECONDS = 3.0
TRADES_A_PRODUCT, SCENARIOS = 1_000, 100


def one(root: str, run_id: str, product: str) -> dict[str, float]:
    """In this process, which has done nothing yet: the first block of a product."""
    started = time.perf_counter()
    from riskpipe.plan.stored_plan import StoredPlan
    from riskpipe.valuation.run_block import BlockPayload, run_block

    imported = time.perf_counter()
    plan = StoredPlan(str(Path(root) / "runs" / run_id / "plan.parquet"))
    block = next(block for _, block in plan.blocks() if block.product == product)
    opened = time.perf_counter()
    run_block(BlockPayload(root, run_id, block))
    done = time.perf_counter()
    return {"imports": imported - started, "block": done - opened, "cpu": time.process_time()}


def value_sample(directory: Path) -> tuple[str, str, list[str]]:
    """A run of every product: its root, its name, the products."""
    from riskpipe.config import load_settings
    from riskpipe.plan.accounting import SilentObserver
    from riskpipe.plan.selection import Selection
    from riskpipe.runs.publication import Publication
    from riskpipe.sample import write_sample
    from riskpipe.sample.recipes import RECIPES
    from riskpipe.workflows.run import run

    shares = dict.fromkeys(RECIPES, 1.0)
    write_sample(directory, trades=TRADES_A_PRODUCT * len(shares), scenarios=SCENARIOS, products=shares)
    given = ("cluster.kind=serial", "measures=[pv, historical_var]", "scenario_pnl.historical=false")
    settings = load_settings(directory / "riskpipe.yaml", assignments=given, environment={})
    status = run(settings, Selection(), resume="never", publication=Publication("always"), observer=SilentObserver())
    return settings.output, status.run_id, sorted(RECIPES)


def fresh(*words: str) -> dict[str, float]:
    program = [sys.executable, "-m", "benchmarks.first_block", *words]
    done = subprocess.run(program, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout))


def main() -> dict[str, Any]:
    results: dict[str, Any] = {}
    print(f"{'':24} {'imports, s':>11} {'block, s':>11} {'CPU, s':>11}")
    with tempfile.TemporaryDirectory(prefix="riskpipe-bench-") as temporary:
        root, run_id, products = value_sample(Path(temporary) / "book")
        for product in products:
            found = results[product] = fresh(root, run_id, product)
            verdict = "" if found["block"] < REQUIRED_SECONDS else f"  NOT BELOW {REQUIRED_SECONDS:g} s"
            figures = " ".join(f"{found[name]:11.2f}" for name in ("imports", "block", "cpu"))
            print(f"{product:24} {figures}{verdict}", flush=True)
    return results


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(one(*sys.argv[1:])))
    else:
        main()
