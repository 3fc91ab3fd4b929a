"""The option --select, where a command has it."""

from __future__ import annotations

from typing import Annotated

import typer

SelectOption = Annotated[
    list[str] | None,
    typer.Option(
        "--select",
        metavar="METHOD:GLOB,...",
        help="Only these: book, product, trade, scenario, block, status. Comma: and; repeated option: or.",
    ),
]
