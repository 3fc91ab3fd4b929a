"""The same inputs as other programs write them: the numbers are the same, to the last bit."""

from __future__ import annotations

import decimal
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from selections import one_in
from spoiled import Book, assert_only_these_fail, rewrite, with_cells

from riskpipe.config import load_settings
from riskpipe.inputs.opened import hash_inputs, open_inputs
from riskpipe.plan.selection import Selection

Change = Callable[[pa.Table], pa.Table]


def each(wanted: Callable[[pa.Field], bool], change: Callable[[pa.ChunkedArray], pa.Array]) -> Change:
    def changed(table: pa.Table) -> pa.Table:
        for k, field in enumerate(table.schema):
            if wanted(field):
                table = table.set_column(k, field.name, change(table.column(k).combine_chunks()))
        return table

    return changed


def is_text(field: pa.Field) -> bool:
    return pa.types.is_string(field.type)


def is_number(field: pa.Field) -> bool:
    return pa.types.is_floating(field.type)


def is_date(field: pa.Field) -> bool:
    return pa.types.is_date(field.type)


def as_decimals(values: pa.Array) -> pa.Array:
    exact = [None if value is None else decimal.Decimal(repr(value)) for value in values.to_pylist()]
    return pa.array(exact, pa.decimal256(76, 30))


def as_moments(values: pa.Array) -> pa.Array:
    return values.cast(pa.timestamp("ms")).cast(pa.timestamp("us", "Etc/UTC"))


def padded(values: pa.Array) -> pa.Array:
    """As CHAR columns come, nulls blank."""
    return pa.array([(value or "").ljust(40) for value in values.to_pylist()])


def blank(values: pa.Array) -> pa.Array:
    return pc.fill_null(values, "")


SPELLINGS: dict[str, list[Change]] = {
    "database": [each(is_text, padded), each(is_number, as_decimals), each(is_date, as_moments)],
    "arrow": [
        each(is_text, lambda values: blank(values).cast(pa.string_view())),
        each(is_number, lambda values: pc.fill_null(values, float("nan"))),
        each(is_date, lambda values: values.cast(pa.timestamp("ms")).cast(pa.timestamp("ns", "+00:00"))),
    ],
    "hadoop": [
        each(is_text, lambda values: values.cast(pa.binary())),
        each(is_date, lambda values: values.cast(pa.timestamp("ms")).cast(pa.timestamp("us", "GMT"))),
    ],
}


@pytest.mark.parametrize("spelling", one_in(3, SPELLINGS))
def test_types(spoilt: Book, clean: Path, spelling: str) -> None:
    """Also the ways of saying nothing: blanks, and NaN for the strike of a point at the money, in place of nulls."""
    assert pq.read_table(spoilt.input("market")).column("strike").null_count
    paths = [path for path in spoilt.directory.rglob("*.parquet") if "data" in path.parts]
    assert len(paths) > 8
    for path in paths:
        for change in SPELLINGS[spelling]:
            rewrite(path, change)
        if spelling == "hadoop":
            pq.write_table(pq.read_table(path), path, use_deprecated_int96_timestamps=True, store_schema=False)
    answer = spoilt.riskpipe("run", "--json")
    assert answer.code == 0, answer.stderr
    assert_only_these_fail(clean, spoilt.output, {})


def spread(path: Path, by: Callable[[int], str], rows: int = 40) -> None:
    """A file as a directory of part files, as Spark leaves it, a part in the directory `by(number of the part)`."""
    table = pq.read_table(path)
    path.unlink()
    for part, first in enumerate(range(0, len(table), rows)):
        directory = path / by(part)
        directory.mkdir(parents=True, exist_ok=True)
        pq.write_table(table.slice(first, rows), directory / f"part-{part:05}-c000.snappy.parquet")
        (directory / f".part-{part:05}-c000.snappy.parquet.crc").write_bytes(b"crc")
    (path / "_SUCCESS").write_bytes(b"")


def split_by(path: Path, column: str, few: int | None = None) -> None:
    """A file as directories that are named `column=value`; the column itself is left to them.

    :param few: so many directories; what is left stays in a file above them, column and all.
    """
    table = pq.read_table(path)
    values = table.column(column).to_pylist()
    path.unlink()
    names = list(dict.fromkeys(values))
    for value in names[:few]:
        mine = table.filter(pa.array([given == value for given in values]))
        name = "__HIVE_DEFAULT_PARTITION__" if value is None else str(value).replace("/", "%2F").replace(" ", "%20")
        (path / f"{column}={name}").mkdir(parents=True)
        pq.write_table(mine.drop_columns([column]), path / f"{column}={name}" / "part-00000.parquet")
    if few is not None:
        rest = table.filter(pa.array([given in names[few:] for given in values]))
        pq.write_table(rest, path / "rest.parquet")
    (path / "_SUCCESS").write_bytes(b"")


def test_directories(spoilt: Book, clean: Path) -> None:
    """Every input as Spark and Hive lay it out; rows come in another order, the numbers do not change."""
    spread(spoilt.input("scenarios"), lambda part: "")
    split_by(spoilt.input("market"), "kind")
    split_by(spoilt.input("history"), "date")
    split_by(spoilt.trades("bond"), "maturity_date", 2)
    split_by(spoilt.trades("fx_option"), "book", 2)
    split_by(spoilt.trades("commodity_option"), "strike", 2)
    split_by(spoilt.trades("credit_default_swap"), "currency", 2)
    spread(spoilt.trades("equity_option"), lambda part: "")
    answer = spoilt.riskpipe("run", "--json")
    assert answer.code == 0, answer.stderr
    assert_only_these_fail(clean, spoilt.output, {})
    assert spoilt.check().faults == []


def test_hashes_are_of_every_file_and_of_what_directories_say(spoilt: Book) -> None:
    spread(spoilt.input("market"), lambda part: "")
    split_by(spoilt.trades("bond"), "book", 2)
    settings = load_settings(spoilt.config, assignments=["measures=[pv]"], environment={})

    def blocks() -> set[str]:
        inputs = open_inputs(settings)
        assert not inputs.blocking
        assert inputs.sha256 == hash_inputs(settings, Selection()) != ""
        return set(inputs.block_inputs(Selection()).values())

    hashes, before = [hash_inputs(settings, Selection())], blocks()
    book = next(spoilt.trades("bond").glob("book=*"))
    book.rename(book.with_name("book=elsewhere"))
    hashes.append(hash_inputs(settings, Selection()))
    assert len(blocks() - before) == 1
    last = sorted(spoilt.input("market").glob("part-*"))[-1]
    rewrite(last, with_cells("value", {0: pq.read_table(last).column("value")[0].as_py() * 1.0001}))
    hashes.append(hash_inputs(settings, Selection()))
    last.rename(last.with_name("part-99999.parquet"))
    hashes.append(hash_inputs(settings, Selection()))
    assert len({*hashes}) == len(hashes)
    assert "" not in hashes


def test_trades_of_another_day(spoilt: Book) -> None:
    """A portfolio that keeps its days side by side would be valued several times over."""
    path = spoilt.trades("bond")
    for day in ("2026-11-19", "2026-11-20"):
        (path.parent / f"as_of={day}").mkdir()
        shutil.copy(path, path.parent / f"as_of={day}" / "part-0.parquet")
    path.unlink()
    answer = spoilt.check()
    assert answer.code == 3
    (fault,) = [fault for fault in answer.faults if fault["rule"] == "another day"]
    assert (fault["level"], fault["file"]) == ("error", "bond")
    assert "bond/as_of=2026-11-19" in fault["message"]
    assert answer.json["blocking"] is True
    shutil.rmtree(path.parent / "as_of=2026-11-19")
    assert spoilt.check().faults == []


def test_files_that_do_not_fit_together_are_told(spoilt: Book) -> None:
    spread(spoilt.input("market"), lambda part: "")
    last = sorted(spoilt.input("market").glob("part-*"))[-1]
    rewrite(
        last,
        lambda table: table.set_column(table.schema.get_field_index("value"), "value", pa.array(["x"] * len(table))),
    )
    answer = spoilt.check()
    assert answer.code == 3
    (fault,) = answer.faults
    assert fault["rule"] == "unreadable"
    assert "do not fit together" in fault["message"]
    assert "value" in fault["message"]


def test_strays_in_a_directory_of_market_files(spoilt: Book) -> None:
    spread(spoilt.input("market"), lambda part: "")
    parts = sorted(spoilt.input("market").glob("part-*"))
    parts[-1].rename(parts[-1].with_suffix(".PARQUET"))
    (spoilt.input("market") / "old").mkdir()
    shutil.copy(parts[0], spoilt.input("market") / "old" / "x.parquet")
    answer = spoilt.check()
    assert answer.code == 3
    rules = {(fault["level"], fault["rule"]) for fault in answer.faults if fault["table"] == "market"}
    assert {("error", "not read"), ("error", "misplaced file")} <= rules


# -- cells that cannot be read


def test_cells_that_cannot_be_read_fail_their_trades(spoilt: Book, clean: Path) -> None:
    def garble(column: str, row: int, coded: bool) -> Change:
        def change(table: pa.Table) -> pa.Table:
            raw = [(value or "").encode() for value in table.column(column).to_pylist()]
            raw[row] = b"cr\xe9dit"
            values = pa.array(raw, pa.binary()).view(pa.string())
            return table.set_column(
                table.schema.get_field_index(column), column, values.dictionary_encode() if coded else values
            )

        return change

    def large(column: str, row: int, kind: pa.DataType) -> Change:
        def change(table: pa.Table) -> pa.Table:
            values = [int(value) for value in table.column(column).to_pylist()]
            values[row] = 2**53 + 1
            return table.set_column(table.schema.get_field_index(column), column, pa.array(values, kind))

        return change

    def ids(product: str) -> list[str]:
        return pq.read_table(spoilt.trades(product)).column("trade_id").to_pylist()

    expected = {}
    for product, _, row, change, why in (
        ("bond", "calendar", 3, garble("calendar", 3, False), "calendar is not UTF-8 text"),
        ("bond", "counterparty", 4, garble("counterparty", 4, True), "counterparty is not UTF-8 text"),
        ("fx_option", "pair", 2, garble("pair", 2, True), "pair is not UTF-8 text"),
    ):
        rewrite(spoilt.trades(product), change)
        expected[ids(product)[row]] = ("INVALID_TRADE", why)
    for product, column, kind in (
        ("interest_rate_swap", "notional", pa.int64()),
        ("equity_option", "quantity", pa.decimal128(38, 0)),
    ):
        given = pq.read_table(spoilt.trades(product)).column(column).to_pylist()
        assert all(value == int(value) for value in given)
        rewrite(spoilt.trades(product), large(column, 1, kind))
        expected[ids(product)[1]] = ("INVALID_TRADE", f"{column} is beyond 2^53")
    answer = spoilt.riskpipe("run", "--json")
    assert answer.code == 4, answer.stderr
    assert_only_these_fail(clean, spoilt.output, expected)


@pytest.mark.parametrize("column", one_in(2, ["currency", "name"]))
def test_a_cell_of_the_market_that_cannot_be_read_takes_its_surface_alone(
    spoilt: Book, clean: Path, column: str
) -> None:
    """Whichever cell it is: half a surface is no surface."""
    path = spoilt.input("market")
    table = pq.read_table(path)
    rows = [k for k, r in enumerate(table.to_pylist()) if (r["kind"], r["name"]) == ("fx_vol", "EURUSD")]
    raw = [None if value is None else value.encode() for value in table.column(column).to_pylist()]
    raw[rows[1]] = b"\xff\xfe"
    values = pa.array(raw, pa.binary()).view(pa.string()).dictionary_encode()
    pq.write_table(table.set_column(table.schema.get_field_index(column), column, values), path)
    answer = spoilt.check()
    assert answer.code == 3, answer.stderr
    assert answer.json["blocking"] is False
    assert any((f["table"], f["column"], f["rule"]) == ("market", column, "utf_8") for f in answer.faults)
    trades = pq.read_table(spoilt.trades("fx_option")).to_pylist()
    lost = {row["trade_id"] for row in trades if row["pair"] == "EURUSD"}
    assert spoilt.riskpipe("run", "-q").code == 4
    why = ("MISSING_MARKET_DATA", "fx_vol:EURUSD is left out")
    assert_only_these_fail(clean, spoilt.output, dict.fromkeys(lost, why))


def test_a_level_that_no_float_holds(spoilt: Book) -> None:
    """As an integer in a market of integers; it was a crash."""
    path = spoilt.input("market")
    table = pq.read_table(path)
    values = [decimal.Decimal(repr(value)) for value in table.column("value").to_pylist()]
    values[0] = decimal.Decimal(2**53 + 1)
    at = table.schema.get_field_index("value")
    pq.write_table(table.set_column(at, "value", pa.array(values, pa.decimal256(76, 30))), path)
    answer = spoilt.check()
    assert answer.code == 3, answer.stderr
    exact = [fault for fault in answer.faults if fault["rule"] == "exact"]
    assert [fault["sample"] for fault in exact] == [[table.column("factor")[0].as_py()]]


# -- books


BOOKS = {
    "/rates/usd": "rates/usd",
    "rates//usd": "rates/usd",
    " rates / usd/": "rates/usd",
    "e\u0301t\u00e9": "\u00e9t\u00e9",
}


@pytest.mark.slow
def test_a_book_has_one_name(spoilt: Book) -> None:
    rewrite(
        spoilt.trades("fx_forward"), with_cells("book", dict(enumerate(BOOKS)) | {4: "rates/usd", 5: "/", 6: " // "})
    )
    ids = pq.read_table(spoilt.trades("fx_forward")).column("trade_id").to_pylist()
    checked = spoilt.check()
    (told,) = [fault for fault in checked.faults if fault["rule"] == "normal_form"]
    assert (told["level"], told["rows"], told["column"]) == ("warning", 4, "book")
    assert told["sample"] == ids[:4]
    for given in (
        "'/rates/usd' as 'rates/usd'",
        "'rates//usd' as",
        "' rates / usd/' as",
        r"'e\u0301t\xe9' as '\xe9t\xe9'",
    ):
        assert given in told["message"]
    (empty,) = [fault for fault in checked.faults if fault["level"] == "error"]
    assert (empty["rule"], empty["rows"], empty["sample"]) == ("not_empty", 2, ids[5:7])
    assert spoilt.riskpipe("run", "--json").code == 4
    tables = {name: published(spoilt, name) for name in ("valuations", "aggregates")}
    books = {row["trade_id"]: row["book"] for row in tables["valuations"].to_pylist()}
    assert [books[trade] for trade in ids[:7]] == [*BOOKS.values(), "rates/usd", "", ""]
    values = {row["trade_id"]: row["value_base"] for row in tables["valuations"].to_pylist() if row["measure"] == "pv"}
    sums = [row for row in tables["aggregates"].to_pylist() if row["measure"] == "pv" and row["book"] == "rates/usd"]
    # Sums take in what stands below; in this book nothing else does.
    below = [trade for trade, book in books.items() if f"{book}/".startswith("rates/usd/")]
    assert [row["trades"] for row in sums] == [len(below)]
    assert sums[0]["value_base"] == pytest.approx(sum(values[trade] or 0.0 for trade in below), rel=1e-12)
    nodes = [row["book"] for row in tables["aggregates"].to_pylist() if row["measure"] == "pv"]
    assert len(nodes) == len(set(nodes))
    assert nodes.count("") == 1


def published(book: Book, name: str) -> pa.Table:
    return pq.ParquetDataset([str(path) for path in (book.output / "published" / name).rglob("*.parquet")]).read()


def test_books_are_selected_by_their_one_name(spoilt: Book) -> None:
    rewrite(spoilt.trades("fx_forward"), with_cells("book", {0: "/new//desk", 1: "new/desk/", 2: "caf\u0065\u0301"}))
    ids = pq.read_table(spoilt.trades("fx_forward")).column("trade_id").to_pylist()
    for pattern, wanted in (("/new//desk/", 2), ("cafe\u0301", 1)):
        answer = spoilt.riskpipe("plan", "--json", "--select", f"book:{pattern}")
        assert answer.code == 0, answer.stderr
        assert answer.json["trades"] == wanted, pattern
    assert len(ids) > 3
