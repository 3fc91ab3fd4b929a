from __future__ import annotations

from pathlib import Path

import pytest

from riskpipe.sample import SampleSummary, write_sample
from riskpipe.sample.writer import write_schema


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleSummary:
    """The default book, over a short history."""
    directory: Path = tmp_path_factory.mktemp("sample") / "book"
    summary = write_sample(directory, scenarios=60)
    write_schema(directory, "{}")
    return summary
