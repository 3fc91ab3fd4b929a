"""What the site has beside docs/*.md: the reference of commands, made of the program, and pages of the repository."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from typer.main import get_command

from riskpipe.cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = {"CONTRIBUTING.md": "contributing.md", "SECURITY.md": "security.md", "CHANGELOG.md": "changelog.md"}
"""Of the repository -> of the site."""


def on_files(files: Any, config: Any) -> Any:
    """Adds the generated pages."""
    from mkdocs.structure.files import File

    generated = {"commands.md": commands(), "python-api.md": "# Python API\n\n::: riskpipe.api.functions\n"}
    for source, name in PAGES.items():
        # Links are relative to the repository there.
        generated[name] = re.sub(r"\]\(docs/", "](", (ROOT / source).read_text(encoding="utf-8"))
    for name, content in generated.items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Links to what is in the repository and not on the site are shown as paths."""
    return re.sub(r"\[([^]]*)\]\(\.\./([^)]*)\)", r"\1 (`\2`)", markdown)


def commands() -> str:
    """The reference of all commands."""
    program = get_command(app)
    return "\n".join(["# Commands", "", *_everywhere(program), *_of(program, ())])


def _everywhere(program: Any) -> Iterator[str]:
    yield "These options are taken by every command, before and after its name:"
    yield ""
    yield from _options([p for p in program.commands["check"].params if _is_shared(p)])


def _is_shared(parameter: Any) -> bool:
    return getattr(parameter, "rich_help_panel", None) == "Everywhere"


def _of(command: Any, words: tuple[str, ...]) -> Iterator[str]:
    for name, found in command.commands.items():
        path = (*words, name)
        if hasattr(found, "commands"):
            yield from _of(found, path)
            continue
        usage = found.get_usage(click.Context(found, info_name=" ".join(("riskpipe", *path))))
        yield from (f"## riskpipe {' '.join(path)}", "", found.help or "", "", "```")
        yield from (re.sub(r"\x1b\[[0-9;]*m", "", usage).removeprefix("Usage: ").strip(), "```", "")
        yield from _options([p for p in found.params if not _is_shared(p) and p.name != "help"])


def _options(parameters: list[Any]) -> Iterator[str]:
    if not parameters:
        return
    yield from ("| option | meaning |", "|---|---|")
    for parameter in parameters:
        names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
        names = f"`{parameter.metavar or parameter.name}`" if parameter.param_type_name == "argument" else names
        help_ = (getattr(parameter, "help", None) or "").replace("|", "\\|").replace("<", "&lt;")
        yield f"| {names} | {help_} |"
    yield ""
