"""From an exception to a message on stderr, JSON on stdout if asked for, and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import suppress

import typer

from riskpipe.cli.session import Session
from riskpipe.errors import ConfigurationError, InfrastructureError, InterruptedRunError, RiskpipeError

INTERRUPTED = 130
CLOSED_OUTPUT = 141  # as a shell reports a program that SIGPIPE ended


def report(error: BaseException, session: Session) -> int:
    """Tell what went wrong and return the exit code; local variables are never shown."""
    if isinstance(error, BrokenPipeError):
        return _leave_quietly()
    if isinstance(error, KeyboardInterrupt):
        return _fail(session, INTERRUPTED, "Interrupted", "interrupted")
    if isinstance(error, InterruptedRunError):
        return _fail(session, 128 + error.signal_number, type(error).__name__, str(error))
    if isinstance(error, ConfigurationError):
        return _fail(session, error.exit_code, type(error).__name__, str(error), error.faults)
    if isinstance(error, RiskpipeError):
        return _fail(session, error.exit_code, type(error).__name__, str(error))
    if _is_of_the_machine(error):
        return _fail(session, InfrastructureError.exit_code, type(error).__name__, str(error))
    if isinstance(error, typer.Exit):
        return error.exit_code
    return _bug(error, session)


def usage(message: str, session: Session, command: str) -> int:
    """A command line that Typer refused."""
    return _fail(session, 2, "UsageError", f"{message} (see `{command} --help`)")


def _is_of_the_machine(error: BaseException) -> bool:
    """Kernels know no errors of riskpipe, and most commands do not load kernels."""
    target = sys.modules.get("riskpipe.kernels.target")
    return target is not None and isinstance(error, target.CpuTargetError)


def _bug(error: BaseException, session: Session) -> int:
    from riskpipe.config import masked

    if session.verbose:
        session.messages.write("error", masked("".join(traceback.format_exception(error))).rstrip())
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    hint = "please report it" if session.verbose else "-v shows where it happened"
    return _fail(session, 1, "Bug", f"this is a bug in riskpipe: {what} ({hint})")


def _fail(session: Session, code: int, kind: str, message: str, faults: list[str] | None = None) -> int:
    from riskpipe.config import masked

    message = masked(message)
    content: dict[str, object] = {"type": kind, "message": message}
    if faults is not None:
        content["faults"] = [masked(fault) for fault in faults]
    for line in message.splitlines() or [""]:
        session.messages.write("error", line, type=kind)
    if session.json:
        try:
            session.answer({"error": content, "exit_code": code}, [])
            sys.stdout.flush()
        except BrokenPipeError:
            _leave_quietly()
    return code


def _leave_quietly() -> int:
    """Whoever read our output has gone: stop without a word, also when Python flushes stdout at its exit."""
    with suppress(OSError, ValueError):  # stdout may be no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return CLOSED_OUTPUT
