"""The report of a large day is a file to send."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from large_day import LargeDay

from riskpipe.workflows.report import report

MOST_BYTES = 5 << 20


@pytest.mark.slow
def test_page_of_200_000_trades_in_50_000_books(output: Any) -> None:
    day = LargeDay(output.path, "2026-11-20", output.published, trades=200_000)
    day.write()
    page = Path(report(output.settings(), output.published).path).read_text()
    assert len(page.encode()) <= MOST_BYTES
    books = len(day.paths())
    assert books > 50_000
    assert f"of {books:,} books are shown" in page
    worst = page.partition("<h3>The worst days</h3>")[2].partition("</table>")[0]
    assert worst.count('<th scope="row">day ') == 10
    for table in ("aggregates", "limit_checks", "sensitivities", "var_components"):
        assert f"in the table <code>{table}</code>" in page or f"as in the table <code>{table}</code>" in page


def test_first_level_of_many_books(output: Any) -> None:
    """Books that all lie right below the root are summed in the tree map, and left out of the other charts."""
    day = LargeDay(output.path, "2026-11-20", output.published, trades=40, desks=120, books=1, leaves=1)
    dataclasses.replace(day, scenarios=50).write()
    page = Path(report(output.settings(), output.published).path).read_text()
    drawn = json.loads(page.partition('id="charts">')[2].partition("</script>")[0])
    assert next(each["n"] for each in drawn["map"]["c"] if each["k"] == "r") == "80 smaller books"
    assert len(drawn["map"]["c"]) <= 42
    assert len(drawn["stress"]["series"]) == 11
    assert drawn["stress"]["series"][-1]["name"] == "other books"
    assert len(page) < MOST_BYTES
