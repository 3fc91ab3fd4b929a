"""Small packages with entry points, made importable for a test as an installation makes them."""

from __future__ import annotations

import importlib
import shutil
import sys
import tomllib
from pathlib import Path

import pytest


def install(site: Path, pyproject: str, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution of one module, put into a directory that is on the path while the test runs.

    :param pyproject: the text of its pyproject.toml. :param code: of the module, which is called as the project.
    """
    project = tomllib.loads(pyproject)["project"]
    module = project["name"].replace("-", "_")
    metadata = site / f"{module}-{project['version']}.dist-info"
    metadata.mkdir(parents=True, exist_ok=True)
    (site / f"{module}.py").write_text(code, encoding="utf-8")
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n", encoding="utf-8"
    )
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {target}" for name, target in points.items())]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    # Python takes bytecode for that of any source as large and of the same second: one written anew at once, too.
    shutil.rmtree(site / "__pycache__", ignore_errors=True)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, module, raising=False)
    importlib.invalidate_caches()
