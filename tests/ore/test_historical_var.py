"""P&L under history is what Open Source Risk Engine makes of the same trades, market and moves, here and now.

Needs the extra `ore`, and in ORE_EXAMPLES the directory of ORE's example inputs (its `Examples`).
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.ore_var import Both, riskpipe_pnl

pytestmark = pytest.mark.ore

EXAMPLES = os.environ.get("ORE_EXAMPLES", "")
# Of its deviation: ORE's simulation keeps twelve points of today's curves, riskpipe all of them.
WITHIN = 0.005


@pytest.mark.skipif(not EXAMPLES, reason="ORE_EXAMPLES does not say where ORE's examples are")
def test_the_example_of_historical_var(tmp_path: Path) -> None:
    pytest.importorskip("ORE", reason="the extra ore is not installed")
    both = Both(Path(EXAMPLES), tmp_path, copies=2)
    both.run()

    found = riskpipe_pnl(both.book)
    assert len(found) == len(both.moves) > 700
    assert np.max(np.abs(found - both.ore_pnl)) < WITHIN * np.std(both.ore_pnl)
    quantiles = [0.01, 0.05, 0.95, 0.99]
    assert np.quantile(found, quantiles) == pytest.approx(np.quantile(both.ore_pnl, quantiles), rel=1e-3)
