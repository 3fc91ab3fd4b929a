"""A report of a run with hostile names, opened in the system's Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from riskpipe.config import load_settings
from riskpipe.plan.accounting import SilentObserver
from riskpipe.plan.selection import Selection
from riskpipe.workflows.report import report
from riskpipe.workflows.run import run

playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra `browser`: make test-browser")

TRADE = "<script>document.title='taken'</script>"
BOOK = "<img src=x onerror=\"document.title='taken'\">/'&desk"
MEASURES = "measures=[pv, vega, curve_dv01, bucketed_delta, bucketed_vega, stress, historical_var]"


@pytest.fixture(scope="session")
def page_file(small_book: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a day whose third trade has hostile names, and whose fourth cannot be priced."""
    directory = tmp_path_factory.mktemp("browser")
    book = directory / "book"
    shutil.copytree(small_book, book)
    file = next((book / "data/portfolio/fx_forward").glob("*.parquet"))
    table = pq.read_table(file, partitioning=None)
    for column, row, value in (("trade_id", 2, TRADE), ("book", 2, BOOK), ("buy_amount", 3, float("nan"))):
        values = table[column].to_pylist()
        values[row] = value
        place = table.schema.get_field_index(column)
        table = table.set_column(place, column, pa.array(values, table.schema.field(column).type))
    pq.write_table(table, file)
    given = ("cluster.kind=serial", f"output={directory / 'output'}", MEASURES)
    settings = load_settings(book / "riskpipe.yaml", assignments=given, environment={})
    run(settings, Selection(), observer=SilentObserver())
    return Path(report(settings, "latest", str(directory / "page.html")).path)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("there is no Chromium here: make test-browser installs one where it can")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium: Any, page_file: Path) -> Iterator[Any]:
    """opened(color_scheme="dark", ...): the page; afterwards, that nothing was asked for, and nothing went wrong."""
    wrong: list[str] = []
    contexts = []

    def make(**options: Any) -> Any:
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: wrong.append(request.url) if request.url != page_file.as_uri() else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
        page.goto(page_file.as_uri())
        return page

    yield make
    for context in contexts:
        context.close()
    assert wrong == []
