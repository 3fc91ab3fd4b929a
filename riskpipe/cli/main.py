"""The program: which commands there are, and its entry point."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from riskpipe import __version__
from riskpipe.cli.analyse import analyse
from riskpipe.cli.backfill import backfill
from riskpipe.cli.check import check
from riskpipe.cli.cluster import collect as collect_clusters
from riskpipe.cli.cluster import render
from riskpipe.cli.compact import compact
from riskpipe.cli.config import schema, show
from riskpipe.cli.diff import diff
from riskpipe.cli.doctor import doctor
from riskpipe.cli.du import du
from riskpipe.cli.explain import explain
from riskpipe.cli.export import export
from riskpipe.cli.import_ import csv as import_csv
from riskpipe.cli.import_ import ore as import_ore
from riskpipe.cli.init import init
from riskpipe.cli.kernels import compile_
from riskpipe.cli.options import before_commands, everywhere, flag
from riskpipe.cli.plan import plan
from riskpipe.cli.program import Program
from riskpipe.cli.publish import publish
from riskpipe.cli.report import report
from riskpipe.cli.retry import retry
from riskpipe.cli.run import run
from riskpipe.cli.runs import collect, list_
from riskpipe.cli.runs import show as show_run
from riskpipe.cli.runs import stop as stop_run
from riskpipe.cli.sql import sql
from riskpipe.cli.startup import collect_seldom, leave_garbage, spare_unused
from riskpipe.cli.streams import standard_streams
from riskpipe.cli.verify import verify

HELP = "Batch risk for cross-asset books: Parquet in, pricing blocks on Dask, Parquet out."


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


app = _group("riskpipe", HELP, flag("version", VersionOption), cls=Program)
_COMMANDS = (
    *(init, check, plan, run, retry, backfill, publish, verify),
    *(report, explain, diff, analyse, compact, du, sql, export),
)
for command in _COMMANDS:
    app.command()(everywhere(command))

imports = _group("import", "A book, market and configuration from elsewhere.", add_completion=False)
imports.command("ore")(everywhere(import_ore))
imports.command("csv")(everywhere(import_csv))
app.add_typer(imports)

runs = _group("runs", "List, show and clear away runs.", add_completion=False)
runs.command("list")(everywhere(list_))
runs.command("show")(everywhere(show_run))
runs.command("stop")(everywhere(stop_run))
runs.command("gc")(everywhere(collect))
app.add_typer(runs)

config = _group("config", "Show the resolved configuration and its schema.", add_completion=False)
config.command("show")(everywhere(show))
config.command("schema")(everywhere(schema))
app.add_typer(config)

cluster = _group("cluster", "The DaskClusters of runs on Kubernetes.", add_completion=False)
cluster.command("render")(everywhere(render))
cluster.command("gc")(everywhere(collect_clusters))
app.add_typer(cluster)

kernels = _group("kernels", "Compile the code that pricing is made of.", add_completion=False)
kernels.command("compile")(everywhere(compile_))
app.add_typer(kernels)

app.command()(everywhere(doctor))


def main() -> None:
    """Console script and `python -m riskpipe`."""
    collect_seldom()
    spare_unused()
    try:
        with standard_streams():
            app()
    finally:
        leave_garbage()
