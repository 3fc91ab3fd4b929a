"""Tables of the documentation against the code."""

from __future__ import annotations

import re
import tomllib

import pyarrow as pa
import pytest
from doc_pages import DOCS, PAGES, ROOT, rows, section, text
from doc_tables import MARKED, replaced, tables

from riskpipe import errors
from riskpipe.analyses.catalogue import ANALYSES
from riskpipe.errors import ExitCode, Reason, RiskpipeError
from riskpipe.market.factors import SHIFT_TYPES, STRIKE_TYPES
from riskpipe.market.point_table import MARKET_SCHEMA
from riskpipe.measures.measure_names import MEASURES
from riskpipe.plan.accounting import Counts, RunLifecycle, RunStatus
from riskpipe.products.catalogue import PRODUCTS
from riskpipe.store import records
from riskpipe.store.table_schemas import SCHEMAS

PUBLISHED = (
    "valuations",
    "sensitivities",
    "factors",
    "trades",
    "scenario_pnl",
    "scenarios",
    "aggregates",
    "book_pnl",
    "reuse",
    *ANALYSES,
)
OF_A_RUN = ("blocks.parquet", "failures.parquet")


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_generated_tables_are_those_of_the_code(page) -> None:
    content = page.read_text(encoding="utf-8")

    assert content == replaced(content), "run: python tests/support/doc_tables.py"


def test_every_generated_table_has_a_place() -> None:
    places = [match["name"] for page in DOCS.glob("*.md") for match in MARKED.finditer(page.read_text("utf-8"))]

    assert sorted(places) == sorted(tables()), "run: python tests/support/doc_tables.py"


def test_every_product_has_a_section() -> None:
    headings = re.findall(r"^### `(\w+)`$", text("inputs.md"), re.MULTILINE)

    assert sorted(headings) == sorted(product.name for product in PRODUCTS), "run: python tests/support/doc_tables.py"


@pytest.mark.parametrize("name", [*PUBLISHED, *OF_A_RUN])
def test_columns_of_results(name: str) -> None:
    found = [row[:3] for row in rows(section(text("results.md"), f"### `{name}`"))]

    assert found == [
        [field.name, _type(field.type), "yes" if field.nullable else "no"]
        for field in SCHEMAS[name.removesuffix(".parquet")]
    ]


def _type(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return f"list of {kind.value_type}"
    return {"date32[day]": "date32"}.get(str(kind), str(kind))


def test_columns_of_the_market() -> None:
    found = [row[:2] for row in rows(section(text("inputs.md"), "## Market"))]

    assert found == [[field.name, str(field.type).replace("double", "float64")] for field in MARKET_SCHEMA]


def test_strike_and_shift_types() -> None:
    strikes = re.findall(r"`(\w+)`", "".join(row[0] + "`" for row in _raw("### Strike types")))
    shifts = [row[0] for row in rows(section(text("inputs.md"), "## Scenarios"))]

    assert sorted(set(strikes)) == sorted(STRIKE_TYPES)
    assert shifts == list(SHIFT_TYPES)


def _raw(heading: str) -> list[list[str]]:
    lines = [line for line in section(text("inputs.md"), heading).splitlines() if line.startswith("| `")]
    return [line.split("|")[1:2] for line in lines]


def test_measures() -> None:
    assert [row[0] for row in rows(section(text("results.md"), "## Measures"))] == list(MEASURES)


@pytest.mark.parametrize("member", [*Reason, *ExitCode], ids=str)
def test_reasons_and_exit_codes_say_what_to_do(member: Reason | ExitCode) -> None:
    assert member.meaning
    assert member.what_to_do
    assert member.__doc__ == f"{member.meaning}: {member.what_to_do}"


def test_keys_of_the_summary() -> None:
    cells = [row[0] for row in rows(section(text("results.md"), "### `summary.json`"))]
    found = [name.strip("`") for cell in cells for name in cell.split(", ")]
    counts = section(text("results.md"), "### `summary.json`")

    status = RunStatus("r", "2026-11-20", RunLifecycle.COMPLETE, Counts(), Counts())
    assert sorted(found) == sorted(status.to_json())
    for name in Counts.__struct_fields__:
        assert f"`{name}`" in counts


def test_exit_codes() -> None:
    documented = {
        name.strip(" `"): row[0]
        for row in rows(section(text("design.md"), "## Exit codes"))
        for name in re.findall(r"\w+Error", row[1])
    }
    codes = {
        error.__name__: str(int(error.exit_code))
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, RiskpipeError) and error is not RiskpipeError
    }

    assert documented == {**codes, "InterruptedRunError": "130, 143"}
    for page, heading in (
        (text("design.md"), "## Exit codes"),
        ((ROOT / "README.md").read_text(), "## When something goes wrong"),
    ):
        there = [int(code) for row in rows(section(page, heading)) for code in row[0].split(", ")]
        assert sorted(there) == list(ExitCode)


def test_exit_codes_that_end_a_job_on_kubernetes() -> None:
    final = [int(code) for code in ExitCode if code.final]
    driver = (ROOT / "helm" / "riskpipe" / "templates" / "_driver.tpl").read_text(encoding="utf-8")
    told = re.search(r"the exit codes ([\d, and]+) end the Job at once", text("kubernetes.md"))

    assert re.findall(r"values: (\[[\d, ]+\])", driver) == [str(final)]
    assert told is not None
    assert [int(code) for code in re.findall(r"\d+", told[1])] == final


def test_records_of_the_ledger() -> None:
    kinds = [kind.type for kind in records.Record.__args__]

    assert sorted(row[0] for row in rows(section(text("design.md"), "## The ledger"))) == sorted(kinds)


def test_floors_are_those_of_the_contract() -> None:
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    floors = [
        row[1].replace("`", "").replace(",", "") for row in rows(section(text("design.md"), "## Rooms and floors"))
    ]

    assert [set(floor.split()) for floor in floors] == [set(layer.split(" | ")) for layer in contract["layers"]]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page) -> None:
    content = page.read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\(([\w./-]*)(?:#([\w-]+))?\)", content):
        linked = page.parent / target if target else page
        assert linked.exists(), target
        if anchor:
            assert anchor in _anchors(linked.read_text(encoding="utf-8")), f"{target}#{anchor}"
    for name in re.findall(r"\bdocs/[\w-]+\.md", content):
        # The figures have a page of their own, written when they are measured.
        assert (ROOT / name).exists() or name == "docs/performance.md", name


def _anchors(content: str) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", content, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", sorted(path.name for path in DOCS.glob("*.md")))
def test_code_ends_before_the_next_heading(page: str) -> None:
    inside = ""
    for number, line in enumerate(text(page).split("\n"), 1):
        if line.startswith("```"):
            assert not (inside and line != "```"), f"{page}:{number}: the code of {inside!r} has no end"
            inside = "" if inside else line
        assert not (inside.startswith("```sql") and line.startswith("## ")), f"{page}:{number}: {inside!r} has no end"
    assert not inside
