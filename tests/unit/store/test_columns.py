"""Types that other programs write, against Python's own reading of the same values."""

from __future__ import annotations

import datetime
import decimal
import math
import random
import uuid
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from riskpipe.store.columns import FROM_PATH, can_read, composed, nearest_name, read_column, unknown_columns
from riskpipe.store.location import open_store
from riskpipe.store.parquet import read_parquet

DAY = datetime.date(2027, 3, 1)
MOMENT = datetime.datetime(2027, 3, 1)


def read(array: pa.Array, kind: str, *, optional: bool = False, field: pa.Field | None = None):
    field = field or pa.field("c", array.type)
    values, faults = read_column(pa.chunked_array([array]), field, kind, optional=optional)
    return values.to_pylist(), {fault.rule: np.flatnonzero(fault.rows).tolist() for fault in faults}


TEXTS = ["a", "né", None, "EUR"]


@pytest.mark.parametrize(
    "kind",
    [
        *(pa.string(), pa.large_string(), pa.string_view()),
        *(pa.binary(), pa.large_binary(), pa.binary_view()),
        *(pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.int32(), pa.large_string())),
        pa.dictionary(pa.int16(), pa.binary()),
    ],
)
def test_text(kind: pa.DataType) -> None:
    encoded = [text if text is None or "binary" not in str(kind) else text.encode() for text in TEXTS]
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    array = pa.array(encoded, plain)
    array = array.dictionary_encode() if pa.types.is_dictionary(kind) else array
    assert can_read(pa.field("c", array.type), "string")
    assert read(array, "string") == (TEXTS, {})


def test_uuids_and_integers() -> None:
    ids = [uuid.UUID(int=7), None, uuid.UUID(int=2**127 + 5)]
    array = pa.array([None if i is None else i.bytes for i in ids], pa.binary(16))
    array = pa.ExtensionArray.from_storage(pa.uuid(), array)
    assert can_read(pa.field("c", array.type), "string")
    assert read(array, "string")[0] == [None if i is None else str(i) for i in ids]
    assert read(array[1:], "string")[0] == [None, str(ids[2])]
    numbers = pa.array([7203, None, 2**64 - 1], pa.uint64())
    assert can_read(pa.field("c", numbers.type), "string", identifier=True)
    assert not can_read(pa.field("c", numbers.type), "string")
    assert read(numbers, "string")[0] == ["7203", None, "18446744073709551615"]


def latin(*values: bytes) -> pa.Array:
    return pa.array(values, pa.binary()).view(pa.string())


@pytest.mark.parametrize("coded", [False, True])
@pytest.mark.parametrize("kind", [pa.string(), pa.binary(), pa.large_string()])
def test_bytes_that_are_no_utf8_fail_their_rows(kind: pa.DataType, coded: bool) -> None:
    raw = pa.array([b"ok", b"cr\xe9dit", b"ok", b"\xff"], pa.binary())
    array = raw if pa.types.is_binary(kind) else latin(*raw.to_pylist())
    if pa.types.is_large_string(kind):
        array = raw.cast(pa.large_binary()).view(pa.large_string())
    if coded:
        array = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 3]), array)
    assert read(array, "string") == (["ok", None, "ok", None], {"utf_8": [1, 3]})


def test_ways_of_saying_nothing() -> None:
    text = pa.array(["EUR  ", "", "   ", "\t", None, " x"])
    assert read(text, "string", optional=True)[0] == ["EUR", None, None, None, None, " x"]
    assert read(text, "string")[0] == ["EUR", "", "", "", None, " x"]
    numbers = pa.array([1.0, math.nan, None])
    assert read(numbers, "number", optional=True)[0] == [1.0, None, None]
    assert math.isnan(read(numbers, "number")[0][1])


def test_decimals_are_the_nearest_floats() -> None:
    """Against Python's own conversion, which rounds correctly; Arrow's is off in the last bit for an eighth of them."""
    rng = random.Random(5)
    for precision, scale in ((18, 4), (20, 8), (38, 18), (76, 30)):
        kind = pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale)
        given = [decimal.Decimal(rng.randrange(-(10**14), 10**14)).scaleb(-min(scale, 10)) for _ in range(2000)]
        given = [value.quantize(decimal.Decimal(1).scaleb(-scale), context=decimal.Context(prec=76)) for value in given]
        assert read(pa.array(given, kind), "number") == ([float(value) for value in given], {})


LARGE = 2**53


@pytest.mark.parametrize(
    ("array", "lost"),
    [
        (pa.array([LARGE, LARGE + 1, -LARGE - 1, 2**62, None], pa.int64()), [1, 2]),
        (pa.array([LARGE - 1, 2**64 - 1, 2**63], pa.uint64()), [1]),
        (pa.array([decimal.Decimal(LARGE + 1), decimal.Decimal(LARGE + 2)], pa.decimal128(20, 0)), [0]),
        (pa.array([decimal.Decimal("9007199254740993.5"), decimal.Decimal("0.1")], pa.decimal128(38, 4)), [0]),
        (pa.array([10**30 + 1, 1], pa.decimal256(60, 0)), [0]),
    ],
)
def test_integers_that_no_float_holds_are_no_numbers(array: pa.Array, lost: list[int]) -> None:
    values, faults = read(array, "number")
    assert faults == {"exact": lost}
    for k, (value, given) in enumerate(zip(values, array.to_pylist(), strict=True)):
        assert value is None if k in lost or given is None else value == given or given == decimal.Decimal("0.1")


@pytest.mark.parametrize(
    "kind", [pa.float16(), pa.float32(), pa.int8(), pa.uint32(), pa.dictionary(pa.int8(), pa.int64())]
)
def test_small_numbers(kind: pa.DataType) -> None:
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    array = pa.array([1, 2, None], pa.int64()).cast(plain)
    array = array.dictionary_encode() if pa.types.is_dictionary(kind) else array
    assert can_read(pa.field("c", array.type), "number")
    assert read(array, "number") == ([1.0, 2.0, None], {})


@pytest.mark.parametrize(
    "kind",
    [
        *(pa.date32(), pa.date64(), pa.timestamp("s"), pa.timestamp("ns")),
        *(pa.timestamp("us", zone) for zone in ("UTC", "Etc/UTC", "GMT", "+00:00", "Z")),
    ],
)
def test_dates(kind: pa.DataType) -> None:
    array = pa.array([MOMENT, None], pa.timestamp("ms")).cast(kind)
    assert can_read(pa.field("c", kind), "date")
    assert read(array, "date") == ([DAY, None], {})


def test_dates_that_are_none() -> None:
    array = pa.array([MOMENT, MOMENT + datetime.timedelta(microseconds=1)], pa.timestamp("us"))
    assert read(array, "date") == ([DAY, None], {"whole_day": [1]})
    far = pa.array([0, 86_400 * 10**8, -(2**62)], pa.int64()).view(pa.timestamp("s"))
    assert read(far, "date") == ([datetime.date(1970, 1, 1), None, None], {"whole_day": [2], "calendar": [1]})
    days = pa.array([20777, 2**31 - 1], pa.int32()).view(pa.date32())
    assert read(days, "date")[1] == {"calendar": [1]}
    for zone in ("America/New_York", "+01:00", "Europe/London"):
        assert not can_read(pa.field("c", pa.timestamp("us", zone)), "date")


def test_int96_beyond_2262(tmp_path: Path) -> None:
    """As Spark writes timestamps; in nanoseconds the year 9999 would be 1816."""
    far = datetime.datetime(9999, 12, 31)
    table = pa.table({"d": pa.array([far, MOMENT], pa.timestamp("us"))})
    pq.write_table(table, tmp_path / "x.parquet", use_deprecated_int96_timestamps=True)
    column = read_parquet(open_store(str(tmp_path)), "x.parquet").column("d")
    assert read(column.combine_chunks(), "date") == ([far.date(), DAY], {})


@pytest.mark.parametrize(
    ("kind", "texts", "values", "bad"),
    [
        ("date", ["2027-03-01", "yesterday", None], [DAY, None, None], [1]),
        ("number", ["1.5", "x", None], [1.5, None, None], [1]),
        ("boolean", ["true", "False", "2"], [True, False, None], [2]),
        ("string", ["2027-03-01", "1.5", None], ["2027-03-01", "1.5", None], []),
    ],
)
def test_columns_that_directories_name(kind: str, texts: list, values: list, bad: list[int]) -> None:
    field = pa.field("c", pa.string(), metadata=FROM_PATH)
    assert can_read(field, kind)
    found, faults = read(pa.array(texts), kind, field=field)
    assert found == values
    assert faults == ({kind: bad} if bad else {})


def test_unknown_columns_and_their_likeness() -> None:
    known = ("credit_curve", "strike_type", "trade_id", "notional")
    assert unknown_columns(["creditcurve", "Credit_Curve", "STRIKE_TYPE", "colour", "trade_id"], known) == {
        "creditcurve": "credit_curve",
        "Credit_Curve": "credit_curve",
        "STRIKE_TYPE": "strike_type",
        "colour": "",
    }
    assert nearest_name("Tenor", ("TENOR", "value")) == "TENOR"


def test_names_that_look_the_same_are_the_same() -> None:
    given = pa.chunked_array([["cafe\u0301", None, "USD"], ["caf\u00e9"]])
    assert composed(given).to_pylist() == ["caf\u00e9", None, "USD", "caf\u00e9"]
    plain = pa.chunked_array([["USD", None]])
    assert composed(plain) is plain
