"""Commands, configurations and scripts in the documentation are such that riskpipe understands."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from doc_pages import DOCS, PAGES, commands, fenced, text

from riskpipe.cli.app import app
from riskpipe.config import load_settings
from riskpipe.plan.selection import parse_selection

COMMANDS = sorted({command for page in PAGES for command in commands(page.read_text(encoding="utf-8"))})


@pytest.mark.parametrize("command", COMMANDS)
def test_command_is_understood(command: str, tmp_path: Path) -> None:
    words = shlex.split(command.replace("$inputs", "--set inputs.market=m"))[1:]
    program = typer.main.get_command(app)
    context = None
    while True:
        context = program.make_context(program.name, words, parent=context)
        if not hasattr(program, "resolve_command"):
            break
        rest = [*context._protected_args, *context.args]
        _, program, words = program.resolve_command(context, rest)

    selection = context.params.get("select")
    assert not selection or parse_selection(selection).alternatives
    assignments = context.params["set_"] or ()
    (tmp_path / "riskpipe.yaml").write_text(fenced(text("configuration.md"), "yaml")[-1])
    load_settings(tmp_path / "riskpipe.yaml", assignments=assignments, environment={})


def _leaves(program: Any, words: tuple[str, ...] = ("riskpipe",)) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in getattr(program, "commands", {}).items():
        yield from _leaves(command, (*words, name))
    if not hasattr(program, "commands"):
        yield words, program


HELPED = {words: each for words, each in _leaves(typer.main.get_command(app)) if "Examples:" in (each.help or "")}


@pytest.mark.parametrize("words", HELPED, ids=" ".join)
def test_examples_of_the_help_are_understood(words: tuple[str, ...]) -> None:
    _, _, examples = HELPED[words].help.partition("Examples:\n")
    for line in examples.strip().splitlines():
        given = shlex.split(line.partition(" | ")[0].partition(" > ")[0])
        assert tuple(given[: len(words)]) == words
        HELPED[words].make_context(words[-1], given[len(words) :])


def test_there_are_commands() -> None:
    assert {command.split()[1] for command in COMMANDS} >= {"init", "check", "plan", "run", "retry", "runs", "publish"}


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_configurations_are_valid(page: Path, tmp_path: Path) -> None:
    for number, code in enumerate(fenced(page.read_text(encoding="utf-8"), "yaml")):
        file = tmp_path / f"{number}.yaml"
        file.write_text(code)
        assert load_settings(file, environment={}).as_of.isoformat() == "2026-11-20"


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_scripts_are_shell(page: Path) -> None:
    for code in fenced(page.read_text(encoding="utf-8"), "sh"):
        subprocess.run(["sh", "-n"], input=code, text=True, check=True)
