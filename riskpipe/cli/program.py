"""The outermost group: every way out of the program is an exit code of the contract."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

from riskpipe.cli.options import invocation_of
from riskpipe.cli.outcome import report, usage
from riskpipe.cli.streams import LostAnswerError, ReaderGoneError
from riskpipe.errors import ExitCode

# Typer's own name for this class is private; BadParameter is public and derives from it.
UsageError: type[Exception] = typer.BadParameter.__bases__[0]


class Program(TyperGroup):
    """Ends with the code that the command returned; usage errors are told as all others are."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        arguments = list(sys.argv[1:] if args is None else args)
        with _colours("--no-color" not in arguments):  # of the help, which comes before any option is read
            try:
                code = super().main(arguments, prog_name or "riskpipe", complete_var, standalone_mode=False, **extra)
            except UsageError as error:
                code = _refused(error, arguments)
            except typer.Abort:  # Ctrl-C, as some versions of Typer pass it on
                code = ExitCode.SIGINT
            except (ReaderGoneError, LostAnswerError) as error:  # of a help text
                code = report(error, invocation_of(arguments))
        code = code if isinstance(code, int) else ExitCode.DONE
        if standalone_mode:
            sys.exit(code)
        return code


def _refused(error: Any, arguments: list[str]) -> int:
    context = getattr(error, "ctx", None)
    if not error.format_message():  # no command was named: Typer has shown the help
        return ExitCode.USAGE
    command = context.command_path if context else "riskpipe"
    return usage(error.format_message(), invocation_of(arguments), command)


@contextmanager
def _colours(wanted: bool) -> Iterator[None]:
    """--no-color is NO_COLOR for everything that runs inside, help texts and worker processes too."""
    before = os.environ.get("NO_COLOR")
    if not wanted:
        os.environ["NO_COLOR"] = "1"
    try:
        yield
    finally:
        if not wanted:
            if before is None:
                del os.environ["NO_COLOR"]
            else:
                os.environ["NO_COLOR"] = before
