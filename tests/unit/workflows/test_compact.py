"""Many small published files become few, with the same rows in the same order."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from riskpipe.cli.app import app
from riskpipe.errors import LeaseError, UsageError
from riskpipe.store.checksums import content_sha256
from riskpipe.store.lease import Lease
from riskpipe.store.location import open_store
from riskpipe.store.published import describe_table
from riskpipe.store.result_tables import Provenance, metadata, table_sink
from riskpipe.store.written_files import WrittenFile
from riskpipe.workflows.compact import compact
from riskpipe.workflows.diff import diff

DAY = date(2026, 11, 20)
OTHER_DAY = date(2026, 11, 19)


def directory(output: Any, day: date = DAY) -> Path:
    return Path(output.path / f"published/valuations/as_of={day}")


def read(output: Any, day: date = DAY) -> pa.Table:
    """The day's rows, file after file."""
    return pa.concat_tables(
        [pq.read_table(path, partitioning=None) for path in sorted(directory(output, day).iterdir())]
    )


def split(output: Any, parts: int, day: date = DAY, run_id: str | None = None) -> pa.Table:
    """Put the published rows into many files; returns them."""
    store = open_store(str(output.path))
    rows = read(output)
    footer = metadata(store, f"published/valuations/as_of={DAY}/{next(directory(output).iterdir()).name}")
    hashes = (footer["config_sha256"], footer["inputs_sha256"], footer["engine_version"], footer["base_currency"])
    for path in directory(output, day).glob("*.parquet"):
        path.unlink()
    size = -(-rows.num_rows // parts)
    for k in range(parts):
        provenance = Provenance(run_id if run_id and k == 0 else footer["run_id"], day, *hashes)
        path = f"published/valuations/as_of={day}/part-{k:03d}.parquet"
        with table_sink(store, path, "valuations", provenance) as sink:
            sink.write(rows.slice(k * size, size))
    if day == DAY:
        describe(output, "valuations", day)
    return rows


def describe(output: Any, table: str, day: date) -> None:
    """Tell CURRENT.json that the files of a published day are what they are."""
    store = open_store(str(output.path))
    places = [(entry.path, entry.bytes) for entry in store.list_files(f"published/{table}/as_of={day}")]
    rows = [pq.read_metadata(output.path / path).num_rows for path, _ in places]
    files = [
        WrittenFile(path, n, size, content_sha256(store, path)) for (path, size), n in zip(places, rows, strict=True)
    ]
    describe_table(store, day, table, files, (current(output)["run_id"], datetime.now(UTC)))


def others(output: Any) -> dict[str, str]:
    """Checksums of everything else that is published."""
    found = (output.path / "published").rglob("*.parquet")
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in found if "/valuations/" not in str(path)
    }


def current(output: Any) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((output.path / "meta/CURRENT.json").read_text())
    return dict(content["days"][DAY.isoformat()])


@pytest.mark.slow
def test_small_files_become_one(output: Any) -> None:
    store = open_store(str(output.path))
    rows, untouched, before = split(output, 11), others(output), current(output)
    (footer,) = {tuple(sorted(metadata(store, e.path).items())) for e in store.list_files("published/valuations")}

    report = compact(output.settings(), "valuations")

    (day,) = report.compacted
    assert (day.as_of, day.rows, day.files_before, day.files_after) == ("2026-11-20", rows.num_rows, 11, 1)
    assert day.bytes_after < day.bytes_before
    assert read(output).equals(rows)
    (entry,) = store.list_files("published/valuations")
    assert tuple(sorted(metadata(store, entry.path).items())) == footer
    assert others(output) == untouched
    described = current(output)
    (file,) = described["tables"]["valuations"]["files"]
    content = (output.path / file["path"]).read_bytes()
    assert file["path"] == entry.path
    assert (file["bytes"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert described["run_id"] == before["run_id"]
    assert {k: v for k, v in described["tables"].items() if k != "valuations"} == {
        k: v for k, v in before["tables"].items() if k != "valuations"
    }
    assert not (output.path / "runs/compact").exists()
    assert diff(output.settings(), output.published, output.blocks).equal


def test_nothing_to_do(output: Any) -> None:
    def everything() -> dict[str, float]:
        return {str(path): path.stat().st_mtime_ns for path in output.path.rglob("*") if path.is_file()}

    before = everything()
    report = compact(output.settings(), "valuations")
    assert (report.days, report.compacted, report.described) == (1, (), ())
    assert everything() == before
    split(output, 5)
    compact(output.settings(), "valuations")
    assert compact(output.settings(), "valuations").compacted == ()


def test_large_days_keep_several_files(output: Any) -> None:
    rows = split(output, 12)
    small = min(path.stat().st_size for path in directory(output).iterdir())
    (day,) = compact(output.settings(), "valuations", file_bytes=3 * small).compacted
    assert 1 <= day.files_after < 12
    assert read(output).equals(rows)


def test_files_that_are_large_enough_stay(output: Any) -> None:
    split(output, 3)
    largest = max(path.stat().st_size for path in directory(output).iterdir())
    assert compact(output.settings(), "valuations", file_bytes=largest // 2).compacted == ()


def test_one_day_of_two(output: Any) -> None:
    split(output, 4, OTHER_DAY)
    split(output, 4)
    report = compact(output.settings(), "valuations", OTHER_DAY)
    assert [day.as_of for day in report.compacted] == ["2026-11-19"]
    assert len(list(directory(output).iterdir())) == 4
    assert set(read(output, OTHER_DAY)["as_of_date"].to_pylist()) == {OTHER_DAY}
    with pytest.raises(UsageError, match="not published for 2020-01-02"):
        compact(output.settings(), "valuations", date(2020, 1, 2))


def test_files_of_two_runs_are_left_alone(output: Any) -> None:
    split(output, 4, run_id="20200101-000000-000000")
    with pytest.raises(UsageError, match="more than one run"):
        compact(output.settings(), "valuations")
    assert len(list(directory(output).iterdir())) == 4


def test_a_compaction_that_was_killed_before_its_end_is_completed(output: Any) -> None:
    before = (output.path / "meta/CURRENT.json").read_bytes()
    split(output, 4)
    compact(output.settings(), "valuations")
    described = current(output)
    (output.path / "meta/CURRENT.json").write_bytes(before)
    report = compact(output.settings(), "valuations")
    assert (report.compacted, report.described) == ((), ("2026-11-20",))
    assert current(output) == described


@pytest.mark.slow
def test_only_under_the_lease(output: Any) -> None:
    rows = split(output, 4)
    with Lease(open_store(str(output.path)), "another", 60.0), pytest.raises(LeaseError):
        compact(output.settings(), "valuations")
    assert read(output).equals(rows)


def test_command(output: Any) -> None:
    def invoke(*words: str, code: int = 0) -> Any:
        options = ["-c", str(output.book / "riskpipe.yaml"), "--set", f"output={output.path}"]
        result = CliRunner().invoke(app, ["compact", *words, *options])
        assert result.exit_code == code, result.output
        return result

    assert "nothing to do: 1 day of valuations" in invoke("valuations").stdout
    split(output, 4)
    assert "nothing to do" not in invoke("valuations", "--as-of", "2026-11-20").stdout
    split(output, 4)
    answer = json.loads(invoke("valuations", "--json").stdout)
    assert answer["compacted"][0]["files_before"] == 4
    assert "did you mean valuations?" in invoke("valuation", code=2).stderr
