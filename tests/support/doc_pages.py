"""The pages of the documentation, and what tests pick out of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = (ROOT / "README.md", ROOT / "configs" / "README.md", *sorted(DOCS.glob("*.md")))

_FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_EXAMPLE = re.compile(r"<!-- example: (\S+) -->\n```\w+\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def section(page: str, heading: str) -> str:
    """What stands below a heading, up to the next one of the same or a higher level."""
    level = heading.split(" ")[0]
    found = re.search(rf"^{re.escape(heading)}\n(.*?)(?=^#{{1,{len(level)}}} |\Z)", page, re.DOTALL | re.MULTILINE)
    assert found is not None, f"no heading {heading!r}"
    return found[1]


def rows(part: str) -> list[list[str]]:
    """The cells of the first table, without its header; code marks are taken off."""
    lines = itertables(part)
    return [[cell.strip().strip("`") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def itertables(part: str) -> list[str]:
    lines: list[str] = []
    for line in part.splitlines():
        if line.startswith("|"):
            lines.append(line)
        elif lines:
            break
    assert len(lines) > 2, "no table"
    return lines


def fenced(page: str, language: str) -> list[str]:
    """The code blocks of a language."""
    return [code for name, code in _FENCED.findall(page) if name == language]


def examples(page: str) -> dict[str, str]:
    """The code blocks with a name."""
    return dict(_EXAMPLE.findall(page))


def commands(page: str) -> Iterator[str]:
    """Lines of code that call riskpipe, environment and comments left out."""
    code = "\n".join([*(c for _, c in _FENCED.findall(page)), *re.findall(r"^    (.*)$", page, re.MULTILINE)])
    for line in code.splitlines():
        found = re.match(r"\s*(?:[A-Z_]+=\S+ )*(riskpipe .*?)(?:\s+#.*|\s+2>>.*)?$", line)
        if found:
            yield found[1]
