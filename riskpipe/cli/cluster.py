"""`riskpipe cluster`: the resources of runs on Kubernetes, to be looked at and to be cleared away."""

from __future__ import annotations

from typing import Annotated

import typer

from riskpipe.cli.session import Session


def render(
    session: Session,
    run_size: Annotated[
        float,
        typer.Option("--run-size", min=0.0, metavar="SECONDS", help="Pricing seconds of the run, as `plan` projects."),
    ] = 0.0,
) -> int:
    """Print the DaskCluster that a run would make, as YAML; needs no cluster."""
    import yaml

    from riskpipe.workflows.clusters import render as workflow

    resources = workflow(session.settings(), run_size)
    text = yaml.safe_dump_all(resources, sort_keys=False, width=120)
    session.answer({"resources": resources}, [text.rstrip()])
    return 0
