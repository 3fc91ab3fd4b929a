"""`riskpipe check`: every fault of every input in one pass; nothing is priced."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from riskpipe.config import Settings
from riskpipe.errors import GateError, InputError
from riskpipe.plan.survey import Fault, Survey
from riskpipe.workflows.inputs import Inputs, open_inputs

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


@dataclass(frozen=True)
class CheckReport:
    """What was found.

    :param blocking: whether nothing can be priced before the errors are mended.
    """

    faults: tuple[Fault, ...]
    trades: int
    quarantined: int
    blocking: bool

    @property
    def errors(self) -> int:
        return sum(1 for fault in self.faults if fault.level == "error")

    @property
    def warnings(self) -> int:
        return sum(1 for fault in self.faults if fault.level == "warning")

    @property
    def exit_code(self) -> int:
        return InputError.exit_code if self.errors else 0

    def to_json(self) -> dict[str, Any]:
        return {
            "trades": self.trades,
            "quarantined": self.quarantined,
            "errors": self.errors,
            "warnings": self.warnings,
            "blocking": self.blocking,
            "faults": [asdict(fault) for fault in self.faults],
            "exit_code": self.exit_code,
        }

    def table(self) -> pa.Table:
        """checks.parquet."""
        return checks_table(self.faults)


def checks_table(faults: tuple[Fault, ...] | list[Fault]) -> pa.Table:
    """Faults as rows, errors first."""
    rows = [asdict(fault) for fault in sorted(faults, key=lambda f: (f.level, f.table, f.file, f.column))]
    return pa.Table.from_pylist([{**row, "sample": list(row["sample"])} for row in rows], CHECKS)


def check(settings: Settings) -> CheckReport:
    """Look at everything, price nothing.

    :raises StorageError: the portfolio's directory cannot be listed.
    """
    inputs = open_inputs(settings)
    faults = list(inputs.faults)
    trades = sum(file.rows for file in inputs.files)
    quarantined = 0
    if not inputs.blocking:
        survey = Survey(inputs.files, inputs.portfolio, inputs.products, inputs.model, settings.base_currency)
        deque(survey.files(), maxlen=0)
        faults += survey.faults
        inputs.blocking += survey.blocking
        quarantined = len(survey.quarantine.table())
    return CheckReport(tuple(faults), trades, quarantined, bool(inputs.blocking))


def refuse(settings: Settings, inputs: Inputs, faults: list[Fault]) -> None:
    """Stop before anything is priced, if these faults (of all inputs) demand it.

    :raises InputError: inputs that cannot be used, or any error while `on_invalid: error`.
    :raises GateError: any warning while `warnings_as_errors`.
    """
    errors = [fault for fault in faults if fault.level == "error"]
    if inputs.blocking or (errors and settings.on_invalid == "error"):
        raise InputError(explain(inputs.blocking or errors))
    warnings = [fault for fault in faults if fault.level == "warning"]
    if warnings and settings.warnings_as_errors:
        raise GateError(f"warnings_as_errors is set:\n{explain(warnings)}")


def explain(faults: list[Fault]) -> str:
    """One line a fault: where, how many, what, which."""
    lines = []
    for fault in faults[:SHOWN]:
        where = ": ".join(part for part in (fault.file, fault.column) if part)
        rows = f"{fault.rows} rows, " if fault.rows else ""
        sample = f" (such as {', '.join(fault.sample)})" if fault.sample else ""
        lines.append(f"{fault.table}: {where}: {rows}{fault.rule}: {fault.message}{sample}")
    if len(faults) > SHOWN:
        lines.append(f"and {len(faults) - SHOWN} more: `riskpipe check` lists all")
    return "\n".join(lines)
