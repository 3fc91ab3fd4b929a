"""A stop that somebody asks for through the store (`riskpipe runs stop`): a file in the run's directory."""

from __future__ import annotations

import signal
from contextlib import suppress
from datetime import UTC, datetime

from riskpipe.execute.signals import StopSignal
from riskpipe.plan.accounting import Observer
from riskpipe.store.filesystem import MissingFileError
from riskpipe.store.process import who
from riskpipe.store.run_folder import RunFolder


def ask_to_stop(folder: RunFolder) -> None:
    """Leave the file, which says who asked and when."""
    folder.store.write_bytes(folder.stop, f"{who()} at {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n".encode())


def stop_if_asked(folder: RunFolder, stop: StopSignal, observer: Observer) -> None:
    """Drain, as on a SIGTERM, where somebody asked for it."""
    if stop.requested:
        return
    with suppress(MissingFileError):
        asked = folder.store.read_bytes(folder.stop, changing=True).decode(errors="replace").strip()
        observer.message("warning", f"stopped by {asked}: no further blocks are started")
        stop.request(signal.SIGTERM)
