"""What a worker holds while it values a block stays under what the plan projected for it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from selections import one_in
from valuations import MEASURES, PAIRS, open_run, settings_at

from riskpipe.plan.costs import WORKER_BASELINE_BYTES
from riskpipe.products.catalogue import PRODUCTS
from riskpipe.sample import write_sample

SCRIPT = Path(__file__).parents[1] / "support" / "block_memory.py"
TRADES_A_PRODUCT = 2_000


@pytest.fixture(scope="module")
def measured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, int]]:
    """What the blocks of those products take that are asked for in this session."""
    directory = tmp_path_factory.mktemp("memory")
    items = [item for item in request.session.items if item.path == request.path and isinstance(item, pytest.Function)]
    shares = {item.callspec.params["product"]: 1.0 for item in items}
    write_sample(directory / "book", trades=TRADES_A_PRODUCT * len(shares), scenarios=250, products=shares)
    run = open_run(
        settings_at(
            directory / "book",
            directory / "output",
            MEASURES,
            PAIRS,
            "partition.target_seconds=1000",
            "partition.max_memory=4GiB",
        )
    )
    command = [sys.executable, str(SCRIPT), *run.folder.place]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    report: dict[str, dict[str, int]] = json.loads(done.stdout)
    return report


@pytest.mark.parametrize("product", one_in(14, [product.name for product in PRODUCTS]))
def test_measured_peak_is_within_the_projection(measured: dict[str, dict[str, int]], product: str) -> None:
    block = measured[product]

    # The longest blocks of a short run are cut, the shorter the fewer products are measured.
    assert block["trades"] > 0.7 * TRADES_A_PRODUCT
    assert block["peak"] <= block["projected"]
    # The projection allows for the process itself; what the block adds must fit in the rest of it.
    assert block["peak"] - block["before"] <= block["projected"] - WORKER_BASELINE_BYTES
