"""Paths of books in one form."""

from __future__ import annotations

import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskpipe.products.books import normal_book, normal_books


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("rates/usd", "rates/usd"),
        ("/rates", "rates"),
        ("rates/", "rates"),
        ("rates//usd", "rates/usd"),
        (" rates / usd\t", "rates/usd"),
        ("rates desk/usd", "rates desk/usd"),
        ("/", ""),
        (" // ", ""),
        ("", ""),
        ("cre\u0301dit", "cr\u00e9dit"),
        ("\u00a0rates", "rates"),
    ],
)
def test_forms(name: str, normal: str) -> None:
    assert normal_book(name) == normal


@given(st.text(alphabet="ab/ e\u0301\u00e9"))
def test_the_form_is_its_own_form(name: str) -> None:
    normal = normal_book(name)
    assert normal_book(normal) == normal
    assert "" not in normal.split("/") or normal == ""
    assert unicodedata.is_normalized("NFC", normal)


def test_columns_of_chunks_and_nulls() -> None:
    values = pa.chunked_array([["/a", None], [], ["a", "b//c", "/a"]], pa.string())
    assert normal_books(values).to_pylist() == ["a", None, "a", "b/c", "a"]
    clean = pa.chunked_array([["a", None], ["b/c"]], pa.string())
    assert normal_books(clean) is clean
