"""The small book run clean, once, and copies of it to spoil."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.register_assert_rewrite("spoiled")

from spoiled import Book  # noqa: E402


@pytest.fixture(scope="session")
def clean(small_book: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a run of the small book. Read only."""
    output = tmp_path_factory.mktemp("clean") / "output"
    answer = Book(small_book, output).riskpipe("run")
    assert answer.code == 0, answer.stderr
    return output


@pytest.fixture
def spoilt(book: Path, tmp_path: Path) -> Book:
    """A copy of the small book, to be spoiled."""
    return Book(book, tmp_path / "out")


@pytest.fixture
def sound(small_book: Path, tmp_path: Path) -> Book:
    """The small book as it is, with an output of its own."""
    return Book(small_book, tmp_path / "out")
