"""The options that every command takes, declared once, and what surrounds every command."""

from __future__ import annotations

import functools
import inspect
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Annotated, Any, Concatenate, ParamSpec

import typer
from msgspec import Struct
from typer.main import get_command

from riskpipe.cli import completion
from riskpipe.cli.invocation import Invocation
from riskpipe.cli.messages import LogFormat, captured
from riskpipe.cli.outcome import report
from riskpipe.cli.streams import reserved
from riskpipe.errors import ExitCode, Interrupt

P = ParamSpec("P")
PANEL = "Everywhere"

ConfigOption = Annotated[
    str | None,
    typer.Option(
        "-c",
        "--config",
        metavar="FILE",
        help="Configuration file; else $RISKPIPE_CONFIG, else riskpipe.yaml.",
        rich_help_panel=PANEL,
    ),
]
AsOfOption = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        metavar="DATE",
        help="Valuation date: YYYY-MM-DD, today or previous-business-day.",
        rich_help_panel=PANEL,
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Set a key, such as cluster.workers=4.",
        rich_help_panel=PANEL,
        autocompletion=completion.keys,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Answer in JSON.", rich_help_panel=PANEL)]
QuietOption = Annotated[
    bool, typer.Option("-q", "--quiet", help="Only warnings and errors on stderr.", rich_help_panel=PANEL)
]
VerboseOption = Annotated[
    bool,
    typer.Option("-v", "--verbose", help="Debug messages, and tracebacks of bugs.", rich_help_panel=PANEL),
]
LogFormatOption = Annotated[
    LogFormat | None,
    typer.Option(
        "--log-format",
        help="Messages on stderr: auto draws progress on a terminal; json is one object a line.",
        rich_help_panel=PANEL,
    ),
]
NoColourOption = Annotated[
    bool, typer.Option("--no-color", help="No colours; so does NO_COLOR=1.", rich_help_panel=PANEL)
]


class Shared(Struct, frozen=True):
    """The options that every command takes; Typer fills them in by their annotations."""

    context: typer.Context
    config: ConfigOption = None
    as_of: AsOfOption = None
    set_: SetOption = None
    json: JsonOption = False
    quiet: QuietOption = False
    verbose: VerboseOption = False
    log_format: LogFormatOption = None
    no_color: NoColourOption = False

    def invocation(self) -> Invocation:
        """Of a command: its own options over those given before its name."""
        context = self.context
        parent = context.parent.obj if context.parent and isinstance(context.parent.obj, Invocation) else Invocation()
        return Invocation(
            config=self.config or parent.config,
            as_of=self.as_of or parent.as_of,
            assignments=(*parent.assignments, *(self.set_ or ())),
            json=self.json or parent.json,
            quiet=self.quiet or parent.quiet,
            verbose=self.verbose or parent.verbose,
            log_format=self.log_format or parent.log_format,
            colour=parent.colour and not self.no_color,
            command=context.command_path,
        )


def invocation_of(arguments: Sequence[str]) -> Invocation:
    """The invocation of a command line as a whole, of one that will be refused too.

    The shared options count wherever they stand; a value that is none is as if it had not been given.
    """

    def alone(**values: Any) -> Invocation:
        return Shared(**values).invocation()

    _with_shared(alone, ())
    options = typer.Typer(add_completion=False)
    options.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})(alone)
    command = get_command(options)
    with command.make_context("riskpipe", list(arguments), resilient_parsing=True) as context:
        invocation: Invocation = command.invoke(context)
        return invocation


_SHARED = tuple(inspect.signature(Shared, eval_str=True).parameters.values())


def _with_shared(function: Callable[..., Any], own: tuple[inspect.Parameter, ...]) -> None:
    """Show a function to Typer as one that takes its own parameters and then the shared ones."""
    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in (*own, *_SHARED)]
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    function.__annotations__ = {p.name: p.annotation for p in parameters}


def everywhere(command: Callable[Concatenate[Invocation, P], ExitCode]) -> Callable[..., int]:
    """A command `f(invocation, ...) -> exit code` as Typer wants it: with shared options, errors as codes."""
    own = tuple(inspect.signature(command, eval_str=True).parameters.values())[1:]

    function: Callable[..., ExitCode] = command

    @functools.wraps(command)
    def run(**values: Any) -> int:
        invocation = Shared(**{p.name: values.pop(p.name) for p in _SHARED}).invocation()
        try:
            with ctrl_c(), captured(invocation.messages), reserved(functools.partial(_printed, invocation)):
                code: ExitCode = function(invocation, **values)
            return code
        except BaseException as error:
            return report(error, invocation)

    _with_shared(run, own)
    return run


def _printed(invocation: Invocation, line: str) -> None:
    invocation.messages.write("info", line, printed=True)


@contextmanager
def ctrl_c() -> Iterator[None]:
    """Ctrl-C raises Interrupt while this runs, so that a product's own KeyboardInterrupt is told apart from it."""

    def handle(number: int, frame: FrameType | None) -> None:
        raise Interrupt

    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def before_commands(*own: inspect.Parameter) -> Callable[..., None]:
    """The callback of a group: keeps the shared options given before the command's name.

    :param own: further options of the group, which act by their own callbacks.
    """

    def keep(**values: Any) -> None:
        context: typer.Context = values["context"]
        context.obj = Shared(**{p.name: values[p.name] for p in _SHARED}).invocation()

    _with_shared(keep, own)
    return keep


def flag(name: str, annotation: Any) -> inspect.Parameter:
    """An option of a group that is off unless given."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=annotation)
