"""`riskpipe cluster`: the resources of runs on Kubernetes, to be looked at and to be cleared away."""

from __future__ import annotations

from typing import Annotated

import typer

from riskpipe.cli.invocation import Invocation
from riskpipe.errors import ExitCode


def render(
    invocation: Invocation,
    run_size: Annotated[
        float,
        typer.Option("--run-size", min=0.0, metavar="SECONDS", help="Pricing seconds of the run, as `plan` projects."),
    ] = 0.0,
) -> ExitCode:
    """Print the DaskCluster that a run would make, as YAML; needs no cluster.

    \b
    Examples:
    riskpipe cluster render | kubectl apply --dry-run=server -f -
    """
    import yaml

    from riskpipe.workflows.cluster import render as workflow

    resources = workflow(invocation.settings(), run_size)
    text = yaml.safe_dump_all(resources, sort_keys=False, width=120)
    invocation.answer({"resources": resources}, [text.rstrip()])
    return ExitCode.DONE


def collect(
    invocation: Invocation,
    all_: Annotated[bool, typer.Option("--all", help="Of every output, not only of the configured one.")] = False,
) -> ExitCode:
    """Delete DaskClusters whose driver is gone.

    \b
    Examples:
    riskpipe cluster gc
    """
    from riskpipe.workflows.cluster import collect_orphans

    names = collect_orphans(invocation.settings(), everywhere=all_)
    invocation.answer({"deleted": names}, [f"deleted {name}" for name in names] or ["nothing to delete"])
    return ExitCode.DONE
