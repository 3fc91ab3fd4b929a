"""The peak resident memory of this process during one block."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


class PeakMemory:
    """Starts a fresh peak where Linux allows it (clear_refs 5), else reads the peak of the process's life."""

    def __init__(self) -> None:
        self._fresh = _reset()

    def peak(self) -> int:
        """Bytes, since construction when the peak could be reset, else since the process began."""
        if self._fresh:
            for line in _STATUS.read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _reset() -> bool:
    try:
        _CLEAR.write_text("5")
    except OSError:
        return False
    return True
