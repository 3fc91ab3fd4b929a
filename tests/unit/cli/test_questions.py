"""`riskpipe sql` and `riskpipe export` over a published day."""

from __future__ import annotations

import datetime
import hashlib
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from riskpipe.errors import ExitCode, StorageError, UsageError
from riskpipe.results import row_files
from riskpipe.results.published_tables import Published
from riskpipe.results.query import answered
from riskpipe.results.row_files import RowFormat, write_rows
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
