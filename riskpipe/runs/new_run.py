"""A new run: checked, planned, and everything that workers need put in place."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

from riskpipe import __version__
from riskpipe.config.dump import resolved_yaml
from riskpipe.config.models import Settings
from riskpipe.errors import Level
from riskpipe.fault_points import FaultPoint, fault_point
from riskpipe.inputs.faults import checks_table
from riskpipe.measures.families import Bumps
from riskpipe.plan.accounting import Observer
from riskpipe.plan.selection import Selection
from riskpipe.runs.opening import Opened
from riskpipe.runs.planning import Planned, make_plan
from riskpipe.runs.stored import PLAN_FILE, put_file
from riskpipe.store.filesystem import Store
from riskpipe.store.location import store_of_file
from riskpipe.store.parquet import write_parquet
from riskpipe.store.portfolio import content_sha256
from riskpipe.store.run_folder import RunFolder
from riskpipe.valuation.context import open_context
from riskpipe.valuation.spec import ValuationSpec

RUN_VERSION = 1


def create(store: Store, settings: Settings, selection: Selection, run_id: str, observer: Observer) -> Opened:
    """Check, plan, and put everything that the workers need in place; the plan comes last and makes it a run."""
    started = time.monotonic()
    folder = RunFolder(store, run_id)
    observer.message("info", "checking and planning")
    with make_plan(settings, selection) as planned:
        phases = {"plan": time.monotonic() - started}
        errors = sum(1 for fault in planned.faults if fault.level == Level.ERROR)
        if errors:
            observer.message("warning", f"{errors} faults in the inputs; they are in {folder.checks}")
        write_run(folder, settings, planned)
    return Opened(folder, phases)


def write_run(folder: RunFolder, settings: Settings, planned: Planned) -> None:
    """Everything that workers need, and last the plan."""
    fault_point(FaultPoint.WRITE_RUN)
    inputs = planned.inputs
    header = planned.plan.header
    folder.store.write_bytes(
        folder.run,
        json.dumps(
            {
                "schema_version": RUN_VERSION,
                "run_id": folder.run_id,
                "as_of": header.as_of,
                "created_at": datetime.now(UTC).isoformat(),
                "engine_version": __version__,
                "config_sha256": settings.sha256,
                "inputs_sha256": inputs.sha256,
            },
            indent=2,
        ).encode(),
    )
    folder.store.write_bytes(folder.config, resolved_yaml(settings).encode())
    folder.store.write_bytes(folder.inputs, json.dumps(inputs.hashes, indent=2, sort_keys=True).encode())
    sha256 = {PLAN_FILE: content_sha256(*store_of_file(planned.plan.path))}
    for path, writable in ((folder.market, inputs.snapshot), (folder.scenarios, inputs.scenarios.columns)):
        with folder.store.atomic_sink(path) as sink:
            writable.write(sink.name)
            sha256[path.rpartition("/")[2]] = content_sha256(*store_of_file(sink.name))
    quarantine = write_parquet(folder.store, folder.quarantine, planned.quarantine.table())
    sha256[folder.quarantine.rpartition("/")[2]] = quarantine.sha256
    spec = ValuationSpec(
        run_id=folder.run_id,
        as_of=settings.as_of,
        measures=tuple(settings.measures),
        bumps=Bumps(**settings.bumps.model_dump()),
        conventions=settings.conventions(),
        portfolio=settings.inputs.portfolio,
        files={file.path: file for file in inputs.files},
        selection=tuple(tuple(terms) for terms in header.selection),
        stored_pnl=planned.stored_pnl,
        config_sha256=settings.sha256,
        inputs_sha256=inputs.sha256,
        engine_version=__version__,
        files_sha256=sha256,
    )
    folder.store.write_bytes(folder.valuation, spec.to_json().encode())
    write_parquet(folder.store, folder.checks, checks_table(list(planned.faults)))
    put_file(folder.store, folder.plan, planned.plan.path)
    open_context.cache_clear()
