"""Books' paths in one form, so that a node of the tree of books has one name in every table and selection."""

from __future__ import annotations

import unicodedata

import pyarrow as pa
import pyarrow.compute as pc


def normal_book(name: str) -> str:
    """`/rates//usd ` -> `rates/usd`: no empty parts, no white space around a part, Unicode in form NFC.

    What has no part is empty: it names no book.
    """
    parts = (part.strip() for part in unicodedata.normalize("NFC", name).split("/"))
    return "/".join(part for part in parts if part)


def normal_books(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of books in their normal form."""
    names = values.unique().to_pylist()
    normal = [None if name is None else normal_book(name) for name in names]
    if normal == names:
        return values
    positions = pc.index_in(values, value_set=pa.array(names, pa.string()))
    return pa.chunked_array([pa.array(normal, pa.string()).take(chunk) for chunk in positions.chunks], pa.string())
