"""Columns of files that other programs wrote, read as text, numbers, dates or booleans: the one reader of types.

Every input goes through it (trades, market, history, stresses), so that what one of them may be written as, all may.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable, Collection, Iterable
from difflib import get_close_matches
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from numpy.typing import NDArray

ColumnKind = Literal["string", "number", "date", "boolean"]

ARROW_TYPES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "number": pa.float64(),
    "date": pa.date32(),
    "boolean": pa.bool_(),
}
KIND_TYPES = {
    "string": "a string",
    "number": "a number (float, integer or decimal)",
    "date": "a date (date, or timestamp at midnight without time zone)",
    "boolean": "a boolean",
}
"""What a column of each kind must be, in words."""

UTC_NAMES = frozenset(
    {
        *("UTC", "Etc/UTC", "UCT", "Etc/UCT", "Universal", "Etc/Universal", "Zulu", "Etc/Zulu", "Z"),
        *("GMT", "Etc/GMT", "GMT0", "Etc/GMT0", "GMT+0", "Etc/GMT+0", "GMT-0", "Etc/GMT-0", "Greenwich"),
        *("Etc/Greenwich", "+00:00", "-00:00", "+0000", "+00", "UTC+00:00", "UTC+0"),
    }
)
FROM_PATH = {b"riskpipe.from": b"path"}
"""Metadata of a field whose values are names of directories (`date=2026-11-20`): text, whatever the column's kind."""

_EXACT = 2**53
_FIRST_DAY = (datetime.date.min - datetime.date(1970, 1, 1)).days
_LAST_DAY = (datetime.date.max - datetime.date(1970, 1, 1)).days
_UNITS_A_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
_TRUTH = {"true": True, "false": False}


class Unread(Struct, frozen=True):
    """Why some values of a column could not be read; they are null in its place.

    :param rows: bool[n]. :param what: to follow the column's name: "is not UTF-8 text".
    """

    rule: str
    rows: NDArray[np.bool_]
    what: str


def nearest_name(name: str, known: Iterable[str]) -> str:
    """The name among `known` that is most like another one, whatever its capitals; empty where none is."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    close = get_close_matches(name.lower(), by_lower, 1, 0.7)
    return by_lower[close[0]] if close else ""


def unknown_columns(names: Iterable[str], known: Collection[str]) -> dict[str, str]:
    """The names that are not known, and to each the nearest known one (or nothing)."""
    return {name: nearest_name(name, known) for name in names if name not in known}


def can_read(field: pa.Field, kind: ColumnKind, *, identifier: bool = False) -> bool:
    """Whether a column's type holds values of a kind.

    Strings and bytes of any layout (large, views, dictionaries, fixed size) and UUIDs are text; floats, integers and
    decimals are numbers; dates, and timestamps without zone or in UTC by any of its names, are dates.

    :param identifier: integers are text, too.
    """
    given = _value_type(field.type)
    if pa.types.is_null(given) or _is_from_path(field):
        return True
    if kind == "string":
        return _is_text(given) or _is_uuid(given) or (identifier and pa.types.is_integer(given))
    if kind == "number":
        return bool(pa.types.is_floating(given) or pa.types.is_integer(given) or pa.types.is_decimal(given))
    if kind == "boolean":
        return bool(pa.types.is_boolean(given))
    return bool(
        pa.types.is_date(given) or (pa.types.is_timestamp(given) and (given.tz is None or given.tz in UTC_NAMES))
    )


def read_column(
    values: pa.ChunkedArray, field: pa.Field, kind: ColumnKind, *, optional: bool
) -> tuple[pa.ChunkedArray, list[Unread]]:
    """A column of a type that `can_read` accepts as string, float64, date32 or bool, and what could not be read.

    Spaces at the end of text are padding and go. A number is the float64 nearest to it; an integer, or a decimal beyond
    2^53, that a float64 does not hold exactly cannot be read.

    :param optional: blank text and NaN are ways of saying nothing, and become null; else blank text becomes empty.
    """
    target = ARROW_TYPES[kind]
    plain = _decoded(values)
    if pa.types.is_null(plain.type):
        return plain.cast(target), []
    if _is_from_path(field) and kind != "string":
        return _parsed(plain, kind)
    return _READERS[kind](plain, optional)


def composed(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Names in Unicode's form NFC: what looks the same is the same."""
    if pc.all(pc.string_is_ascii(values)).as_py() is not False:
        return values
    return pc.utf8_normalize(values, form="NFC")


def _value_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_from_path(field: pa.Field) -> bool:
    return bool(field.metadata) and FROM_PATH.items() <= field.metadata.items()


def _is_text(kind: pa.DataType) -> bool:
    types = pa.types
    text = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    return bool(text or types.is_binary(kind) or types.is_large_binary(kind) or _is_bytes_view(kind))


def _is_bytes_view(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary_view(kind) or pa.types.is_fixed_size_binary(kind))


def _is_uuid(kind: pa.DataType) -> bool:
    return isinstance(kind, pa.BaseExtensionType) and kind.extension_name == "arrow.uuid"


def _decoded(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Without dictionaries."""
    if not pa.types.is_dictionary(values.type):
        return values
    return pa.chunked_array([chunk.dictionary_decode() for chunk in values.chunks], values.type.value_type)


def _mask(values: pa.ChunkedArray) -> NDArray[np.bool_]:
    return np.asarray(values.to_numpy(), np.bool_)


def _unread(rule: str, rows: NDArray[np.bool_], what: str) -> list[Unread]:
    return [Unread(rule, rows, what)] if rows.any() else []


def _text(values: pa.ChunkedArray, optional: bool) -> tuple[pa.ChunkedArray, list[Unread]]:
    faults: list[Unread] = []
    if _is_uuid(values.type):
        text = pa.chunked_array([_uuids(chunk.storage) for chunk in values.chunks], pa.string())
    elif pa.types.is_integer(values.type):
        text = values.cast(pa.string())
    elif pa.types.is_string(values.type) and _is_utf8(values):
        text = values
    else:
        raw = values.cast(pa.binary())
        try:
            text = raw.cast(pa.string())
        except pa.ArrowInvalid:
            text = _utf8_alone(raw)
            faults = _unread("utf_8", _mask(pc.is_null(text)) & ~_mask(pc.is_null(raw)), "is not UTF-8 text")
    if pc.any(pc.ends_with(text, " ")).as_py():
        text = pc.ascii_rtrim(text, " ")
    blank = pc.or_(pc.equal(pc.binary_length(text), 0), pc.utf8_is_space(text))
    if pc.any(blank).as_py():
        text = pc.if_else(blank, pa.scalar(None if optional else "", pa.string()), text)
    return text, faults


def _is_utf8(values: pa.ChunkedArray) -> bool:
    """Whether every string is: Parquet files of other programs may say so and lie."""
    try:
        values.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _utf8_alone(raw: pa.ChunkedArray) -> pa.ChunkedArray:
    """Bytes as strings, null in place of those that are not UTF-8."""
    strings: list[str | None] = []
    for value in raw.to_pylist():
        try:
            strings.append(None if value is None else value.decode())
        except UnicodeDecodeError:
            strings.append(None)
    return pa.chunked_array([pa.array(strings, pa.string())])


def _uuids(storage: pa.FixedSizeBinaryArray) -> pa.Array:
    texts = [None if value is None else str(uuid.UUID(bytes=value)) for value in storage.to_pylist()]
    return pa.array(texts, pa.string())


def _number(values: pa.ChunkedArray, optional: bool) -> tuple[pa.ChunkedArray, list[Unread]]:
    faults: list[Unread] = []
    if pa.types.is_floating(values.type):
        numbers = values.cast(pa.float64())
    else:
        # Through text: Arrow's own way from decimals to floats is a last bit off here and there.
        is_decimal = pa.types.is_decimal(values.type)
        numbers = values.cast(pa.string()).cast(pa.float64()) if is_decimal else values.cast(pa.float64(), safe=False)
        lost = _inexact(values, numbers)
        if lost.any():
            numbers = pc.if_else(pa.array(lost), pa.scalar(None, pa.float64()), numbers)
            what = "is beyond 2^53 and no float64 is equal to it"
            faults = _unread("exact", lost, what)
    if optional:
        numbers = pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers)
    return numbers, faults


def _inexact(values: pa.ChunkedArray, numbers: pa.ChunkedArray) -> NDArray[np.bool_]:
    """bool[n]: beyond 2^53, and not equal to its float64."""
    lost = np.zeros(len(values), np.bool_)
    large = np.flatnonzero(np.abs(pc.fill_null(numbers, 0.0).to_numpy()) >= _EXACT)
    if len(large):
        given, read = values.take(pa.array(large)).to_pylist(), numbers.take(pa.array(large)).to_pylist()
        lost[large] = [a != b for a, b in zip(given, read, strict=True)]
    return lost


def _date(values: pa.ChunkedArray, optional: bool) -> tuple[pa.ChunkedArray, list[Unread]]:
    kind = values.type
    width = pa.int32() if pa.types.is_date32(kind) else pa.int64()
    null = _mask(pc.is_null(values))
    count = pc.fill_null(values.cast(width), 0).to_numpy().astype(np.int64)
    unit = 1 if pa.types.is_date32(kind) else _UNITS_A_DAY["ms" if pa.types.is_date(kind) else kind.unit]
    days, rest = np.divmod(count, unit)
    timed = rest != 0
    beyond = ~timed & ((days < _FIRST_DAY) | (days > _LAST_DAY))
    faults = _unread("whole_day", timed, "has a time of day")
    faults += _unread("calendar", beyond, "is before the year 1 or after the year 9999")
    if pa.types.is_date32(kind) and not faults:
        return values, faults
    gone = null | timed | beyond
    return pa.chunked_array([pa.array(np.where(gone, 0, days).astype(np.int32), pa.date32(), mask=gone)]), faults


def _boolean(values: pa.ChunkedArray, optional: bool) -> tuple[pa.ChunkedArray, list[Unread]]:
    return values, []


_READERS: dict[str, Callable[[pa.ChunkedArray, bool], tuple[pa.ChunkedArray, list[Unread]]]] = {
    "string": _text,
    "number": _number,
    "date": _date,
    "boolean": _boolean,
}


def _parsed(texts: pa.ChunkedArray, kind: ColumnKind) -> tuple[pa.ChunkedArray, list[Unread]]:
    """Names of directories as numbers, dates or booleans; few distinct ones."""
    found: dict[str, object] = {text: _parse(text, kind) for text in texts.unique().to_pylist() if text is not None}
    names = texts.to_pylist()
    values = pa.chunked_array([pa.array([found.get(name) for name in names], ARROW_TYPES[kind])])
    bad = np.array([name is not None and found[name] is None for name in names], np.bool_)
    return values, _unread(kind, bad, f"is not {KIND_TYPES[kind]}, in the name of its directory")


def _parse(text: str, kind: ColumnKind) -> object:
    try:
        if kind == "number":
            return float(text)
        if kind == "date":
            return datetime.date.fromisoformat(text.removesuffix(" 00:00:00").removesuffix("T00:00:00"))
    except ValueError:
        return None
    return _TRUTH.get(text.lower())
