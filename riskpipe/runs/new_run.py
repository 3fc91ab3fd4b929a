"""A new run: checked, planned, and everything that workers need put in place."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np

from riskpipe import __version__
from riskpipe.config.dump import resolved_yaml
from riskpipe.config.models import Settings
from riskpipe.errors import Level
from riskpipe.fault_points import FaultPoint, fault_point
from riskpipe.inputs.faults import checks_table
from riskpipe.inputs.previous_day import PreviousDay
from riskpipe.measures.families import Bumps
from riskpipe.measures.measure_names import CASH_FLOWS, EXPLAIN
from riskpipe.plan.accounting import Observer
from riskpipe.plan.selection import Selection
from riskpipe.plan.trade_contents import CONTENTS
from riskpipe.runs.earlier_run import EarlierRun
from riskpipe.runs.limits import limits_text
from riskpipe.runs.opening import Opened
from riskpipe.runs.planning import Planned, make_plan
from riskpipe.runs.reuse import reuse_lines
from riskpipe.runs.stored import PLAN_FILE, put_file
from riskpipe.store.checksums import content_sha256
from riskpipe.store.filesystem import Store
from riskpipe.store.growing_copy import pieces_sha256
from riskpipe.store.location import store_of_file
from riskpipe.store.parquet import atomic_parquet, write_parquet
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.sealed import sealed
from riskpipe.valuation.context import open_context
from riskpipe.valuation.factor_columns import ranges_of
from riskpipe.valuation.spec import ValuationSpec

RUN_VERSION = 1


def create(
    store: Store,
    settings: Settings,
    selection: Selection,
    run_id: str,
    observer: Observer,
    find_earlier: Callable[[], EarlierRun | None] = lambda: None,
) -> Opened:
    """Check, plan, and put everything that the workers need in place; the plan comes last and makes it a run.

    :param find_earlier: the run whose numbers are to be taken over.
    """
    started = time.monotonic()
    folder = RunFolder(store, run_id)
    observer.message("info", "checking and planning")
    with make_plan(settings, selection, find_earlier, folder) as planned:
        phases = {"plan": time.monotonic() - started}
        errors = sum(1 for fault in planned.faults if fault.level == Level.ERROR)
        if errors:
            observer.message("warning", f"{errors} faults in the inputs; they are in {folder.checks}")
        if EXPLAIN in settings.measures:
            _tell_of_previous(planned.inputs.previous, selection, observer)
        if planned.reuse is not None:
            for line in reuse_lines(planned.reuse):
                observer.message("info", line)
        write_run(folder, settings, planned)
    return Opened(folder, phases)


def _tell_of_previous(previous: PreviousDay | None, selection: Selection, observer: Observer) -> None:
    """What explained P&L is without; none of it is an error."""
    if selection.canonical():
        observer.message("info", f"{EXPLAIN}: P&L is explained of whole days, not of a selection")
    elif previous is None:
        observer.message("info", f"{EXPLAIN}: no earlier day is published, the next one will have it")
    elif CASH_FLOWS not in previous.measures:
        message = (
            f"{EXPLAIN}: {previous.as_of} has no {CASH_FLOWS}, so what was paid since is not in it; it is in that of "
            f"the next day, with {CASH_FLOWS} among the measures"
        )
        observer.message("warning", message)


def write_run(folder: RunFolder, settings: Settings, planned: Planned) -> None:
    """Everything that workers need, and last the plan."""
    fault_point(FaultPoint.WRITE_RUN)
    inputs = planned.inputs
    header, previous = planned.plan.header, inputs.previous
    folder.store.write_bytes(folder.run, sealed(_described(folder, settings, planned)))
    documents = {
        folder.config: resolved_yaml(settings).encode(),
        folder.inputs: json.dumps(inputs.hashes, indent=2, sort_keys=True).encode(),
        **({folder.limits: limits_text(inputs.limits)} if inputs.limits else {}),
    }
    sha256 = {PLAN_FILE: content_sha256(*store_of_file(planned.plan.path))}
    for path, content in documents.items():
        folder.store.write_bytes(path, content)
        sha256[_name(path)] = hashlib.sha256(content).hexdigest()
    pieces: dict[str, tuple[str, ...]] = {}
    for path, writable in ((folder.market, inputs.snapshot), (folder.scenarios, inputs.scenarios.columns)):
        with folder.store.atomic_sink(path) as sink:
            writable.write(sink.name)
            sha256[_name(path)] = content_sha256(*store_of_file(sink.name))
            if folder.store.local_path(path) is None:  # else nodes read it where it lies
                with open(sink.name, "rb") as written:
                    pieces[_name(path)] = pieces_sha256(written)
    tables = {
        folder.quarantine: planned.quarantine.table(),
        folder.checks: checks_table(list(planned.faults)),
    }
    for path, table in tables.items():
        sha256[_name(path)] = write_parquet(folder.store, path, table).sha256
    with atomic_parquet(folder.store, folder.trade_contents, CONTENTS) as contents:
        for rows in planned.contents():
            contents.write(rows)
    sha256[_name(folder.trade_contents)] = contents.written.sha256
    if planned.reuse is not None:
        sha256 |= planned.reuse.write(folder)
    spec = ValuationSpec(
        run_id=folder.run_id,
        as_of=settings.as_of,
        measures=tuple(settings.measures),
        bumps=Bumps(**settings.bumps.model_dump()),
        conventions=inputs.model.conventions,
        portfolio=settings.inputs.portfolio,
        files={file.path: file for file in inputs.files},
        selection=tuple(tuple(terms) for terms in header.selection),
        stored_pnl=planned.stored_pnl,
        config_sha256=settings.sha256,
        inputs_sha256=inputs.sha256,
        engine_version=__version__,
        files_sha256=sha256,
        pieces_sha256=pieces,
        previous=None if previous is None else (previous.as_of.isoformat(), previous.run_id),
        derived=ranges_of(np.flatnonzero(inputs.derivative.is_derived).tolist()),
        trade_columns=inputs.trade_columns,
    )
    folder.store.write_bytes(folder.valuation, spec.to_json())
    put_file(folder.store, folder.plan, planned.plan.path)
    open_context.cache_clear()


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _described(folder: RunFolder, settings: Settings, planned: Planned) -> dict[str, Any]:
    return {
        "schema_version": RUN_VERSION,
        "run_id": folder.run_id,
        "as_of": planned.plan.header.as_of,
        "created_at": datetime.now(UTC).isoformat(),
        "engine_version": __version__,
        "config_sha256": settings.sha256,
        "inputs_sha256": planned.inputs.sha256,
    }
