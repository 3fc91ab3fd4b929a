"""Drivers that die by SIGKILL at a moment of their own choice."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

# A driver that dies by SIGKILL at the n-th call of one of its own steps: no clock, no race.
KILLED = textwrap.dedent(
    """
    import os, signal, sys
    from riskpipe.config import load_settings
    from riskpipe.plan.selection import Selection
    import riskpipe.workflows.run as run_module
    {patch}

    class Silent:
        def update(self, status): pass
        def message(self, level, text): pass

    if __name__ == "__main__":
        settings = load_settings(sys.argv[1], assignments=sys.argv[2:], environment={{}})
        status = run_module.run(settings, Selection(), observer=Silent())
        sys.exit(status.exit_code)
    """
)

DIE = """
def dying(function, calls):
    counter = [0]
    def wrapped(*args, **kwargs):
        counter[0] += 1
        if counter[0] == calls:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return wrapped
"""


def start(book: Path, patch: str, tmp_path: Path, *assignments: str) -> subprocess.CompletedProcess[str]:
    """A run of a book in a process of its own, with some of its functions replaced.

    :param patch: Python; `dying(function, n)` is a function that kills the process at its n-th call.
    """
    script = tmp_path / "driver.py"
    script.write_text(KILLED.format(patch=DIE + patch))
    return subprocess.run(
        [sys.executable, str(script), str(book / "riskpipe.yaml"), *assignments],
        capture_output=True,
        text=True,
        timeout=600,
        env={k: v for k, v in os.environ.items() if not k.startswith("RISKPIPE_CONFIG")},
        check=False,
    )
