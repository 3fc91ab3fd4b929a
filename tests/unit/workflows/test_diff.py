"""What differs between two runs is found, all of it and nothing else."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from typer.testing import CliRunner

from riskpipe.analyses.catalogue import ANALYSES
from riskpipe.cli.app import app
from riskpipe.errors import UsageError
from riskpipe.results.differences import Bounds, TableDiff, Tolerance, ToleranceRule, compared_whole
from riskpipe.store.checksums import content_sha256
from riskpipe.store.location import open_store
from riskpipe.store.published import describe_table
from riskpipe.store.written_files import WrittenFile
from riskpipe.workflows.diff import DiffReport, diff

Rows = list[dict[str, Any]]


def compared(output: Any, **options: Any) -> DiffReport:
    return diff(output.settings(), output.published, output.blocks, **options)


def only(report: DiffReport, table: str) -> TableDiff:
    """The table's differences; that no other table has any."""
    assert report.exit_code == 5
    assert [name for name, found in report.tables.items() if not found.equal] == [table]
    return report.tables[table]


def counts(found: TableDiff) -> tuple[int, int, int, int, int]:
    return found.only_a, found.only_b, found.moved, found.status, found.changed


def first_ok(rows: Rows) -> dict[str, Any]:
    return next(row for row in rows if row["status"] == "ok" and row["value"])


def test_the_same_numbers_from_other_partitions_are_equal(two_runs: Any) -> None:
    report = compared(two_runs)
    assert report.equal
    assert report.exit_code == 0
    assert (report.a["origin"], report.b["origin"]) == ("published", "blocks")
    assert set(report.tables) == {"valuations", "sensitivities", "scenario_pnl", "aggregates"}
    assert all(found.rows_a == found.rows_b > 0 for found in report.tables.values())
    assert [d.name for d in report.config] == ["partition.max_trades", "partition.max_scenarios"]
    assert (report.facts, report.inputs) == ((), ())
    total = report.tables["valuations"].by_product["bond", "pv"]
    assert total.a == total.b
    assert total.a not in (None, 0.0)
    assert report.tables["valuations"].by_product["equity_option", "delta"].a is None


def test_small_windows_find_the_same(output: Any) -> None:
    def spoil(rows: Rows) -> Rows:
        first_ok(rows)["value"] *= 2
        for row in rows:
            if row["trade_id"] == rows[-1]["trade_id"]:
                row["book"] = "zz/moved"
        return rows

    output.change("valuations", spoil)
    whole, pieces = compared(output), compared(output, window_bytes=1)
    assert whole.to_json()["tables"]["valuations"]["changed"] == 1
    assert pieces.tables["valuations"].moved > 0
    for table, found in whole.tables.items():
        assert counts(pieces.tables[table]) == counts(found)
        assert pieces.tables[table].largest == found.largest


def test_one_bit_of_one_value(output: Any) -> None:
    changed: Rows = []

    def spoil(rows: Rows) -> Rows:
        row = first_ok(rows)
        changed.append(dict(row))
        row["value"] = math.nextafter(row["value"], math.inf)
        return rows

    output.change("valuations", spoil)
    found = only(compared(output), "valuations")
    assert counts(found) == (0, 0, 0, 0, 1)
    (largest,) = found.largest
    assert (largest["trade_id"], largest["measure"]) == (changed[0]["trade_id"], changed[0]["measure"])
    assert largest["value_b"] == math.nextafter(largest["value_a"], math.inf)
    assert largest["change"] == 0.0
    group = found.by_product[changed[0]["product"], changed[0]["measure"]]
    assert group.changed == 1
    assert compared(output, tolerance=Bounds(Tolerance(relative=1e-12))).equal
    assert compared(output, tolerance=Bounds(Tolerance(absolute=1e-3))).equal


def test_the_largest_changes_come_first(output: Any) -> None:
    def spoil(rows: Rows) -> Rows:
        for k, row in enumerate(row for row in rows if row["value_base"] is not None):
            row["value_base"] += float(k)
        return rows

    output.change("valuations", spoil)
    found = only(compared(output, largest=3), "valuations")
    sizes = [entry["change"] for entry in found.largest]
    assert len(sizes) == 3
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == pytest.approx(found.changed, abs=1e-6)
    moved = sum((total.b or 0.0) - (total.a or 0.0) for total in found.by_book.values())
    assert moved != 0.0


def test_within_and_beyond_a_tolerance(output: Any) -> None:
    def spoil(rows: Rows) -> Rows:
        row = first_ok(rows)
        row["value"], row["value_base"] = 100.0, 100.0
        return rows

    output.change("valuations", spoil)
    changes = only(compared(output), "valuations").largest[0]
    gap = max(abs(changes[f"{n}_b"] - changes[f"{n}_a"]) for n in ("value", "value_base"))
    assert compared(output, tolerance=Bounds(Tolerance(absolute=gap))).equal
    assert not compared(output, tolerance=Bounds(Tolerance(absolute=math.nextafter(gap, 0.0)))).equal
    assert compared(output, tolerance=Bounds(Tolerance(relative=2.0))).equal
    with pytest.raises(UsageError, match="negative"):
        compared(output, tolerance=Bounds(Tolerance(absolute=-1.0)))
    named = next(iter(only(compared(output), "valuations").largest))
    wide = ToleranceRule.parse(f"{named['measure']}@{named['book']}=abs:{gap!r}")
    narrow = ToleranceRule.parse("*=abs:0")
    assert compared(output, tolerance=Bounds(rules=(narrow, wide))).equal
    assert not compared(output, tolerance=Bounds(rules=(wide, narrow))).equal  # the last that fits counts


@pytest.mark.parametrize("text", ["pv", "=abs:1", "pv=abs", "pv=abs:x", "pv=near:1", "pv=rel:-1", "pv=abs:inf"])
def test_rules_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="is wanted, such as"):
        ToleranceRule.parse(text)


def test_tables_of_analyses_are_compared_by_what_names_a_row() -> None:
    assert compared_whole("var").keys == ("level", "book", "name", "kind", "horizon_days", "scenario_set", "risk_class")
    assert compared_whole("var").numbers[-1] == "value_base"
    assert compared_whole("book_pnl").numbers == ("pnl",)
    assert "scenario" in compared_whole("reverse_stress").keys
    for name in ANALYSES:
        found = compared_whole(name)
        assert found.keys
        assert found.numbers


def test_one_row_less(output: Any) -> None:
    gone: Rows = []
    output.change("valuations", lambda rows: gone.append(rows.pop(4)) or rows)
    found = only(compared(output), "valuations")
    assert counts(found) == (1, 0, 0, 0, 0)
    assert found.rows_a == found.rows_b + 1
    (sample,) = found.samples["only_a"]
    assert sample == {name: gone[0][name] for name in ("book", "trade_id", "measure", "product")}


def test_one_row_more(output: Any) -> None:
    output.change("sensitivities", lambda rows: [*rows, {**rows[-1], "factor": "zz:new"}])
    found = only(compared(output), "sensitivities")
    assert counts(found) == (0, 1, 0, 0, 0)
    assert found.samples["only_b"][0]["factor"] == "zz:new"


def test_a_status_that_changed_is_no_change_of_value(output: Any) -> None:
    def spoil(rows: Rows) -> Rows:
        first_ok(rows).update(status="failed", reason="NUMERICAL", message="x", value=None, value_base=None)
        return rows

    output.change("valuations", spoil)
    found = only(compared(output), "valuations")
    assert counts(found) == (0, 0, 0, 1, 0)
    assert dict(found.statuses) == {("ok", "failed NUMERICAL"): 1}
    assert (found.samples["status"][0]["a"], found.samples["status"][0]["b"]) == ("ok", "failed NUMERICAL")


def test_a_trade_in_another_book_is_compared_all_the_same(output: Any) -> None:
    measures: list[str] = []

    def spoil(rows: Rows) -> Rows:
        last = rows[-1]["trade_id"]
        for row in rows:
            if row["trade_id"] == last:
                measures.append(row["measure"])
                row["book"] = "zz/new"
        rows[-1]["value"] = (rows[-1]["value"] or 0.0) + 1.0
        rows[-1]["status"] = "ok"
        return rows

    output.change("valuations", spoil)
    found = only(compared(output), "valuations")
    assert (found.only_a, found.only_b, found.moved) == (0, 0, len(measures))
    assert found.changed + found.status == 1
    assert found.samples["moved"][0]["to"] == "zz/new"


def test_one_element_of_one_vector(output: Any) -> None:
    """The unpublished run's scenarios were cut, so its vectors lie in combined files."""
    import pyarrow.parquet as pq

    combined = sorted((output.path / "runs" / output.blocks / "combined").glob("*.parquet"))
    path = next(path for path in combined if "pnl" in pq.read_schema(path).names)
    rows = pq.read_table(path).to_pylist()
    rows[2]["pnl"][3] += 0.25
    output.rewrite(path, lambda _: rows)
    found = only(compared(output), "scenario_pnl")
    assert counts(found) == (0, 0, 0, 0, 1)
    assert found.largest[0]["trade_id"] == rows[2]["trade_id"]
    assert found.largest[0]["change"] == pytest.approx(0.25)


def test_aggregates_of_the_published_run_are_compared(output: Any) -> None:
    import pyarrow.parquet as pq

    path = next((output.path / "published/aggregates").glob("*/*.parquet"))
    table = pq.read_table(path, partitioning=None)
    rows = table.to_pylist()
    rows[0]["value_base"] += 1.0
    rows[1]["failed_trades"] += 1
    del rows[2]
    pq.write_table(table.from_pylist(rows, table.schema), path)
    store, name = open_store(str(output.path)), str(path.relative_to(output.path))
    written = WrittenFile(name, len(rows), path.stat().st_size, content_sha256(store, name))
    describe_table(store, date(2026, 11, 20), "aggregates", [written], (output.published, datetime.now(UTC)))
    found = only(compared(output), "aggregates")
    assert counts(found) == (0, 1, 0, 0, 2)
    assert found.largest[0]["change"] == pytest.approx(-1.0)
    assert found.largest[1]["also"] == {"failed_trades": [rows[1]["failed_trades"], rows[1]["failed_trades"] - 1]}


def test_runs_whose_files_are_gone(output: Any) -> None:
    blocks = output.path / "runs" / output.blocks / "blocks"
    next((blocks / "valuations").glob("*.parquet")).unlink()
    with pytest.raises(UsageError, match=r"1 of its \d+ block files are gone"):
        compared(output)
    shutil.rmtree(blocks)
    with pytest.raises(UsageError, match="block files are gone"):
        compared(output)
    shutil.rmtree(output.path / "runs" / output.blocks)
    with pytest.raises(UsageError, match="no run"):
        compared(output)


def test_a_run_without_its_sums_is_refused(output: Any) -> None:
    for path in (output.path / "runs" / output.blocks / "combined").iterdir():
        path.unlink()
    with pytest.raises(UsageError, match=r"the sums of run .* are not in place"):
        compared(output)


def test_a_run_that_is_not_done_is_refused(output: Any) -> None:
    for segment in sorted((output.path / "runs" / output.blocks / "ledger").iterdir())[1:]:
        segment.unlink()
    with pytest.raises(UsageError, match="is not done"):
        compared(output)


def test_what_is_published_outlives_its_run(output: Any, two_runs: Any) -> None:
    shutil.rmtree(output.path / "runs" / output.published)
    report = diff(output.settings(), "published", two_runs.published, output_b=str(two_runs.path))
    assert report.equal
    assert (report.facts, report.config, report.inputs) == ((), (), ())
    with pytest.raises(UsageError, match="nothing is published for 2020-01-02"):
        diff(output.settings(), "published:2020-01-02", "latest")


@pytest.fixture
def invoke(output: Any) -> Callable[..., Any]:
    def run(*words: str, code: int) -> str:
        options = ["-c", str(output.book / "riskpipe.yaml"), "--set", f"output={output.path}"]
        result = CliRunner().invoke(app, ["diff", *words, *options])
        assert result.exit_code == code, result.output
        return result.stdout

    return run


def test_command(output: Any, invoke: Callable[..., str]) -> None:
    assert invoke("published", "latest", code=0).splitlines()[-1] == "equal to the last bit"

    def spoil(rows: Rows) -> Rows:
        first_ok(rows)["value_base"] += 1e6
        return rows

    output.change("valuations", spoil)
    lines = invoke("published", output.blocks[:-2], code=5).splitlines()
    assert "valuations: largest changes, in base currency" in lines
    assert any("1,000,000" in line for line in lines)
    assert lines[-1] == "different to the last bit"
    answer = json.loads(invoke("published", "latest", "--json", code=5))
    assert answer["tables"]["valuations"]["changed"] == 1
    assert (answer["equal"], answer["exit_code"]) == (False, 5)
    invoke("published", "latest", "--abs", "1000001", code=0)
    invoke("published", "nowhere", code=2)
