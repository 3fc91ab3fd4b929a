"""`--since`: what has not changed is taken over of an earlier run, and the results are those of a fresh one."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from corrected import correct_level, rewritten
from published import bits, numbers, published
from random_changes import Desk

from riskpipe.config import load_settings
from riskpipe.errors import UsageError
from riskpipe.plan.accounting import RunStatus, SilentObserver
from riskpipe.plan.selection import Selection
from riskpipe.runs import day_parts
from riskpipe.runs.publication import Publication
from riskpipe.sample import write_sample
from riskpipe.store import pieces
from riskpipe.store.ledger import read_ledger
from riskpipe.store.location import open_store
from riskpipe.store.records import BlockDone
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.run_ids import list_runs
from riskpipe.workflows.plan import plan
from riskpipe.workflows.run import run
from riskpipe.workflows.verify import Rows, verify

MEASURES = ["pv", "delta", "dv01", "curve_dv01", "cashflows", "stress", "historical_var"]
CHANGES = int(os.environ.get("TEST_CHANGES", "12"))
SEED = int(os.environ.get("TEST_CHANGES_SEED", "0")) or random.randrange(2**32)
"""Of the campaign, which says both when it fails."""


@pytest.fixture(scope="module")
def priced(tmp_path_factory) -> Path:
    """A small book with a run in `output`."""
    directory = tmp_path_factory.mktemp("reuse") / "book"
    products = {"interest_rate_swap": 0.4, "fx_forward": 0.2, "equity_option": 0.2, "bond": 0.2}
    write_sample(directory, trades=40, scenarios=8, seed=3, products=products)
    assert value(directory, "output").state == "complete"
    return directory


@pytest.fixture
def book(priced, tmp_path) -> Path:
    return Path(shutil.copytree(priced, tmp_path / "book"))


@pytest.fixture
def small_pieces(monkeypatch) -> None:
    """Vectors of small books lie in several files, which stand in the published day, as those of large ones do."""
    monkeypatch.setattr(pieces, "LEAST_PIECE", 1_000)
    monkeypatch.setattr(day_parts, "STANDS_FROM", 1)
    monkeypatch.setattr(day_parts, "PART_BYTES", 1)


def settings_of(book: Path, output: str, *assignments: str):
    given = ("cluster.kind=serial", f"output={book / output}", f"measures=[{', '.join(MEASURES)}]", *assignments)
    return load_settings(book / "riskpipe.yaml", assignments=given, environment={})


def value(book: Path, output: str, *assignments: str, since: str | None = None) -> RunStatus:
    settings = settings_of(book, output, *assignments)
    every = Publication(None, replace_day=True)
    return run(settings, Selection(), resume="never", since=since, publication=every, observer=SilentObserver())


def runs_of(output: Path) -> list[Path]:
    """As they came, which their names alone do not tell of runs of one second."""
    return [output / "runs" / run_id for run_id in list_runs(open_store(str(output)))]


def assert_same_results(one: Path, other: Path) -> None:
    """Every published table but `reuse`, to the bit."""
    tables = {path.name for path in (one / "published").iterdir()} - {"reuse"}
    assert tables == {path.name for path in (other / "published").iterdir()} - {"reuse"}
    for table in sorted(tables):
        a, b = numbers(one, table), numbers(other, table)
        assert a.schema == b.schema
        for name in a.column_names:
            assert bits(a[name]).equals(bits(b[name])), (table, name)


def differences(output: Path) -> set[tuple[str, str, str, int]]:
    return {(row["what"], row["name"], row["why"], row["trades"]) for row in published(output, "reuse").to_pylist()}


def test_nothing_changed(book) -> None:
    status = value(book, "output", since="latest")

    assert status.reuse is not None
    assert (status.reuse["taken_over"], status.reuse["priced"]) == (40, 0)
    assert status.numbers.planned == status.numbers.ok + status.numbers.not_applicable
    assert not differences(book / "output")


def test_a_spot_a_trade_a_measure(book) -> None:
    correct_level(book / "data" / "market.parquet", "spot:SPX")
    (bonds,) = (book / "data" / "portfolio" / "bond").glob("*.parquet")
    rewritten(bonds, "quantity", 2, lambda quantity: quantity + 1.0)
    amended = pq.read_table(bonds)["trade_id"][2].as_py()
    (swaps,) = (book / "data" / "portfolio" / "interest_rate_swap").glob("*.parquet")
    table = pq.read_table(swaps)
    pq.write_table(table.slice(1), swaps)
    with_vega = f"measures=[{', '.join([*MEASURES, 'vega'])}]"

    status = value(book, "output", with_vega, since="latest")
    assert status.state == "complete", status.messages
    value(book, "fresh", with_vega)

    assert_same_results(book / "output", book / "fresh")
    options = pq.read_table(book / "data" / "portfolio" / "equity_option", columns=["underlying"])["underlying"]
    on_spx = options.to_pylist().count("SPX")
    assert status.reuse is not None
    assert status.reuse["priced"] == on_spx + 1
    found = differences(book / "output")
    assert {("trade", amended, "amended", 1), ("trade", table["trade_id"][0].as_py(), "gone", 1)} <= found
    assert ("measure", "vega", "new", 39) in found
    assert any(what == "factor" and name == "spot:SPX" and n == on_spx for what, name, _, n in found)


@pytest.mark.usefixtures("small_pieces")
def test_a_block_that_takes_its_trades_of_several(book) -> None:
    """Without the first trade every block has some of two earlier ones, whose books lie between each other."""
    small = "partition.max_trades=3"
    value(book, "output", small)
    (swaps,) = (book / "data" / "portfolio" / "interest_rate_swap").glob("*.parquet")
    pq.write_table(pq.read_table(swaps).slice(1), swaps)

    status = value(book, "output", small, since="latest")
    assert status.state == "complete", status.messages
    value(book, "fresh", small)

    assert status.reuse is not None
    assert status.reuse["priced"] == 0
    assert_same_results(book / "output", book / "fresh")


@pytest.mark.slow
def test_a_lost_file_takes_nothing_from_the_results(book, recorder) -> None:
    first = next((book / "output" / "runs").glob("*/blocks/valuations/*.parquet"))
    first.write_bytes(first.read_bytes()[:-1] + b"x")
    settings = settings_of(book, "output")

    status = run(settings, Selection(), resume="never", since="latest", observer=recorder)
    value(book, "fresh")

    assert_same_results(book / "output", book / "fresh")
    assert any("are not what was written: their trades are priced" in text for text in status.messages)


def test_files_of_a_block_that_nothing_has_changed_for_are_the_earlier_ones(book) -> None:
    correct_level(book / "data" / "market.parquet", "spot:SPX")

    status = value(book, "output", since="latest")
    value(book, "fresh")

    assert_same_results(book / "output", book / "fresh")
    earlier, later = runs_of(book / "output")
    planned = pq.read_table(later / "plan.parquet", columns=["block_id", "product"])
    untouched = [row["block_id"] for row in planned.to_pylist() if row["product"] != "equity_option"]
    assert len(untouched) < len(planned)
    for table in ("partials", "sensitivities"):
        before = {path.stat().st_ino for path in (earlier / "blocks" / table).iterdir()}
        files = [later / "blocks" / table / f"{block_id}.parquet" for block_id in untouched]
        assert {path.stat().st_ino for path in files if path.exists()} <= before
        assert any(path.exists() for path in files)
    found = verify(settings_of(book, "output"), status.run_id, Rows.ALL)
    assert not found.damages, found.damages


def pages(path: Path) -> bytes:
    """All of a Parquet file but its footer."""
    content = path.read_bytes()
    return content[: len(content) - 8 - int.from_bytes(content[-8:-4], "little")]


@pytest.mark.usefixtures("small_pieces")
def test_vectors_that_nothing_has_changed_for_are_neither_read_apart_nor_compressed_anew(book) -> None:
    """Of a block that one trade has changed in, a piece is made anew; the others, and those of other blocks, stand in
    the published day under the run's own name."""
    value(book, "pieces")
    (swaps,) = (book / "data" / "portfolio" / "interest_rate_swap").glob("*.parquet")
    rewritten(swaps, "notional", 0, lambda notional: notional * 2.0)
    status = value(book, "pieces", since="latest")
    value(book, "fresh")

    assert status.reuse is not None
    assert status.reuse["priced"] == 1
    assert_same_results(book / "pieces", book / "fresh")
    earlier, later = runs_of(book / "pieces")
    before = {pages(path) for path in (earlier / "blocks" / "scenario_pnl").iterdir()}
    store = open_store(str(book / "pieces"))
    done = [r for r in read_ledger(RunFolder(store, later.name)) if isinstance(r, BlockDone)]
    files = {piece.path: record for record in done for piece in record.vectors}
    copied = [path for path in files if any(pages(book / "pieces" / path).startswith(content) for content in before)]
    (anew,) = set(files).difference(copied)
    assert len(files[anew].vectors) > 1
    for path in files:
        assert pq.read_table(book / "pieces" / path)["run_id"].unique().to_pylist() == [status.run_id]
    standing = {path.stat().st_ino for path in (book / "pieces" / "published" / "scenario_pnl").glob("*/*")}
    assert {(book / "pieces" / path).stat().st_ino for path in files} & standing
    found = verify(settings_of(book, "pieces"), status.run_id, Rows.ALL)
    assert not found.damages, found.damages


def test_a_measure_that_is_cut_between_blocks(book) -> None:
    """Each block takes over the rows of its own points, and one that did the same is linked, however they were cut."""
    by_point = f"measures=[{', '.join([*MEASURES, 'bucketed_delta'])}]"
    value(book, "output", by_point, "partition.max_scenarios=400")
    correct_level(book / "data" / "market.parquet", "spot:SPX")
    value(book, "fresh", by_point)
    for most in (400, 300):
        status = value(book, "output", by_point, f"partition.max_scenarios={most}", since="latest")

        assert status.state == "complete", status.messages
        assert status.reuse is not None
        assert status.reuse["taken_over"] > 30
        assert_same_results(book / "output", book / "fresh")
    _, first, second, _ = runs_of(book / "output")
    planned = pq.read_table(second / "plan.parquet", columns=["block_id", "product", "scenario_start"]).to_pylist()
    untouched = {row["block_id"] for row in planned if row["product"] != "equity_option"}
    before = {path.stat().st_ino for path in (first / "blocks" / "sensitivities").iterdir()}
    files = [path for path in (second / "blocks" / "sensitivities").iterdir() if path.stem in untouched]
    assert len({row["scenario_start"] for row in planned if row["block_id"] in untouched}) > 1
    assert files
    assert {path.stat().st_ino for path in files} <= before


def test_the_plan_says_what_is_taken_over(book) -> None:
    (file,) = (book / "data" / "portfolio" / "fx_forward").glob("*.parquet")
    table = pq.read_table(file)
    pq.write_table(table.take(np.arange(len(table))[::-1]), file)

    report = plan(settings_of(book, "output"), Selection(), since="latest")

    assert report.reuse is not None
    assert (report.reuse["taken_over"], report.reuse["priced"], report.reuse["differences"]) == (40, 0, [])


def test_no_run_of_the_day(book) -> None:
    with pytest.raises(UsageError, match="no run of 2026-11-20 has ended"):
        plan(settings_of(book, "elsewhere"), Selection(), since="latest")


@pytest.mark.slow
@pytest.mark.usefixtures("small_pieces")
def test_any_changes(tmp_path) -> None:
    """A run after the other, each of the one before, against fresh ones."""
    book = tmp_path / "book"
    print(f"TEST_CHANGES_SEED={SEED}")  # noqa: T201
    write_sample(book, trades=90, scenarios=18, seed=5)
    desk = Desk(book / "data", random.Random(SEED), [*MEASURES, "gamma", "theta", "theta_roll"])
    value(book, "output", *desk.assignments())
    while len(desk.told) < CHANGES:
        for _ in range(desk.random.choice((1, 1, 2, 5))):
            print(desk.change())  # noqa: T201
        status = value(book, "output", *desk.assignments(), since="latest")
        assert status.state == "complete", status.messages
        value(book, "fresh", *desk.assignments())
        assert_same_results(book / "output", book / "fresh")
