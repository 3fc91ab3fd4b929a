"""`riskpipe check`: every fault of every input in one pass; nothing is priced."""

from __future__ import annotations

from collections import deque
from typing import Any

import pyarrow as pa
from msgspec import Struct
from msgspec.structs import replace

from riskpipe.config import Settings
from riskpipe.errors import ExitCode, GateError, InputError, Level, StorageError
from riskpipe.inputs.faults import checks_table, refusal
from riskpipe.inputs.limit_input import unknown_books
from riskpipe.inputs.opened import OpenedInputs, open_inputs
from riskpipe.plan.fault import Fault
from riskpipe.plan.survey import Survey
from riskpipe.plan.survey_piece import Portfolio
from riskpipe.runs.planning_workers import PlanningWorkers
from riskpipe.store.filesystem import Store
from riskpipe.store.layout import CHECKS as LAST_CHECK
from riskpipe.store.location import open_store, store_of_file
from riskpipe.store.parquet import write_parquet
from riskpipe.structs import asdict

OUTPUT = "output"


class CheckReport(Struct, frozen=True):
    """What was found.

    :param blocking: whether nothing can be priced before they are mended.
    :param gated: whether it is the warnings that do so (`warnings_as_errors`).
    :param path: where checks.parquet was written; None: the output cannot be written to, which is a fault too.
    """

    faults: tuple[Fault, ...]
    trades: int
    quarantined: int
    blocking: bool
    gated: bool = False
    path: str | None = None

    @property
    def errors(self) -> int:
        return sum(1 for fault in self.faults if fault.level == Level.ERROR)

    @property
    def warnings(self) -> int:
        return sum(1 for fault in self.faults if fault.level == Level.WARNING)

    @property
    def exit_code(self) -> ExitCode:
        """Of the worst fault: inputs, then storage, then warnings where they are refused."""
        if any(fault.level == Level.ERROR and fault.table != OUTPUT for fault in self.faults):
            return InputError.exit_code
        if self.errors:
            return StorageError.exit_code
        return GateError.exit_code if self.gated else ExitCode.DONE

    def to_json(self) -> dict[str, Any]:
        return {
            "trades": self.trades,
            "quarantined": self.quarantined,
            "errors": self.errors,
            "warnings": self.warnings,
            "blocking": self.blocking,
            "faults": [asdict(fault) for fault in self.faults],
            "path": self.path,
            "exit_code": self.exit_code,
        }

    def table(self) -> pa.Table:
        """checks.parquet."""
        return checks_table(self.faults)


def check(settings: Settings, path: str | None = None) -> CheckReport:
    """Look at everything, price nothing; leave the faults as checks.parquet.

    :param path: where to; None: meta/checks.parquet of the output, over that of the last check.
    :raises StorageError: the portfolio's directory cannot be listed.
    """
    inputs = open_inputs(settings)
    portfolio, usual = (
        Portfolio(inputs.files, inputs.portfolio, inputs.products, inputs.calendars),
        settings.check.usual,
    )
    rows = sum(file.rows for file in inputs.files)
    workers = PlanningWorkers(settings, rows)
    with workers.files() as files, workers.mapper() as mapper:
        survey = Survey(
            portfolio, inputs.as_of, inputs.model, settings.base_currency, files, mapper=mapper, usual=usual
        )
        deque(survey.rows(), maxlen=0)
    limits = inputs.limits if isinstance(inputs, OpenedInputs) else ()
    unknown = unknown_books(settings, limits, survey.book_paths)
    faults = (*inputs.faults, *survey.faults, *unknown)
    refused = refusal(settings, (*inputs.blocking, *survey.blocking, *unknown), faults)
    report = CheckReport(
        faults,
        rows,
        len(survey.quarantine.table()),
        refused is not None,
        gated=isinstance(refused, GateError),
    )
    return _written(report, *((open_store(settings.output), LAST_CHECK) if path is None else store_of_file(path)))


def _written(report: CheckReport, store: Store, name: str) -> CheckReport:
    """The report with where it lies, or with one more fault: that it cannot be written."""
    path = store.full_path(name)
    try:
        write_parquet(store, name, report.table())
    except StorageError as error:
        fault = Fault(Level.ERROR, OUTPUT, path, "", "not writable", 0, (), str(error))
        return replace(report, faults=(*report.faults, fault), blocking=True)
    return replace(report, path=path)
