"""What is done about faults: told, kept as a table, or a reason to stop."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from riskpipe.config.models import Settings
from riskpipe.errors import GateError, InputError, Level, RiskpipeError
from riskpipe.plan.fault import Fault
from riskpipe.structs import asdict

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


def checks_table(faults: Sequence[Fault]) -> pa.Table:
    """Faults as rows, errors first."""
    rows = [asdict(fault) for fault in sorted(faults, key=lambda f: (f.level, f.table, f.file, f.column))]
    return pa.Table.from_pylist([{**row, "sample": list(row["sample"])} for row in rows], CHECKS)


def refuse(settings: Settings, blocking: Sequence[Fault], faults: Sequence[Fault]) -> None:
    """Stop before anything is priced, if the faults of all inputs demand it; see `CheckReport.exit_code`.

    :param blocking: those of the faults that stand in the way whatever the settings.

    :raises InputError: inputs that cannot be used, or any error while `on_invalid: error`.
    :raises GateError: any warning while `warnings_as_errors`.
    """
    error = refusal(settings, blocking, faults)
    if error is not None:
        raise error


def refusal(settings: Settings, blocking: Sequence[Fault], faults: Sequence[Fault]) -> RiskpipeError | None:
    """What `refuse` raises; None: it raises nothing."""
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
