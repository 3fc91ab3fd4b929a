"""A run's plan: put in place, and opened again."""

from __future__ import annotations

import shutil

from riskpipe.fault_points import FaultPoint, fault_point
from riskpipe.plan.stored_plan import StoredPlan
from riskpipe.store.filesystem import Store
from riskpipe.store.local_files import local_file
from riskpipe.store.run_folder import RunFolder
from riskpipe.valuation.spec import read_spec

PLAN_FILE = "plan.parquet"


def put_file(store: Store, name: str, path: str) -> None:
    """Copy a file of this machine into a store, atomically."""
    fault_point(FaultPoint.PUT_FILE)
    with store.atomic_sink(name) as sink, open(path, "rb") as source:
        shutil.copyfileobj(source, sink)


def open_plan(folder: RunFolder) -> StoredPlan:
    """The plan of a run; of one in an object store, a copy on this machine.

    :raises StorageError: there is none, or it cannot be read.
    """
    return StoredPlan(local_file(folder.store, folder.plan, read_spec(folder).files_sha256.get(PLAN_FILE, "")))
