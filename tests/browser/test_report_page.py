"""The report as people use it: clicked, typed into, with the keyboard alone, in the dark, on a phone and on paper."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser

DRAWN = ("map", "vector", "histogram", "stress", "bars-0", "grid-0")


def column(page: Any, table: str, place: int) -> list[str]:
    cells = page.locator(f"{table} tbody tr:not([hidden]) > :nth-child({place})")
    return [text.strip() for text in cells.all_inner_texts()]


def number(text: str) -> float:
    return float(text.replace(",", "").replace("−", "-").replace("–", "nan"))


def test_charts_are_drawn_and_hostile_names_are_text(opened: Any) -> None:
    page = opened()
    for name in DRAWN:
        assert page.locator(f"#chart-{name} svg path").count() > 0, name
        assert page.locator(f"#chart-{name}").get_attribute("aria-label")
    assert page.title().startswith("2026-11-20")
    assert page.locator("img").count() == 0
    assert "<img src=x" in page.locator(".map tbody").inner_text()


def test_tree_map_goes_down_by_clicks_and_comes_back(opened: Any) -> None:
    page = opened()
    crumbs, rows = page.locator(".crumbs button"), page.locator(".map tbody tr")
    assert crumbs.all_inner_texts() == ["all books"]
    largest = rows.nth(0).locator("th").inner_text()
    whole = rows.count()
    page.locator("#chart-map").scroll_into_view_if_needed()
    page.locator("#chart-map").click(position={"x": 30, "y": 30})  # the largest stands first
    assert crumbs.all_inner_texts() == ["all books", largest]
    while page.locator(".map tbody button").count():
        page.locator(".map tbody button").first.click()
    assert crumbs.count() >= 3
    assert not page.locator(".map tbody button").count()
    crumbs.first.click()
    assert crumbs.all_inner_texts() == ["all books"]
    assert rows.count() == whole


def test_tree_map_by_the_keyboard_alone(opened: Any) -> None:
    page = opened()
    page.locator(".map tbody button").first.focus()
    page.keyboard.press("Enter")
    assert page.locator(".crumbs button").count() == 2
    assert page.evaluate("document.activeElement.closest('.map') !== null")
    assert page.locator("#said").inner_text().endswith("parts")


def test_columns_sort(opened: Any) -> None:
    page = opened()
    before = column(page, "#stress table", 1)
    button = page.locator("#stress table thead button").nth(1)
    for sense, order in ((-1, "descending"), (1, "ascending")):
        button.click()
        values = [number(text) for text in column(page, "#stress table", 2)]
        assert values == sorted(values, reverse=sense < 0)
        assert page.locator("#stress table thead th").nth(1).get_attribute("aria-sort") == order
    button.click()
    assert column(page, "#stress table", 1) == before


def test_whole_book_stays_first(opened: Any) -> None:
    page = opened()
    page.locator("#risk table").first.locator("thead button").nth(3).click()
    assert page.locator("#risk table").first.locator("tbody th").first.inner_text() == "all books"


def test_search_and_filter(opened: Any) -> None:
    page = opened()
    table = page.locator("#tail table").filter(has=page.locator("th", has_text="marginal"))
    tools = table.locator("xpath=../preceding-sibling::div[1]")
    everything = table.locator("tbody tr").count()
    tools.locator("select").select_option("var_99")
    shown = table.locator("tbody tr:not([hidden])")
    assert 0 < shown.count() < everything
    assert {row.split("\t")[1] for row in shown.all_inner_texts()} == {"var_99"}
    some = shown.first.locator("th").inner_text()
    tools.locator("input").fill(some.upper())
    assert shown.count() == 1
    assert page.locator("#said").inner_text() == f"1 of {everything} rows"
    tools.locator("input").fill("nothing has this")
    assert shown.count() == 0
    assert page.get_by_text("No row has that.").locator("visible=true").count() == 1


def test_every_chart_has_a_table(opened: Any) -> None:
    page = opened()
    for plot in page.locator("[data-chart]").all():
        assert plot.locator("xpath=ancestor::section").locator("table").count() > 0
        assert plot.get_attribute("role") == "img"
    for field in page.locator("input, select").all():
        assert field.get_attribute("aria-label")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(opened: Any, scheme: str) -> None:
    """WCAG's contrast of 4.5 for what is written on panels and on the page."""
    page = opened(color_scheme=scheme)
    for selector in ("h2", ".tile span", "td.n", "thead th button", "a", ".note"):
        ink, paper = page.locator(selector).first.evaluate(
            """element => {
                const clear = "rgba(0, 0, 0, 0)";
                let at = element, found = clear;
                for (; at && found === clear; at = at.parentElement) found = getComputedStyle(at).backgroundColor;
                return [getComputedStyle(element).color, found];
            }"""
        )
        assert contrast(ink, paper) >= 4.5, (selector, ink, paper)


def contrast(a: str, b: str) -> float:
    def light(text: str) -> float:
        parts = [int(each) / 255 for each in re.findall(r"\d+", text)[:3]]
        linear = [each / 12.92 if each <= 0.03928 else ((each + 0.055) / 1.055) ** 2.4 for each in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((light(a), light(b)))
    return (high + 0.05) / (low + 0.05)


def test_phone_needs_no_sideways_scrolling(opened: Any) -> None:
    page = opened(viewport={"width": 375, "height": 800}, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    assert page.locator("#chart-map svg").bounding_box()["width"] <= 375


def test_paper_is_light_and_whole(opened: Any, tmp_path: Path) -> None:
    page = opened(color_scheme="dark")
    dark = page.locator("#chart-stress").inner_html()
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#chart-stress").inner_html() != dark
    assert page.locator("#chart-stress svg").bounding_box()["width"] == 700
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("#chart-stress svg").bounding_box()["width"] > 700
    assert page.pdf(path=str(tmp_path / "page.pdf"), format="A4")[:5] == b"%PDF-"


def test_without_scripts_all_figures_are_there(opened: Any) -> None:
    page = opened(java_script_enabled=False)
    assert page.get_by_text("Charts, sorting and searching need scripts").locator("visible=true").count() == 1
    assert page.locator(".map tbody tr").count() > 1
    assert page.locator("#stress tbody tr").count() > 1
