"""How many parameters a function may have: what belongs together is passed together."""

from __future__ import annotations

import ast
from pathlib import Path

import riskpipe

MOST = 8


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Without `self` and `cls`."""
    given = function.args
    names = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return len([name for name in names if name not in ("self", "cls")])


def test_no_function_has_more_than_eight_parameters() -> None:
    root = Path(riskpipe.__file__).parent
    functions = [
        (f"{path.relative_to(root)}:{node.lineno} {node.name}", parameters(node))
        for path in sorted(root.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert len(functions) > 1000
    assert [(name, count) for name, count in functions if count > MOST] == []
