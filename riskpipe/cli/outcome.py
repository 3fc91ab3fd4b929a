"""From an exception to a message on stderr, JSON on stdout if asked for, and an exit code."""

from __future__ import annotations

import os
import signal
import traceback
from contextlib import suppress

import typer

from riskpipe.cli.invocation import Invocation
from riskpipe.cli.streams import ReaderGoneError
from riskpipe.errors import (
    ConfigurationError,
    ExitCode,
    InfrastructureError,
    RiskpipeError,
    UsageError,
    described,
    is_interrupt,
    out_of_memory,
)
from riskpipe.store.masking import masked

_DASK_S_CONFIG = os.path.join("dask", "config.py")


def report(error: BaseException, invocation: Invocation) -> int:
    """Tell what went wrong and return the exit code; local variables are never shown."""
    if isinstance(error, ReaderGoneError):
        return error.exit_code
    if is_interrupt(error):
        code = ExitCode.of_signal(getattr(error, "signal_number", signal.SIGINT))
        return _fail(invocation, code, "Interrupted", "interrupted")
    if isinstance(error, ConfigurationError):
        return _fail(invocation, error.exit_code, type(error).__name__, str(error), error.faults)
    if isinstance(error, RiskpipeError):
        return _fail(invocation, error.exit_code, type(error).__name__, str(error))
    if isinstance(error, typer.Exit):
        return error.exit_code
    fault = _of_dask_s_settings(error)
    if fault is not None:
        return _fail(invocation, ConfigurationError.exit_code, ConfigurationError.__name__, fault)
    fault = _of_the_machine(error)
    if fault is not None:
        _trace(error, invocation)
        return _fail(invocation, InfrastructureError.exit_code, type(error).__name__, fault)
    return _bug(error, invocation)


def usage(message: str, invocation: Invocation, command: str) -> ExitCode:
    """A command line that Typer refused."""
    return _fail(invocation, UsageError.exit_code, UsageError.__name__, f"{message} (see `{command} --help`)")


def _of_dask_s_settings(error: BaseException) -> str | None:
    """The file of Dask's own that cannot be read: Dask reads them all when it is imported, whoever needs it."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename.endswith(_DASK_S_CONFIG) and frame.f_code.co_name in (
            "_load_config_file",
            "update",
        ):
            file = frame.f_locals.get("path", "a file in ~/.config/dask, /etc/dask or $DASK_CONFIG")
            told = " ".join(described(error).split())
            return f"{file}: Dask cannot read this file of its own configuration: mend it or move it away ({told})"
    return None


def _of_the_machine(error: BaseException) -> str | None:
    """What the machine refused, and the way out; None: it did not."""
    if out_of_memory(error):
        return (
            f"out of memory ({described(error)}): give the process more (`ulimit -v`, the limit of its container), or"
            " lower cluster.workers, partition.max_memory or partition.max_trades; what is done is kept"
        )
    if type(error).__module__.partition(".")[0] == "psutil":
        told = described(error)
        return f"Dask cannot look at this machine, whose /proc it needs ({told}): cluster.kind=serial does without"
    if not isinstance(error, OSError):
        return None
    from riskpipe.store.filesystem import storage_error

    return str(storage_error(error, str(error.filename or "this machine's files or network"), "use"))


def _trace(error: BaseException, invocation: Invocation) -> None:
    if invocation.verbose:
        try:
            lines = traceback.format_exception(error)
        except BaseException:  # its message cannot be made
            lines = [*traceback.format_tb(error.__traceback__), described(error)]
        invocation.messages.write("error", masked("".join(lines)).rstrip())


def _bug(error: BaseException, invocation: Invocation) -> ExitCode:
    _trace(error, invocation)
    hint = "please report it" if invocation.verbose else "-v shows where it happened"
    return _fail(invocation, ExitCode.BUG, "Bug", f"this is a bug in riskpipe: {described(error)} ({hint})")


def _fail(invocation: Invocation, code: ExitCode, kind: str, message: str, faults: list[str] | None = None) -> ExitCode:
    message = masked(message)
    content: dict[str, object] = {"type": kind, "message": message}
    if faults is not None:
        content["faults"] = [masked(fault) for fault in faults]
    for line in message.splitlines() or [""]:
        invocation.messages.write("error", line, type=kind)
    if invocation.json:
        with suppress(RiskpipeError):  # a stdout that takes nothing: the code, at least, is right
            invocation.answer({"error": content, "exit_code": code}, [])
    return code
