"""Options that several commands have: what to price, when to stop, when to publish, which run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from riskpipe.cli import completion
from riskpipe.plan.accounting import PublishRule

SelectOption = Annotated[
    list[str] | None,
    typer.Option(
        "--select",
        metavar="METHOD:GLOB,...",
        help="Only these: book, product, trade, scenario, block, status. Comma: and; repeated option: or.",
        autocompletion=completion.selections,
    ),
]
SinceOption = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="RUN|latest",
        help="Take over the numbers of a run of the day wherever nothing has changed since; the results are the same.",
    ),
]
FailFastOption = Annotated[bool, typer.Option("--fail-fast", help="Stop at the first failed block.")]
PublishOption = Annotated[PublishRule | None, typer.Option("--publish", help="When to publish; else as configured.")]
ReplaceDayOption = Annotated[
    bool,
    typer.Option(
        "--replace-day", help="Publish even in place of a day with more trades, more measures or another selection."
    ),
]
WaitOption = Annotated[
    float,
    typer.Option("--wait", min=0.0, metavar="SECONDS", help="Seconds to wait for a run that holds the output."),
]
AcceptEngineOption = Annotated[
    bool, typer.Option("--accept-engine", help="Resume a run that another version of riskpipe planned.")
]
JUnitOption = Annotated[
    Path | None, typer.Option("--junit", metavar="FILE", help="Write checks and gates as JUnit XML, too.")
]
RunArgument = Annotated[
    str, typer.Argument(metavar="[RUN]", help="An id, a unique prefix, or latest.", autocompletion=completion.runs)
]
