"""A function that every worker runs before its first block: those there are, and those that start later."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

from distributed import Client, Worker, WorkerPlugin

from riskpipe.errors import ClusterError

Initialise = Callable[[], None]

PLUGIN = "riskpipe-initialise"


class _Initialise(WorkerPlugin):  # type: ignore[misc]  # distributed is untyped
    def __init__(self, initialise: Initialise | None) -> None:
        self._initialise = initialise

    def setup(self, worker: Worker) -> None:
        # Ctrl-C goes to the whole process group; the driver alone decides when a worker ends.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        if self._initialise is not None:
            self._initialise()


def initialise_workers(client: Client, initialise: Initialise | None) -> None:
    """Run `initialise` (to warm caches) on every worker; a worker that is restarted runs it again.

    :raises ClusterError: it raised on a worker.
    """
    try:
        client.register_plugin(_Initialise(initialise), name=PLUGIN)
    except Exception as error:
        raise ClusterError(f"a worker cannot be initialised: {type(error).__name__}: {error}") from error
