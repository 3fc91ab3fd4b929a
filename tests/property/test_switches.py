"""Every switch of the configuration that bears on numbers, with cut and uncut scenarios: the cut changes nothing, and a
switch nothing but what it names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from published import TABLES, numbers
from selections import one_in

from riskpipe.config import load_settings
from riskpipe.measures.measure_names import CROSS_GAMMA, MEASURES, SIMULATED
from riskpipe.plan.accounting import SilentObserver
from riskpipe.plan.selection import Selection
from riskpipe.sample import write_sample
from riskpipe.workflows.run import run

EVERYTHING = ", ".join(m for m in MEASURES if m not in (CROSS_GAMMA, *SIMULATED))
# Buckets are 2,400 columns: a cut falls into the history's 20, which come last, and the blocks are few.
CUTS = {"with both buckets": 878, "with buckets of rates": 283, "without": 7, "buckets alone": 1500}

# What is set; how it is cut; the rows of a table that are then left of a run without it (None: other numbers).
Left = Callable[[str, pa.Table], pa.Table]


def only(*names: str) -> Left:
    """Rows of these measures and, of vectors, of their sets."""
    sets = {"stress": "stress", "historical_var": "historical"}
    reported = {*names, *(("var_99", "es_97_5") if "historical_var" in names else ())}

    def left(table: str, rows: pa.Table) -> pa.Table:
        if table == "var_components":
            return rows if "historical_var" in names else rows.slice(0, 0)
        if table == "worst_stress":
            return rows if "stress" in names else rows.slice(0, 0)
        if table in ("scenarios", "scenario_pnl", "book_pnl", "var"):
            return _with(rows, "scenario_set", {sets[name] for name in names if name in sets})
        return _with(rows, "measure", reported)

    return left


def vectors_of(*kept: str, of: Left = lambda table, rows: rows) -> Left:
    """All rows but the vectors of other scenario sets."""
    return lambda table, rows: (
        _with(of(table, rows), "scenario_set", set(kept)) if table == "scenario_pnl" else of(table, rows)
    )


def _with(rows: pa.Table, column: str, values: set[str]) -> pa.Table:
    return rows.filter(pc.is_in(rows[column], value_set=pa.array(sorted(values), pa.string())))


NO_HISTORY = "scenario_pnl.historical=false"
NO_STRESS = "scenario_pnl.stress=false"
SWITCHES: dict[str, tuple[tuple[str, ...], str, Left | None]] = {
    "nothing": ((), "with both buckets", vectors_of("stress", "historical")),
    "no vectors of history": ((NO_HISTORY,), "with both buckets", vectors_of("stress")),
    "no vectors of stresses": ((NO_STRESS,), "with both buckets", vectors_of("historical")),
    "no vectors": ((NO_HISTORY, NO_STRESS), "with both buckets", vectors_of()),
    "pv alone": (("measures=[pv]",), "without", only("pv")),
    "the issue's": (
        ("measures=[pv, bucketed_delta, historical_var]", NO_HISTORY),
        "with buckets of rates",
        vectors_of(of=only("pv", "bucketed_delta", "historical_var")),
    ),
    "value at risk without its vectors": (
        ("measures=[pv, historical_var]", NO_HISTORY),
        "without",
        vectors_of(of=only("pv", "historical_var")),
    ),
    "value at risk alone": (("measures=[historical_var]",), "without", only("historical_var")),
    "stresses alone": (("measures=[stress]", NO_HISTORY), "without", only("stress")),
    "buckets alone": (
        ("measures=[bucketed_delta, bucketed_vega]",),
        "buckets alone",
        only("bucketed_delta", "bucketed_vega"),
    ),
    "totals": (("measures=[pv, delta, dv01, theta]",), "without", only("pv", "delta", "dv01", "theta")),
    "other bumps": (("bumps.spot=0.01", "bumps.rate=0.001", "bumps.bucketed_spot=0.02"), "with both buckets", None),
}


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("switches") / "book"
    products = {"interest_rate_swap": 0.3, "fx_option": 0.3, "equity_option": 0.2, "bond": 0.2}
    write_sample(directory, trades=16, scenarios=20, seed=5, products=products)
    return directory


@pytest.fixture(scope="module")
def outputs(book: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """The output of a run with these settings, made once."""
    made: dict[tuple[str, ...], Path] = {}

    def output(*assignments: str) -> Path:
        if assignments not in made:
            where = tmp_path_factory.mktemp("switched")
            given = ("cluster.kind=serial", f"output={where}", f"measures=[{EVERYTHING}]", *assignments)
            settings = load_settings(book / "riskpipe.yaml", assignments=given, environment={})
            status = run(settings, Selection(), observer=SilentObserver())
            assert (status.state, status.published) == ("complete", True)
            made[assignments] = where
        return made[assignments]

    return output


@pytest.mark.parametrize("switch", one_in(3, [switch for switch, (_, _, left) in SWITCHES.items() if left is not None]))
def test_a_switch_changes_what_it_names_alone(switch: str, outputs: Callable[..., Path]) -> None:
    assignments, _, left = SWITCHES[switch]
    assert left is not None
    everything, switched = outputs(), outputs(*assignments)
    for table in _published(everything):
        expected = left(table, numbers(everything, table))
        assert _rows(switched, table) == expected.to_pylist(), table


@pytest.mark.parametrize("switch", one_in(3, SWITCHES))
def test_a_cut_changes_nothing_under_any_switch(switch: str, outputs: Callable[..., Path]) -> None:
    assignments, cut, _ = SWITCHES[switch]
    whole = outputs(*assignments)
    pieces = outputs(*assignments, f"partition.max_scenarios={CUTS[cut]}", "partition.max_trades=5")
    for table in _published(whole):
        assert _rows(pieces, table) == _rows(whole, table), table


def _published(output: Path) -> list[str]:
    return [table for table in TABLES if (output / "published" / table).exists()]


def _rows(output: Path, table: str) -> list[dict[str, object]]:
    """A table that has no rows is not published, or is empty."""
    if not (output / "published" / table).exists():
        return []
    return list(numbers(output, table).to_pylist())
