"""What the tests of products with schedules share; QuantLib's globals as they were after every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import QuantLib as ql  # noqa: N813
from curve_market import Rates


@pytest.fixture
def rates() -> type[Rates]:
    return Rates


@pytest.fixture(autouse=True)
def _quantlib_as_it_was() -> Iterator[None]:
    """Evaluation date and fixings are global in QuantLib."""
    before = ql.Settings.instance().evaluationDate
    yield
    ql.Settings.instance().evaluationDate = before
    ql.IndexManager.instance().clearHistories()
