"""`riskpipe config`: the settings as they are resolved, and their schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from riskpipe.cli.invocation import Invocation
from riskpipe.cli.streams import write
from riskpipe.cli.text import columns
from riskpipe.errors import ExitCode

if TYPE_CHECKING:
    from riskpipe.config import Resolution


def show(
    invocation: Invocation,
    origin: Annotated[bool, typer.Option("--origin", help="One line a key, with where its value came from.")] = False,
) -> ExitCode:
    """Show every key with its value, defaults included; secrets in URIs are masked.

    \b
    Examples:
    riskpipe config show --origin
    """
    from riskpipe.config import dotted, resolved, resolved_yaml

    resolution = invocation.resolution()
    settings = resolution.settings
    answer = {"file": resolution.file, "sha256": settings.sha256, "settings": resolved(settings)}
    if origin:
        answer["origins"] = {dotted(path): source for path, source in resolution.origins.items()}
        invocation.answer(answer, _origins(resolution))
    else:
        invocation.answer(answer, [resolved_yaml(settings).rstrip()])
    return ExitCode.DONE


def schema(invocation: Invocation) -> ExitCode:
    """Print the JSON schema of the configuration, for editors.

    \b
    Examples:
    riskpipe config schema > riskpipe.schema.json
    """
    from riskpipe.config import schema_text

    write(schema_text().rstrip("\n"))
    return ExitCode.DONE


def _origins(resolution: Resolution) -> list[str]:
    from riskpipe.config import dotted, leaves, resolved

    values: dict[tuple[str | int, ...], object] = dict(leaves(resolved(resolution.settings), ()))
    rows = [[dotted(path), _value(values[path]), source] for path, source in resolution.origins.items()]
    return columns(["key", "value", "origin"], rows)


def _value(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return "-" if value is None else "{}" if value == {} else str(value)
