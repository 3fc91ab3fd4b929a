"""A desk's own package beside riskpipe's."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A directory for PYTHONPATH with the entry point of a product `desk_forward`: `DeskForward` in desk_product.py."""
    package = tmp_path / "site"
    information = package / "desk-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: desk\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[riskpipe.products]\ndesk_forward = desk_product:DeskForward\n")
    return package
