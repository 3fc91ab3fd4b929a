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
from published import assert_same_bits, published

from riskpipe.plan.selection import Selection
from riskpipe.workflows.run import run

pytestmark = pytest.mark.chaos

LOCAL = ("cluster.kind=local", "cluster.workers=2", "partition.max_trades=20")

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

# Dies by SIGKILL when it is told of its n-th event.
KILLED = textwrap.dedent(
    """
    import os, signal, sys
    from riskpipe.config import load_settings
    from riskpipe.plan.selection import Selection
    from riskpipe.workflows.run import run
    from riskpipe.runs.session import Session

    class Silent:
        def update(self, status): pass
        def message(self, level, text): pass

    if __name__ == "__main__":
        left = [int(sys.argv[2])]
        on_event = Session._on_event
        def counted(self, event):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return on_event(self, event)
        Session._on_event = counted
        settings = load_settings(sys.argv[1], assignments=sys.argv[3:], environment={})
        sys.exit(run(settings, Selection(), observer=Silent()).exit_code)
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
    script = tmp_path / "driver.py"
    script.write_text(KILLED)
    config, output = str(small_book / "riskpipe.yaml"), tmp_path / "output"
    run(settings_of(*LOCAL, "cluster.kind=serial", output="undisturbed"), Selection(), observer=recorder)

    codes = []
    for events in (1, 5, 9, 13, 8, 2):
        words = [sys.executable, str(script), config, str(events), f"output={output}", *LOCAL]
        codes.append(subprocess.run(words, capture_output=True, timeout=120, check=False).returncode)
    status = run(settings_of(*LOCAL), Selection(), observer=recorder)

    assert codes.count(-signal.SIGKILL) >= 4
    assert status.state == "complete"
    assert status.blocks.reused > 0
    assert_same_bits(tmp_path / "undisturbed", output)
