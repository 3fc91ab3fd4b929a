"""The page of a run: what it shows, and that nothing in it comes to life."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from riskpipe.cli.app import app
from riskpipe.plan.selection import Selection
from riskpipe.results import lanes
from riskpipe.results.busy_time import covered
from riskpipe.results.time_spent import read_time_spent
from riskpipe.store.location import open_store
from riskpipe.store.run_folder import RunFolder
from riskpipe.workflows import report_page
from riskpipe.workflows.report import report
from riskpipe.workflows.run import run

TRADE = "<script>alert('trade')</script>"
BOOK = "<img src=x onerror=alert(1)>/\"'&desk"
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Structure(HTMLParser):
    """Which elements there are, with their attributes, and whether all are closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def every_name(node: dict[str, Any]) -> Iterator[str]:
    yield node["n"]
    for each in node.get("c", ()):
        yield from every_name(each)


def change(path: Path, column: str, values: dict[int, Any]) -> None:
    table = pq.read_table(path, partitioning=None)
    rows = table[column].to_pylist()
    for row, value in values.items():
        rows[row] = value
    changed = pa.array(rows, table.schema.field(column).type)
    pq.write_table(table.set_column(table.schema.get_field_index(column), column, changed), path)


@pytest.fixture
def spoilt(book: Path) -> Path:
    """The small book with names that are HTML, and trades that cannot be priced."""
    file = next((book / "data/portfolio/fx_forward").glob("*.parquet"))
    change(file, "trade_id", {0: TRADE})
    change(file, "book", {1: BOOK})
    change(file, "buy_amount", {0: float("nan"), 5: float("nan")})
    change(file, "buy_currency", {7: "XXX"})
    return book


def test_page_of_a_run_with_failures_and_hostile_names(
    spoilt: Path, settings_of: Any, recorder: Any, tmp_path: Path
) -> None:
    settings = settings_of("partition.max_trades=20", book=spoilt)
    status = run(settings, Selection(), observer=recorder)
    written = report(settings, "latest")
    assert written.path == str(tmp_path / "output" / "runs" / status.run_id / "report.html")
    page = Path(written.path).read_text()
    assert written.bytes == len(page.encode())

    structure = Structure(page)
    assert structure.open == []
    assert not structure.tags & {"img", "link", "iframe", "object", "embed", "form"}
    assert not any(name.startswith("on") or name == "src" for name, _ in structure.attributes)
    assert all(str(value).startswith("#") for name, value in structure.attributes if name == "href")
    scripts = re.findall(r"<script( type=\"application/json\" id=\"charts\")?>(.*?)</script>", page, re.DOTALL)
    assert page.count("<script") == len(scripts) == 4
    (drawn,) = (text for kind, text in scripts if kind)
    assert "<" not in drawn
    assert any(BOOK.partition("/")[0] in name for name in every_name(json.loads(drawn)["map"]))
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for kind, text in scripts if not kind]
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert html.unescape(policy).startswith(
        "default-src 'none'; script-src " + " ".join(f"'sha256-{each}'" for each in hashes)
    )
    assert "unsafe" not in html.unescape(policy).replace("style-src 'unsafe-inline'", "")
    assert not re.search(r"https?:|@import|url\(", re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL))
    assert TRADE in structure.text
    assert BOOK.partition("/")[0] in structure.text

    assert status.failures_by_reason == {"INVALID_TRADE": 2, "MISSING_MARKET_DATA": 1}
    for text in ("INVALID_TRADE", "buy_amount is not a finite number", "MISSING_MARKET_DATA", "adds up", "partial"):
        assert text in structure.text
    assert structure.text.count("adds up") == 2
    for number in (status.numbers.planned, status.numbers.ok, status.numbers.failed, status.numbers.not_applicable):
        assert f"{number:,}" in structure.text


def test_page_shows_the_published_aggregates(output: Any) -> None:
    page = Structure(Path(report(output.settings(), output.published).path).read_text()).text
    rows = pq.read_table(next((output.path / "published/aggregates").glob("*/*.parquet")), partitioning=None)
    shown = [row for row in rows.to_pylist() if row["level"] <= 1 and row["measure"] in ("pv", "var_99", "stress")]
    assert {row["level"] for row in shown} == {0, 1}
    for row in shown:
        if abs(row["value_base"]) >= 1.0:
            assert f"{row['value_base']:,.0f}".replace("-", "−") in page
    hashes = json.loads((output.folder(output.published) / "inputs.json").read_text())
    assert all(digest in page for digest in hashes.values())


def test_page_shows_the_tail_of_the_whole_book(output: Any) -> None:
    markup = Path(report(output.settings(), output.published).path).read_text()
    page = Structure(markup[markup.index('<section id="tail">') : markup.index('<section id="risk">')]).text
    tables = {
        name: pq.read_table(next((output.path / "published" / name).glob("*/*.parquet")), partitioning=None).to_pylist()
        for name in ("var", "var_components", "book_pnl", "limit_checks")
    }
    figures = [row for row in tables["var"] if row["level"] == 0]
    components = [row for row in tables["var_components"] if row["level"] == 0 and row["component_kind"] == "book"]
    assert figures
    assert components
    for value in (*(row["value_base"] for row in figures), *(row["component_base"] for row in components)):
        assert value is None or abs(value) < 1.0 or f"{value:,.0f}".replace("-", "−") in page
    (pnl,) = (r["pnl"] for r in tables["book_pnl"] if (r["level"], r["scenario_set"]) == (0, "historical"))
    assert f"P&L of the last {len(pnl)} moves" in page
    assert f"{min(pnl):,.0f}".replace("-", "−") in page
    statuses = [row["status"] for row in tables["limit_checks"]]
    for status in ("ok", "warning", "breach"):
        assert f"{statuses.count(status):,} {status}" in page


def test_unpublished_run_shows_the_same_risk(output: Any, tmp_path: Path) -> None:
    pages = []
    for k, name in enumerate((output.published, output.blocks)):
        path = tmp_path / f"{k}.html"
        assert report(output.settings(), name, str(path)).path == str(path)
        page = path.read_text()
        pages.append(page[page.index('<section id="risk">') : page.index('<section id="failures">')])
    assert pages[0] == pages[1]
    assert not (output.folder(output.blocks) / "report.html").exists()


def test_run_that_was_stopped_before_its_plan(output: Any) -> None:
    store = open_store(str(output.path))
    stopped = RunFolder(store, "20990101-000000-000000-99")
    store.write_bytes(stopped.run, store.read_bytes(RunFolder(store, output.published).run))
    page = Structure(Path(report(output.settings(), "latest").path).read_text()).text
    for text in ("interrupted", "There are no aggregates", "has not ended", "stopped before it had a plan"):
        assert text in page


def test_every_block_is_in_the_time_line(two_runs: Any) -> None:
    store = open_store(str(two_runs.path))
    folder = RunFolder(store, two_runs.blocks)
    blocks = pq.read_table(two_runs.path / folder.blocks)
    found = read_time_spent(folder, two_runs.settings(), {})
    assert found is not None
    (session,), (line,) = found.sessions, lanes.read_timelines(folder, found).sessions
    assert session.ended
    assert session.blocks == blocks.num_rows == sum(len(lane.bars) for lane in line.lanes)
    assert 0.0 < session.pricing <= session.utilisation <= 1.0
    assert all(0.0 <= bar.start <= bar.start + bar.width <= 1.0 for lane in line.lanes for bar in lane.bars)
    assert found.total.trades == sum(product.trades for product in found.products)
    assert found.total.price_s == pytest.approx(sum(blocks["price_s"].to_pylist()))
    assert [block.seconds for block in found.slowest] == sorted((b.seconds for b in found.slowest), reverse=True)


def test_too_many_blocks_are_drawn_as_cells(two_runs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(str(two_runs.path))
    folder = RunFolder(store, two_runs.blocks)
    found = read_time_spent(folder, two_runs.settings(), {})
    assert found is not None
    single = lanes.read_timelines(folder, found)
    monkeypatch.setattr(lanes, "MOST_BARS", 3)
    cells = lanes.read_timelines(folder, found)
    busy = [sum(bar.width * bar.busy for lane in t.sessions[0].lanes for bar in lane.bars) for t in (single, cells)]
    assert busy[1] == pytest.approx(busy[0], rel=1e-6)
    assert all(len(lane.bars) <= lanes.CELLS for lane in cells.sessions[0].lanes)


def test_the_time_is_shown_without_lanes_where_blocks_are_too_many(
    two_runs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = []
    for most in (lanes.MOST_BLOCKS, 3):
        monkeypatch.setattr(lanes, "MOST_BLOCKS", most)
        path = tmp_path / f"{most}.html"
        report(two_runs.settings("cluster.price_per_core_hour=0.05"), two_runs.published, str(path))
        page = path.read_text()
        pages.append(page[page.index('<section id="time">') : page.index('<section id="inputs">')])
    drawn, plain = pages
    assert drawn.count('class="bar ') > 3
    assert 'class="bar ' not in plain
    for page in pages:
        text = Structure(page).text
        assert page.count('<path class="area"') == 1
        for words in (
            "Bottleneck:",
            "of the workers' time",
            "core hours from",
            "at 0.05 each",
            "By product",
            "longest",
        ):
            assert words in text
        assert "Slowest hosts" not in text, "there is one"
        label = html.unescape(page[page.index('aria-label="') :].split('"')[1])
        assert len(re.findall(r" \d+(?= )", label)) == 10


def test_coverage_of_a_line_by_intervals() -> None:
    edges = np.linspace(0.0, 1.0, 5)
    shares = covered(np.array([0.0, 0.25, 0.6]), np.array([0.5, 0.5, 1.0]), edges)
    assert shares == pytest.approx([0.25, 0.5, 0.15, 0.25])


def test_charts_are_those_that_were_made() -> None:
    templates = Path(report_page.__file__).parent / "templates"
    digest, name = (templates / "charts.sha256").read_text().split()
    content = (templates / name).read_bytes()
    assert hashlib.sha256(content).hexdigest() == digest
    assert b"</script" not in content
    made_of = json.loads((Path(__file__).parents[3] / "tools/charts/package.json").read_text())["dependencies"]
    assert content.startswith(f"/*! Apache ECharts {made_of['echarts']} (Apache-2.0)".encode())
    assert "Apache License" in (templates / "charts.LICENSE").read_text()


@pytest.mark.parametrize("value", ["</script><!--", "<script>", "a&b", "\u2028"])
def test_data_in_a_script_cannot_end_it(value: str) -> None:
    text = report_page.script_json({value: [value, 1.5, None]})
    assert not set("<>&") & set(text)
    assert json.loads(text) == {value: [value, 1.5, None]}


def test_command(output: Any, tmp_path: Path) -> None:
    options = ["-c", str(output.book / "riskpipe.yaml"), "--set", f"output={output.path}"]
    result = CliRunner().invoke(app, ["report", "-o", str(tmp_path / "page.html"), "--json", *options])
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["bytes"] == (tmp_path / "page.html").stat().st_size
    assert CliRunner().invoke(app, ["report", "nowhere", *options]).exit_code == 2
