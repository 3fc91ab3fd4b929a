"""A machine without /proc, as a container may be: kind serial does without, Dask says what it lacks."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys

import pytest
from spoiled import Book


def without_proc(words: list[str]) -> subprocess.CompletedProcess[str]:
    """The program with an empty directory in the place of /proc."""
    program = shlex.join([sys.executable, "-m", "riskpipe", *words])
    command = ["unshare", "--mount", "bash", "-c", f"mount -t tmpfs tmpfs /proc && exec {program}"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if result.returncode in (1, 32, 127) and result.stderr.startswith(("unshare:", "mount:")):
        pytest.skip(f"no mounting here: {result.stderr.strip()}")
    return result


def test_kind_serial_does_without_proc(sound: Book) -> None:
    """Seen to end in psutil's NoSuchProcess, called a bug, before."""
    result = without_proc(sound.command("run", "--json", "--set", "measures=[pv]"))
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["published"]


def test_dask_says_what_it_lacks(sound: Book) -> None:
    result = without_proc([*sound.command("run"), "--set", "cluster.kind=local"])
    assert result.returncode == 6, result.stderr
    assert "error: Dask cannot look at this machine, whose /proc it needs" in result.stderr
    assert "cluster.kind=serial does without" in result.stderr
