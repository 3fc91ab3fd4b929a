"""The program: which commands there are, and its entry point."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Annotated, Any

import typer

from riskpipe import __version__
from riskpipe.cli.options import before_commands, everywhere, flag
from riskpipe.cli.program import Program
from riskpipe.cli.startup import collect_seldom, leave_garbage, spare_unused
from riskpipe.cli.streams import standard_streams

HELP = "Batch risk for cross-asset books: Parquet in, pricing blocks on Dask, Parquet out."

COMMANDS: Mapping[str, str] = {
    **{name: f"{name}:{name}" for name in ("init", "check", "plan", "run", "retry", "backfill", "publish", "verify")},
    **{name: f"{name}:{name}" for name in ("report", "explain", "diff", "analyse", "compact", "du", "sql", "export")},
    "doctor": "doctor:doctor",
}
"""Where commands are, as module:function in riskpipe.cli; in the order of the help."""

GROUPS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "import": (
        "A book, market and configuration from elsewhere.",
        {"ore": "import_:ore", "csv": "import_:csv"},
    ),
    "runs": (
        "List, show and clear away runs.",
        {"list": "runs:list_", "show": "runs:show", "stop": "runs:stop", "gc": "runs:collect"},
    ),
    "config": (
        "Show the resolved configuration and its schema.",
        {"show": "config:show", "schema": "config:schema"},
    ),
    "cluster": (
        "The DaskClusters of runs on Kubernetes.",
        {"render": "cluster:render", "gc": "cluster:collect"},
    ),
    "kernels": (
        "Compile the code that pricing is made of.",
        {"compile": "kernels:compile_"},
    ),
}


def _tell_version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


VersionOption = Annotated[
    bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version.")
]


def _group(name: str, help_: str, *own: Any, **options: Any) -> typer.Typer:
    return typer.Typer(
        name=name,
        help=help_,
        callback=before_commands(*own),
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        **options,
    )


def program(first: str | None = None) -> typer.Typer:
    """The program, with all of its commands, or with that command or group alone with which a command line begins.

    :param first: the command line's first word; where no command has that name, all are there: for help, completion,
        and to say which name was meant.
    """

    def is_wanted(name: str) -> bool:
        return name == first or first not in {*COMMANDS, *GROUPS}

    app = _group("riskpipe", HELP, flag("version", VersionOption), cls=Program)
    for name, place in COMMANDS.items():
        if is_wanted(name):
            app.command(name)(everywhere(_imported(place)))
    for name, (help_, commands) in GROUPS.items():
        if is_wanted(name):
            group = _group(name, help_, add_completion=False)
            for command, place in commands.items():
                group.command(command)(everywhere(_imported(place)))
            app.add_typer(group)
    return app


def _imported(place: str) -> Callable[..., Any]:
    module, _, function = place.partition(":")
    command: Callable[..., Any] = getattr(import_module(f"riskpipe.cli.{module}"), function)
    return command


def main() -> None:
    """Console script and `python -m riskpipe`."""
    collect_seldom()
    spare_unused()
    try:
        with standard_streams():
            program(sys.argv[1] if len(sys.argv) > 1 else None)()
    finally:
        leave_garbage()
