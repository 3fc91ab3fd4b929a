"""Dask's settings for a batch of independent blocks, one to a process, retried by their driver alone."""

from __future__ import annotations

from typing import Any

SETTINGS: dict[str, Any] = {
    # One task on a worker at a time; above 1.0 innocent blocks are blamed for a worker that dies.
    "distributed.scheduler.worker-saturation": 1.0,
    # Blocks wait on the scheduler, not on workers: there is nothing to steal.
    "distributed.scheduler.work-stealing": False,
    # The driver retries, by cause.
    "distributed.scheduler.allowed-failures": 0,
    # The driver's plugin on the scheduler ends workers that say nothing, and tells it so (execute/scheduler_plugin.py).
    "distributed.scheduler.worker-ttl": None,
    # A local worker that is not back by then is put away with its nanny, in the middle of its start on a busy machine.
    # Nannies that gave up are replaced by us (local.py).
    "distributed.deploy.lost-worker-timeout": "10 minutes",
    # It would undo broadcasts, and there are no replicas to reduce.
    "distributed.scheduler.active-memory-manager.start": False,
    # A worker holds one small result: spilling cannot help, and a pause would never end.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.95,
    "distributed.worker.profile.enabled": False,
    "distributed.comm.timeouts.connect": "60s",
    "distributed.comm.timeouts.tcp": "60s",
    # Dask keeps so many of its last messages, events and transitions, graphs included: with 1,000 the driver grows by
    # tens of megabytes before it levels off.
    "distributed.admin.low-level-log-length": 1,
    # Twice a second, a scheduler with a thousand connections would count them, for a page that nobody looks at.
    "distributed.admin.system-monitor.interval": "5s",
    # Every process would wake fifty times a second to see how late it is; Dask's own tests ask as seldom.
    "distributed.admin.tick.interval": "500ms",
    "distributed.diagnostics.nvml": False,
}

# A worker is one of many processes on its machine: its libraries must not start threads of their own.
ENVIRONMENT: dict[str, str] = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "MALLOC_TRIM_THRESHOLD_": "65536",
}

NANNY_SETTINGS: dict[str, Any] = {"distributed.nanny.pre-spawn-environ": ENVIRONMENT}
