"""`riskpipe check`: every fault of every input in one pass; nothing is priced."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import pyarrow as pa

from riskpipe.config import Settings
from riskpipe.errors import ExitCode, GateError, InputError, Level, RiskpipeError, StorageError
from riskpipe.plan.survey import Fault, Portfolio, Survey
from riskpipe.store.filesystem import Store
from riskpipe.store.layout import CHECKS as LAST_CHECK
from riskpipe.store.location import open_store, store_of_file
from riskpipe.store.parquet import write_parquet
from riskpipe.workflows.inputs import open_inputs

CHECKS = pa.schema(
    [
        ("level", pa.string()),
        ("table", pa.string()),
        ("file", pa.string()),
        ("column", pa.string()),
        ("rule", pa.string()),
        ("rows", pa.int64()),
        ("sample", pa.list_(pa.string())),
        ("message", pa.string()),
    ]
)

SHOWN = 20
OUTPUT = "output"


@dataclass(frozen=True)
class CheckReport:
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


def checks_table(faults: Sequence[Fault]) -> pa.Table:
    """Faults as rows, errors first."""
    rows = [asdict(fault) for fault in sorted(faults, key=lambda f: (f.level, f.table, f.file, f.column))]
    return pa.Table.from_pylist([{**row, "sample": list(row["sample"])} for row in rows], CHECKS)


def check(settings: Settings, path: str | None = None) -> CheckReport:
    """Look at everything, price nothing; leave the faults as checks.parquet.

    :param path: where to; None: meta/checks.parquet of the output, over that of the last check.
    :raises StorageError: the portfolio's directory cannot be listed.
    """
    inputs = open_inputs(settings)
    portfolio, usual = Portfolio(inputs.files, inputs.portfolio, inputs.products), settings.check.usual
    survey = Survey(portfolio, inputs.as_of, inputs.model, settings.base_currency, usual=usual)
    deque(survey.files(), maxlen=0)
    faults = (*inputs.faults, *survey.faults)
    refused = _refusal(settings, (*inputs.blocking, *survey.blocking), faults)
    report = CheckReport(
        faults,
        sum(file.rows for file in inputs.files),
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


def refuse(settings: Settings, blocking: Sequence[Fault], faults: Sequence[Fault]) -> None:
    """Stop before anything is priced, if the faults of all inputs demand it; see `CheckReport.exit_code`.

    :param blocking: those of the faults that stand in the way whatever the settings.

    :raises InputError: inputs that cannot be used, or any error while `on_invalid: error`.
    :raises GateError: any warning while `warnings_as_errors`.
    """
    error = _refusal(settings, blocking, faults)
    if error is not None:
        raise error


def _refusal(settings: Settings, blocking: Sequence[Fault], faults: Sequence[Fault]) -> RiskpipeError | None:
    errors = [fault for fault in faults if fault.level == Level.ERROR]
    if blocking:
        return InputError(explain(blocking))
    if errors and settings.on_invalid == "error":
        return InputError(f"{explain(errors)}\non_invalid is error: mend them, or set on_invalid: quarantine")
    warnings = [fault for fault in faults if fault.level == Level.WARNING]
    if warnings and settings.warnings_as_errors:
        return GateError(f"{explain(warnings)}\nwarnings_as_errors is set: mend them, or unset it")
    return None


def explain(faults: Sequence[Fault]) -> str:
    """One line a fault: where, how many, what, which."""
    lines = []
    for fault in faults[:SHOWN]:
        where = ": ".join(part for part in (fault.file, fault.column) if part)
        rows = f"{fault.rows} row{'' if fault.rows == 1 else 's'}, " if fault.rows else ""
        sample = f" (such as {', '.join(fault.sample)})" if fault.sample else ""
        lines.append(f"{fault.table}: {where}: {rows}{fault.rule}: {fault.message}{sample}")
    if len(faults) > SHOWN:
        lines.append(f"and {len(faults) - SHOWN} more: `riskpipe check` lists all")
    return "\n".join(lines)
