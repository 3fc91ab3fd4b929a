"""The small book run clean, once, and copies of it to spoil; a desk's own package beside riskpipe's."""

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


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A directory for PYTHONPATH with the entry point of a product `desk_forward`: `DeskForward` in desk_product.py."""
    package = tmp_path / "site"
    information = package / "desk-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: desk\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[riskpipe.products]\ndesk_forward = desk_product:DeskForward\n")
    return package
