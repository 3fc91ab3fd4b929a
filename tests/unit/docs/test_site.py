"""The site's navigation has every page, and its reference every command."""

from __future__ import annotations

import importlib.util
import re
import types

import pytest
import yaml
from doc_pages import DOCS, ROOT
from typer.main import get_command

from riskpipe.cli.app import app


def _pages(nav: object) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    return [page for entry in (nav.values() if isinstance(nav, dict) else nav) for page in _pages(entry)]  # type: ignore[attr-defined]


@pytest.fixture
def hooks() -> types.ModuleType:
    spec = importlib.util.spec_from_file_location("hooks", DOCS / "_site/hooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_navigation_has_every_page(hooks: types.ModuleType) -> None:
    listed = _pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    generated = {"commands.md", "python-api.md", *hooks.PAGES.values()}

    assert len(listed) == len(set(listed))
    assert set(listed) == {page.name for page in DOCS.glob("*.md")} | generated


def test_reference_has_every_command(hooks: types.ModuleType) -> None:
    text = hooks.commands()
    found = re.findall(r"^## riskpipe (.*)$", text, re.MULTILINE)

    def names(command: object, words: tuple[str, ...] = ()) -> list[str]:
        return [
            path
            for name, each in command.commands.items()  # type: ignore[attr-defined]
            for path in (names(each, (*words, name)) if hasattr(each, "commands") else [" ".join((*words, name))])
        ]

    assert found == names(get_command(app))
    assert "| `--as-of` |" in text
