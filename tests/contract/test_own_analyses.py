"""A desk's own analysis from its own package: published with the day, made again, and left out where it is broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import distributions
import pytest
from published import published

from riskpipe.analyses.catalogue import ANALYSES, analyses
from riskpipe.errors import UsageError
from riskpipe.plan.selection import Selection
from riskpipe.store.table_schemas import SCHEMAS
from riskpipe.workflows.analyse import analyse
from riskpipe.workflows.run import run

WORST = '''
import pyarrow as pa
import pyarrow.compute as pc

from riskpipe.analyses.analysis import Analysis


class Worst(Analysis):
    """The worst P&L of every book under the history."""

    name = "desk_worst"
    version = 1
    reads = ("book_pnl",)
    schema = pa.schema(
        [
            pa.field("as_of_date", pa.date32(), False),
            pa.field("run_id", pa.string(), False),
            pa.field("book", pa.string(), False),
            pa.field("worst", pa.float64()),
        ]
    )

    def compute(self, day):
        for piece in day.read("book_pnl"):
            rows = piece.filter(pc.equal(piece["scenario_set"], "historical"))
            worst = [None if pnl is None else min(pnl) for pnl in rows["pnl"].to_pylist()]
            yield pa.table({**day.constants(len(worst)), "book": rows["book"], "worst": pa.array(worst, pa.float64())})


class Impostor(Worst):
    name = "var"


class Headless(Worst):
    name = "headless"
    schema = pa.schema([("book", pa.string())])


class Failing(Worst):
    def compute(self, day):
        raise ValueError("of the desk")
'''

PROJECT = """
[project]
name = "desk-analyses"
version = "1.0"

[project.entry-points."riskpipe.analyses"]
worst = "{target}"
"""

Install = Callable[[str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """install("desk_analyses:Worst") makes a distribution with that entry point importable for the test."""

    def put(target: str) -> None:
        distributions.install(tmp_path / "site", PROJECT.format(target=target), WORST, monkeypatch)
        analyses.cache_clear()

    yield put
    analyses.cache_clear()
    SCHEMAS.maps[1].clear()  # type: ignore[attr-defined]


def test_it_is_published_with_the_day_and_made_again(install: Install, settings_of, recorder, tmp_path: Path) -> None:
    install("desk_analyses:Worst")
    settings = settings_of("measures=[historical_var]")
    status = run(settings, Selection(), observer=recorder)
    assert (status.published, status.messages) == (True, ())

    rows = published(tmp_path / "output", "desk_worst")
    vectors = {row["book"]: row["pnl"] for row in published(tmp_path / "output", "book_pnl").to_pylist()}
    assert {row["book"]: row["worst"] for row in rows.to_pylist()} == {book: min(pnl) for book, pnl in vectors.items()}
    assert analyse(settings, "desk_worst", "latest").rows == rows.num_rows


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("Impostor", "the table 'var' of desk_analyses:Impostor .the package desk-analyses 1.0. is there already"),
        ("Headless", "the table 'headless' of desk_analyses:Headless .* must begin with as_of_date"),
    ],
)
def test_a_table_that_cannot_be(install: Install, target: str, told: str) -> None:
    install(f"desk_analyses:{target}")
    with pytest.raises(UsageError, match=told):
        analyses()


def test_one_that_does_not_import_is_named(install: Install) -> None:
    install("desk_analyses:Missing")
    assert list(analyses()) == list(ANALYSES)
    (why,) = analyses().broken.values()
    assert why.startswith("the plug-in 'worst' of the package desk-analyses 1.0 is left out: it does not import")


def test_one_that_fails_is_left_out_of_the_day(install: Install, settings_of, recorder, tmp_path: Path) -> None:
    install("desk_analyses:Failing")
    status = run(settings_of("measures=[historical_var]"), Selection(), observer=recorder)
    assert (status.state, status.published) == ("complete", True)
    assert status.messages == ("the analysis desk_worst is left out: ValueError: of the desk",)
    assert (tmp_path / "output" / "published" / "var").is_dir()
    assert not (tmp_path / "output" / "published" / "desk_worst").exists()
