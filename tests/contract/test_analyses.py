"""What every analysis of the catalogue keeps."""

from __future__ import annotations

import numpy as np
import pytest
from analysed_days import day, made

from riskpipe.analyses.analysis import Analysis
from riskpipe.analyses.catalogue import ANALYSES, analyses
from riskpipe.analyses.risk_terms import LiquidityTerms, RiskTerms, StressedWindow
from riskpipe.measures.tail_definition import TailDefinition
from riskpipe.store.result_tables import conform
from riskpipe.store.table_schemas import SCHEMAS

BOOKS = {
    book: np.random.default_rng(k).standard_t(4, 300) * 1e4
    for k, book in enumerate(("fx", "fx/spot", "fx-2/x", "rates/eur/long", "rates/eur/short", "rates/usd", ""))
}
CLASSES = {"rates": 0.6, "fx": 0.3, "cross": 0.1, "lh_20": 0.7, "lh_60": 0.3, "lh_120": 0.0}
every_analysis = pytest.mark.parametrize("analysis", ANALYSES.values(), ids=lambda analysis: analysis.name)


@every_analysis
def test_it_has_a_table_of_its_name(analysis: Analysis) -> None:
    assert ANALYSES[analysis.name] is analysis
    assert analyses().can_be_made(analysis.name, analysis.reads)
    assert not any(analyses().can_be_made(analysis.name, set(analysis.reads) - {table}) for table in analysis.reads)
    assert analysis.version >= 1
    assert set(analysis.reads) <= set(SCHEMAS)
    assert SCHEMAS[analysis.name].names[0] == "as_of_date"
    assert type(analysis).__doc__


@every_analysis
def test_rows_are_what_the_table_takes(analysis: Analysis) -> None:
    rows = made(analysis, day(BOOKS, classes=CLASSES))
    assert rows.num_rows
    assert conform(analysis.name, rows).num_rows == rows.num_rows
    assert "run_id" not in rows.column_names or set(rows["run_id"].to_pylist()) == {"r"}


@every_analysis
def test_bits_do_not_depend_on_the_pieces(analysis: Analysis) -> None:
    whole = made(analysis, day(BOOKS, classes=CLASSES, simulated=200))
    for piece in (1, 3):
        assert made(analysis, day(BOOKS, classes=CLASSES, simulated=200, piece=piece)).equals(whole)


@every_analysis
def test_no_book_at_all(analysis: Analysis) -> None:
    assert made(analysis, day({}, scenarios=300)).num_rows == 0
    assert made(analysis, day({})).num_rows == 0


@every_analysis
def test_one_trade(analysis: Analysis) -> None:
    rows = made(analysis, day({"a": BOOKS["fx"]}))
    assert conform(analysis.name, rows).num_rows == rows.num_rows


@every_analysis
def test_books_whose_trades_failed(analysis: Analysis) -> None:
    """No number of theirs, and the others' as if they were not there."""
    found = made(analysis, day({**BOOKS, "failed/book": None}, classes=CLASSES))
    assert [row for row in found.to_pylist() if "failed" in row["book"] and row.get("value_base") is not None] == []
    kept = [row for row in found.to_pylist() if "failed" not in row["book"]]
    assert kept == made(analysis, day(BOOKS, classes=CLASSES)).to_pylist()
    conform(analysis.name, made(analysis, day({"failed/book": None}, scenarios=300)))


@pytest.mark.parametrize("analysis", [each for each in ANALYSES.values() if each.measure == "historical_var"])
def test_fewer_scenarios_than_a_figure_needs(analysis: Analysis) -> None:
    long = RiskTerms((), LiquidityTerms(0.975, 10, 301), (StressedWindow("long", "", 301, 0.9, "historical"),))
    rows = made(analysis, day(BOOKS, tails=[TailDefinition("long", "var", 0.99, window=301)], terms=long)).to_pylist()
    assert {row.get("value_base", row.get("component_base")) for row in rows} <= {None}
