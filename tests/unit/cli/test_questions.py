"""`riskpipe sql` and `riskpipe export` over a published day."""

from __future__ import annotations

import datetime
import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.dataset as ds
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest
from object_server import ObjectServer
from selections import pairs_one_in
from typer.testing import CliRunner, Result

from riskpipe.cli.app import app
from riskpipe.errors import ExitCode, StorageError, UsageError
from riskpipe.results import published_tables, row_files
from riskpipe.results.published_tables import Published
from riskpipe.results.query import answered
from riskpipe.results.row_files import RowFormat, write_rows
from riskpipe.store import local_files
from riskpipe.store.location import open_store

DAY = datetime.date(2026, 11, 20)


@pytest.fixture
def published(tmp_path: Path) -> Published:
    """Two days of three small tables, the second with a column more."""
    output = tmp_path / "output"
    days: dict[str, object] = {}
    for day, extra in ((DAY - datetime.timedelta(1), {}), (DAY, {"tenor": ["5Y", None]})):
        run = {"as_of_date": [day] * 2, "run_id": ["r"] * 2}
        trade = {**run, "book": ["a", "b"], "trade_id": ["t1", "t=2"]}
        tables = {
            "valuations": pa.table({**trade, "value": [0.1, float(day.day)], **extra}),
            "scenarios": pa.table({**run, "scenario_set": ["stress"] * 2, "index": [0, 1], "scenario": ["up", "down"],
                                   "date": pa.array([None, None], pa.date32())}),
            "scenario_pnl": pa.table({**trade, "scenario_set": ["stress"] * 2, "pnl": [[1.5, -2.0], None],
                                      "status": ["ok", "failed"]}),
        }  # fmt: skip
        described = {}
        for name, table in tables.items():
            path = f"published/{name}/as_of={day}/part-000.parquet"
            (output / path).parent.mkdir(parents=True)
            pq.write_table(table, output / path)
            content = (output / path).read_bytes()
            file = {"path": path, "rows": 2, "bytes": len(content), "sha256": _sha256(content)}
            described[name] = {"rows": 2, "bytes": len(content), "files": [file]}
        days[day.isoformat()] = {"run_id": "r", "published_at": "", "tables": described}
    (output / "meta").mkdir()
    (output / "meta/CURRENT.json").write_text(json.dumps({"schema_version": 1, "days": days}))
    return Published(open_store(str(output)))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def ask(published: Published, query: str, as_of: datetime.date | None = None) -> list[dict[str, object]]:
    with answered(published, query, as_of) as reader:
        rows: list[dict[str, object]] = reader.read_all().to_pylist()
    return rows


def test_tables_are_of_the_latest_day_or_of_the_one_asked_for(published: Published) -> None:
    assert ask(published, "select sum(value) as x from valuations") == [{"x": 20.1}]
    assert ask(published, "select max(value) as x from valuations", DAY - datetime.timedelta(1)) == [{"x": 19.0}]
    assert ask(published, "select as_of_date, tenor from all_days.valuations where trade_id = 't1'") == [
        {"as_of_date": DAY - datetime.timedelta(1), "tenor": None},
        {"as_of_date": DAY, "tenor": "5Y"},
    ]


def test_a_row_a_scenario(published: Published) -> None:
    rows = ask(
        published, "select trade_id, scenario, pnl, status from scenario_pnl_long order by trade_id, scenario_index"
    )

    assert [tuple(row.values()) for row in rows] == [
        ("t1", "up", 1.5, "ok"), ("t1", "down", -2.0, "ok"),
        ("t=2", "up", None, "failed"), ("t=2", "down", None, "failed"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("copy valuations to 'x.csv'", "one SELECT is wanted"),
        ("select 1; select 2", "one SELECT is wanted"),
        ("create table t as select 1", "one SELECT is wanted"),
        ("select * from read_csv('/etc/passwd')", "disabled"),
        ("select * from valuation", "tables of 2026-11-20: scenario_pnl, scenarios, valuations"),
        ("select valu from valuations", "value"),
        ("selct", "syntax error"),
    ],
)
def test_only_published_rows_are_read(published: Published, query: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        ask(published, query)


def test_a_changed_file_is_noticed(published: Published) -> None:
    path = Path(published.table("valuations").local_paths()[0])
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)

    with pytest.raises(StorageError, match="is not the file that"):
        ask(published, "select * from valuations")


def test_every_format_has_the_same_rows(published: Published) -> None:
    table = published.table("valuations")
    written = {form: io.BytesIO() for form in RowFormat}
    for form, sink in written.items():
        assert write_rows(form, table.schema(), table.batches(), sink) == 2
    expected = ds.dataset(table.local_paths()).to_table()

    assert pa.ipc.open_stream(written[RowFormat.ARROW].getvalue()).read_all().equals(expected)
    read = pacsv.read_csv(io.BytesIO(written[RowFormat.CSV].getvalue()))
    assert read["value"].to_pylist() == expected["value"].to_pylist()
    with zipfile.ZipFile(written[RowFormat.XLSX]) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert "<v>0.1</v>" in sheet
    assert "t=2" in sheet


def test_lists_are_text_and_a_sheet_has_its_limits(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    table, sink = published.table("scenario_pnl"), io.BytesIO()
    write_rows(RowFormat.CSV, table.schema(), table.batches(), sink)
    assert '"[1.5,-2]"' in sink.getvalue().decode()

    monkeypatch.setattr(row_files, "SHEET_ROWS", 2)
    with pytest.raises(UsageError, match="more rows than the 1 that a sheet takes: --where fewer"):
        write_rows(RowFormat.XLSX, table.schema(), table.batches(), io.BytesIO())


@pytest.fixture
def riskpipe(published: Published, tmp_path: Path):
    config = tmp_path / "riskpipe.yaml"
    config.write_text("as_of: 2026-11-20\ninputs: {portfolio: p, market: m}\noutput: output\n")

    def command(*words: str) -> subprocess.CompletedProcess[bytes]:
        program = [sys.executable, "-m", "riskpipe", *words, "-c", str(config)]
        return subprocess.run(program, capture_output=True, cwd=tmp_path, check=False)

    return command


def test_commands_answer_on_stdout_or_with_a_file(riskpipe, tmp_path: Path) -> None:
    shown = riskpipe("sql", "select book, value from valuations order by value")
    assert (shown.returncode, shown.stderr) == (0, b"")
    assert shown.stdout.decode().split() == ["book", "value", "a", "0.1", "b", "20"]

    arrow = riskpipe("export", "valuations", "--format", "arrow", "--where", "value > 1")
    assert pa.ipc.open_stream(arrow.stdout).read_all()["trade_id"].to_pylist() == ["t=2"]

    written = riskpipe("export", "valuations", "-o", str(tmp_path / "x.csv"), "--as-of", "2026-11-19")
    assert written.returncode == 0
    assert len((tmp_path / "x.csv").read_text().splitlines()) == 3

    wrong = riskpipe("export", "valuation", "-o", str(tmp_path / "y.csv"))
    assert wrong.returncode == ExitCode.USAGE
    assert b"did you mean valuations?" in wrong.stderr
    assert not (tmp_path / "y.csv").exists()


# -- in an object store


@pytest.fixture
def in_bucket(published: Published, s3: ObjectServer, bucket: str, tmp_path: Path) -> Callable[..., Result]:
    """The commands over the same output in a bucket, of which this machine has nothing else."""
    filesystem, _ = pafs.FileSystem.from_uri(s3.uri(bucket))
    pafs.copy_files(str(tmp_path / "output"), f"{bucket}/out", destination_filesystem=filesystem)
    shutil.rmtree(tmp_path / "output")
    config = tmp_path / "riskpipe.yaml"
    config.write_text(f"as_of: 2026-11-20\ninputs: {{portfolio: p, market: m}}\noutput: {s3.uri(f'{bucket}/out')}\n")
    s3.forget()
    return lambda *words: CliRunner().invoke(app, [*words, "-c", str(config)], env={"RISKPIPE_CONFIG": ""})


def test_questions_to_a_bucket(in_bucket: Callable[..., Result], s3: ObjectServer, tmp_path: Path) -> None:
    """DuckDB reads what riskpipe fetched with the credentials of the environment: nothing else is asked for, once."""
    for asked in (1, 2):
        shown = in_bucket("sql", "select book, value from valuations order by value")
        assert (shown.exit_code, shown.stderr) == (0, "")
        assert shown.stdout.split() == ["book", "value", "a", "0.1", "b", "20"]
        assert s3.count("GET", "valuations/as_of=2026-11-20|valuations/as_of%3D2026-11-20") == 1, asked
    assert s3.count("GET", "scenario_pnl") == s3.count("GET", "2026-11-19") == 0

    every_day = in_bucket("sql", "select count(*) as n from all_days.scenario_pnl_long", "--json")
    assert json.loads(every_day.stdout)["rows"] == [{"n": 8}]


@pytest.mark.parametrize(("form", "where"), pairs_one_in(2, ["csv", "xlsx", "arrow"], [(), ("--where", "value > 0")]))
def test_exports_from_a_bucket(
    in_bucket: Callable[..., Result], form: str, where: tuple[str, ...], tmp_path: Path
) -> None:
    target = tmp_path / f"rows.{form}"
    done = in_bucket("export", "valuations", "-o", str(target), *where)
    assert (done.exit_code, done.stdout) == (0, f"2 rows: {target}\n")
    if form == "csv":
        assert pacsv.read_csv(target)["trade_id"].to_pylist() == ["t1", "t=2"]
    elif form == "arrow":
        assert pa.ipc.open_stream(target).read_all()["value"].to_pylist() == [0.1, 20.0]
    else:
        assert b"t=2" in zipfile.ZipFile(target).read("xl/worksheets/sheet1.xml")


def test_a_table_that_is_larger_than_what_is_kept(
    in_bucket: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """More files than a process holds, and more bytes than are kept of older copies: none makes room for another."""
    monkeypatch.setattr(published_tables, "CACHE_BYTES", 1)
    monkeypatch.setattr(local_files, "_MOST_HELD", 1)
    answer = in_bucket("sql", "select sum(value) as x from all_days.valuations", "--json")
    assert (answer.exit_code, json.loads(answer.stdout)["rows"]) == (0, [{"x": pytest.approx(39.2)}])


TOLD = {
    "another": "is not the file that",
    "gone": "part-000.parquet",
    "forbid": "access is denied|ACCESS_DENIED|forbidden",
}


@pytest.mark.parametrize(
    ("fault", "words"),
    pairs_one_in(2, TOLD, [("sql", "select * from valuations"), ("export", "valuations")]),
)
def test_what_a_bucket_does_not_give_is_told_in_one_message(
    in_bucket: Callable[..., Result], s3: ObjectServer, bucket: str, words: tuple[str, ...], fault: str
) -> None:
    filesystem, _ = pafs.FileSystem.from_uri(s3.uri(bucket))
    path = f"{bucket}/out/published/valuations/as_of={DAY}/part-000.parquet"
    if fault == "forbid":
        s3.fail("forbid", "GET", "valuations")
    elif fault == "gone":
        filesystem.delete_file(path)
    else:
        with filesystem.open_output_stream(path) as stream:
            pq.write_table(pa.table({"value": [1.0]}), stream)
    refused = in_bucket(*words)
    assert refused.exit_code == ExitCode.INFRASTRUCTURE
    assert refused.stdout == ""
    assert re.search(TOLD[fault], refused.stderr), refused.stderr
    assert "Traceback" not in refused.stderr
    assert "not-to-be-seen" not in refused.stderr
