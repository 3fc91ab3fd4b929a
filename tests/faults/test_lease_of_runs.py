"""Two runs on one output: the second is turned away with exit code 75, and may come when the first has ended."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

# A run that stops in its first block until it is told to go on, through two pipes.
WAITING = textwrap.dedent(
    """
    import sys
    from riskpipe.config import load_settings
    from riskpipe.plan.selection import Selection
    import riskpipe.workflows.functions as f
    from riskpipe.workflows.run import run

    class Silent:
        def update(self, status): pass
        def message(self, level, text): pass

    value = f.value
    def wait(work):
        print("in a block", flush=True)
        sys.stdin.readline()
        return value(work)

    f.FUNCTIONS = {**f.FUNCTIONS, "value": wait}
    settings = load_settings(sys.argv[1], assignments=sys.argv[2:], environment={})
    sys.exit(run(settings, Selection(), observer=Silent()).exit_code)
    """
)


def test_the_second_of_two_runs_exits_75(small_book: Path, tmp_path: Path) -> None:
    script = tmp_path / "waiting.py"
    script.write_text(WAITING)
    book = small_book / "riskpipe.yaml"
    words = ["cluster.kind=serial", f"output={tmp_path / 'output'}", "measures=[pv]"]
    options = [word for assignment in words for word in ("--set", assignment)]
    second_run = [sys.executable, "-m", "riskpipe", "run", "-c", str(book), *options]
    first = subprocess.Popen(
        [sys.executable, str(script), str(book), *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert first.stdin is not None
        assert first.stdout is not None
        assert first.stdout.readline() == "in a block\n"

        refused = subprocess.run(second_run, capture_output=True, text=True, timeout=60, check=False)

        assert refused.returncode == 75
        assert str(first.pid) in refused.stderr
        assert "lease" in refused.stderr
        first.communicate("\n" * 50, timeout=60)
        assert first.returncode == 0
    finally:
        first.kill()
        first.wait()
    third = subprocess.run([*second_run, "--resume", "never"], capture_output=True, text=True, timeout=60, check=False)
    assert third.returncode == 0, third.stderr
