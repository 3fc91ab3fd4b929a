"""Whole runs on worker processes that die: by a trade that kills them, and drivers that are killed again and again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import duckdb
import pytest
from fault_runs import disturbed
from published import assert_same_bits, published

from riskpipe.fault_points import FaultPoint
from riskpipe.plan.selection import Selection
from riskpipe.workflows.run import run

pytestmark = pytest.mark.chaos

LOCAL = ("cluster.kind=local", "cluster.workers=2", "partition.max_trades=20")

MOMENTS = (
    (FaultPoint.EVENT, 1),
    (FaultPoint.EVENT, 5),
    (FaultPoint.EVENT, 13),
    (FaultPoint.PUT_SEGMENT, 4),
    (FaultPoint.PUBLISH, 1),
    (FaultPoint.PLACE_TABLE, 2),
)
"""Where one driver after the other is killed. All blocks are recorded as done before anything is published."""

POISON = textwrap.dedent(
    """
    import os
    from riskpipe.products.fx_forward import FxForward

    class DeskForward(FxForward):
        name = "desk_forward"
        version = 1

        def prepare(self, trades, model):
            if "FXF-0000007" in trades.trade_ids.to_pylist():
                os._exit(11)
            return super().prepare(trades, model)
    """
)


def test_a_trade_that_kills_its_worker_is_quarantined_alone(book: Path, desk: Path) -> None:
    (desk / "desk_product.py").write_text(POISON)
    portfolio = book / "data" / "portfolio"
    (portfolio / "fx_forward").rename(portfolio / "desk_forward")
    options = [word for assignment in LOCAL for word in ("--set", assignment)]

    done = subprocess.run(
        [sys.executable, "-m", "riskpipe", "run", "-c", str(book / "riskpipe.yaml"), "--json", *options],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(desk)},
        check=False,
    )

    assert done.returncode == 4, done.stdout + done.stderr
    status = json.loads(done.stdout)
    assert status["failures_by_reason"] == {"POISON": 1}
    assert status["published"]
    rows = published(book / "output", "valuations")
    failed = duckdb.sql("select distinct trade_id, reason from rows where status = 'failed'").fetchall()
    assert failed == [("FXF-0000007", "POISON")]
    del rows


def test_a_driver_killed_again_and_again_ends_with_the_same_bytes(small_book, settings_of, recorder, tmp_path) -> None:
    output = tmp_path / "output"
    run(settings_of(*LOCAL, "cluster.kind=serial", output="undisturbed"), Selection(), observer=recorder)

    codes = []
    for moment, times in MOMENTS:
        killed = disturbed(small_book, "kill", moment, times, f"output={output}", *LOCAL)
        codes.append(killed.returncode)
    status = run(settings_of(*LOCAL), Selection(), observer=recorder)

    assert codes == [-signal.SIGKILL] * len(MOMENTS)
    assert status.state == "complete"
    assert status.blocks.reused == status.blocks.planned
    assert_same_bits(tmp_path / "undisturbed", output)
